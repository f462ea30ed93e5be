// The behaviour of the second page: networks come from the module, their weights from files beside the page. With `?test` it compares
// both networks with other programs' results, enlarges a picture, and tells the server that it came from (`cargo xtask web --test`).

import init, { Network, Place, compared, version } from './winoconv_web.js';

const at = (id) => document.getElementById(id);
const testing = new URLSearchParams(location.search).has('test');

const UPSCALER = 'realesr-animevideov3-x4.safetensors';
const DENOISER = 'rt_ldr.tza';
/** The most that a side of a picture may have: what a canvas holds when it is enlarged by 4. */
const LARGEST_SIDE = 2048;
/** Sides of the page's own picture where the processor computes, and in a test. */
const SMALL = [112, 63];
const TESTED = [48, 27];

const places = [];
/** A network and what it is for, so that it is not made ready twice. */
let kept;
let picture;
let busy = false;

const text = (error) => (error instanceof Error ? error.message : String(error));
const ms = (value) => (value < 10 ? `${value.toFixed(2)} ms` : value < 1e4 ? `${value.toFixed(0)} ms` : `${(value / 1e3).toFixed(1)} s`);

function say(words, wrong = false) {
  at('status').textContent = words;
  at('status').classList.toggle('wrong', wrong);
}

/** Lets the page be drawn before the next piece of work. */
const breathe = () => new Promise((resolve) => setTimeout(resolve, 20));

/** Runs `work` with all controls off; what goes wrong is shown. In a test it is the test's to tell. */
async function alone(work) {
  if (busy) return;
  busy = true;
  const controls = [...at('controls').elements].filter((element) => !element.disabled);
  controls.forEach((element) => (element.disabled = true));
  try {
    await work();
  } catch (error) {
    say(text(error), true);
    if (testing) throw error;
  } finally {
    controls.forEach((element) => (element.disabled = false));
    at('save').disabled = !at('after').dataset.name;
    busy = false;
  }
}

const files = new Map();
async function bytesOf(name) {
  if (!files.has(name)) {
    const answer = await fetch(name);
    if (!answer.ok) throw new Error(`${name}: ${answer.status} ${answer.statusText}`);
    files.set(name, new Uint8Array(await answer.arrayBuffer()));
  }
  return files.get(name);
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
  picture = { name, width, height, bytes: context.getImageData(0, 0, width, height).data };
  // Until there is a result, both sides show the picture.
  Object.assign(at('after'), { width, height }).getContext('2d').drawImage(at('before'), 0, 0);
  delete at('after').dataset.name;
  const smaller = scale < 1 ? `, made smaller from ${bitmap.width} × ${bitmap.height}` : '';
  at('caption').textContent = `${name}, ${width} × ${height}${smaller}`;
}

const place = () => places[at('place').selectedIndex];

/** The network that is chosen, for the size of the picture. */
async function ready() {
  const [what, { place: device, name }] = [at('network').value, place()];
  const key = [what, name, picture.width, picture.height].join();
  if (kept?.key === key) return kept.network;
  kept?.network.free();
  kept = undefined;
  const { width, height } = picture;
  const network = what === 'denoise'
    ? await Network.denoiser(device, await bytesOf(DENOISER), width, height)
    : await Network.upscaler(device, await bytesOf(UPSCALER), Number(what), width, height);
  kept = { key, network };
  return network;
}

async function run() {
  say('making the network ready …');
  await breathe();
  const network = await ready();
  at('ready').textContent = ms(network.opening_ms);
  at('plan').textContent = network.explanation();
  say(`computing on ${place().name} …`);
  await breathe();
  const result = await network.run(new Uint8Array(picture.bytes.buffer));
  const { width, height } = network;
  const data = new ImageData(new Uint8ClampedArray(result), width, height);
  Object.assign(at('after'), { width, height }).getContext('2d').putImageData(data, 0, 0);
  const stem = picture.name.replace(/\.[^.]*$/, '');
  at('after').dataset.name = `${stem}-${width}x${height}.png`;
  at('wall').textContent = ms(network.wall_ms);
  at('caption').textContent = `${picture.name}: ${picture.width} × ${picture.height} before, ${width} × ${height} after`;
  say('done');
  return result;
}

async function save() {
  const blob = await new Promise((resolve) => at('after').toBlob(resolve, 'image/png'));
  const link = Object.assign(document.createElement('a'), { href: URL.createObjectURL(blob), download: at('after').dataset.name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** A device on the GPU where the browser has one, and the processor; what is lacking is said. */
async function open() {
  let notice = '';
  try {
    const gpu = await Place.gpu();
    places.push({ place: gpu, name: gpu.is_software ? 'WebGPU in software' : 'the GPU' });
    if (gpu.is_software) notice = 'This WebGPU adapter is played by the processor, which is faster by itself.';
  } catch (error) {
    const lacks = navigator.gpu ? text(error) : 'this browser has no WebGPU';
    notice = `No GPU here (${lacks}). The processor computes instead, on one thread of WebAssembly, which takes its time.`;
  }
  places.push({ place: Place.host(), name: 'the processor' });
  at('place').replaceChildren(...places.map(({ name }) => new Option(name)));
  // A test is of the GPU's interface.
  if (!testing && places[0].place.is_software) at('place').selectedIndex = places.length - 1;
  at('notice').textContent = notice;
  at('notice').hidden = notice === '';
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
  await init();
  await open();
  placed();
  listen();
  const cat = new Blob([await bytesOf('cat.png')], { type: 'image/png' });
  await take(cat, 'cat.png', testing ? TESTED : place().place.is_software ? SMALL : undefined);
}

/** What the test's server is told. */
async function test() {
  const post = (path, body) => fetch(path, { method: 'POST', body });
  const report = { webgpu: false, software: false, device: '', notice: '', psnr: 0, apart: 1, results: [], errors: [] };
  addEventListener('error', (event) => report.errors.push(`${event.message}`));
  addEventListener('unhandledrejection', (event) => report.errors.push(text(event.reason)));
  const logged = console.error;
  console.error = (...words) => { report.errors.push(words.map(text).join(' ')); logged(...words); };
  // The page has not loaded before the server lets go of this, so a picture of the window waits for the end.
  document.body.append(Object.assign(new Image(), { src: '/until-reported', hidden: true }));
  try {
    await main();
    const { place: device } = place();
    Object.assign(report, { webgpu: device.is_gpu, software: device.is_software, device: device.name });
    report.notice = at('notice').hidden ? '' : at('notice').textContent;
    await post('/progress', 'comparison with other programs');
    const given = [await bytesOf('cases.safetensors'), await bytesOf(UPSCALER), await bytesOf(DENOISER)];
    [report.psnr, report.apart] = await compared(device, ...given);
    // What a visitor does: denoise, then enlarge.
    for (const what of ['denoise', '2', '4']) {
      await post('/progress', `the picture, ${what}`);
      at('network').value = what;
      await alone(run);
      const { width, height } = at('after');
      report.results.push({ what, times: [width / picture.width, height / picture.height], plan: at('plan').textContent.length });
    }
  } catch (error) {
    report.errors.push(text(error));
    say(text(error), true);
  }
  await post('/report', JSON.stringify(report));
}

if (testing) {
  await test();
} else {
  await main().then(() => alone(run), (error) => say(text(error), true));
}
