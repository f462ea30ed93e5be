// ---- head ----
// winograd_output_f4qx3_f32_gelu
const WORKGROUP: u32 = 224u;
const TILES: u32 = 32u;
const TILES_PADDED: u32 = 40u;
const OUT_H: u32 = 4u;
const OUT_W: u32 = 4u;
const POINTS_H: u32 = 7u;
const POINTS_W: u32 = 7u;

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

// ---- shaders/part/keep_nan.wgsl ----
// Used by activations: `value`, or x if that is a NaN. The test is on bits: compilers may assume that no float is a NaN, and
// min, max and clamp of one differ between devices.
fn keep_nan(value: f32, x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    return bitcast<f32>(select(bitcast<u32>(value), bits, (bits & 0x7fffffffu) > 0x7f800000u));
}

// ---- shaders/part/activation_gelu.wgsl ----
// Slot activate: x (1 + erf(x / sqrt 2)) / 2. WGSL has no erf: Abramowitz and Stegun 7.1.26, absolute error 1.5e-7. At
// -infinity it is NaN.
fn activate(x: f32, k: u32) -> f32 {
    let z = abs(x) * 0.70710678;
    // Beyond 9, 1 - erf(z) is zero in f32.
    let near = min(z, 9.0);
    let t = 1.0 / fma(0.3275911, near, 1.0);
    let poly = t * fma(t, fma(t, fma(t, fma(t, 1.061405429, -1.453152027), 1.421413741), -0.284496736), 0.254829592);
    // tail = 1 - erf(z); for negative x the sum 1 + erf is tail itself, with no cancellation.
    let tail = select(poly * exp(-near * near), 0.0, z > 9.0);
    return keep_nan(0.5 * x * select(tail, 2.0 - tail, x > 0.0), x);
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
fn read_m(at: u32, row: u32, d: ptr<function, array<f32, 7>>) {
    (*d)[0] = m[at + 0u * row];
    (*d)[1] = m[at + 1u * row];
    (*d)[2] = m[at + 2u * row];
    (*d)[3] = m[at + 3u * row];
    (*d)[4] = m[at + 4u * row];
    (*d)[5] = m[at + 5u * row];
    (*d)[6] = m[at + 6u * row];
}

// The same column of another part's products, added.
fn add_m(at: u32, row: u32, d: ptr<function, array<f32, 7>>) {
    (*d)[0] += m[at + 0u * row];
    (*d)[1] += m[at + 1u * row];
    (*d)[2] += m[at + 2u * row];
    (*d)[3] += m[at + 3u * row];
    (*d)[4] += m[at + 4u * row];
    (*d)[5] += m[at + 5u * row];
    (*d)[6] += m[at + 6u * row];
}

// A^T of a column:
// 1  1   1  0   1   0   1
// 0  1  -1  0   0   1   1
// 0  1   1  0  -1   0  -1
// 0  1  -1  1   0  -1  -1
fn transform_h(d: ptr<function, array<f32, 7>>, out: ptr<function, array<f32, 4>>) {
    let d0 = (*d)[0];
    let d1 = (*d)[1];
    let d2 = (*d)[2];
    let d3 = (*d)[3];
    let d4 = (*d)[4];
    let d5 = (*d)[5];
    let d6 = (*d)[6];
    let t0 = d1 + d2;
    let t1 = d1 - d2;
    let t2 = d4 + d6;
    let t3 = d5 + d6;
    let t4 = d0 + t0;
    let t5 = t4 + t2;
    let t6 = t1 + t3;
    let t7 = t0 - t2;
    let t8 = d3 + t1;
    let t9 = t8 - t3;
    (*out)[0] = t5;
    (*out)[1] = t6;
    (*out)[2] = t7;
    (*out)[3] = t9;
}

// Registers to half_done.
fn write_half(at: u32, d: ptr<function, array<f32, 4>>) {
    half_done[at + 0u * (POINTS_W * TILES_PADDED)] = (*d)[0];
    half_done[at + 1u * (POINTS_W * TILES_PADDED)] = (*d)[1];
    half_done[at + 2u * (POINTS_W * TILES_PADDED)] = (*d)[2];
    half_done[at + 3u * (POINTS_W * TILES_PADDED)] = (*d)[3];
}

// From half_done to registers.
fn read_half(at: u32, d: ptr<function, array<f32, 7>>) {
    (*d)[0] = half_done[at + 0u * (TILES_PADDED)];
    (*d)[1] = half_done[at + 1u * (TILES_PADDED)];
    (*d)[2] = half_done[at + 2u * (TILES_PADDED)];
    (*d)[3] = half_done[at + 3u * (TILES_PADDED)];
    (*d)[4] = half_done[at + 4u * (TILES_PADDED)];
    (*d)[5] = half_done[at + 5u * (TILES_PADDED)];
    (*d)[6] = half_done[at + 6u * (TILES_PADDED)];
}

// A^T of a row:
// 1  1   1  0   1   0   1
// 0  1  -1  0   0   1   1
// 0  1   1  0  -1   0  -1
// 0  1  -1  1   0  -1  -1
fn transform_w(d: ptr<function, array<f32, 7>>, out: ptr<function, array<f32, 4>>) {
    let d0 = (*d)[0];
    let d1 = (*d)[1];
    let d2 = (*d)[2];
    let d3 = (*d)[3];
    let d4 = (*d)[4];
    let d5 = (*d)[5];
    let d6 = (*d)[6];
    let t0 = d1 + d2;
    let t1 = d1 - d2;
    let t2 = d4 + d6;
    let t3 = d5 + d6;
    let t4 = d0 + t0;
    let t5 = t4 + t2;
    let t6 = t1 + t3;
    let t7 = t0 - t2;
    let t8 = d3 + t1;
    let t9 = t8 - t3;
    (*out)[0] = t5;
    (*out)[1] = t6;
    (*out)[2] = t7;
    (*out)[3] = t9;
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
