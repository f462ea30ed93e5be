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
