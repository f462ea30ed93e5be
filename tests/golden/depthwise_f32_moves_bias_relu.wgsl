// ---- head ----
// depthwise_f32_moves_bias_relu
const WORKGROUP: u32 = 64u;

struct Params {
    first: u32,
    end: u32,
    k_first: u32,
    k_group: u32,
    groups: u32,
    group_c: u32,
    group_k: u32,
    d: u32,
    h: u32,
    w: u32,
    out_d: u32,
    out_h: u32,
    out_w: u32,
    taps_d: u32,
    taps_h: u32,
    taps_w: u32,
    stride_d: u32,
    stride_h: u32,
    stride_w: u32,
    dilation_d: u32,
    dilation_h: u32,
    dilation_w: u32,
    before_d: u32,
    before_h: u32,
    before_w: u32,
    src_n: u32,
    src_g: u32,
    src_c: u32,
    src_d: u32,
    src_h: u32,
    src_w: u32,
    weights_g: u32,
    weights_k: u32,
    weights_c: u32,
    weights_d: u32,
    weights_h: u32,
    weights_w: u32,
    dst_n: u32,
    dst_g: u32,
    dst_k: u32,
    dst_d: u32,
    dst_h: u32,
    dst_w: u32,
    src_offset: u32,
    weights_offset: u32,
    dst_offset: u32,
    part: u32,
    dst_part: u32,
    bias_offset: u32,
    slopes_offset: u32,
    residual_offset: u32,
    act_a: f32,
    act_b: f32,
}

// ---- shaders/part/src_f32.wgsl ----
// Slot read_src: an element of the source, stored as f32.
@group(0) @binding(1) var<storage, read> src: array<f32>;

fn read_src(at: u32) -> f32 {
    return src[at];
}

// ---- shaders/part/weights_f32.wgsl ----
// Slot read_weight: a weight, stored as f32.
@group(0) @binding(2) var<storage, read> weights: array<f32>;

fn read_weight(at: u32) -> f32 {
    return weights[at];
}

// ---- shaders/part/dst_f32.wgsl ----
// Slots read_dst and write_dst: an output, stored as f32.
@group(0) @binding(3) var<storage, read_write> dst: array<f32>;

fn read_dst(at: u32) -> f32 {
    return dst[at];
}

fn write_dst(at: u32, value: f32) {
    dst[at] = value;
}

// ---- shaders/part/border_zero.wgsl ----
// Slot load_src: an element of the source, zero outside. `channel` is the channel's first element; coordinates before the
// source have wrapped around to huge numbers.
fn load_src(channel: u32, z: u32, y: u32, x: u32) -> f32 {
    if (z < params.d && y < params.h && x < params.w) {
        return read_src(channel + z * params.src_d + y * params.src_h + x * params.src_w);
    }
    return 0.0;
}

// ---- shaders/part/bias_channel.wgsl ----
// Slot add_bias: one number for each filter.
@group(0) @binding(4) var<storage, read> bias: array<f32>;

fn add_bias(x: f32, k: u32) -> f32 {
    return x + bias[params.bias_offset + k];
}

// ---- shaders/part/residual_none.wgsl ----
// Slot add_residual: nothing.
fn add_residual(x: f32, at: u32) -> f32 {
    return x;
}

// ---- shaders/part/activation_relu.wgsl ----
// Slot activate: max(x, 0), and NaN for NaN. In bits, since max of a NaN differs between devices: from 0x80000000 (-0) to
// 0xff800000 (-infinity) x is not positive.
fn activate(x: f32, k: u32) -> f32 {
    let bits = bitcast<u32>(x);
    return bitcast<f32>(select(bits, 0u, bits - 0x80000000u <= 0x7f800000u));
}

// ---- shaders/part/epilogue.wgsl ----
// Slot epilogue: what happens to an output of filter k before it is written to dst[at].
fn epilogue(x: f32, k: u32, at: u32) -> f32 {
    return activate(add_residual(add_bias(x, k), at), k);
}

// ---- shaders/part/window_moves.wgsl ----
// Slots open_window and move_window: the elements of four neighbouring outputs, where taps lie as far apart as outputs: what
// one output meets now, the one before it meets next. `x` is the first output's element.
fn open_window(channel: u32, z: u32, y: u32, x: u32) -> vec4<f32> {
    let x1 = x + params.stride_w;
    return vec4<f32>(
        0.0,
        load_src(channel, z, y, x),
        load_src(channel, z, y, x1),
        load_src(channel, z, y, x1 + params.stride_w),
    );
}

fn move_window(window: vec4<f32>, channel: u32, z: u32, y: u32, x: u32) -> vec4<f32> {
    return vec4<f32>(window.yzw, load_src(channel, z, y, x + 3u * params.stride_w));
}

// ---- leaves ----

// ---- shaders/kernel/depthwise.wgsl ----
// depthwise: out = epilogue(sum over taps of src * weights), for groups of one channel: any number of filters for each, any
// dimensions, strides, dilation, sizes and order in memory.
//
// One invocation owns four neighbouring outputs of one filter's row, in registers: each weight is loaded once for the four,
// and a window holds the elements that one tap meets.
//
// grid      x: blocks of WORKGROUP strips of this dispatch, counted over images, filters, planes, rows and strips of four
//           columns
// constants WORKGROUP
// slots     load_src, read_weight, epilogue, write_dst, open_window, move_window

@group(0) @binding(0) var<uniform> params: Params;

// An output, unless it lies right of the last one. `at` is the row's first element.
fn store_output(at: u32, column: u32, k: u32, value: f32) {
    if (column < params.out_w) {
        let place = at + column * params.dst_w;
        write_dst(place, epilogue(value, k, place));
    }
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = params.first + workgroup.x * WORKGROUP + local;
    if (index >= params.end) {
        return;
    }
    let strips = (params.out_w + 3u) / 4u;
    let filters = params.groups * params.group_k;
    let column = index % strips * 4u;
    let row = index / strips % params.out_h;
    let plane = index / (strips * params.out_h) % params.out_d;
    let n = index / (strips * params.out_h * params.out_d) / filters;
    let g = index / (strips * params.out_h * params.out_d) % filters / params.group_k;
    let k = index / (strips * params.out_h * params.out_d) % params.group_k;

    // Coordinates before the source wrap around to huge numbers.
    let z_first = plane * params.stride_d - params.before_d;
    let y_first = row * params.stride_h - params.before_h;
    let x_first = column * params.stride_w - params.before_w;
    let channel = params.src_offset + n * params.src_n + g * params.src_g;
    let own = params.weights_offset + g * params.weights_g + k * params.weights_k;

    var acc = vec4<f32>();
    for (var t = 0u; t < params.taps_d; t++) {
        for (var r = 0u; r < params.taps_h; r++) {
            let z = z_first + t * params.dilation_d;
            let y = y_first + r * params.dilation_h;
            let taps = own + t * params.weights_d + r * params.weights_h;
            var window = open_window(channel, z, y, x_first);
            for (var s = 0u; s < params.taps_w; s++) {
                window = move_window(window, channel, z, y, x_first + s * params.dilation_w);
                acc = fma(window, vec4<f32>(read_weight(taps + s * params.weights_w)), acc);
            }
        }
    }

    let at = params.dst_offset + n * params.dst_n + g * params.dst_g + k * params.dst_k + plane * params.dst_d
        + row * params.dst_h;
    let of_all = params.k_first + g * params.k_group + k;
    store_output(at, column, of_all, acc.x);
    store_output(at, column + 1u, of_all, acc.y);
    store_output(at, column + 2u, of_all, acc.z);
    store_output(at, column + 3u, of_all, acc.w);
}
