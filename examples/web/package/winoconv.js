// What the npm package `winoconv-web` exports; winoconv.d.ts beside it documents it. The module's own JavaScript is written by
// `cargo xtask web`.

import load, { Inputs, Network, Place } from './winoconv_web.js';

export class WinoconvError extends Error {
  name = 'WinoconvError';

  constructor(code, message, options) {
    super(message, options);
    this.code = code;
  }
}

/** Awaits `work`. What the module throws has a code, and becomes a `WinoconvError`. */
async function typed(work) {
  try {
    return await work();
  } catch (error) {
    throw error?.code === undefined ? error : new WinoconvError(error.code, error.message, { cause: error });
  }
}

let loaded;

export function init(module) {
  loaded ??= load(module === undefined ? undefined : { module_or_path: module }).catch((error) => {
    // The next call may have a network again.
    loaded = undefined;
    throw error;
  });
  return loaded.then(() => undefined);
}

export async function openDevice(kind = 'best') {
  await init();
  if (kind === 'cpu') return Place.host();
  if (kind === 'gpu') return typed(() => Place.gpu());
  const gpu = await Place.gpu().catch(() => undefined);
  if (gpu && !gpu.isSoftware) return gpu;
  gpu?.free();
  return Place.host();
}

// Bundlers find the files by these expressions.
const UPSCALER = () => new URL('./weights/realesr/realesr-animevideov3-x4.safetensors', import.meta.url);
const DENOISERS = {
  'hdr': () => new URL('./weights/oidn/rt_hdr.tza', import.meta.url),
  'hdr, albedo, normal': () => new URL('./weights/oidn/rt_hdr_alb_nrm.tza', import.meta.url),
  'hdr, albedo, normal, small': () => new URL('./weights/oidn/rt_hdr_alb_nrm_small.tza', import.meta.url),
  'ldr': () => new URL('./weights/oidn/rt_ldr.tza', import.meta.url),
  'ldr, small': () => new URL('./weights/oidn/rt_ldr_small.tza', import.meta.url),
};

/** The shipped weights for a kind of pictures. */
function shipped({ range = 'srgb', albedo = false, normal = false, small = false }) {
  const parts = [range === 'hdr' ? 'hdr' : 'ldr', albedo && 'albedo', normal && 'normal', small && 'small'];
  const wanted = parts.filter(Boolean).join(', ');
  const url = DENOISERS[wanted];
  if (url) return url();
  const available = Object.keys(DENOISERS).join('; ');
  throw new WinoconvError('not-shipped', `no weights for ${wanted} are shipped; there are: ${available}. Give others as \`weights\``);
}

/** The bytes of weights that are given, or lie at an address. */
async function bytesOf(weights) {
  if (ArrayBuffer.isView(weights)) return new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength);
  if (weights instanceof ArrayBuffer) return new Uint8Array(weights);
  const answer = await fetch(weights);
  if (!answer.ok) throw new WinoconvError('fetch', `${weights}: ${answer.status} ${answer.statusText}`);
  return new Uint8Array(await answer.arrayBuffer());
}

/** What upscaler and denoiser share: a network for pictures of one size. */
class Model {
  #network;
  #size;

  constructor(network, { width, height }) {
    this.#network = network;
    this.#size = { width, height };
  }

  get width() {
    return this.#network.width;
  }

  get height() {
    return this.#network.height;
  }

  get explanation() {
    return this.#network.explanation();
  }

  get readyMs() {
    return this.#network.opening_ms;
  }

  get lastRunMs() {
    return this.#network.wall_ms;
  }

  async run(picture, { albedo, normal, scale, signal, onProgress } = {}) {
    signal?.throwIfAborted();
    let thrown;
    const told = (done, count) => {
      try {
        onProgress?.({ done, count });
        signal?.throwIfAborted();
      } catch (error) {
        thrown = { error };
      }
      return thrown !== undefined;
    };
    const { width, height } = this.#size;
    const run = async () => {
      const inputs = new Inputs(albedo, normal, scale, told);
      if (!(picture instanceof ImageData)) return this.#network.run(picture, inputs);
      if (picture.width !== width || picture.height !== height) {
        const message = `the picture has ${picture.width} x ${picture.height} pixels, expected ${width} x ${height}`;
        throw new WinoconvError('size', message);
      }
      const { data } = picture;
      const bytes = await this.#network.run_bytes(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), inputs);
      return new ImageData(new Uint8ClampedArray(bytes.buffer), this.width, this.height);
    };
    try {
      return await typed(run);
    } catch (error) {
      throw thrown ? thrown.error : error;
    }
  }

  free() {
    this.#network.free();
  }
}

/** A device, and the bytes of weights. */
async function opened(device, weights) {
  return [device ?? (await openDevice()), await bytesOf(weights)];
}

export class Upscaler extends Model {
  static async create({ device, weights, width, height, scale = 4 }) {
    const [place, file] = await opened(device, weights ?? UPSCALER());
    return new Upscaler(await typed(() => Network.upscaler(place, file, scale, width, height)), { width, height });
  }

  run(picture, { signal, onProgress } = {}) {
    return super.run(picture, { signal, onProgress });
  }
}

export class Denoiser extends Model {
  #range;

  constructor(network, size, range) {
    super(network, size);
    this.#range = range;
  }

  static async create({ device, weights, width, height, range = 'srgb', ...kind }) {
    const [place, file] = await opened(device, weights ?? shipped({ range, ...kind }));
    const network = await typed(() => Network.denoiser(place, file, range, width, height));
    return new Denoiser(network, { width, height }, range);
  }

  async run(picture, options) {
    if (picture instanceof ImageData && this.#range !== 'srgb') {
      throw new WinoconvError('inputs', `an ImageData is of the range srgb, and this denoiser's is ${this.#range}`);
    }
    return super.run(picture, options);
  }
}
