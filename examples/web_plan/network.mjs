// Runs a network that `cargo xtask export --network` wrote, on any WebGPU device. `network.json` says everything: kernels, buffers,
// and dispatches with their parameters. Nothing here knows what a network is.
import { compile, encodeAll } from './plan.mjs';

// Buffers and pipelines of an exported network, made once. `exported` is the parsed network.json, `texts` has the WGSL text of each
// file that it names, `buffers` a GPUBuffer for each of its buffers, with what the files hold. Of the result, `pack(pass)` is encoded
// once for the weights, `run(pass)` for each run.
export async function prepareNetwork(device, exported, texts, buffers) {
  const kernels = await Promise.all(exported.kernels.map(async (kernel) => (
    { ...kernel, ...(await compile(device, exported.entry_point, kernel, texts[kernel.file])) })));
  const bind = (steps) => steps.map((step) => bindStep(device, kernels[step.kernel], step, buffers));
  return { pack: encodeAll(bind(exported.packing)), run: encodeAll(bind(exported.steps)) };
}

// A binding begins at multiples of some bytes, at or before the operand. The parameter with the operand's first element is counted
// from the start of the buffer: it is less by as many elements. Words are unsigned, and wrap around as the kernels' do.
function bindStep(device, kernel, step, buffers) {
  const alignment = device.limits.minStorageBufferOffsetAlignment;
  const words = new Uint32Array(Math.ceil(step.params.length / 4) * 4);
  words.set(step.params);
  const entries = step.operands.map(({ buffer, begin, end, element, first }, i) => {
    const offset = Math.floor(begin / alignment) * alignment;
    if (first !== undefined) {
      words[first] -= offset / element;
    } else if (offset !== begin) {
      throw new Error(`${kernel.name} takes binding ${kernel.bindings[i].index} at multiples of ${alignment} bytes only`);
    }
    return { binding: kernel.bindings[i].index, resource: { buffer: buffers[buffer], offset, size: end - offset } };
  });
  const params = device.createBuffer({
    label: `parameters of ${kernel.name}`,
    size: words.byteLength,
    usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
  });
  device.queue.writeBuffer(params, 0, words);
  entries.unshift({ binding: 0, resource: { buffer: params } });
  const group = device.createBindGroup({ label: kernel.name, layout: kernel.layout, entries });
  return { pipeline: kernel.pipeline, group, grid: step.grid };
}
