// ---- head ----
// winograd_inlined_f2x3_f32_per_output_bias_prelu
const WORKGROUP: u32 = 64u;
const OUT_H: u32 = 2u;
const OUT_W: u32 = 2u;

struct Params {
    first: u32,
    tiles: u32,
    t_stride: u32,
    tiles_y: u32,
    tiles_x: u32,
    c: u32,
    h: u32,
    w: u32,
    before_h: u32,
    before_w: u32,
    group_c: u32,
    group_k: u32,
    k_stride: u32,
    p: u32,
    q: u32,
    walk: u32,
    src_n: u32,
    src_c: u32,
    src_h: u32,
    dst_n: u32,
    dst_k: u32,
    dst_h: u32,
    dst_w: u32,
    src_offset: u32,
    weights_offset: u32,
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

// ---- shaders/part/store_dst.wgsl ----
// Slot store_dst: one output, unless it lies right of the image. `row_at` is the row's first element.
fn store_dst(row_at: u32, x: u32, k: u32, value: f32) {
    if (x < params.q) {
        let at = row_at + x * params.dst_w;
        write_dst(at, epilogue(value, k, at));
    }
}

// ---- leaves ----
// Y = (A^T (x) A^T) sum over c of U . V. A reduce over the channels for each output: 4 of them. A^T of the columns:
// 1  1   1  0
// 0  1  -1  1
fn write_tile(c_first: u32, k_row: u32, t: u32, plane: u32, y: u32, x: u32, k: u32) {
    var y0 = 0.0f;
    for (var c = 0u; c < params.group_c; c++) {
        y0 +=
            u[(0u * params.c + c_first + c) * params.k_stride + k_row] * v[(0u * params.c + c_first + c) * params.t_stride + t]
            + u[(1u * params.c + c_first + c) * params.k_stride + k_row] * v[(1u * params.c + c_first + c) * params.t_stride + t]
            + u[(2u * params.c + c_first + c) * params.k_stride + k_row] * v[(2u * params.c + c_first + c) * params.t_stride + t]
            + u[(4u * params.c + c_first + c) * params.k_stride + k_row] * v[(4u * params.c + c_first + c) * params.t_stride + t]
            + u[(5u * params.c + c_first + c) * params.k_stride + k_row] * v[(5u * params.c + c_first + c) * params.t_stride + t]
            + u[(6u * params.c + c_first + c) * params.k_stride + k_row] * v[(6u * params.c + c_first + c) * params.t_stride + t]
            + u[(8u * params.c + c_first + c) * params.k_stride + k_row] * v[(8u * params.c + c_first + c) * params.t_stride + t]
            + u[(9u * params.c + c_first + c) * params.k_stride + k_row] * v[(9u * params.c + c_first + c) * params.t_stride + t]
            + u[(10u * params.c + c_first + c) * params.k_stride + k_row] * v[(10u * params.c + c_first + c) * params.t_stride + t];
    }
    store_output(plane, y + 0u, x + 0u, k, y0);
    var y1 = 0.0f;
    for (var c = 0u; c < params.group_c; c++) {
        y1 +=
            u[(1u * params.c + c_first + c) * params.k_stride + k_row] * v[(1u * params.c + c_first + c) * params.t_stride + t]
            - u[(2u * params.c + c_first + c) * params.k_stride + k_row] * v[(2u * params.c + c_first + c) * params.t_stride + t]
            + u[(3u * params.c + c_first + c) * params.k_stride + k_row] * v[(3u * params.c + c_first + c) * params.t_stride + t]
            + u[(5u * params.c + c_first + c) * params.k_stride + k_row] * v[(5u * params.c + c_first + c) * params.t_stride + t]
            - u[(6u * params.c + c_first + c) * params.k_stride + k_row] * v[(6u * params.c + c_first + c) * params.t_stride + t]
            + u[(7u * params.c + c_first + c) * params.k_stride + k_row] * v[(7u * params.c + c_first + c) * params.t_stride + t]
            + u[(9u * params.c + c_first + c) * params.k_stride + k_row] * v[(9u * params.c + c_first + c) * params.t_stride + t]
            - u[(10u * params.c + c_first + c) * params.k_stride + k_row] * v[(10u * params.c + c_first + c) * params.t_stride + t]
            + u[(11u * params.c + c_first + c) * params.k_stride + k_row] * v[(11u * params.c + c_first + c) * params.t_stride + t];
    }
    store_output(plane, y + 0u, x + 1u, k, y1);
    var y2 = 0.0f;
    for (var c = 0u; c < params.group_c; c++) {
        y2 +=
            u[(4u * params.c + c_first + c) * params.k_stride + k_row] * v[(4u * params.c + c_first + c) * params.t_stride + t]
            + u[(5u * params.c + c_first + c) * params.k_stride + k_row] * v[(5u * params.c + c_first + c) * params.t_stride + t]
            + u[(6u * params.c + c_first + c) * params.k_stride + k_row] * v[(6u * params.c + c_first + c) * params.t_stride + t]
            - u[(8u * params.c + c_first + c) * params.k_stride + k_row] * v[(8u * params.c + c_first + c) * params.t_stride + t]
            - u[(9u * params.c + c_first + c) * params.k_stride + k_row] * v[(9u * params.c + c_first + c) * params.t_stride + t]
            - u[(10u * params.c + c_first + c) * params.k_stride + k_row] * v[(10u * params.c + c_first + c) * params.t_stride + t]
            + u[(12u * params.c + c_first + c) * params.k_stride + k_row] * v[(12u * params.c + c_first + c) * params.t_stride + t]
            + u[(13u * params.c + c_first + c) * params.k_stride + k_row] * v[(13u * params.c + c_first + c) * params.t_stride + t]
            + u[(14u * params.c + c_first + c) * params.k_stride + k_row] * v[(14u * params.c + c_first + c) * params.t_stride + t];
    }
    store_output(plane, y + 1u, x + 0u, k, y2);
    var y3 = 0.0f;
    for (var c = 0u; c < params.group_c; c++) {
        y3 +=
            u[(5u * params.c + c_first + c) * params.k_stride + k_row] * v[(5u * params.c + c_first + c) * params.t_stride + t]
            - u[(6u * params.c + c_first + c) * params.k_stride + k_row] * v[(6u * params.c + c_first + c) * params.t_stride + t]
            + u[(7u * params.c + c_first + c) * params.k_stride + k_row] * v[(7u * params.c + c_first + c) * params.t_stride + t]
            - u[(9u * params.c + c_first + c) * params.k_stride + k_row] * v[(9u * params.c + c_first + c) * params.t_stride + t]
            + u[(10u * params.c + c_first + c) * params.k_stride + k_row] * v[(10u * params.c + c_first + c) * params.t_stride + t]
            - u[(11u * params.c + c_first + c) * params.k_stride + k_row] * v[(11u * params.c + c_first + c) * params.t_stride + t]
            + u[(13u * params.c + c_first + c) * params.k_stride + k_row] * v[(13u * params.c + c_first + c) * params.t_stride + t]
            - u[(14u * params.c + c_first + c) * params.k_stride + k_row] * v[(14u * params.c + c_first + c) * params.t_stride + t]
            + u[(15u * params.c + c_first + c) * params.k_stride + k_row] * v[(15u * params.c + c_first + c) * params.t_stride + t];
    }
    store_output(plane, y + 1u, x + 1u, k, y3);
}

// ---- shaders/kernel/winograd_inlined.wgsl ----
// winograd_inlined: multiply and output transform of a tile, from V and U to the output, with nothing shared. An
// exhibit: never chosen, kept to count and time what substituting a reduce into a Kronecker product comes to.
//
// One invocation owns one tile of one filter. Its leaf is the whole expression, channel loops included: the one
// generated function that has control flow. No workgroup memory, no value that is used twice, no vectors.
//
// grid      x: blocks of WORKGROUP tiles of this dispatch; y: filters
// constants WORKGROUP, OUT_H, OUT_W
// leaves    write_tile
// slots     store_dst

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> v: array<f32>;
@group(0) @binding(2) var<storage, read> u: array<f32>;

// One output of filter k, unless it lies below the image. `plane` is the image's first output of that filter.
fn store_output(plane: u32, y: u32, x: u32, k: u32, value: f32) {
    if (y < params.p) {
        store_dst(plane + y * params.dst_h, x, k, value);
    }
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let t = workgroup.x * WORKGROUP + local;
    if (t >= params.tiles) {
        return;
    }
    let k = workgroup.y;
    let c_first = k / params.group_k * params.group_c;
    let tile = params.first + t;
    let x = tile % params.tiles_x * OUT_W;
    let y = tile / params.tiles_x % params.tiles_y * OUT_H;
    let n = tile / (params.tiles_x * params.tiles_y);
    let plane = params.dst_offset + n * params.dst_n + k * params.dst_k;
    write_tile(c_first, k % params.group_k, t, plane, y, x, k);
}
