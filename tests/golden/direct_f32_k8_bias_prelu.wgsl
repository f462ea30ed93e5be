// ---- head ----
// direct_f32_k8_bias_prelu
const WORKGROUP: u32 = 64u;
const FILTERS: u32 = 8u;

struct Params {
    first: u32,
    end: u32,
    c: u32,
    h: u32,
    w: u32,
    k: u32,
    p: u32,
    q: u32,
    r: u32,
    s: u32,
    stride_h: u32,
    stride_w: u32,
    dilation_h: u32,
    dilation_w: u32,
    pad_top: u32,
    pad_left: u32,
    group_c: u32,
    group_k: u32,
    src_offset: u32,
    dst_offset: u32,
    bias_offset: u32,
    slopes_offset: u32,
    act_a: f32,
    act_b: f32,
}

// ---- shaders/part/load_zero_pad.wgsl ----
// Slot load_src: an element of the input, zero outside the image. `image` is the first element of the channel;
// coordinates left of or above the image have wrapped around to huge numbers.
fn load_src(image: u32, y: u32, x: u32) -> f32 {
    if (y < params.h && x < params.w) {
        return src[image + y * params.w + x];
    }
    return 0.0;
}

// ---- shaders/part/bias_channel.wgsl ----
// Slot add_bias: one number for each filter.
@group(0) @binding(4) var<storage, read> bias: array<f32>;

fn add_bias(x: f32, k: u32) -> f32 {
    return x + bias[params.bias_offset + k];
}

// ---- shaders/part/activation_prelu.wgsl ----
// Slot activate: x if positive, else the filter's slope times x.
@group(0) @binding(5) var<storage, read> slopes: array<f32>;

fn activate(x: f32, k: u32) -> f32 {
    let slope = slopes[params.slopes_offset + k];
    return select(slope * x, x, x > 0.0);
}

// ---- shaders/part/epilogue.wgsl ----
// Slot epilogue: what happens to an output of filter k before it is written.
fn epilogue(x: f32, k: u32) -> f32 {
    return activate(add_bias(x, k), k);
}

// ---- leaves ----
// The filters of this invocation, none beyond `last`.
fn choose_filters(first: u32, last: u32, filters: ptr<function, array<u32, 8>>) {
    (*filters)[0] = min(first + 0u, last);
    (*filters)[1] = min(first + 1u, last);
    (*filters)[2] = min(first + 2u, last);
    (*filters)[3] = min(first + 3u, last);
    (*filters)[4] = min(first + 4u, last);
    (*filters)[5] = min(first + 5u, last);
    (*filters)[6] = min(first + 6u, last);
    (*filters)[7] = min(first + 7u, last);
}

// One tap of every filter.
fn accumulate(x: f32, tap: u32, filter_size: u32, filters: ptr<function, array<u32, 8>>, acc: ptr<function, array<f32, 8>>) {
    (*acc)[0] = fma(x, weights[(*filters)[0] * filter_size + tap], (*acc)[0]);
    (*acc)[1] = fma(x, weights[(*filters)[1] * filter_size + tap], (*acc)[1]);
    (*acc)[2] = fma(x, weights[(*filters)[2] * filter_size + tap], (*acc)[2]);
    (*acc)[3] = fma(x, weights[(*filters)[3] * filter_size + tap], (*acc)[3]);
    (*acc)[4] = fma(x, weights[(*filters)[4] * filter_size + tap], (*acc)[4]);
    (*acc)[5] = fma(x, weights[(*filters)[5] * filter_size + tap], (*acc)[5]);
    (*acc)[6] = fma(x, weights[(*filters)[6] * filter_size + tap], (*acc)[6]);
    (*acc)[7] = fma(x, weights[(*filters)[7] * filter_size + tap], (*acc)[7]);
}

// Filters that stand twice are written twice, with the same value.
fn write_outputs(at: u32, plane: u32, filters: ptr<function, array<u32, 8>>, acc: ptr<function, array<f32, 8>>) {
    dst[at + (*filters)[0] * plane] = epilogue((*acc)[0], (*filters)[0]);
    dst[at + (*filters)[1] * plane] = epilogue((*acc)[1], (*filters)[1]);
    dst[at + (*filters)[2] * plane] = epilogue((*acc)[2], (*filters)[2]);
    dst[at + (*filters)[3] * plane] = epilogue((*acc)[3], (*filters)[3]);
    dst[at + (*filters)[4] * plane] = epilogue((*acc)[4], (*filters)[4]);
    dst[at + (*filters)[5] * plane] = epilogue((*acc)[5], (*filters)[5]);
    dst[at + (*filters)[6] * plane] = epilogue((*acc)[6], (*filters)[6]);
    dst[at + (*filters)[7] * plane] = epilogue((*acc)[7], (*filters)[7]);
}

// ---- shaders/kernel/direct.wgsl ----
// direct: out[n,k,p,q] = epilogue(sum over c,r,s of src[n, c, p*stride + r*dilation - pad, ...] * weights[k,c,r,s]).
//
// One invocation owns one output position (n, p, q) and FILTERS filters of one group; one workgroup owns WORKGROUP
// neighbouring positions, so that its reads of src are contiguous and its reads of weights are the same for all.
//
// grid      x: blocks of WORKGROUP positions from params.first; y: blocks of FILTERS filters, group by group
// constants WORKGROUP, FILTERS
// leaves    choose_filters, accumulate, write_outputs
// slots     load_src, epilogue

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> src: array<f32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let position = params.first + workgroup.x * WORKGROUP + local;
    if (position >= params.end) {
        return;
    }
    let plane = params.p * params.q;
    let n = position / plane;
    let p = position % plane / params.q;
    let q = position % params.q;

    let blocks = (params.group_k + FILTERS - 1u) / FILTERS;
    let g = workgroup.y / blocks;
    let k_first = g * params.group_k + workgroup.y % blocks * FILTERS;
    // Past the group's last filter the last one is computed again, so that no value needs a guard.
    var filters: array<u32, FILTERS>;
    choose_filters(k_first, (g + 1u) * params.group_k - 1u, &filters);

    // Rows and columns above and left of the image wrap around to huge numbers, which load_src finds outside.
    let y_first = p * params.stride_h - params.pad_top;
    let x_first = q * params.stride_w - params.pad_left;
    let filter_size = params.group_c * params.r * params.s;

    var acc: array<f32, FILTERS>;
    var tap = 0u;
    for (var c = 0u; c < params.group_c; c++) {
        let image = params.src_offset + (n * params.c + g * params.group_c + c) * params.h * params.w;
        for (var r = 0u; r < params.r; r++) {
            for (var s = 0u; s < params.s; s++) {
                let x = load_src(image, y_first + r * params.dilation_h, x_first + s * params.dilation_w);
                accumulate(x, tap, filter_size, &filters, &acc);
                tap++;
            }
        }
    }
    write_outputs(params.dst_offset + n * params.k * plane + p * params.q + q, plane, &filters, &acc);
}
