// What both pages do: they open devices, say how far they are, do one thing at a time, and report to the server of a test.

import { init, openDevice } from './winoconv-web/winoconv.js';
export { version } from './winoconv-web/winoconv_web.js';

export const at = (id) => document.getElementById(id);
export const testing = new URLSearchParams(location.search).has('test');
export const text = (error) => (error instanceof Error ? error.message : String(error));

export function say(words, wrong = false) {
  at('status').textContent = words;
  at('status').classList.toggle('wrong', wrong);
}

/** Lets the page be drawn before the next piece of work. */
export const breathe = () => new Promise((resolve) => setTimeout(resolve, 20));

let busy = false;

/** Runs `work` with all controls off; what goes wrong is shown. In a test it is the test's to tell. */
export async function alone(work) {
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
    busy = false;
  }
}

const places = [];

/** Where the visitor wants it computed: the device, and its name. */
export const place = () => places[at('place').selectedIndex];

/**
 * Loads the module, and opens a GPU where the browser has one, and the processor. What is lacking is said, and `played` where the
 * processor plays the GPU.
 */
export async function begin(played) {
  await init();
  let notice = '';
  try {
    const gpu = await openDevice('gpu');
    places.push({ place: gpu, name: gpu.isSoftware ? 'WebGPU in software' : 'the GPU' });
    if (gpu.isSoftware) notice = played;
  } catch (error) {
    const lacks = navigator.gpu ? text(error) : 'this browser has no WebGPU';
    notice = `No GPU here (${lacks}). The processor computes instead, on one thread of WebAssembly, which takes its time.`;
  }
  places.push({ place: await openDevice('cpu'), name: 'the processor' });
  at('place').replaceChildren(...places.map(({ name }) => new Option(name)));
  at('notice').textContent = notice;
  at('notice').hidden = notice === '';
}

/** Runs a page's test, and tells the server what came out: `found`, to which the test adds, where it ran, and all errors. */
export async function report(found, test) {
  const post = (path, body) => fetch(path, { method: 'POST', body });
  Object.assign(found, { webgpu: false, software: false, device: '', notice: '', errors: [] });
  // An error is one wherever it surfaces.
  addEventListener('error', (event) => found.errors.push(`${event.message}`));
  addEventListener('unhandledrejection', (event) => found.errors.push(text(event.reason)));
  const logged = console.error;
  console.error = (...words) => { found.errors.push(words.map(text).join(' ')); logged(...words); };
  // The page has not loaded before the server lets go of this, so a picture of the window waits for the end.
  document.body.append(Object.assign(new Image(), { src: '/until-reported', hidden: true }));
  try {
    await test(found, post);
    const { place: device } = place();
    Object.assign(found, { webgpu: device.isGpu, software: device.isSoftware, device: device.name });
    found.notice = at('notice').hidden ? '' : at('notice').textContent;
  } catch (error) {
    found.errors.push(text(error));
    say(text(error), true);
  }
  await post('/report', JSON.stringify(found));
}
