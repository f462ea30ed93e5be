// ---- head ----
// winograd_output_f4x3_f32_bias_relu
const WORKGROUP: u32 = 192u;
const TILES: u32 = 32u;
const TILES_PADDED: u32 = 40u;
const OUT_H: u32 = 4u;
const OUT_W: u32 = 4u;
const POINTS_H: u32 = 6u;
const POINTS_W: u32 = 6u;

struct Params {
    first: u32,
    tiles: u32,
    t_stride: u32,
    tiles_y: u32,
    tiles_x: u32,
    plain: u32,
    out_d: u32,
    spread_h: u32,
    spread_w: u32,
    k_first: u32,
    k: u32,
    p: u32,
    q: u32,
    parts: u32,
    dst_n: u32,
    dst_k: u32,
    dst_d: u32,
    dst_h: u32,
    dst_w: u32,
    dst_offset: u32,
    bias_offset: u32,
    slopes_offset: u32,
    residual_offset: u32,
    act_a: f32,
    act_b: f32,
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

// ---- shaders/part/store_dst.wgsl ----
// Slot store_dst: one output, unless it lies right of the image. `row_at` is the row's first element.
fn store_dst(row_at: u32, x: u32, k: u32, value: f32) {
    if (x < params.q) {
        let at = row_at + x * params.dst_w;
        write_dst(at, epilogue(value, k, at));
    }
}

// ---- leaves ----
// A column of products, `row` apart.
fn read_m(at: u32, row: u32, d: ptr<function, array<f32, 6>>) {
    (*d)[0] = m[at + 0u * row];
    (*d)[1] = m[at + 1u * row];
    (*d)[2] = m[at + 2u * row];
    (*d)[3] = m[at + 3u * row];
    (*d)[4] = m[at + 4u * row];
    (*d)[5] = m[at + 5u * row];
}

// The same column of another part's products, added.
fn add_m(at: u32, row: u32, d: ptr<function, array<f32, 6>>) {
    (*d)[0] += m[at + 0u * row];
    (*d)[1] += m[at + 1u * row];
    (*d)[2] += m[at + 2u * row];
    (*d)[3] += m[at + 3u * row];
    (*d)[4] += m[at + 4u * row];
    (*d)[5] += m[at + 5u * row];
}

// A^T of a column:
// 1        1         1     1      1  0
// 0      5/8      -5/8   3/2   -3/2  0
// 0    25/64     25/64   9/4    9/4  0
// 0  125/512  -125/512  27/8  -27/8  1
fn transform_h(d: ptr<function, array<f32, 6>>, out: ptr<function, array<f32, 4>>) {
    let d0 = (*d)[0];
    let d1 = (*d)[1];
    let d2 = (*d)[2];
    let d3 = (*d)[3];
    let d4 = (*d)[4];
    let d5 = (*d)[5];
    let t0 = d1 + d2;
    let t1 = d1 - d2;
    let t2 = d3 + d4;
    let t3 = d3 - d4;
    let t4 = d0 + t0;
    let t5 = t4 + t2;
    let t6 = 0.625f * t1;
    let t7 = fma(1.5f, t3, t6);
    let t8 = 0.390625f * t0;
    let t9 = fma(2.25f, t2, t8);
    let t10 = fma(0.24414063f, t1, d5);
    let t11 = fma(3.375f, t3, t10);
    (*out)[0] = t5;
    (*out)[1] = t7;
    (*out)[2] = t9;
    (*out)[3] = t11;
}

// Registers to half_done.
fn write_half(at: u32, d: ptr<function, array<f32, 4>>) {
    half_done[at + 0u * (POINTS_W * TILES_PADDED)] = (*d)[0];
    half_done[at + 1u * (POINTS_W * TILES_PADDED)] = (*d)[1];
    half_done[at + 2u * (POINTS_W * TILES_PADDED)] = (*d)[2];
    half_done[at + 3u * (POINTS_W * TILES_PADDED)] = (*d)[3];
}

// From half_done to registers.
fn read_half(at: u32, d: ptr<function, array<f32, 6>>) {
    (*d)[0] = half_done[at + 0u * (TILES_PADDED)];
    (*d)[1] = half_done[at + 1u * (TILES_PADDED)];
    (*d)[2] = half_done[at + 2u * (TILES_PADDED)];
    (*d)[3] = half_done[at + 3u * (TILES_PADDED)];
    (*d)[4] = half_done[at + 4u * (TILES_PADDED)];
    (*d)[5] = half_done[at + 5u * (TILES_PADDED)];
}

// A^T of a row:
// 1        1         1     1      1  0
// 0      5/8      -5/8   3/2   -3/2  0
// 0    25/64     25/64   9/4    9/4  0
// 0  125/512  -125/512  27/8  -27/8  1
fn transform_w(d: ptr<function, array<f32, 6>>, out: ptr<function, array<f32, 4>>) {
    let d0 = (*d)[0];
    let d1 = (*d)[1];
    let d2 = (*d)[2];
    let d3 = (*d)[3];
    let d4 = (*d)[4];
    let d5 = (*d)[5];
    let t0 = d1 + d2;
    let t1 = d1 - d2;
    let t2 = d3 + d4;
    let t3 = d3 - d4;
    let t4 = d0 + t0;
    let t5 = t4 + t2;
    let t6 = 0.625f * t1;
    let t7 = fma(1.5f, t3, t6);
    let t8 = 0.390625f * t0;
    let t9 = fma(2.25f, t2, t8);
    let t10 = fma(0.24414063f, t1, d5);
    let t11 = fma(3.375f, t3, t10);
    (*out)[0] = t5;
    (*out)[1] = t7;
    (*out)[2] = t9;
    (*out)[3] = t11;
}

// Registers to half_done.
fn keep_row(at: u32, d: ptr<function, array<f32, 4>>) {
    half_done[at + 0u * (TILES_PADDED)] = (*d)[0];
    half_done[at + 1u * (TILES_PADDED)] = (*d)[1];
    half_done[at + 2u * (TILES_PADDED)] = (*d)[2];
    half_done[at + 3u * (TILES_PADDED)] = (*d)[3];
}

// ---- shaders/kernel/winograd_output.wgsl ----
// winograd_output: Y = A^T M A for each tile, then bias and activation: [n][filter][row][column].
//
// One workgroup owns TILES tiles of one filter. In the first phase an invocation owns one column of products of
// one tile, and adds them up where the channels were multiplied in parts; in the second one row of its outputs; in the
// third it writes outputs of that row of all tiles, so that neighbours write neighbouring ones.
//
// grid      x: blocks of TILES tiles of this dispatch; y: filters of this dispatch
// constants WORKGROUP, TILES, TILES_PADDED, OUT_H, OUT_W, POINTS_H, POINTS_W
// leaves    read_m, add_m, transform_h, write_half, read_half, transform_w, keep_row
// slots     store_dst

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> m: array<f32>;

const_assert OUT_W <= POINTS_W;

// [row of outputs][column of points][tile], then, in the same place, [row of outputs][column of outputs][tile]; padded so
// that neighbouring outputs lie in different banks.
var<workgroup> half_done: array<f32, OUT_H * POINTS_W * TILES_PADDED>;
// Of each tile: where its first output's row begins, that output's column, and how many of its rows are inside.
var<workgroup> places: array<vec3<u32>, TILES>;

fn place(index: u32, k: u32, rows: u32) -> vec3<u32> {
    let tile = params.first + index;
    let plane = tile / (params.tiles_x * params.tiles_y);
    // Outputs of a phase lie a spread apart.
    var x = tile % params.tiles_x * OUT_W * params.spread_w;
    var y = tile / params.tiles_x % params.tiles_y * OUT_H * params.spread_h;
    var image = plane * params.dst_n;
    var inside = params.p - y;
    // The divisions are left out where all of them are by 1.
    if (params.plain == 0u) {
        let outputs = plane / (params.spread_w * params.spread_h);
        x += plane % params.spread_w;
        y += plane / params.spread_w % params.spread_h;
        image = outputs / params.out_d * params.dst_n + outputs % params.out_d * params.dst_d;
        inside = (params.p + params.spread_h - 1u - min(y, params.p)) / params.spread_h;
    }
    let row_at = params.dst_offset + image + k * params.dst_k + y * params.dst_h;
    return vec3<u32>(row_at, x, min(rows, inside));
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let first = workgroup.x * TILES;
    let k = params.k_first + workgroup.y;
    let t = local % TILES;
    let line = local / TILES;
    // Past the last tile the last one is transformed again, and not written.
    let index = min(first + t, params.tiles - 1u);
    if (line == 0u) {
        places[t] = place(index, k, select(0u, OUT_H, first + t < params.tiles));
    }

    // Neighbouring invocations read neighbouring tiles.
    if (line < POINTS_W) {
        let plane = params.k * params.t_stride;
        var d: array<f32, POINTS_H>;
        let at = line * plane + k * params.t_stride + index;
        read_m(at, POINTS_W * plane, &d);
        for (var part = 1u; part < params.parts; part++) {
            add_m(at + part * POINTS_H * POINTS_W * plane, POINTS_W * plane, &d);
        }
        var a: array<f32, OUT_H>;
        transform_h(&d, &a);
        write_half(line * TILES_PADDED + t, &a);
    }
    workgroupBarrier();

    let row = line * POINTS_W * TILES_PADDED;
    if (line < OUT_H) {
        var d: array<f32, POINTS_W>;
        read_half(row + t, &d);
        var a: array<f32, OUT_W>;
        transform_w(&d, &a);
        keep_row(row + t, &a);
    }
    workgroupBarrier();

    if (line < OUT_H) {
        for (var i = 0u; i < OUT_W; i++) {
            let output = i * TILES + t;
            let column = output % OUT_W;
            let place = places[output / OUT_W];
            if (line < place.z) {
                let value = half_done[row + column * TILES_PADDED + output / OUT_W];
                store_dst(place.x + line * params.spread_h * params.dst_h, place.y + column * params.spread_w, k, value);
            }
        }
    }
}
