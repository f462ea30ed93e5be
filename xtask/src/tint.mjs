// Compiles every .wgsl file of a folder with Dawn's Tint, on the null backend: no GPU is needed. The last line says how
// many passed; each refusal is printed with Tint's message.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { create, globals } from 'webgpu';

Object.assign(globalThis, globals);
const folder = process.argv[2];
const gpu = create(['backend=null']);
const adapter = await gpu.requestAdapter();
const device = await adapter.requestDevice();
let refused = 0;
const names = readdirSync(folder).filter((name) => name.endsWith('.wgsl')).sort();
for (const name of names) {
  const code = readFileSync(join(folder, name), 'utf8');
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ label: name, code });
  const info = await module.getCompilationInfo();
  const messages = info.messages.filter((message) => message.type === 'error');
  if (messages.length === 0) {
    device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint: 'main' } });
  }
  const error = await device.popErrorScope();
  if (messages.length > 0 || error) {
    refused += 1;
    const places = messages.map((message) => `${message.lineNum}: ${message.message}`);
    console.log(`${name}: ${places.join('; ') || error.message}`);
  }
}
console.log(`Tint: ${names.length - refused} of ${names.length} variants pass`);
process.exit(refused === 0 && names.length > 0 ? 0 : 1);
