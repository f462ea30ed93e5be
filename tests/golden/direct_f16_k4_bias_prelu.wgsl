// ---- head ----
// direct_f16_k4_bias_prelu
enable f16;
const WORKGROUP: u32 = 64u;
const FILTERS: u32 = 4u;

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

// ---- shaders/part/src_f16.wgsl ----
// Slot read_src: an element of the source, stored as f16.
@group(0) @binding(1) var<storage, read> src: array<f16>;

fn read_src(at: u32) -> f32 {
    return f32(src[at]);
}

// ---- shaders/part/weights_f16.wgsl ----
// Slot read_weight: a weight, stored as f16.
@group(0) @binding(2) var<storage, read> weights: array<f16>;

fn read_weight(at: u32) -> f32 {
    return f32(weights[at]);
}

// ---- shaders/part/dst_f16.wgsl ----
// Slots read_dst and write_dst: an output, stored as f16.
@group(0) @binding(3) var<storage, read_write> dst: array<f16>;

fn read_dst(at: u32) -> f32 {
    return f32(dst[at]);
}

fn write_dst(at: u32, value: f32) {
    dst[at] = f16(value);
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

// ---- shaders/part/activation_prelu.wgsl ----
// Slot activate: x if positive, else the filter's slope times x.
@group(0) @binding(5) var<storage, read> slopes: array<f32>;

fn activate(x: f32, k: u32) -> f32 {
    let slope = slopes[params.slopes_offset + k];
    return select(slope * x, x, x > 0.0);
}

// ---- shaders/part/epilogue.wgsl ----
// Slot epilogue: what happens to an output of filter k before it is written to dst[at].
fn epilogue(x: f32, k: u32, at: u32) -> f32 {
    return activate(add_residual(add_bias(x, k), at), k);
}

// ---- leaves ----
// The filters of this invocation, none beyond `last`.
fn choose_filters(first: u32, last: u32, filters: ptr<function, array<u32, 4>>) {
    (*filters)[0] = min(first + 0u, last);
    (*filters)[1] = min(first + 1u, last);
    (*filters)[2] = min(first + 2u, last);
    (*filters)[3] = min(first + 3u, last);
}

// One tap of every filter.
fn accumulate(x: f32, tap: u32, filters: ptr<function, array<u32, 4>>, acc: ptr<function, array<f32, 4>>) {
    (*acc)[0] = fma(x, read_weight(tap + (*filters)[0] * params.weights_k), (*acc)[0]);
    (*acc)[1] = fma(x, read_weight(tap + (*filters)[1] * params.weights_k), (*acc)[1]);
    (*acc)[2] = fma(x, read_weight(tap + (*filters)[2] * params.weights_k), (*acc)[2]);
    (*acc)[3] = fma(x, read_weight(tap + (*filters)[3] * params.weights_k), (*acc)[3]);
}

// The outputs of the group's filters, the first of which is `k`th of all. All are made before
// one is written: filters that stand twice are written twice, with the same value, also where a residual is in place.
fn write_outputs(at: u32, k: u32, filters: ptr<function, array<u32, 4>>, acc: ptr<function, array<f32, 4>>) {
    let at0 = at + (*filters)[0] * params.dst_k;
    let y0 = epilogue((*acc)[0], k + (*filters)[0], at0);
    let at1 = at + (*filters)[1] * params.dst_k;
    let y1 = epilogue((*acc)[1], k + (*filters)[1], at1);
    let at2 = at + (*filters)[2] * params.dst_k;
    let y2 = epilogue((*acc)[2], k + (*filters)[2], at2);
    let at3 = at + (*filters)[3] * params.dst_k;
    let y3 = epilogue((*acc)[3], k + (*filters)[3], at3);
    write_dst(at0, y0);
    write_dst(at1, y1);
    write_dst(at2, y2);
    write_dst(at3, y3);
}

// ---- shaders/kernel/direct.wgsl ----
// direct: out = epilogue(sum over channels and taps of src * weights): any dimensions, strides, dilation, groups, sizes
// and order in memory.
//
// One invocation owns one output position of FILTERS filters of one group, in registers.
// One workgroup owns WORKGROUP positions of those filters.
//
// grid      x: blocks of WORKGROUP positions of this dispatch, counted over images, planes, rows, columns
//           y: blocks of FILTERS filters, group by group
// constants WORKGROUP, FILTERS
// leaves    choose_filters, accumulate, write_outputs
// slots     load_src, read_weight, epilogue, write_dst

@group(0) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = params.first + workgroup.x * WORKGROUP + local;
    // Past the last position the last one is summed up again, and not written.
    let position = min(index, params.end - 1u);
    let blocks = (params.group_k + FILTERS - 1u) / FILTERS;
    let g = workgroup.y / blocks;
    var filters: array<u32, FILTERS>;
    choose_filters(workgroup.y % blocks * FILTERS, params.group_k - 1u, &filters);

    let column = position % params.out_w;
    let row = position / params.out_w % params.out_h;
    let plane = position / (params.out_w * params.out_h) % params.out_d;
    let n = position / (params.out_w * params.out_h * params.out_d);
    // Coordinates before the source wrap around to huge numbers.
    let z_first = plane * params.stride_d - params.before_d;
    let y_first = row * params.stride_h - params.before_h;
    let x_first = column * params.stride_w - params.before_w;
    let image = params.src_offset + n * params.src_n + g * params.src_g;
    let own = params.weights_offset + g * params.weights_g;

    var acc: array<f32, FILTERS>;
    for (var c = 0u; c < params.group_c; c++) {
        for (var t = 0u; t < params.taps_d; t++) {
            for (var r = 0u; r < params.taps_h; r++) {
                let channel = image + c * params.src_c;
                let z = z_first + t * params.dilation_d;
                let y = y_first + r * params.dilation_h;
                let taps = own + c * params.weights_c + t * params.weights_d + r * params.weights_h;
                for (var s = 0u; s < params.taps_w; s++) {
                    let x = load_src(channel, z, y, x_first + s * params.dilation_w);
                    accumulate(x, taps + s * params.weights_w, &filters, &acc);
                }
            }
        }
    }

    if (index < params.end) {
        let at = params.dst_offset + n * params.dst_n + g * params.dst_g
            + plane * params.dst_d + row * params.dst_h + column * params.dst_w;
        write_outputs(at, params.k_first + g * params.k_group, &filters, &acc);
    }
}
