// The page's behaviour: places to compute and their filters come from the module, everything else is the page's own. With
// `?test` it checks everything by itself and tells the server that it came from (`cargo xtask web --test`).

import { Session, drawn, filters } from './winoconv-web/winoconv_web.js';
import { alone, at, begin, breathe, place, report, say, testing, text, version } from './shared.js';

/** Sides of the picture that comes with the page, and the most that a loaded one may have. */
const DRAWN = [384, 256];
const LARGEST_SIDE = 768;
/** Runs by the clock, and runs between two timestamps, if they fit into so much time. */
const RUNS = 5;
const RUNS_IN_A_PASS = 10;
const PATIENCE_MS = 400;
/** Values of each layer that a timed run is judged by. */
const JUDGED = 64;
const ALL = 0xffffffff;
/** The picture of "Check all": small, since all its values are judged, and ragged for every tile. */
const CHECKED = [37, 29];

let picture;

function show(canvas, bytes, width, height) {
  Object.assign(canvas, { width, height });
  canvas.getContext('2d').putImageData(new ImageData(new Uint8ClampedArray(bytes), width, height), 0, 0);
}

function take(bytes, width, height, name) {
  picture = { bytes, width, height };
  show(at('original'), bytes, width, height);
  at('original-caption').textContent = `${name}, ${width} × ${height}`;
}

/** A picture of the user's, made smaller if it is large. */
async function load(file) {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, LARGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  const [width, height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)));
  const context = new OffscreenCanvas(width, height).getContext('2d');
  context.drawImage(bitmap, 0, 0, width, height);
  take(context.getImageData(0, 0, width, height).data, width, height, file.name);
}

/** The algorithms that the filter may be computed by here; those that may not say why. */
function offer() {
  const chosen = at('algorithm').value;
  const offers = place().place.offers(at('filter').value, picture.width, picture.height);
  const options = offers.map(({ label, name, refused }) => {
    const option = new Option(name, label);
    option.disabled = refused !== undefined;
    option.title = refused ?? '';
    return option;
  });
  at('algorithm').replaceChildren(new Option("the planner's choice", ''), ...options);
  at('algorithm').value = chosen;
  if (at('algorithm').selectedIndex < 0 || at('algorithm').selectedOptions[0].disabled) at('algorithm').value = '';
}

const labels = () => [...at('algorithm').options].filter((option) => !option.disabled).map((option) => option.value);

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const ms = (value) => (value === undefined ? '–' : value < 10 ? value.toFixed(2) : value.toFixed(1));

/** Runs a filter by an algorithm, shows the picture, and adds a row to the table. */
async function run(label) {
  const [filter, { place: device, name }] = [at('filter').value, place()];
  const { bytes, width, height } = picture;
  const session = await Session.open(device, filter, label, width, height);
  try {
    const algorithms = [...new Set(session.algorithms())].join(', ');
    say(`${filter} by ${algorithms} …`);
    await breathe();
    const walls = [];
    let result = await session.run(bytes); // The first run warms up.
    for (let i = 0; i < RUNS; i++) {
      result = await session.run(bytes);
      walls.push(session.wall_ms);
      if (walls.reduce((sum, wall) => sum + wall, 0) > PATIENCE_MS) break;
    }
    const fitting = Math.floor(PATIENCE_MS / Math.max(1, median(walls)));
    const onDevice = await session.device_ms(Math.min(RUNS_IN_A_PASS, Math.max(1, fitting)));
    show(at('result'), result, width, height);
    at('result-caption').textContent = `${filter} by ${algorithms}`;
    at('plan').textContent = session.explanation();
    let error;
    try {
      error = await session.check(bytes, JUDGED, false);
    } catch (wrong) {
      error = Infinity;
      say(text(wrong), true);
      if (testing) throw wrong;
    }
    row({ filter, algorithms, chosen: label === '', name, opening: session.opening_ms, wall: median(walls), onDevice, error });
    return result;
  } finally {
    session.free();
  }
}

function row({ filter, algorithms, chosen, name, opening, wall, onDevice, error }) {
  const cells = [filter, chosen ? `${algorithms} (planner)` : algorithms, name, ms(opening), ms(wall), ms(onDevice)];
  const tr = document.createElement('tr');
  Object.assign(tr.dataset, { group: `${filter} ${name}`, wall });
  [...cells, Number.isFinite(error) ? error.toFixed(3) : 'wrong'].forEach((words, index) => {
    const td = tr.insertCell();
    td.textContent = words;
    if (index > 2) td.className = 'number';
    if (index === 6 && !(error <= 1)) td.classList.add('wrong');
  });
  at('times').prepend(tr);
  // The fastest of each filter and place.
  const rows = [...at('times').rows].filter((other) => other.dataset.group === tr.dataset.group);
  const best = Math.min(...rows.map((other) => Number(other.dataset.wall)));
  rows.forEach((other) => other.classList.toggle('fastest', rows.length > 1 && Number(other.dataset.wall) === best));
}

async function compare() {
  const chosen = labels();
  for (const [index, label] of chosen.entries()) {
    await run(label);
    say(`${index + 1} of ${chosen.length}`);
  }
  say(`${chosen.length} algorithms compared`);
}

/** Every filter by every algorithm of this place, all values judged; and once with a wrong weight, which must be found. */
async function checkAll(tell = () => {}) {
  const { place: device } = place();
  const [width, height] = CHECKED;
  const bytes = drawn(width, height);
  const cases = [];
  at('checks').hidden = false;
  at('marks').replaceChildren();
  for (const filter of Object.keys(names)) {
    const line = at('marks').appendChild(document.createElement('p'));
    line.innerHTML = '<b></b>';
    line.firstChild.textContent = `${filter}: `;
    for (const { label, name, refused } of device.offers(filter, width, height)) {
      if (refused !== undefined) {
        cases.push({ filter, label, refused });
        continue;
      }
      say(`${filter} by ${name} …`);
      await tell(`${filter} by ${name}`);
      const judged = await checkOne(device, filter, label, bytes, width, height);
      cases.push({ filter, label, ...judged });
      const mark = line.appendChild(document.createElement('span'));
      mark.className = judged.wrong ? 'wrong' : 'right';
      mark.textContent = `${name}${judged.wrong ? ` (${judged.wrong})` : ''}  `;
    }
  }
  const count = (of) => cases.filter(of).length;
  const [right, wrong] = [count((one) => one.of_bound !== undefined), count((one) => one.wrong !== undefined)];
  at('verdict').textContent = `${right} right, each value within its bound; ${wrong} wrong`;
  at('verdict').className = wrong ? 'wrong' : 'right';
  say('checked');
  return cases;
}

async function checkOne(device, filter, label, bytes, width, height) {
  let session;
  try {
    session = await Session.open(device, filter, label, width, height);
    const of_bound = await session.check(bytes, ALL, false);
    // The judge itself is on trial: a wrong weight must not pass.
    const planted = await session.check(bytes, JUDGED, true).then(() => 'passed', text);
    if (!planted.includes('expected')) return { wrong: `a planted wrong weight: ${planted}` };
    return { of_bound };
  } catch (error) {
    return { wrong: text(error) };
  } finally {
    session?.free();
  }
}

/** What each filter does, by its name. */
const names = {};

function placed() {
  const { place: device } = place();
  const stamps = device.isGpu ? (device.timestamps ? ', with timestamps' : ', without timestamps') : '';
  at('device').textContent = `${version()} on ${device.name}${stamps}`;
}

async function main() {
  await begin('This WebGPU adapter is played by the processor: times say nothing about a GPU.');
  const all = filters();
  for (let i = 0; i < all.length; i += 2) names[all[i]] = all[i + 1];
  at('filter').replaceChildren(...Object.entries(names).map(([name, about]) => new Option(about, name)));
  at('filter').value = 'ink';
  take(drawn(...DRAWN), ...DRAWN, 'A picture drawn by formula');
  placed();
  offer();
  const again = () => alone(async () => { placed(); offer(); await run(at('algorithm').value); say('done'); });
  at('filter').onchange = at('algorithm').onchange = at('place').onchange = again;
  at('file').onchange = () => alone(async () => {
    await load(at('file').files[0]);
    offer();
    await run(at('algorithm').value);
    say('done');
  });
  at('controls').onsubmit = (event) => { event.preventDefault(); again(); };
  at('compare').onclick = () => alone(compare);
  at('check').onclick = () => alone(() => checkAll());
}

/** What the test's server is told: everything that was computed. */
async function test(report, post) {
  await main();
  report.timestamps = place().place.timestamps;
  report.cases = await checkAll((what) => post('/progress', what));
  // What a visitor sees: some algorithms on the whole picture, the planner's choice last.
  for (const label of ['direct', 'staged:f4x3', 'fused:f4x3', 'fused_filter:f2x3', ''].filter((one) => labels().includes(one))) {
    await post('/progress', `the picture by ${label || "the planner's choice"}`);
    await run(label);
  }
  report.rows = [...at('times').rows].map((tr) => [...tr.cells].map((td) => td.textContent));
  say('done');
}

if (testing) {
  await report({ timestamps: false, cases: [] }, test);
} else {
  await main().then(() => alone(async () => { await run(''); say('done'); }), (error) => say(text(error), true));
}
