/** Networks that enlarge and denoise pictures, on WebGPU or on the CPU of a browser. */

/**
 * What went wrong, for programs:
 *
 * - `damaged`, `unsupported`: the file of weights;
 * - `not-shipped`: no weights of this kind are part of the package; `fetch`: weights could not be loaded;
 * - `scale`, `size`, `length`, `inputs`: the numbers and pictures that you gave;
 * - `limit`: the device has not enough memory; `device`: there is no such device, or it failed;
 * - `internal`: a mistake of the library.
 */
export type ErrorCode =
  | 'damaged' | 'unsupported' | 'not-shipped' | 'fetch'
  | 'scale' | 'size' | 'length' | 'inputs'
  | 'limit' | 'device' | 'internal';

/** Why there is no network, or no result. A run that you abort rejects with the signal's reason instead. */
export class WinoconvError extends Error {
  constructor(code: ErrorCode, message: string, options?: ErrorOptions);
  readonly code: ErrorCode;
}

/**
 * Loads the module of WebAssembly, once. Everything else does this by itself; call it to choose when, or to say where the module
 * is: an address, a response, bytes, or what is compiled already. The default is the file beside the package's JavaScript.
 */
export function init(module?: string | URL | Request | Response | Promise<Response> | BufferSource | WebAssembly.Module): Promise<void>;

/** Where a network computes. */
export interface Device {
  /** What it is. */
  readonly name: string;
  /** Whether it is WebGPU. */
  readonly isGpu: boolean;
  /** Whether the CPU does the work, by itself or for WebGPU. */
  readonly isSoftware: boolean;
  /** Frees it. Networks on it live on. */
  free(): void;
}

/**
 * Opens a device. `gpu` is WebGPU, a hardware GPU if there is one, and rejects with code `device` where the browser has none. `cpu`
 * is one thread of WebAssembly, which blocks its thread. `best`, the default, is a hardware GPU if there is one, else the CPU.
 */
export function openDevice(kind?: 'best' | 'gpu' | 'cpu'): Promise<Device>;

/** What each network needs to know. */
export interface ModelOptions {
  /** Columns of the pictures. */
  width: number;
  /** Their rows. */
  height: number;
  /** Where it computes. Default: `openDevice()`. */
  device?: Device;
  /** Other weights than those of the package: the file's bytes, or its address. */
  weights?: BufferSource | URL | string;
}

/** How to run. */
export interface RunOptions {
  /** Ends the run after the tile that is being computed. */
  signal?: AbortSignal;
  /** Called after each tile: small pictures are one tile. What it throws ends the run. */
  onProgress?: (progress: Progress) => void;
}

/** How far a run is, in tiles. */
export interface Progress {
  done: number;
  count: number;
}

/** A network on a device, for pictures of one size. Use one for all pictures of that size. */
declare class Model {
  protected constructor();
  /** Columns of a result. */
  readonly width: number;
  /** Rows of a result. */
  readonly height: number;
  /** Its steps with their algorithms, and its tiles, for people. */
  readonly explanation: string;
  /** How long it took to make the network ready, in milliseconds. */
  readonly readyMs: number;
  /** How long the last run took, in milliseconds. */
  readonly lastRunMs: number;
  /** Frees the network and its memory on the device. No call may be made afterwards. */
  free(): void;
}

/** Enlarges pictures. */
export class Upscaler extends Model {
  /**
   * Makes a network ready. The shipped weights are those of Real-ESRGAN's `realesr-animevideov3`; others are a safetensors file of
   * a compact network.
   */
  static create(options: ModelOptions & {
    /** How many times as large each side becomes: 2, 3, or 4, the default. */
    scale?: number;
  }): Promise<Upscaler>;

  /** Enlarges the picture of a canvas. The result is opaque. */
  run(picture: ImageData, options?: RunOptions): Promise<ImageData>;
  /** Enlarges a picture of three numbers a pixel, row by row, from 0 to 1 as screens store them. */
  run(picture: Float32Array, options?: RunOptions): Promise<Float32Array>;
}

/**
 * What colours are: `hdr` light from 0 to any number, `ldr` light from 0 to 1, `srgb` from 0 to 1 as screens store them, which a
 * canvas does.
 */
export type Range = 'hdr' | 'ldr' | 'srgb';

/** What a denoiser reads beside colours. */
export interface DenoiseOptions extends RunOptions {
  /** The colours of the surfaces that are seen, without light, from 0 to 1: three numbers a pixel. */
  albedo?: Float32Array;
  /** Their normals, from -1 to 1: three numbers a pixel. */
  normal?: Float32Array;
  /** What colours are multiplied by for the network. Default: found from the mean luminance of an `hdr` picture, 1 for others. */
  scale?: number;
}

/** Removes the noise of rendered pictures. */
export class Denoiser extends Model {
  /**
   * Makes a network ready. The shipped weights are Intel Open Image Denoise's for `hdr` colours, alone or with albedo and normals
   * (also `small`), and for `ldr` and `srgb` colours (also `small`). Others are a TZA file.
   */
  static create(options: ModelOptions & {
    /** What colours are. Default: `srgb`. */
    range?: Range;
    /** Whether `run` is given the albedo. Only for the choice of shipped weights. */
    albedo?: boolean;
    /** The same of normals. */
    normal?: boolean;
    /** Whether to take the network with a third of the weights, which is faster and less good. */
    small?: boolean;
  }): Promise<Denoiser>;

  /** Denoises the picture of a canvas, whose range is `srgb`. The result is opaque. */
  run(picture: ImageData, options?: DenoiseOptions): Promise<ImageData>;
  /** Denoises a picture of three numbers a pixel, row by row. */
  run(picture: Float32Array, options?: DenoiseOptions): Promise<Float32Array>;
}
