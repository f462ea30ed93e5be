// ---- head ----
// depthwise_patch_f32_3x3s2_2x4_channels
const WORKGROUP: u32 = 64u;
const COLUMNS: u32 = 2u;
const ROWS: u32 = 4u;
const STRIDE: u32 = 2u;
const TAPS: u32 = 9u;

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

// ---- shaders/part/bias_none.wgsl ----
// Slot add_bias: no bias.
fn add_bias(x: f32, k: u32) -> f32 {
    return x;
}

// ---- shaders/part/residual_none.wgsl ----
// Slot add_residual: nothing.
fn add_residual(x: f32, at: u32) -> f32 {
    return x;
}

// ---- shaders/part/activation_none.wgsl ----
// Slot activate: nothing.
fn activate(x: f32, k: u32) -> f32 {
    return x;
}

// ---- shaders/part/epilogue.wgsl ----
// Slot epilogue: what happens to an output of filter k before it is written to dst[at].
fn epilogue(x: f32, k: u32, at: u32) -> f32 {
    return activate(add_residual(add_bias(x, k), at), k);
}

// ---- shaders/part/patches_by_channels.wgsl ----
// Slot group_and_patch: a group, and a patch of its plane, where neighbouring invocations have neighbouring channels.
fn group_and_patch(index: u32, patches: u32) -> vec2<u32> {
    return vec2<u32>(index % params.groups, index / params.groups);
}

// ---- leaves ----
// A filter's weights, row by row.
fn load_filter(at: u32, filter_taps: ptr<function, array<f32, 9>>) {
    (*filter_taps)[0] = read_weight(at + 0u * params.weights_h + 0u * params.weights_w);
    (*filter_taps)[1] = read_weight(at + 0u * params.weights_h + 1u * params.weights_w);
    (*filter_taps)[2] = read_weight(at + 0u * params.weights_h + 2u * params.weights_w);
    (*filter_taps)[3] = read_weight(at + 1u * params.weights_h + 0u * params.weights_w);
    (*filter_taps)[4] = read_weight(at + 1u * params.weights_h + 1u * params.weights_w);
    (*filter_taps)[5] = read_weight(at + 1u * params.weights_h + 2u * params.weights_w);
    (*filter_taps)[6] = read_weight(at + 2u * params.weights_h + 0u * params.weights_w);
    (*filter_taps)[7] = read_weight(at + 2u * params.weights_h + 1u * params.weights_w);
    (*filter_taps)[8] = read_weight(at + 2u * params.weights_h + 2u * params.weights_w);
}

// All products of a patch, a row of the source after the other: `y` and `x` are where its first output's first tap
// lies.
fn sum_patch(channel: u32, y: u32, x: u32, filter_taps: ptr<function, array<f32, 9>>, acc: ptr<function, array<f32, 8>>) {
    let at0 = distance_of(x + 0u, params.w, params.src_w);
    let at1 = distance_of(x + 1u, params.w, params.src_w);
    let at2 = distance_of(x + 2u, params.w, params.src_w);
    let at3 = distance_of(x + 3u, params.w, params.src_w);
    let at4 = distance_of(x + 4u, params.w, params.src_w);
    let in0 = mask(x + 0u, params.w);
    let in1 = mask(x + 1u, params.w);
    let in2 = mask(x + 2u, params.w);
    let in3 = mask(x + 3u, params.w);
    let in4 = mask(x + 4u, params.w);
    let row0 = channel + distance_of(y + 0u, params.h, params.src_h);
    let there0 = mask(y + 0u, params.h);
    let x0_0 = masked(row0 + at0, there0 & in0);
    let x0_1 = masked(row0 + at1, there0 & in1);
    let x0_2 = masked(row0 + at2, there0 & in2);
    let x0_3 = masked(row0 + at3, there0 & in3);
    let x0_4 = masked(row0 + at4, there0 & in4);
    (*acc)[0] = fma(x0_0, (*filter_taps)[0], (*acc)[0]);
    (*acc)[0] = fma(x0_1, (*filter_taps)[1], (*acc)[0]);
    (*acc)[0] = fma(x0_2, (*filter_taps)[2], (*acc)[0]);
    (*acc)[1] = fma(x0_2, (*filter_taps)[0], (*acc)[1]);
    (*acc)[1] = fma(x0_3, (*filter_taps)[1], (*acc)[1]);
    (*acc)[1] = fma(x0_4, (*filter_taps)[2], (*acc)[1]);
    let row1 = channel + distance_of(y + 1u, params.h, params.src_h);
    let there1 = mask(y + 1u, params.h);
    let x1_0 = masked(row1 + at0, there1 & in0);
    let x1_1 = masked(row1 + at1, there1 & in1);
    let x1_2 = masked(row1 + at2, there1 & in2);
    let x1_3 = masked(row1 + at3, there1 & in3);
    let x1_4 = masked(row1 + at4, there1 & in4);
    (*acc)[0] = fma(x1_0, (*filter_taps)[3], (*acc)[0]);
    (*acc)[0] = fma(x1_1, (*filter_taps)[4], (*acc)[0]);
    (*acc)[0] = fma(x1_2, (*filter_taps)[5], (*acc)[0]);
    (*acc)[1] = fma(x1_2, (*filter_taps)[3], (*acc)[1]);
    (*acc)[1] = fma(x1_3, (*filter_taps)[4], (*acc)[1]);
    (*acc)[1] = fma(x1_4, (*filter_taps)[5], (*acc)[1]);
    let row2 = channel + distance_of(y + 2u, params.h, params.src_h);
    let there2 = mask(y + 2u, params.h);
    let x2_0 = masked(row2 + at0, there2 & in0);
    let x2_1 = masked(row2 + at1, there2 & in1);
    let x2_2 = masked(row2 + at2, there2 & in2);
    let x2_3 = masked(row2 + at3, there2 & in3);
    let x2_4 = masked(row2 + at4, there2 & in4);
    (*acc)[0] = fma(x2_0, (*filter_taps)[6], (*acc)[0]);
    (*acc)[0] = fma(x2_1, (*filter_taps)[7], (*acc)[0]);
    (*acc)[0] = fma(x2_2, (*filter_taps)[8], (*acc)[0]);
    (*acc)[1] = fma(x2_2, (*filter_taps)[6], (*acc)[1]);
    (*acc)[1] = fma(x2_3, (*filter_taps)[7], (*acc)[1]);
    (*acc)[1] = fma(x2_4, (*filter_taps)[8], (*acc)[1]);
    (*acc)[2] = fma(x2_0, (*filter_taps)[0], (*acc)[2]);
    (*acc)[2] = fma(x2_1, (*filter_taps)[1], (*acc)[2]);
    (*acc)[2] = fma(x2_2, (*filter_taps)[2], (*acc)[2]);
    (*acc)[3] = fma(x2_2, (*filter_taps)[0], (*acc)[3]);
    (*acc)[3] = fma(x2_3, (*filter_taps)[1], (*acc)[3]);
    (*acc)[3] = fma(x2_4, (*filter_taps)[2], (*acc)[3]);
    let row3 = channel + distance_of(y + 3u, params.h, params.src_h);
    let there3 = mask(y + 3u, params.h);
    let x3_0 = masked(row3 + at0, there3 & in0);
    let x3_1 = masked(row3 + at1, there3 & in1);
    let x3_2 = masked(row3 + at2, there3 & in2);
    let x3_3 = masked(row3 + at3, there3 & in3);
    let x3_4 = masked(row3 + at4, there3 & in4);
    (*acc)[2] = fma(x3_0, (*filter_taps)[3], (*acc)[2]);
    (*acc)[2] = fma(x3_1, (*filter_taps)[4], (*acc)[2]);
    (*acc)[2] = fma(x3_2, (*filter_taps)[5], (*acc)[2]);
    (*acc)[3] = fma(x3_2, (*filter_taps)[3], (*acc)[3]);
    (*acc)[3] = fma(x3_3, (*filter_taps)[4], (*acc)[3]);
    (*acc)[3] = fma(x3_4, (*filter_taps)[5], (*acc)[3]);
    let row4 = channel + distance_of(y + 4u, params.h, params.src_h);
    let there4 = mask(y + 4u, params.h);
    let x4_0 = masked(row4 + at0, there4 & in0);
    let x4_1 = masked(row4 + at1, there4 & in1);
    let x4_2 = masked(row4 + at2, there4 & in2);
    let x4_3 = masked(row4 + at3, there4 & in3);
    let x4_4 = masked(row4 + at4, there4 & in4);
    (*acc)[2] = fma(x4_0, (*filter_taps)[6], (*acc)[2]);
    (*acc)[2] = fma(x4_1, (*filter_taps)[7], (*acc)[2]);
    (*acc)[2] = fma(x4_2, (*filter_taps)[8], (*acc)[2]);
    (*acc)[3] = fma(x4_2, (*filter_taps)[6], (*acc)[3]);
    (*acc)[3] = fma(x4_3, (*filter_taps)[7], (*acc)[3]);
    (*acc)[3] = fma(x4_4, (*filter_taps)[8], (*acc)[3]);
    (*acc)[4] = fma(x4_0, (*filter_taps)[0], (*acc)[4]);
    (*acc)[4] = fma(x4_1, (*filter_taps)[1], (*acc)[4]);
    (*acc)[4] = fma(x4_2, (*filter_taps)[2], (*acc)[4]);
    (*acc)[5] = fma(x4_2, (*filter_taps)[0], (*acc)[5]);
    (*acc)[5] = fma(x4_3, (*filter_taps)[1], (*acc)[5]);
    (*acc)[5] = fma(x4_4, (*filter_taps)[2], (*acc)[5]);
    let row5 = channel + distance_of(y + 5u, params.h, params.src_h);
    let there5 = mask(y + 5u, params.h);
    let x5_0 = masked(row5 + at0, there5 & in0);
    let x5_1 = masked(row5 + at1, there5 & in1);
    let x5_2 = masked(row5 + at2, there5 & in2);
    let x5_3 = masked(row5 + at3, there5 & in3);
    let x5_4 = masked(row5 + at4, there5 & in4);
    (*acc)[4] = fma(x5_0, (*filter_taps)[3], (*acc)[4]);
    (*acc)[4] = fma(x5_1, (*filter_taps)[4], (*acc)[4]);
    (*acc)[4] = fma(x5_2, (*filter_taps)[5], (*acc)[4]);
    (*acc)[5] = fma(x5_2, (*filter_taps)[3], (*acc)[5]);
    (*acc)[5] = fma(x5_3, (*filter_taps)[4], (*acc)[5]);
    (*acc)[5] = fma(x5_4, (*filter_taps)[5], (*acc)[5]);
    let row6 = channel + distance_of(y + 6u, params.h, params.src_h);
    let there6 = mask(y + 6u, params.h);
    let x6_0 = masked(row6 + at0, there6 & in0);
    let x6_1 = masked(row6 + at1, there6 & in1);
    let x6_2 = masked(row6 + at2, there6 & in2);
    let x6_3 = masked(row6 + at3, there6 & in3);
    let x6_4 = masked(row6 + at4, there6 & in4);
    (*acc)[4] = fma(x6_0, (*filter_taps)[6], (*acc)[4]);
    (*acc)[4] = fma(x6_1, (*filter_taps)[7], (*acc)[4]);
    (*acc)[4] = fma(x6_2, (*filter_taps)[8], (*acc)[4]);
    (*acc)[5] = fma(x6_2, (*filter_taps)[6], (*acc)[5]);
    (*acc)[5] = fma(x6_3, (*filter_taps)[7], (*acc)[5]);
    (*acc)[5] = fma(x6_4, (*filter_taps)[8], (*acc)[5]);
    (*acc)[6] = fma(x6_0, (*filter_taps)[0], (*acc)[6]);
    (*acc)[6] = fma(x6_1, (*filter_taps)[1], (*acc)[6]);
    (*acc)[6] = fma(x6_2, (*filter_taps)[2], (*acc)[6]);
    (*acc)[7] = fma(x6_2, (*filter_taps)[0], (*acc)[7]);
    (*acc)[7] = fma(x6_3, (*filter_taps)[1], (*acc)[7]);
    (*acc)[7] = fma(x6_4, (*filter_taps)[2], (*acc)[7]);
    let row7 = channel + distance_of(y + 7u, params.h, params.src_h);
    let there7 = mask(y + 7u, params.h);
    let x7_0 = masked(row7 + at0, there7 & in0);
    let x7_1 = masked(row7 + at1, there7 & in1);
    let x7_2 = masked(row7 + at2, there7 & in2);
    let x7_3 = masked(row7 + at3, there7 & in3);
    let x7_4 = masked(row7 + at4, there7 & in4);
    (*acc)[6] = fma(x7_0, (*filter_taps)[3], (*acc)[6]);
    (*acc)[6] = fma(x7_1, (*filter_taps)[4], (*acc)[6]);
    (*acc)[6] = fma(x7_2, (*filter_taps)[5], (*acc)[6]);
    (*acc)[7] = fma(x7_2, (*filter_taps)[3], (*acc)[7]);
    (*acc)[7] = fma(x7_3, (*filter_taps)[4], (*acc)[7]);
    (*acc)[7] = fma(x7_4, (*filter_taps)[5], (*acc)[7]);
    let row8 = channel + distance_of(y + 8u, params.h, params.src_h);
    let there8 = mask(y + 8u, params.h);
    let x8_0 = masked(row8 + at0, there8 & in0);
    let x8_1 = masked(row8 + at1, there8 & in1);
    let x8_2 = masked(row8 + at2, there8 & in2);
    let x8_3 = masked(row8 + at3, there8 & in3);
    let x8_4 = masked(row8 + at4, there8 & in4);
    (*acc)[6] = fma(x8_0, (*filter_taps)[6], (*acc)[6]);
    (*acc)[6] = fma(x8_1, (*filter_taps)[7], (*acc)[6]);
    (*acc)[6] = fma(x8_2, (*filter_taps)[8], (*acc)[6]);
    (*acc)[7] = fma(x8_2, (*filter_taps)[6], (*acc)[7]);
    (*acc)[7] = fma(x8_3, (*filter_taps)[7], (*acc)[7]);
    (*acc)[7] = fma(x8_4, (*filter_taps)[8], (*acc)[7]);
}

// The outputs of a patch. All are made before one is written: no load of an operand waits for a store.
fn write_outputs(at: u32, row: u32, column: u32, k: u32, acc: ptr<function, array<f32, 8>>) {
    let y0_0 = output_of(at, row + 0u, column + 0u, k, (*acc)[0]);
    let y0_1 = output_of(at, row + 0u, column + 1u, k, (*acc)[1]);
    let y1_0 = output_of(at, row + 1u, column + 0u, k, (*acc)[2]);
    let y1_1 = output_of(at, row + 1u, column + 1u, k, (*acc)[3]);
    let y2_0 = output_of(at, row + 2u, column + 0u, k, (*acc)[4]);
    let y2_1 = output_of(at, row + 2u, column + 1u, k, (*acc)[5]);
    let y3_0 = output_of(at, row + 3u, column + 0u, k, (*acc)[6]);
    let y3_1 = output_of(at, row + 3u, column + 1u, k, (*acc)[7]);
    store_output(at, row + 0u, column + 0u, y0_0);
    store_output(at, row + 0u, column + 1u, y0_1);
    store_output(at, row + 1u, column + 0u, y1_0);
    store_output(at, row + 1u, column + 1u, y1_1);
    store_output(at, row + 2u, column + 0u, y2_0);
    store_output(at, row + 2u, column + 1u, y2_1);
    store_output(at, row + 3u, column + 0u, y3_0);
    store_output(at, row + 3u, column + 1u, y3_1);
}

// ---- shaders/kernel/depthwise_patch.wgsl ----
// depthwise_patch: out = epilogue(sum over taps of src * weights), for groups of one channel and planes with zeros around
// them: any number of filters for each, any sizes and order in memory. Size and stride of the filters are the text's.
//
// One invocation owns a patch of COLUMNS x ROWS neighbouring outputs of one filter's plane, in registers, beside the filter's
// TAPS weights. Each element that the patch covers is loaded once, and added to all outputs that it is a part of.
//
// No load waits for a comparison: an element outside of the plane is loaded at the plane's last row or column, and masked.
//
// grid      x: blocks of WORKGROUP patches of this dispatch, counted over groups and the patches of a plane
//           y: filters of a group
//           z: images
// constants WORKGROUP, COLUMNS, ROWS, STRIDE, TAPS
// leaves    load_filter, sum_patch, write_outputs
// slots     read_src, read_weight, epilogue, write_dst, group_and_patch

@group(0) @binding(0) var<uniform> params: Params;

// All bits where a coordinate is inside, no bits where it is outside. Coordinates before the source wrap around to huge numbers.
fn mask(at: u32, size: u32) -> u32 {
    return select(0u, 0xffffffffu, at < size);
}

// How far an element lies from the first one of its dimension; outside, the last one.
fn distance_of(at: u32, size: u32, step: u32) -> u32 {
    return min(at, size - 1u) * step;
}

// An element as far as the mask has bits: all of it, or zero.
fn masked(at: u32, bits: u32) -> f32 {
    return bitcast<f32>(bitcast<u32>(read_src(at)) & bits);
}

// What is written of a sum: nothing that is used past the last row or column. `at` is the plane's first output.
fn output_of(at: u32, row: u32, column: u32, k: u32, sum: f32) -> f32 {
    if (row < params.out_h && column < params.out_w) {
        return epilogue(sum, k, at + row * params.dst_h + column * params.dst_w);
    }
    return sum;
}

// Writes an output, unless it lies past the last row or column.
fn store_output(at: u32, row: u32, column: u32, value: f32) {
    if (row < params.out_h && column < params.out_w) {
        write_dst(at + row * params.dst_h + column * params.dst_w, value);
    }
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = params.first + workgroup.x * WORKGROUP + local;
    if (index >= params.end) {
        return;
    }
    let strips = (params.out_w + COLUMNS - 1u) / COLUMNS;
    let patches = strips * ((params.out_h + ROWS - 1u) / ROWS);
    let own = group_and_patch(index, patches);
    let g = own.x;
    let k = workgroup.y;
    let row = own.y / strips * ROWS;
    let column = own.y % strips * COLUMNS;

    var filter_taps: array<f32, TAPS>;
    load_filter(params.weights_offset + g * params.weights_g + k * params.weights_k, &filter_taps);
    let channel = params.src_offset + workgroup.z * params.src_n + g * params.src_g;
    var acc: array<f32, COLUMNS * ROWS>;
    sum_patch(channel, row * STRIDE - params.before_h, column * STRIDE - params.before_w, &filter_taps, &acc);

    let at = params.dst_offset + workgroup.z * params.dst_n + g * params.dst_g + k * params.dst_k;
    write_outputs(at, row, column, params.k_first + g * params.k_group + k, &acc);
}
