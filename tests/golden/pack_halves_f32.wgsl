// ---- head ----
// pack_halves_f32
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
    values_offset: u32,
    halves_offset: u32,
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

// ---- shaders/part/half_of.wgsl ----
// Slot half_of: a value's half, in the lower bits. From 65,520 on it is infinite: what pack2x16float makes of such numbers, and of
// a NaN, is up to the device.
fn half_of(value: f32) -> u32 {
    let bits = bitcast<u32>(value);
    let size = bits & 0x7fffffffu;
    let beyond = ((bits >> 16u) & 0x8000u) | select(0x7c00u, 0x7e00u, size > 0x7f800000u);
    return select(pack2x16float(vec2<f32>(value, 0.0)) & 0xffffu, beyond, size >= 0x477ff000u);
}

// ---- leaves ----

// ---- shaders/kernel/pack_halves.wgsl ----
// pack_halves: outputs that were made in f32, rounded to halves, two in a word.
//
// One invocation owns one word of the output, so that no two write the same one. A half of it that is no output of this
// dispatch, before the first one, behind the last one or in a gap between rows, stays what it is.
//
// grid      x: blocks of WORKGROUP words of this dispatch
// constants WORKGROUP
// slots     is_element, half_of

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(3) var<storage, read_write> halves: array<u32>;

// Whether an element of memory, counted from this dispatch's first one, is an output of it.
fn is_output(at: u32) -> bool {
    return at < params.count && is_element(params.first + at);
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let word = params.halves_offset / 2u + workgroup.x * WORKGROUP + local;
    // Of a half before the first one this wraps around to a huge number.
    let at = 2u * word - params.halves_offset;
    let low = is_output(at);
    let high = is_output(at + 1u);
    if (!low && !high) {
        return;
    }
    var bits = halves[word];
    if (low) {
        bits = (bits & 0xffff0000u) | half_of(values[params.values_offset + at]);
    }
    if (high) {
        bits = (bits & 0x0000ffffu) | (half_of(values[params.values_offset + at + 1u]) << 16u);
    }
    halves[word] = bits;
}
