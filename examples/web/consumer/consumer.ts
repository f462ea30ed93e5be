// A program that uses the npm package as it is installed, in the types that it declares. It compares both networks with other
// programs' results, tries progress, cancellation and errors, and reports to the server of `cargo xtask web --test`.

import { Denoiser, Upscaler, WinoconvError, openDevice, type Device, type ErrorCode } from 'winoconv-web';

interface Picture {
  width: number;
  height: number;
  data: Float32Array;
}

/** The pictures of models/tests/cases.safetensors: a header of JSON, and behind it f32. */
async function readCases(): Promise<(name: string) => Picture> {
  const file = await (await fetch('cases.safetensors')).arrayBuffer();
  const length = Number(new DataView(file).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(file, 8, length)));
  return (name) => {
    const { shape: [height, width], data_offsets: [start, end] } = header[name];
    return { width, height, data: new Float32Array(file.slice(8 + length + start, 8 + length + end)) };
  };
}

const post = (path: string, body: string) => fetch(path, { method: 'POST', body });

/** The largest difference, in parts of the largest number. */
function apart(got: Float32Array, expected: Float32Array): number {
  if (got.length !== expected.length) return Infinity;
  const largest = (values: Float32Array) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return largest(got.map((value, i) => value - (expected[i] ?? NaN))) / largest(expected);
}

/** The code of the error that `work` rejects with. */
async function codeOf(work: () => Promise<unknown>): Promise<ErrorCode | string> {
  try {
    await work();
    return 'none';
  } catch (error) {
    return error instanceof WinoconvError ? error.code : String(error);
  }
}

async function compare(device: Device, report: Report): Promise<void> {
  const cases = await readCases();
  await post('/progress', 'enlarging');
  const cat = cases('cat');
  const upscaler = await Upscaler.create({ device, ...cat });
  report.apart['enlarged'] = apart(await upscaler.run(cat.data), cases('cat.large').data);
  upscaler.free();

  const [colour, albedo, normal, ldr] = ['colour', 'albedo', 'normal', 'ldr'].map(cases) as [Picture, Picture, Picture, Picture];
  const { width, height } = colour;
  const size = { device, width, height };
  await post('/progress', 'denoising');
  const srgb = await Denoiser.create(size);
  report.apart['srgb'] = apart(await srgb.run(ldr.data), cases('clean.srgb').data);
  for (const small of [false, true]) {
    const denoiser = await Denoiser.create({ ...size, range: 'hdr', albedo: true, normal: true, small });
    const clean = await denoiser.run(colour.data, { albedo: albedo.data, normal: normal.data });
    const name = small ? 'hdr_alb_nrm_small' : 'hdr_alb_nrm';
    report.apart[name] = apart(clean, cases(`clean.${name}`).data);
    report.errors_of['inputs'] = await codeOf(() => denoiser.run(colour.data));
    denoiser.free();
  }

  await post('/progress', 'a canvas, progress, cancellation, errors');
  const bytes = (picture: Picture) => {
    const value = (i: number) => (i % 4 === 3 ? 255 : 255 * (picture.data[3 * Math.floor(i / 4) + (i % 4)] ?? NaN));
    return Uint8ClampedArray.from({ length: 4 * width * height }, (_, i) => value(i));
  };
  // The same numbers by both ways: what a canvas rounds away is not there for either.
  const picture = bytes(ldr);
  const canvas = await srgb.run(new ImageData(picture, width, height), {
    onProgress: ({ done, count }) => report.progress.push([done, count]),
  });
  const colours = ldr.data.map((_, i) => (picture[4 * Math.floor(i / 3) + (i % 3)] ?? NaN) / 255);
  const expected = bytes({ ...ldr, data: await srgb.run(colours) });
  report.bytes_apart = canvas.data.reduce((most, byte, i) => Math.max(most, Math.abs(byte - (expected[i] ?? NaN))), 0);

  const controller = new AbortController();
  const aborted = srgb.run(ldr.data, { signal: controller.signal, onProgress: () => controller.abort(new Error('enough')) });
  report.aborted = await aborted.then(() => 'finished', (reason: Error) => reason.message);
  report.after = apart(await srgb.run(ldr.data), cases('clean.srgb').data);

  const { errors_of } = report;
  errors_of['length'] = await codeOf(() => srgb.run(ldr.data.subarray(3)));
  errors_of['size'] = await codeOf(() => srgb.run(new ImageData(height, width)));
  errors_of['damaged'] = await codeOf(() => Denoiser.create({ ...size, weights: new Uint8Array(100) }));
  errors_of['not-shipped'] = await codeOf(() => Denoiser.create({ ...size, albedo: true }));
  errors_of['fetch'] = await codeOf(() => Denoiser.create({ ...size, weights: 'none.tza' }));
  errors_of['scale'] = await codeOf(() => Upscaler.create({ ...size, scale: 5 }));
  srgb.free();
}

interface Report {
  webgpu: boolean;
  device: string;
  apart: Record<string, number>;
  bytes_apart: number;
  progress: [number, number][];
  aborted: string;
  after: number;
  errors_of: Record<string, string>;
  errors: string[];
}

const report: Report = {
  webgpu: false, device: '', apart: {}, bytes_apart: 255, progress: [], aborted: '', after: 1, errors_of: {}, errors: [],
};
try {
  const device = await openDevice('gpu').catch((error: unknown) => {
    report.errors_of['device'] = error instanceof WinoconvError ? error.code : String(error);
    return openDevice('cpu');
  });
  [report.webgpu, report.device] = [device.isGpu, device.name];
  await compare(device, report);
} catch (error) {
  report.errors.push(String(error));
}
const shown = document.querySelector('#found');
if (shown) shown.textContent = JSON.stringify(report, null, 2);
await post('/report', JSON.stringify(report));
