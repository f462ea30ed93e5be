// ---- head ----
// implicit_gemm_f32_32x32x16_4x4
const WORKGROUP: u32 = 64u;
const BLOCK_K: u32 = 32u;
const BLOCK_T: u32 = 32u;
const BLOCK_C: u32 = 16u;
const EACH_K: u32 = 4u;
const EACH_T: u32 = 4u;
const FETCH_U: u32 = 2u;
const FETCH_V: u32 = 2u;

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

// ---- shaders/part/positions.wgsl ----
// Part positions: output positions, counted over images, planes, rows and columns.

// Image, plane, row and column of an output position; past the last one, the last one's.
fn position_of(index: u32) -> vec4<u32> {
    let at = min(index, params.end - 1u);
    let plane = at / (params.out_w * params.out_h);
    return vec4<u32>(plane / params.out_d, plane % params.out_d, at / params.out_w % params.out_h, at % params.out_w);
}

// Where a position's output of the group's first filter lies.
fn place_of(g: u32, index: u32) -> u32 {
    let position = position_of(index);
    return params.dst_offset + position.x * params.dst_n + g * params.dst_g + position.y * params.dst_d
        + position.z * params.dst_h + position.w * params.dst_w;
}

// ---- shaders/part/rows.wgsl ----
// Part rows: the matrix of columns, which has a row for each channel and tap and a column for each output position, and lies
// nowhere.
//
// slots     load_src; positions

// Channel, and plane, row and column of the tap, of a row of the product. Where nothing is summed there are no taps.
fn row_of(index: u32) -> vec4<u32> {
    let w = max(params.taps_w, 1u);
    let h = max(params.taps_h, 1u);
    let d = max(params.taps_d, 1u);
    return vec4<u32>(index / (w * h * d), index / (w * h) % d, index / w % h, index % w);
}

// The row so many further on: sums with carries, where row_of divides.
fn advance(row: vec4<u32>, by: vec4<u32>) -> vec4<u32> {
    var next = row + by;
    if (next.w >= params.taps_w) {
        next.w -= params.taps_w;
        next.z += 1u;
    }
    if (next.z >= params.taps_h) {
        next.z -= params.taps_h;
        next.y += 1u;
    }
    if (next.y >= params.taps_d) {
        next.y -= params.taps_d;
        next.x += 1u;
    }
    return next;
}

// Where a position's first tap lies: the image's first element, and coordinates, which before the source wrap around to
// huge numbers.
fn start_of(g: u32, index: u32) -> vec4<u32> {
    let position = position_of(index);
    return vec4<u32>(
        params.src_offset + position.x * params.src_n + g * params.src_g,
        position.y * params.stride_d - params.before_d,
        position.z * params.stride_h - params.before_h,
        position.w * params.stride_w - params.before_w,
    );
}

// A row's elements for the position that starts there.
fn load_tap(start: vec4<u32>, tap: vec4<u32>) -> f32 {
    let at = start + tap;
    return load_src(at.x, at.y, at.z, at.w);
}

// ---- leaves ----
// An invocation's share of a step's weights into registers, and on to its row of the next step.
fn fetch_u(own: u32, channels: u32, k: u32, by: vec4<u32>, row: ptr<function, vec4<u32>>, next_u: ptr<function, array<vec4<f32>, 2>>) {
    (*next_u)[0] = load_weights(own, *row, channels, k + 0u);
    (*next_u)[1] = load_weights(own, *row, channels, k + 16u);
    *row = advance(*row, by);
}

// An invocation's share of a step's columns into registers, row after row, and on to the next step.
fn fetch_v(starts: ptr<function, array<vec4<u32>, 4>>, channels: u32, by: vec4<u32>, row: ptr<function, vec4<u32>>, next_v: ptr<function, array<vec4<f32>, 2>>) {
    (*next_v)[0] = load_columns(starts, *row, channels);
    *row = advance(*row, by);
    (*next_v)[1] = load_columns(starts, *row, channels);
    *row = advance(*row, by);
}

// The fetched vectors of u into workgroup memory.
fn stage_u(at: u32, next_u: ptr<function, array<vec4<f32>, 2>>) {
    u_step[at + 0u] = (*next_u)[0];
    u_step[at + 4u] = (*next_u)[1];
}

// The fetched vectors of v into workgroup memory.
fn stage_v(at: u32, next_v: ptr<function, array<vec4<f32>, 2>>) {
    v_step[at + 0u] = (*next_v)[0];
    v_step[at + 64u] = (*next_v)[1];
}

// acc += U^T V over a step's 16 channels.
fn multiply_step(u_at: u32, v_at: u32, acc: ptr<function, array<vec4<f32>, 4>>) {
    let a0_0 = u_step[u_at + 0u];
    let b0_0 = v_step[v_at + 0u];
    (*acc)[0] = fma(vec4<f32>(a0_0.x), b0_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a0_0.y), b0_0, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a0_0.z), b0_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a0_0.w), b0_0, (*acc)[3]);
    let a1_0 = u_step[u_at + 9u];
    let b1_0 = v_step[v_at + 8u];
    (*acc)[0] = fma(vec4<f32>(a1_0.x), b1_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a1_0.y), b1_0, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a1_0.z), b1_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a1_0.w), b1_0, (*acc)[3]);
    let a2_0 = u_step[u_at + 18u];
    let b2_0 = v_step[v_at + 16u];
    (*acc)[0] = fma(vec4<f32>(a2_0.x), b2_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a2_0.y), b2_0, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a2_0.z), b2_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a2_0.w), b2_0, (*acc)[3]);
    let a3_0 = u_step[u_at + 27u];
    let b3_0 = v_step[v_at + 24u];
    (*acc)[0] = fma(vec4<f32>(a3_0.x), b3_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a3_0.y), b3_0, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a3_0.z), b3_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a3_0.w), b3_0, (*acc)[3]);
    let a4_0 = u_step[u_at + 36u];
    let b4_0 = v_step[v_at + 32u];
    (*acc)[0] = fma(vec4<f32>(a4_0.x), b4_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a4_0.y), b4_0, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a4_0.z), b4_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a4_0.w), b4_0, (*acc)[3]);
    let a5_0 = u_step[u_at + 45u];
    let b5_0 = v_step[v_at + 40u];
    (*acc)[0] = fma(vec4<f32>(a5_0.x), b5_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a5_0.y), b5_0, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a5_0.z), b5_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a5_0.w), b5_0, (*acc)[3]);
    let a6_0 = u_step[u_at + 54u];
    let b6_0 = v_step[v_at + 48u];
    (*acc)[0] = fma(vec4<f32>(a6_0.x), b6_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a6_0.y), b6_0, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a6_0.z), b6_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a6_0.w), b6_0, (*acc)[3]);
    let a7_0 = u_step[u_at + 63u];
    let b7_0 = v_step[v_at + 56u];
    (*acc)[0] = fma(vec4<f32>(a7_0.x), b7_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a7_0.y), b7_0, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a7_0.z), b7_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a7_0.w), b7_0, (*acc)[3]);
    let a8_0 = u_step[u_at + 72u];
    let b8_0 = v_step[v_at + 64u];
    (*acc)[0] = fma(vec4<f32>(a8_0.x), b8_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a8_0.y), b8_0, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a8_0.z), b8_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a8_0.w), b8_0, (*acc)[3]);
    let a9_0 = u_step[u_at + 81u];
    let b9_0 = v_step[v_at + 72u];
    (*acc)[0] = fma(vec4<f32>(a9_0.x), b9_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a9_0.y), b9_0, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a9_0.z), b9_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a9_0.w), b9_0, (*acc)[3]);
    let a10_0 = u_step[u_at + 90u];
    let b10_0 = v_step[v_at + 80u];
    (*acc)[0] = fma(vec4<f32>(a10_0.x), b10_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a10_0.y), b10_0, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a10_0.z), b10_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a10_0.w), b10_0, (*acc)[3]);
    let a11_0 = u_step[u_at + 99u];
    let b11_0 = v_step[v_at + 88u];
    (*acc)[0] = fma(vec4<f32>(a11_0.x), b11_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a11_0.y), b11_0, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a11_0.z), b11_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a11_0.w), b11_0, (*acc)[3]);
    let a12_0 = u_step[u_at + 108u];
    let b12_0 = v_step[v_at + 96u];
    (*acc)[0] = fma(vec4<f32>(a12_0.x), b12_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a12_0.y), b12_0, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a12_0.z), b12_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a12_0.w), b12_0, (*acc)[3]);
    let a13_0 = u_step[u_at + 117u];
    let b13_0 = v_step[v_at + 104u];
    (*acc)[0] = fma(vec4<f32>(a13_0.x), b13_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a13_0.y), b13_0, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a13_0.z), b13_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a13_0.w), b13_0, (*acc)[3]);
    let a14_0 = u_step[u_at + 126u];
    let b14_0 = v_step[v_at + 112u];
    (*acc)[0] = fma(vec4<f32>(a14_0.x), b14_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a14_0.y), b14_0, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a14_0.z), b14_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a14_0.w), b14_0, (*acc)[3]);
    let a15_0 = u_step[u_at + 135u];
    let b15_0 = v_step[v_at + 120u];
    (*acc)[0] = fma(vec4<f32>(a15_0.x), b15_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a15_0.y), b15_0, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a15_0.z), b15_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a15_0.w), b15_0, (*acc)[3]);
}

// The register tile to the output, position by position. A position's outputs are all made before one is written:
// no load of an operand waits for a store.
fn write_outputs(part: u32, g: u32, k: u32, t: u32, acc: ptr<function, array<vec4<f32>, 4>>) {
    let first = params.k_first + g * params.k_group;
    let at0x = part + place_of(g, t + 0u);
    let y0x0 = output_of(at0x, t + 0u, first, k + 0u, (*acc)[0].x);
    let y0x1 = output_of(at0x, t + 0u, first, k + 1u, (*acc)[1].x);
    let y0x2 = output_of(at0x, t + 0u, first, k + 2u, (*acc)[2].x);
    let y0x3 = output_of(at0x, t + 0u, first, k + 3u, (*acc)[3].x);
    store_output(at0x, t + 0u, k + 0u, y0x0);
    store_output(at0x, t + 0u, k + 1u, y0x1);
    store_output(at0x, t + 0u, k + 2u, y0x2);
    store_output(at0x, t + 0u, k + 3u, y0x3);
    let at0y = part + place_of(g, t + 8u);
    let y0y0 = output_of(at0y, t + 8u, first, k + 0u, (*acc)[0].y);
    let y0y1 = output_of(at0y, t + 8u, first, k + 1u, (*acc)[1].y);
    let y0y2 = output_of(at0y, t + 8u, first, k + 2u, (*acc)[2].y);
    let y0y3 = output_of(at0y, t + 8u, first, k + 3u, (*acc)[3].y);
    store_output(at0y, t + 8u, k + 0u, y0y0);
    store_output(at0y, t + 8u, k + 1u, y0y1);
    store_output(at0y, t + 8u, k + 2u, y0y2);
    store_output(at0y, t + 8u, k + 3u, y0y3);
    let at0z = part + place_of(g, t + 16u);
    let y0z0 = output_of(at0z, t + 16u, first, k + 0u, (*acc)[0].z);
    let y0z1 = output_of(at0z, t + 16u, first, k + 1u, (*acc)[1].z);
    let y0z2 = output_of(at0z, t + 16u, first, k + 2u, (*acc)[2].z);
    let y0z3 = output_of(at0z, t + 16u, first, k + 3u, (*acc)[3].z);
    store_output(at0z, t + 16u, k + 0u, y0z0);
    store_output(at0z, t + 16u, k + 1u, y0z1);
    store_output(at0z, t + 16u, k + 2u, y0z2);
    store_output(at0z, t + 16u, k + 3u, y0z3);
    let at0w = part + place_of(g, t + 24u);
    let y0w0 = output_of(at0w, t + 24u, first, k + 0u, (*acc)[0].w);
    let y0w1 = output_of(at0w, t + 24u, first, k + 1u, (*acc)[1].w);
    let y0w2 = output_of(at0w, t + 24u, first, k + 2u, (*acc)[2].w);
    let y0w3 = output_of(at0w, t + 24u, first, k + 3u, (*acc)[3].w);
    store_output(at0w, t + 24u, k + 0u, y0w0);
    store_output(at0w, t + 24u, k + 1u, y0w1);
    store_output(at0w, t + 24u, k + 2u, y0w2);
    store_output(at0w, t + 24u, k + 3u, y0w3);
}

// ---- shaders/kernel/implicit_gemm.wgsl ----
// implicit_gemm: out = epilogue(weights * columns), a product of matrices for each group, for any dimensions, strides,
// dilation, groups, sizes and order in memory. The matrix of columns has a row for each channel and tap, a column for each
// output position, and lies nowhere: whoever fetches an element of it works out where in the source it stands.
//
// One workgroup owns BLOCK_K filters x BLOCK_T positions of one group, and walks the rows (channels, then planes, rows and
// columns of taps) in steps of BLOCK_C through two buffers in workgroup memory: while one is multiplied, the next step's
// elements are on their way into registers.
// One invocation owns EACH_K filters x EACH_T positions in registers. It fetches FETCH_V vectors of the columns, always of
// the same four positions, whose places it keeps; and FETCH_U vectors of four filters' weights, always of the same row of a
// step. The four positions of a vector stand BLOCK_T/4 apart, so that neighbours fetch, and write, neighbouring positions.
//
// Where these are too few to fill a device, the rows are walked in parts, each by workgroups of its own, which write sums to
// a workspace: sum_parts adds them up.
//
// grid      x: blocks of BLOCK_T positions of this dispatch, counted over images, planes, rows, columns
//           y: blocks of BLOCK_K filters, group by group
//           z: parts of the rows
// constants WORKGROUP, BLOCK_K, BLOCK_T, BLOCK_C, EACH_K, EACH_T, FETCH_U, FETCH_V
// leaves    fetch_u, fetch_v, stage_u, stage_v, multiply_step, write_outputs
// slots     load_src, read_weight, epilogue, write_dst; positions, rows

@group(0) @binding(0) var<uniform> params: Params;

// Neighbours stage neighbouring rows of the weights: a vector more lets these lie in different banks.
const PITCH_U: u32 = BLOCK_K / 4u + 1u;
const STEP_U: u32 = BLOCK_C * PITCH_U;
const VECTORS_T: u32 = BLOCK_T / 4u;
const STEP_V: u32 = BLOCK_C * VECTORS_T;
const THREADS_T: u32 = BLOCK_T / EACH_T;
const_assert WORKGROUP == (BLOCK_K / EACH_K) * THREADS_T;
const_assert FETCH_U * WORKGROUP == BLOCK_C * BLOCK_K / 4u;
const_assert FETCH_V * WORKGROUP == STEP_V;
const_assert WORKGROUP % BLOCK_C == 0u;
const_assert WORKGROUP % VECTORS_T == 0u;

var<workgroup> u_step: array<vec4<f32>, 2u * STEP_U>;
var<workgroup> v_step: array<vec4<f32>, 2u * STEP_V>;

// Four filters' weights of a row. Past the last row they are zero; past the last filter they are the last one's, whose
// products are not written.
fn load_weights(own: u32, row: vec4<u32>, channels: u32, k: u32) -> vec4<f32> {
    if (row.x < channels) {
        let at = own + row.x * params.weights_c + row.y * params.weights_d + row.z * params.weights_h
            + row.w * params.weights_w;
        let last = params.group_k - 1u;
        return vec4<f32>(
            read_weight(at + min(k, last) * params.weights_k),
            read_weight(at + min(k + 1u, last) * params.weights_k),
            read_weight(at + min(k + 2u, last) * params.weights_k),
            read_weight(at + min(k + 3u, last) * params.weights_k),
        );
    }
    return vec4<f32>();
}

// Four positions' elements of a row; past the last row they are zero.
fn load_columns(starts: ptr<function, array<vec4<u32>, 4>>, row: vec4<u32>, channels: u32) -> vec4<f32> {
    if (row.x < channels) {
        let tap = row * vec4<u32>(params.src_c, params.dilation_d, params.dilation_h, params.dilation_w);
        return vec4<f32>(
            load_tap((*starts)[0], tap),
            load_tap((*starts)[1], tap),
            load_tap((*starts)[2], tap),
            load_tap((*starts)[3], tap),
        );
    }
    return vec4<f32>();
}

// What is written of a sum: nothing that is used past the last filter or position. `at` is the position's place, `first` the
// group's first filter of all.
fn output_of(at: u32, index: u32, first: u32, k: u32, sum: f32) -> f32 {
    if (k < params.group_k && index < params.end) {
        return epilogue(sum, first + k, at + k * params.dst_k);
    }
    return sum;
}

// Writes an output, unless it lies past the last filter or position.
fn store_output(at: u32, index: u32, k: u32, value: f32) {
    if (k < params.group_k && index < params.end) {
        write_dst(at + k * params.dst_k, value);
    }
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let blocks = (params.group_k + BLOCK_K - 1u) / BLOCK_K;
    let g = workgroup.y / blocks;
    let k_first = workgroup.y % blocks * BLOCK_K;
    let t_first = params.first + workgroup.x * BLOCK_T;
    let own = params.weights_offset + g * params.weights_g;
    let terms = params.group_c * params.taps_d * params.taps_h * params.taps_w;
    // None, where there are no taps.
    let channels = min(params.group_c, terms);
    // The rows of this workgroup's part.
    let first_row = workgroup.z * params.part;
    let end_row = min(terms, first_row + params.part);
    let tile_row = local / THREADS_T;
    let tile_column = local % THREADS_T;

    var starts: array<vec4<u32>, 4>;
    starts[0] = start_of(g, t_first + local % VECTORS_T);
    starts[1] = start_of(g, t_first + local % VECTORS_T + VECTORS_T);
    starts[2] = start_of(g, t_first + local % VECTORS_T + 2u * VECTORS_T);
    starts[3] = start_of(g, t_first + local % VECTORS_T + 3u * VECTORS_T);
    // The rows that are fetched next, and how far it is to the ones after them.
    let by_u = row_of(BLOCK_C);
    let by_v = row_of(WORKGROUP / VECTORS_T);
    var row_u = row_of(first_row + local % BLOCK_C);
    var row_v = row_of(first_row + local / VECTORS_T);
    let filters = k_first + local / BLOCK_C * 4u;
    let place_u = local % BLOCK_C * PITCH_U + local / BLOCK_C;

    var acc: array<vec4<f32>, EACH_K * EACH_T / 4u>;
    var next_u: array<vec4<f32>, FETCH_U>;
    var next_v: array<vec4<f32>, FETCH_V>;
    fetch_u(own, channels, filters, by_u, &row_u, &next_u);
    fetch_v(&starts, channels, by_v, &row_v, &next_v);
    // One barrier a step: whoever stages a buffer again has passed the barrier after its last use.
    var buffer = 0u;
    for (var done = first_row; done < end_row; done += BLOCK_C) {
        stage_u(buffer * STEP_U + place_u, &next_u);
        stage_v(buffer * STEP_V + local, &next_v);
        workgroupBarrier();
        fetch_u(own, channels, filters, by_u, &row_u, &next_u);
        fetch_v(&starts, channels, by_v, &row_v, &next_v);
        multiply_step(buffer * STEP_U + tile_row * (EACH_K / 4u), buffer * STEP_V + tile_column, &acc);
        buffer ^= 1u;
    }
    write_outputs(workgroup.z * params.dst_part, g, k_first + tile_row * EACH_K, t_first + tile_column, &acc);
}
