// Runs plans that `cargo xtask export --data` wrote and compares what comes out with what is expected, each output within its
// own bound. For Node, with Dawn from the npm package `webgpu`:
//
//     cargo xtask export --layer seed1 --data --out target/export/seed1
//     npm install webgpu@0.6.2
//     node examples/web_plan/run.mjs target/export/seed1
//
// It prints a line for each plan, with the worst error in parts of its bound, and fails if one is above 1. Without a folder it
// prints the device alone. Without a device it ends with code 3, so that a caller can tell.
//
// The variable DAWN_BACKEND chooses a backend of Dawn's. On Linux without a GPU, DAWN_BACKEND=opengles EGL_PLATFORM=surfaceless
// runs on Mesa's software rasterizer.
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { create, globals } from 'webgpu';
import { preparePlan } from './plan.mjs';

Object.assign(globalThis, globals);
const NO_DEVICE = 3;

// Everything of Dawn's lives as long as this.
const gpu = create(process.env.DAWN_BACKEND ? [`backend=${process.env.DAWN_BACKEND}`] : []);
// OpenGL ES is no more than WebGPU's compatibility mode, which has all that the kernels need.
const adapter = await gpu.requestAdapter() ?? await gpu.requestAdapter({ featureLevel: 'compatibility' });
if (!adapter) {
  console.log('Dawn finds no adapter');
  process.exit(NO_DEVICE);
}
const { maxStorageBufferBindingSize, maxBufferSize, maxComputeWorkgroupStorageSize, maxComputeInvocationsPerWorkgroup,
  maxComputeWorkgroupSizeX, maxComputeWorkgroupSizeY } = adapter.limits;
// Whatever the adapter has: of a plan for a larger device the pipelines then fail, and say why.
const requiredLimits = { maxStorageBufferBindingSize, maxBufferSize, maxComputeWorkgroupStorageSize,
  maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX, maxComputeWorkgroupSizeY };
const requiredFeatures = ['shader-f16'].filter((feature) => adapter.features.has(feature));
const device = await adapter.requestDevice({ requiredLimits, requiredFeatures });
console.log(`device: ${adapter.info.description || adapter.info.device || adapter.info.vendor}`);

let failed = 0;
for (const folder of process.argv.slice(2)) {
  const name = basename(folder);
  try {
    const { ratio, at, outputs, dispatches } = await runPlan(folder);
    const right = ratio <= 1;
    failed += right ? 0 : 1;
    const where = right ? '' : ` at element ${at}: WRONG`;
    console.log(`${name}: ${outputs} elements by ${dispatches} dispatches, worst error ${ratio.toPrecision(3)} of its bound${where}`);
  } catch (error) {
    failed += 1;
    console.log(`${name}: FAILED: ${error.message}`);
  }
}
// Dawn's threads would keep the process alive.
process.exit(failed === 0 ? 0 : 1);

async function runPlan(folder) {
  const read = (file) => readFileSync(join(folder, file));
  const floats = (file) => new Float32Array(new Uint8Array(read(file)).buffer);
  const exported = JSON.parse(read('plan.json'));
  const { plan, expected } = exported;
  if (!expected) throw new Error('exported without --data: nothing to compare with');
  const texts = Object.fromEntries(Object.values(exported.shaders).map((file) => [file, read(file).toString()]));

  device.pushErrorScope('validation');
  const tensors = {};
  for (const [label, { bytes, usage, file }] of Object.entries(exported.tensors)) {
    // What is not given is full of NaN: so a value that nobody wrote shows.
    const data = file ? read(file) : new Float32Array(bytes / 4).fill(NaN);
    const flags = usage.reduce((flags, name) => flags | GPUBufferUsage[name], GPUBufferUsage.COPY_DST);
    tensors[label] = device.createBuffer({ label, size: bytes, usage: flags });
    device.queue.writeBuffer(tensors[label], 0, data);
  }
  const { bytes, len, type } = exported.tensors.output;
  const result = device.createBuffer({ size: bytes, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const { pack, run } = await preparePlan(device, exported, texts, tensors);

  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pack(pass);
  run(pass);
  pass.end();
  encoder.copyBufferToBuffer(tensors.output, 0, result, 0, bytes);
  device.queue.submit([encoder.finish()]);
  const error = await device.popErrorScope();
  if (error) throw error;

  await result.mapAsync(GPUMapMode.READ);
  const range = result.getMappedRange();
  const got = type === 'f16' ? Array.from(new Uint16Array(range, 0, len), fromHalf) : new Float32Array(range);
  const worst = worstRatio(got, floats(expected.file), floats(expected.bound));
  result.unmap();
  [...Object.values(tensors), result].forEach((buffer) => buffer.destroy());
  return { ...worst, dispatches: plan.packing.steps.length + plan.steps.length };
}

// The value of an IEEE 754 binary16: sign, 5 bits of exponent, 10 of fraction.
function fromHalf(bits) {
  const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction);
}

// The largest error in parts of its bound, and where. What is no number is infinitely wrong; what must be exact has bound 0.
function worstRatio(got, expected, bound) {
  let [ratio, at] = [0, 0];
  for (let i = 0; i < expected.length; i += 1) {
    const error = Math.abs(got[i] - expected[i]);
    const here = error === 0 ? 0 : Number.isNaN(error) ? Infinity : error / bound[i];
    if (here > ratio) [ratio, at] = [here, i];
  }
  return { ratio, at, outputs: expected.length };
}
