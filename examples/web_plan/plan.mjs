// Runs a plan that `cargo xtask export` wrote, on any WebGPU device: in a browser or wherever JavaScript has a GPU. The plan
// says everything: which text is which kernel, its words of parameters, which part of which tensor stands at each binding, and
// the grid. Nothing here knows what a convolution is.

// Buffers and pipelines of an exported plan, made once. `exported` is the parsed plan.json, `texts` has the WGSL text of each
// file that it names, `tensors` a GPUBuffer for each tensor that is the caller's (input, weights, output, ...); packed weights
// and workspace are made here. Of the result, `pack(pass)` is encoded once for the weights, `run(pass)` for each run.
export async function preparePlan(device, exported, texts, tensors) {
  const { plan } = exported;
  const buffers = { ...tensors };
  for (const [label, { bytes }] of Object.entries(exported.tensors)) {
    buffers[label] ??= device.createBuffer({ label, size: bytes, usage: GPUBufferUsage.STORAGE });
  }
  const kernels = new Map();
  await Promise.all(plan.kernels.map(async (kernel) => {
    const code = texts[exported.shaders[kernel.name]];
    kernels.set(kernel.name, { ...kernel, ...(await compile(device, exported.entry_point, kernel, code)) });
  }));
  const elementBytes = (slot) => (exported.tensors[slot].type === 'f16' ? 2 : 4);
  const bind = (steps) => steps.map((step) => bindStep(device, kernels.get(step.kernel), step, buffers, elementBytes));
  return { pack: encodeAll(bind(plan.packing.steps)), run: encodeAll(bind(plan.steps)) };
}

// A function that encodes bound dispatches into a pass.
export function encodeAll(dispatches) {
  return (pass) => {
    for (const { pipeline, group, grid } of dispatches) {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(...grid);
    }
  };
}

// The layout is explicit: one that is derived from the text would lack bindings that a variant does not use.
export async function compile(device, entryPoint, kernel, code) {
  const entry = (binding, type) => ({ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } });
  const storage = (access) => (access === 'read' ? 'read-only-storage' : 'storage');
  const layout = device.createBindGroupLayout({
    label: kernel.name,
    entries: [entry(0, 'uniform'), ...kernel.bindings.map(({ index, access }) => entry(index, storage(access)))],
  });
  const pipeline = await device.createComputePipelineAsync({
    label: kernel.name,
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module: device.createShaderModule({ label: kernel.name, code }), entryPoint },
  });
  return { pipeline, layout };
}

// A part of a tensor begins at any element, a binding at multiples of some bytes only: it begins below, and the rest goes into
// the parameter that holds the tensor's first element. Words are unsigned, and sums of them wrap around as the kernels' do.
function bindStep(device, kernel, step, buffers, elementBytes) {
  const alignment = device.limits.minStorageBufferOffsetAlignment;
  const words = new Uint32Array(Math.ceil(step.params.length / 4) * 4);
  words.set(step.params);
  const entries = step.operands.map(({ slot, first, len }, i) => {
    const { index, name } = kernel.bindings[i];
    const bytes = elementBytes(slot);
    const offset = Math.floor((bytes * first) / alignment) * alignment;
    const before = first - offset / bytes;
    if (before > 0) {
      const at = kernel.params.findIndex((param) => param.startsWith(`${name}_offset:`));
      if (at < 0) throw new Error(`${kernel.name} takes ${name} at multiples of ${alignment} bytes only`);
      words[at] += before;
    }
    const size = Math.ceil((bytes * (before + len)) / 4) * 4;
    return { binding: index, resource: { buffer: buffers[slot], offset, size } };
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
