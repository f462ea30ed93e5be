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
