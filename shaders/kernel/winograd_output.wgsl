// winograd_output: Y = A^T M A for each tile, then bias and activation: [n][filter][row][column].
//
// One workgroup owns TILES tiles of one filter. In the first phase an invocation owns one column of products of
// one tile, in the second one row of its outputs.
//
// grid      x: blocks of TILES tiles of this dispatch; y: filters
// constants WORKGROUP, TILES, TILES_PADDED, OUT_H, OUT_W, POINTS_H, POINTS_W
// leaves    read_m, transform_h, write_half, read_half, transform_w, write_row
// slots     store_dst

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> m: array<f32>;
@group(0) @binding(3) var<storage, read_write> dst: array<f32>;

// [row of outputs][column of points][tile]
var<workgroup> half_done: array<f32, OUT_H * POINTS_W * TILES_PADDED>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let first = workgroup.x * TILES;
    let k = workgroup.y;
    let t = local % TILES;
    let line = local / TILES;
    // Past the last tile the last one is transformed again, and not written.
    let index = min(first + t, params.tiles - 1u);

    // Neighbouring invocations read neighbouring tiles.
    if (line < POINTS_W) {
        let plane = params.k * params.t_stride;
        var d: array<f32, POINTS_H>;
        read_m(line * plane + k * params.t_stride + index, POINTS_W * plane, &d);
        var a: array<f32, OUT_H>;
        transform_h(&d, &a);
        write_half(line * TILES_PADDED + t, &a);
    }
    workgroupBarrier();

    let tile = params.first + index;
    let x = tile % params.tiles_x * OUT_W;
    let y = tile / params.tiles_x % params.tiles_y * OUT_H + line;
    let n = tile / (params.tiles_x * params.tiles_y);
    if (line < OUT_H && first + t < params.tiles && y < params.p) {
        var d: array<f32, POINTS_W>;
        read_half(line * POINTS_W * TILES_PADDED + t, &d);
        var a: array<f32, OUT_W>;
        transform_w(&d, &a);
        write_row(params.dst_offset + ((n * params.k + k) * params.p + y) * params.q, x, k, &a);
    }
}
