// ---- head ----
// channel_sums_packed_16_negative
const WORKGROUP: u32 = 64u;
const LANES: u32 = 16u;

struct Params {
    channels: u32,
    step_k: u32,
    positions: u32,
    part: u32,
    size_1: u32,
    size_2: u32,
    size_3: u32,
    step_0: u32,
    step_1: u32,
    step_2: u32,
    step_3: u32,
    dst_part: u32,
    src_offset: u32,
    weights_offset: u32,
    dst_offset: u32,
}

// ---- shaders/part/src_packed.wgsl ----
// Slot read_src: an element of the source, stored as a half: two in a word, the first one in its lower bits.
@group(0) @binding(1) var<storage, read> src: array<u32>;

fn read_src(at: u32) -> f32 {
    return unpack2x16float(src[at / 2u] >> (at % 2u * 16u)).x;
}

// ---- shaders/part/weights_packed.wgsl ----
// Slot read_weight: a weight, stored as a half: two in a word, the first one in its lower bits.
@group(0) @binding(2) var<storage, read> weights: array<u32>;

fn read_weight(at: u32) -> f32 {
    return unpack2x16float(weights[at / 2u] >> (at % 2u * 16u)).x;
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

// ---- shaders/part/term_negative.wgsl ----
// Slot term: a gradient times the negative part of the source: what a slope of PReLU was multiplied by.
fn term(at: u32) -> f32 {
    let x = read_src(params.src_offset + at);
    return read_weight(params.weights_offset + at) * select(x, 0.0, x > 0.0);
}

// ---- leaves ----

// ---- shaders/kernel/channel_sums.wgsl ----
// channel_sums: for each channel, a sum over images and places: the gradient of a bias or of a slope.
//
// A workgroup owns LANES neighbouring channels and a part of the positions. Its invocations take every ROWS-th position of the
// part; then their sums are added in a tree, always in the same order. Where there are several parts, a second dispatch adds
// those up.
//
// grid      x: blocks of LANES channels, y: parts of the positions
// constants WORKGROUP, LANES
// slots     term, write_dst

@group(0) @binding(0) var<uniform> params: Params;

const ROWS: u32 = WORKGROUP / LANES;
const_assert ROWS * LANES == WORKGROUP;

var<workgroup> sums: array<f32, WORKGROUP>;

// How far a position lies from its channel's first element.
fn place(position: u32) -> u32 {
    let rest_3 = position / params.size_3;
    let rest_2 = rest_3 / params.size_2;
    return rest_2 / params.size_1 * params.step_0 + rest_2 % params.size_1 * params.step_1
        + rest_3 % params.size_2 * params.step_2 + position % params.size_3 * params.step_3;
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let channel = workgroup.x * LANES + local % LANES;
    let row = local / LANES;
    let first = workgroup.y * params.part;
    let end = min(first + params.part, params.positions);
    var sum = 0.0;
    if (channel < params.channels) {
        for (var position = first + row; position < end; position += ROWS) {
            sum += term(channel * params.step_k + place(position));
        }
    }
    sums[local] = sum;
    workgroupBarrier();
    for (var half = ROWS / 2u; half > 0u; half /= 2u) {
        if (row < half) {
            sums[local] += sums[local + half * LANES];
        }
        workgroupBarrier();
    }
    if (row == 0u && channel < params.channels) {
        write_dst(params.dst_offset + workgroup.y * params.dst_part + channel, sums[local]);
    }
}
