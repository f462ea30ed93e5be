// Compiles every .wgsl file of a folder with Dawn's Tint, on the null backend: no GPU is needed. Each refusal is printed with
// Tint's message; the last lines say how many passed. The null device has WebGPU's default limits: of variants for larger
// devices the text is judged, and the pipeline is not made.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { create, globals } from 'webgpu';

Object.assign(globalThis, globals);
const folder = process.argv[2];
const gpu = create(['backend=null']);
const adapter = await gpu.requestAdapter();
const requiredFeatures = ['shader-f16'].filter((feature) => adapter.features.has(feature));
const device = await adapter.requestDevice({ requiredFeatures });
const names = readdirSync(folder).filter((name) => name.endsWith('.wgsl')).sort();
let refused = 0;
let large = 0;
for (const name of names) {
  const code = readFileSync(join(folder, name), 'utf8');
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ label: name, code });
  const info = await module.getCompilationInfo();
  const messages = info.messages.filter((message) => message.type === 'error');
  const places = messages.map((message) => `${message.lineNum}: ${message.message}`);
  if (messages.length === 0) {
    device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint: 'main' } });
  }
  let problem = (await device.popErrorScope())?.message;
  if (messages.length === 0 && /(larger than|exceeds) the maximum allowed/.test(problem)) {
    large += 1;
    problem = undefined;
  }
  if (messages.length > 0 || problem) {
    refused += 1;
    console.log(`${name}: ${places.join('; ') || problem}`);
  }
}
console.log(`${large} of them are for devices with more than WebGPU's default limits: their texts were judged`);
console.log(`Tint: ${names.length - refused} of ${names.length} variants pass`);
process.exit(refused === 0 && names.length > 0 ? 0 : 1);
