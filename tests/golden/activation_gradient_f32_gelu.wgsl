// ---- head ----
// activation_gradient_f32_gelu
const WORKGROUP: u32 = 64u;

struct Params {
    first: u32,
    count: u32,
    size_0: u32,
    size_1: u32,
    size_2: u32,
    size_3: u32,
    size_4: u32,
    step_0: u32,
    step_1: u32,
    step_2: u32,
    step_3: u32,
    step_4: u32,
    k_0: u32,
    k_1: u32,
    k_2: u32,
    k_3: u32,
    k_4: u32,
    src_offset: u32,
    weights_offset: u32,
    dst_offset: u32,
    slopes_offset: u32,
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

// ---- shaders/part/is_element.wgsl ----
// Used by kernels that walk memory: whether a place, counted from the first element of a tensor, is an element of it. Along each
// dimension, longest steps first, it must be within the size.
fn is_element(place: u32) -> bool {
    let in_0 = place % params.step_0;
    let in_1 = in_0 % params.step_1;
    let in_2 = in_1 % params.step_2;
    let in_3 = in_2 % params.step_3;
    let outer = place / params.step_0 < params.size_0 && in_0 / params.step_1 < params.size_1;
    return outer && in_1 / params.step_2 < params.size_2 && in_2 / params.step_3 < params.size_3
        && in_3 / params.step_4 < params.size_4 && in_3 % params.step_4 == 0u;
}

// ---- shaders/part/keep_nan.wgsl ----
// Used by activations: `value`, or x if that is a NaN. The test is on bits: compilers may assume that no float is a NaN, and
// min, max and clamp of one differ between devices.
fn keep_nan(value: f32, x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    return bitcast<f32>(select(bitcast<u32>(value), bits, (bits & 0x7fffffffu) > 0x7f800000u));
}

// ---- shaders/part/derivative_gelu.wgsl ----
// Slot derive: of the sum x, the gradient times (1 + erf(x / sqrt 2)) / 2 + x exp(-x^2 / 2) / sqrt(2 pi), with the erf of
// activation_gelu.wgsl.
fn derive(gradient: f32, kept: f32, k: u32) -> f32 {
    // Beyond 15 the derivative is 0 or 1 in f32.
    let x = clamp(kept, -15.0, 15.0);
    let z = abs(x) * 0.70710678;
    let near = min(z, 9.0);
    let t = 1.0 / fma(0.3275911, near, 1.0);
    let poly = t * fma(t, fma(t, fma(t, fma(t, 1.061405429, -1.453152027), 1.421413741), -0.284496736), 0.254829592);
    let bell = select(exp(-near * near), 0.0, z > 9.0);
    let tail = poly * bell;
    return gradient * fma(0.39894228 * x, bell, 0.5 * select(tail, 2.0 - tail, x > 0.0));
}

// ---- leaves ----

// ---- shaders/kernel/activation_gradient.wgsl ----
// activation_gradient: the gradient before an activation, from the gradient behind it and from what the forward pass kept. All
// three tensors lie alike.
//
// One invocation owns one element of memory. A gap between rows stays what it is.
//
// grid      x: blocks of WORKGROUP elements of this dispatch
// constants WORKGROUP
// slots     read_src (what was kept), read_weight (the gradient), write_dst, derive; is_element, keep_nan

@group(0) @binding(0) var<uniform> params: Params;

// The channel of an element: params.k_0 to k_4 are 1 along the channels and 0 elsewhere.
fn channel_of(place: u32) -> u32 {
    let in_0 = place % params.step_0;
    let in_1 = in_0 % params.step_1;
    let in_2 = in_1 % params.step_2;
    let in_3 = in_2 % params.step_3;
    return place / params.step_0 * params.k_0 + in_0 / params.step_1 * params.k_1 + in_1 / params.step_2 * params.k_2
        + in_2 / params.step_3 * params.k_3 + in_3 / params.step_4 * params.k_4;
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let at = workgroup.x * WORKGROUP + local;
    let place = params.first + at;
    if (at >= params.count || !is_element(place)) {
        return;
    }
    let kept = read_src(params.src_offset + at);
    let gradient = read_weight(params.weights_offset + at);
    write_dst(params.dst_offset + at, keep_nan(derive(gradient, kept, channel_of(place)), kept));
}
