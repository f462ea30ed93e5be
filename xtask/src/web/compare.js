// Denoises the same pictures with the same weights by the npm packages winoconv-web and oidn-web, by turns, from pixels to pixels,
// and tells the server the times of each round and how far the results are apart. `?size=128&rounds=5`

import { Denoiser, init, openDevice } from './winoconv-web/winoconv.js';
import { drawn } from './winoconv-web/winoconv_web.js';
import { initUNetFromBuffer } from './oidn.js';

const options = new URLSearchParams(location.search);
const [size, rounds] = ['size', 'rounds'].map((name) => Number(options.get(name)));
const post = (path, body) => fetch(path, { method: 'POST', body });

const CASES = [
  { name: 'sRGB', weights: 'rt_ldr' },
  { name: 'HDR', weights: 'rt_hdr', hdr: true },
  { name: 'HDR, albedo, normals', weights: 'rt_hdr_alb_nrm', hdr: true, aux: true },
  { name: 'HDR, albedo, normals, small', weights: 'rt_hdr_alb_nrm_small', hdr: true, aux: true },
];

/** Bytes of canvases: a picture that is drawn by formula, the same with noise as of one path a pixel, and normals of a wave. */
function pictures() {
  const albedo = drawn(size, size);
  let seed = 1;
  const random = () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  // Noise of this kind has its mean as its deviation.
  const light = Float32Array.from(albedo, (byte, i) => (i % 4 === 3 ? 1 : (byte / 255) ** 2.2 * -4 * Math.log(1 - random())));
  const noisy = Uint8ClampedArray.from(light, (value, i) => (i % 4 === 3 ? 255 : 255 * Math.min(1, value) ** (1 / 2.2)));
  const normal = Uint8ClampedArray.from(light, (_, i) => 128 + 127 * [Math.sin(i / 99), Math.cos(i / 99), 0, 1][i % 4]);
  return { albedo: new Uint8ClampedArray(albedo), light, noisy, normal };
}

/** Three of four values, each through `of`. */
function three(values, of = (value) => value) {
  return Float32Array.from({ length: 3 * size * size }, (_, i) => of(values[4 * Math.floor(i / 3) + (i % 3)]));
}

/** What oidn-web multiplies colours by, which is not what Intel's library does. */
function scaleOf({ light }) {
  let sum = 0;
  for (let i = 0; i < light.length; i += 4) {
    sum += Math.log2(0.212671 * light[i] + 0.71516 * light[i + 1] + 0.072169 * light[i + 2] + 1e-4);
  }
  return 0.18 / 2 ** (sum / (size * size));
}

async function ours({ hdr, aux }, weights, given, kind) {
  const device = await openDevice(kind);
  const denoiser = await Denoiser.create({ device, weights, width: size, height: size, range: hdr ? 'hdr' : 'srgb' });
  const picture = hdr ? three(given.light) : new ImageData(given.noisy, size, size);
  const albedo = three(given.albedo, (byte) => byte / 255);
  const normal = three(given.normal, (byte) => (byte / 255) * 2 - 1);
  const features = aux && { albedo, normal };
  const run = (scale) => denoiser.run(picture, { ...features, scale });
  const compared = async () => (hdr ? run(scaleOf(given)) : three((await run()).data));
  return { run: () => run(), compared, free: () => [denoiser, device].forEach((one) => one.free()) };
}

async function theirs({ hdr, aux }, weights, given, kernel) {
  const unet = await initUNetFromBuffer(weights.buffer.slice(0), undefined, { hdr, aux, kernel });
  const color = { data: hdr ? given.light : given.noisy, width: size, height: size };
  const plane = (data) => ({ data, width: size, height: size });
  const features = aux && { albedo: plane(given.albedo), normal: plane(given.normal) };
  const run = () => new Promise((done) => unet.tileExecute({ color, ...features, done }));
  return { run, compared: async () => three((await run()).data), free: () => unet.dispose() };
}

const CONTESTANTS = {
  'winoconv-web, WebGPU': (...of) => ours(...of, 'gpu'),
  'winoconv-web, its choice': (...of) => ours(...of, 'best'),
  'oidn-web, its choice': (...of) => theirs(...of, 'auto'),
  'oidn-web, kernel: direct': (...of) => theirs(...of, 'direct'),
};

async function measure(one, given) {
  const weights = new Uint8Array(await (await fetch(`winoconv-web/weights/oidn/${one.weights}.tza`)).arrayBuffer());
  const found = { name: one.name, contestants: [] };
  const all = [];
  for (const [name, open] of Object.entries(CONTESTANTS)) {
    await post('/progress', `${one.name}: ${name}`);
    const start = performance.now();
    const contestant = await open(one, weights, given);
    const result = await contestant.compared(); // The first run warms up.
    all.push({ ...contestant, result });
    found.contestants.push({ name, first_ms: performance.now() - start, times_ms: [], apart: 0 });
  }
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < all.length; i++) {
      // Each is first in its turn.
      const index = (i + round) % all.length;
      const start = performance.now();
      await all[index].run();
      found.contestants[index].times_ms.push(performance.now() - start);
      await post('/progress', `${one.name}: round ${round + 1}, ${found.contestants[index].name}`);
    }
  }
  const largest = (values) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  all.forEach(({ result, free }, index) => {
    found.contestants[index].apart = largest(result.map((value, i) => value - all[0].result[i])) / largest(all[0].result);
    free();
  });
  return found;
}

const report = { adapter: '', cases: [], errors: [] };
addEventListener('unhandledrejection', (event) => report.errors.push(String(event.reason)));
try {
  await init();
  const { vendor, architecture } = (await navigator.gpu.requestAdapter()).info;
  report.adapter = `${vendor} ${architecture}`;
  const given = pictures();
  for (const one of CASES) report.cases.push(await measure(one, given));
} catch (error) {
  report.errors.push(`${error}\n${error.stack}`);
}
await post('/report', JSON.stringify(report));
