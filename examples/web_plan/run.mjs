// Runs plans and networks that `cargo xtask export --data` wrote and compares what comes out with what is expected, each output within its
// own bound. For Node, with Dawn from the npm package `webgpu`:
//
//     cargo xtask export --layer seed1 --data --out target/export/seed1
//     npm install webgpu@0.6.2
//     node examples/web_plan/run.mjs target/export/seed1
//
// It prints a line for each, with the worst error in parts of its bound, and fails if one is above 1. Without a folder it
// prints the device alone. Without a device it ends with code 3, so that a caller can tell.
//
// The variable DAWN_BACKEND chooses a backend of Dawn's. On Linux without a GPU, DAWN_BACKEND=opengles EGL_PLATFORM=surfaceless
// runs on Mesa's software rasterizer.
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { create, globals } from 'webgpu';
import { prepareNetwork } from './network.mjs';
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
    const { ratio, at, outputs, dispatches } = await (existsSync(join(folder, 'network.json')) ? runNetwork : runPlan)(folder);
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
  const { read, floats } = files(folder);
  const exported = JSON.parse(read('plan.json'));
  const { plan, expected } = exported;
  if (!expected) throw new Error('exported without --data: nothing to compare with');
  const texts = Object.fromEntries(Object.values(exported.shaders).map((file) => [file, read(file).toString()]));

  device.pushErrorScope('validation');
  const tensors = {};
  for (const [label, { bytes, usage, file }] of Object.entries(exported.tensors)) {
    const flags = usage.reduce((flags, name) => flags | GPUBufferUsage[name], GPUBufferUsage.COPY_DST);
    tensors[label] = filled(label, bytes, flags, file && read(file));
  }
  const { bytes, len, type } = exported.tensors.output;
  const [range] = await packAndRun(await preparePlan(device, exported, texts, tensors), [[tensors.output, bytes]]);
  const got = type === 'f16' ? Array.from(new Uint16Array(range, 0, len), fromHalf) : new Float32Array(range);
  const worst = worstRatio(got, floats(expected.file), floats(expected.bound));
  Object.values(tensors).forEach((buffer) => buffer.destroy());
  return { ...worst, dispatches: plan.packing.steps.length + plan.steps.length };
}

async function runNetwork(folder) {
  const { read, floats } = files(folder);
  const exported = JSON.parse(read('network.json'));
  if (!exported.outputs.every(({ expected }) => expected)) {
    throw new Error('exported without --data: nothing to compare with');
  }
  const texts = Object.fromEntries(exported.kernels.map(({ file }) => [file, read(file).toString()]));

  device.pushErrorScope('validation');
  const { STORAGE, COPY_DST, COPY_SRC } = GPUBufferUsage;
  const buffers = exported.buffers.map(({ name, bytes, file }) => (
    filled(name, bytes, STORAGE | COPY_DST | COPY_SRC, file && read(file))));
  const copies = exported.outputs.map(({ buffer }) => [buffers[buffer], exported.buffers[buffer].bytes]);
  const ranges = await packAndRun(await prepareNetwork(device, exported, texts, buffers), copies);
  const compared = exported.outputs.map(({ len, expected, bound }, i) => (
    worstRatio(new Float32Array(ranges[i], 0, len), floats(expected), floats(bound))));
  const worst = compared.reduce((worst, other) => (other.ratio > worst.ratio ? other : worst));
  const outputs = compared.reduce((sum, { outputs }) => sum + outputs, 0);
  buffers.forEach((buffer) => buffer.destroy());
  return { ...worst, outputs, dispatches: exported.packing.length + exported.steps.length };
}

function files(folder) {
  const read = (file) => readFileSync(join(folder, file));
  return { read, floats: (file) => new Float32Array(new Uint8Array(read(file)).buffer) };
}

// A buffer with data; what is not given is full of NaN: so a value that nobody wrote shows.
function filled(label, size, usage, data) {
  const buffer = device.createBuffer({ label, size, usage });
  device.queue.writeBuffer(buffer, 0, data ?? new Float32Array(size / 4).fill(NaN));
  return buffer;
}

// Packs weights, runs, and copies buffers of so many bytes back. It ends the error scope that was begun before.
async function packAndRun({ pack, run }, copies) {
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pack(pass);
  run(pass);
  pass.end();
  const results = copies.map(([buffer, size]) => {
    const result = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    encoder.copyBufferToBuffer(buffer, 0, result, 0, size);
    return result;
  });
  device.queue.submit([encoder.finish()]);
  const error = await device.popErrorScope();
  if (error) throw error;
  return Promise.all(results.map(async (result) => {
    await result.mapAsync(GPUMapMode.READ);
    const copied = result.getMappedRange().slice(0);
    result.destroy();
    return copied;
  }));
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
