// ---- head ----
// winograd_input_f4x3_f32
const WORKGROUP: u32 = 192u;
const TILES: u32 = 32u;
const TILES_PADDED: u32 = 33u;
const OUT_H: u32 = 4u;
const OUT_W: u32 = 4u;
const SPAN_H: u32 = 6u;
const SPAN_W: u32 = 6u;
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
    row_first: u32,
    rows: u32,
    group_rows: u32,
    sum_first: u32,
    taps_d: u32,
    phases_h: u32,
    phases_w: u32,
    phase_step_h: u32,
    phase_step_w: u32,
    spread_h: u32,
    spread_w: u32,
    step_h: u32,
    step_w: u32,
    stride_d: u32,
    dilation_d: u32,
    d: u32,
    h: u32,
    w: u32,
    before_d: u32,
    before_h: u32,
    before_w: u32,
    src_n: u32,
    src_g: u32,
    src_c: u32,
    src_d: u32,
    src_h: u32,
    src_w: u32,
    src_offset: u32,
}

// ---- shaders/part/src_f32.wgsl ----
// Slot read_src: an element of the source, stored as f32.
@group(0) @binding(1) var<storage, read> src: array<f32>;

fn read_src(at: u32) -> f32 {
    return src[at];
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

// ---- leaves ----
// A column of a tile: rows a step apart.
fn load_column(channel: u32, z: u32, y: u32, x: u32, d: ptr<function, array<f32, 6>>) {
    (*d)[0] = load_src(channel, z, y + 0u * params.step_h, x);
    (*d)[1] = load_src(channel, z, y + 1u * params.step_h, x);
    (*d)[2] = load_src(channel, z, y + 2u * params.step_h, x);
    (*d)[3] = load_src(channel, z, y + 3u * params.step_h, x);
    (*d)[4] = load_src(channel, z, y + 4u * params.step_h, x);
    (*d)[5] = load_src(channel, z, y + 5u * params.step_h, x);
}

// B^T of a column:
// 225/256        0  -169/64        0  1  0
//       0   -45/32     -9/4      5/8  1  0
//       0    45/32     -9/4     -5/8  1  0
//       0  -75/128   -25/64      3/2  1  0
//       0   75/128   -25/64     -3/2  1  0
//       0  225/256        0  -169/64  0  1
fn transform_h(d: ptr<function, array<f32, 6>>, out: ptr<function, array<f32, 6>>) {
    let d0 = (*d)[0];
    let d1 = (*d)[1];
    let d2 = (*d)[2];
    let d3 = (*d)[3];
    let d4 = (*d)[4];
    let d5 = (*d)[5];
    let t0 = fma(-2.25f, d1, d3);
    let t1 = fma(-0.390625f, d1, d3);
    let t2 = fma(-2.25f, d2, d4);
    let t3 = fma(-0.390625f, d2, d4);
    let t4 = fma(0.87890625f, d0, d4);
    let t5 = fma(-2.640625f, d2, t4);
    let t6 = fma(0.625f, t0, t2);
    let t7 = fma(-0.625f, t0, t2);
    let t8 = fma(1.5f, t1, t3);
    let t9 = fma(-1.5f, t1, t3);
    let t10 = fma(0.87890625f, d1, d5);
    let t11 = fma(-2.640625f, d3, t10);
    (*out)[0] = t5;
    (*out)[1] = t6;
    (*out)[2] = t7;
    (*out)[3] = t8;
    (*out)[4] = t9;
    (*out)[5] = t11;
}

// Registers to half_done.
fn write_half(at: u32, d: ptr<function, array<f32, 6>>) {
    half_done[at + 0u * (SPAN_W * TILES_PADDED)] = (*d)[0];
    half_done[at + 1u * (SPAN_W * TILES_PADDED)] = (*d)[1];
    half_done[at + 2u * (SPAN_W * TILES_PADDED)] = (*d)[2];
    half_done[at + 3u * (SPAN_W * TILES_PADDED)] = (*d)[3];
    half_done[at + 4u * (SPAN_W * TILES_PADDED)] = (*d)[4];
    half_done[at + 5u * (SPAN_W * TILES_PADDED)] = (*d)[5];
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

// B^T of a row:
// 225/256        0  -169/64        0  1  0
//       0   -45/32     -9/4      5/8  1  0
//       0    45/32     -9/4     -5/8  1  0
//       0  -75/128   -25/64      3/2  1  0
//       0   75/128   -25/64     -3/2  1  0
//       0  225/256        0  -169/64  0  1
fn transform_w(d: ptr<function, array<f32, 6>>, out: ptr<function, array<f32, 6>>) {
    let d0 = (*d)[0];
    let d1 = (*d)[1];
    let d2 = (*d)[2];
    let d3 = (*d)[3];
    let d4 = (*d)[4];
    let d5 = (*d)[5];
    let t0 = fma(-2.25f, d1, d3);
    let t1 = fma(-0.390625f, d1, d3);
    let t2 = fma(-2.25f, d2, d4);
    let t3 = fma(-0.390625f, d2, d4);
    let t4 = fma(0.87890625f, d0, d4);
    let t5 = fma(-2.640625f, d2, t4);
    let t6 = fma(0.625f, t0, t2);
    let t7 = fma(-0.625f, t0, t2);
    let t8 = fma(1.5f, t1, t3);
    let t9 = fma(-1.5f, t1, t3);
    let t10 = fma(0.87890625f, d1, d5);
    let t11 = fma(-2.640625f, d3, t10);
    (*out)[0] = t5;
    (*out)[1] = t6;
    (*out)[2] = t7;
    (*out)[3] = t8;
    (*out)[4] = t9;
    (*out)[5] = t11;
}

// A row of points, `plane` apart.
fn write_v(at: u32, plane: u32, d: ptr<function, array<f32, 6>>) {
    v[at + 0u * plane] = (*d)[0];
    v[at + 1u * plane] = (*d)[1];
    v[at + 2u * plane] = (*d)[2];
    v[at + 3u * plane] = (*d)[3];
    v[at + 4u * plane] = (*d)[4];
    v[at + 5u * plane] = (*d)[5];
}

// ---- shaders/kernel/winograd_input.wgsl ----
// winograd_input: V = B^T d B, the transformed input, [point][row][tile].
//
// A row is a channel, one of the filters' planes of taps, and a phase of taps that a stride keeps apart, or a block of taps:
// either begins a phase_step after the one before. A plane of tiles is
// an image, a plane of outputs, and a phase of outputs that a dilation keeps apart. Either way a tile's rows and columns lie
// a step apart.
// One workgroup owns TILES tiles of one row. In the first phase an invocation owns one column of one tile, in
// the second one row of the half-transformed tile: it never holds a tile, and its code is two short transforms.
//
// grid      x: blocks of TILES tiles of this dispatch; y: rows of this dispatch
// constants WORKGROUP, TILES, TILES_PADDED, OUT_H, OUT_W, SPAN_H, SPAN_W, POINTS_H, POINTS_W
// leaves    load_column, transform_h, write_half, read_half, transform_w, write_v
// slots     load_src

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read_write> v: array<f32>;

// [row of points][column of the tile][tile], padded so that a tile's columns lie in different banks.
var<workgroup> half_done: array<f32, POINTS_H * SPAN_W * TILES_PADDED>;

// Where a row of V and a plane of tiles begin in the source: the channel's first element, the plane, and the phases' first
// row and column. The divisions take as long as a column's transform, so they are left out where all of them are by 1.
fn place(v_row: u32, plane: u32) -> vec4<u32> {
    var place = vec4<u32>(params.src_offset + plane * params.src_n + v_row * params.src_c, 0u, 0u, 0u);
    if (params.plain == 0u) {
        let in_sum = v_row % params.group_rows + params.sum_first;
        let tap = in_sum / (params.phases_w * params.phases_h);
        let outputs = plane / (params.spread_w * params.spread_h);
        place = vec4<u32>(
            params.src_offset + outputs / params.out_d * params.src_n + v_row / params.group_rows * params.src_g
                + tap / params.taps_d * params.src_c,
            outputs % params.out_d * params.stride_d + tap % params.taps_d * params.dilation_d,
            in_sum / params.phases_w % params.phases_h * params.phase_step_h + plane / params.spread_w % params.spread_h,
            in_sum % params.phases_w * params.phase_step_w + plane % params.spread_w,
        );
    }
    return place;
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let first = workgroup.x * TILES;
    let v_row = params.row_first + workgroup.y;

    // Neighbouring invocations read neighbouring columns of the image.
    if (local < TILES * SPAN_W) {
        let t = local / SPAN_W;
        let column = local % SPAN_W;
        // Past the last tile the last one is transformed again, and not written.
        let tile = params.first + min(first + t, params.tiles - 1u);
        let tile_x = tile % params.tiles_x;
        let tile_y = tile / params.tiles_x % params.tiles_y;
        let at = place(v_row, tile / (params.tiles_x * params.tiles_y));
        // Before the source these wrap around to huge numbers, which load_src finds outside.
        let y = tile_y * OUT_H * params.step_h + at.z - params.before_h;
        let x = (tile_x * OUT_W + column) * params.step_w + at.w - params.before_w;
        var d: array<f32, SPAN_H>;
        load_column(at.x, at.y - params.before_d, y, x, &d);
        var b: array<f32, POINTS_H>;
        transform_h(&d, &b);
        write_half(column * TILES_PADDED + t, &b);
    }
    workgroupBarrier();

    // Neighbouring invocations write neighbouring tiles.
    let t = local % TILES;
    let row = local / TILES;
    if (row < POINTS_H && first + t < params.tiles) {
        var d: array<f32, SPAN_W>;
        read_half(row * SPAN_W * TILES_PADDED + t, &d);
        var b: array<f32, POINTS_W>;
        transform_w(&d, &b);
        let plane = params.rows * params.t_stride;
        write_v(row * POINTS_W * plane + v_row * params.t_stride + first + t, plane, &b);
    }
}
