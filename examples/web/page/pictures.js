// The behaviour of the second page: networks come from the npm package. With `?test` it compares both networks with other programs'
// results, enlarges a picture, and tells the server that it came from (`cargo xtask web --test`).

import { Denoiser, Upscaler } from './winoconv-web/winoconv.js';
import { compared } from './winoconv-web/winoconv_web.js';
import * as shared from './shared.js';
import { at, begin, breathe, place, report, say, testing, text, version } from './shared.js';

/** The most that a side of a picture may have: what a canvas holds when it is enlarged by 4. */
const LARGEST_SIDE = 2048;
/** Sides of the page's own picture where the processor computes, and in a test. */
const SMALL = [112, 63];
const TESTED = [48, 27];

/** A network and what it is for, so that it is not made ready twice. */
let kept;
let picture;

const ms = (value) => (value < 10 ? `${value.toFixed(2)} ms` : value < 1e4 ? `${value.toFixed(0)} ms` : `${(value / 1e3).toFixed(1)} s`);

/** As on the other page; only a result can be saved. */
const alone = (work) => shared.alone(work).finally(() => (at('save').disabled = !at('after').dataset.name));

async function bytesOf(name) {
  const answer = await fetch(name);
  if (!answer.ok) throw new Error(`${name}: ${answer.status} ${answer.statusText}`);
  return new Uint8Array(await answer.arrayBuffer());
}

/** A picture of the user's or the page's own, on white where it can be seen through. */
async function take(blob, name, most = [LARGEST_SIDE, LARGEST_SIDE]) {
  const bitmap = await createImageBitmap(blob);
  const scale = Math.min(1, most[0] / bitmap.width, most[1] / bitmap.height);
  const [width, height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)));
  const context = Object.assign(at('before'), { width, height }).getContext('2d');
  context.fillStyle = 'white';
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, 0, 0, width, height);
  picture = { name, width, height, data: context.getImageData(0, 0, width, height) };
  // Until there is a result, both sides show the picture.
  Object.assign(at('after'), { width, height }).getContext('2d').drawImage(at('before'), 0, 0);
  delete at('after').dataset.name;
  const smaller = scale < 1 ? `, made smaller from ${bitmap.width} × ${bitmap.height}` : '';
  at('caption').textContent = `${name}, ${width} × ${height}${smaller}`;
}

/** The network that is chosen, for the size of the picture. */
async function ready() {
  const [what, { place: device, name }] = [at('network').value, place()];
  const key = [what, name, picture.width, picture.height].join();
  if (kept?.key === key) return kept.network;
  kept?.network.free();
  kept = undefined;
  const { width, height } = picture;
  const network = what === 'denoise'
    ? await Denoiser.create({ device, width, height })
    : await Upscaler.create({ device, width, height, scale: Number(what) });
  kept = { key, network };
  return network;
}

async function run() {
  say('making the network ready …');
  await breathe();
  const network = await ready();
  at('ready').textContent = ms(network.readyMs);
  at('plan').textContent = network.explanation;
  say(`computing on ${place().name} …`);
  await breathe();
  const result = await network.run(picture.data);
  const { width, height } = result;
  Object.assign(at('after'), { width, height }).getContext('2d').putImageData(result, 0, 0);
  const stem = picture.name.replace(/\.[^.]*$/, '');
  at('after').dataset.name = `${stem}-${width}x${height}.png`;
  at('wall').textContent = ms(network.lastRunMs);
  at('caption').textContent = `${picture.name}: ${picture.width} × ${picture.height} before, ${width} × ${height} after`;
  say('done');
}

async function save() {
  const blob = await new Promise((resolve) => at('after').toBlob(resolve, 'image/png'));
  const link = Object.assign(document.createElement('a'), { href: URL.createObjectURL(blob), download: at('after').dataset.name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function placed() {
  at('device').textContent = `${version()} on ${place().place.name}`;
}

const dropped = (event) => [...(event.dataTransfer?.items ?? [])].find((item) => item.kind === 'file');

function listen() {
  at('controls').onsubmit = (event) => { event.preventDefault(); alone(run); };
  at('network').onchange = () => alone(run);
  at('place').onchange = () => { placed(); alone(run); };
  at('file').onchange = () => alone(async () => { await take(at('file').files[0], at('file').files[0].name); await run(); });
  at('save').onclick = () => alone(save);
  at('cut').oninput = () => at('compared').style.setProperty('--cut', `${at('cut').value}%`);
  document.ondragover = (event) => { event.preventDefault(); document.body.classList.toggle('dropping', Boolean(dropped(event))); };
  document.ondragleave = () => document.body.classList.remove('dropping');
  document.ondrop = (event) => {
    event.preventDefault();
    document.body.classList.remove('dropping');
    const file = dropped(event)?.getAsFile();
    if (file) alone(async () => { await take(file, file.name); await run(); });
  };
}

async function main() {
  await begin('This WebGPU adapter is played by the processor, which is faster by itself.');
  // A test is of the GPU's interface.
  if (!testing && place().place.isSoftware) at('place').selectedIndex = at('place').length - 1;
  placed();
  listen();
  const cat = new Blob([await bytesOf('cat.png')], { type: 'image/png' });
  await take(cat, 'cat.png', testing ? TESTED : place().place.isSoftware ? SMALL : undefined);
}

/** What the test's server is told. */
async function test(report, post) {
  await main();
  await post('/progress', 'comparison with other programs');
  const weights = ['realesr/realesr-animevideov3-x4.safetensors', 'oidn/rt_ldr.tza'].map((name) => bytesOf(`winoconv-web/weights/${name}`));
  const given = await Promise.all([bytesOf('cases.safetensors'), ...weights]);
  [report.psnr, report.apart] = await compared(place().place, ...given);
  // What a visitor does: denoise, then enlarge.
  for (const what of ['denoise', '2', '4']) {
    await post('/progress', `the picture, ${what}`);
    at('network').value = what;
    await alone(run);
    const { width, height } = at('after');
    report.results.push({ what, times: [width / picture.width, height / picture.height], plan: at('plan').textContent.length });
  }
}

if (testing) {
  await report({ psnr: 0, apart: 1, results: [] }, test);
} else {
  await main().then(() => alone(run), (error) => say(text(error), true));
}
