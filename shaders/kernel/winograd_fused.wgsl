// winograd_fused: input transform, multiply and output transform of a block of filters and tiles, with bias and
// activation: from the image and U to the output, with nothing in memory between them.
//
// One workgroup owns all points of BLOCK_K filters x BLOCK_T tiles of one group. It walks the channels in steps of
// BLOCK_C. At each step an invocation transforms columns of tiles (from registers into half_done), then rows (from
// half_done into V), then multiplies: it owns one point of EACH_K filters x EACH_T tiles, in registers. While one
// step is multiplied, the next one's rows are made and the columns after those are on their way from memory. V has
// two buffers for that. U is read as it is needed: each vector of it is used by one invocation's row alone.
//
// At the end the products are exchanged through the same workgroup memory, ROUND filters of each invocation at a
// time, see part/output_exchange.wgsl.
//
// grid      x: blocks of BLOCK_T tiles of this dispatch; y: blocks of BLOCK_K filters, group by group
// constants WORKGROUP, BLOCK_K, BLOCK_T, BLOCK_C, EACH_K, EACH_T, ROUND, OUT_H, OUT_W, SPAN_H, SPAN_W, POINTS_H,
//           POINTS_W, FETCH, HALF, HALF_STRIDE, POOL
// leaves    place_columns, fetch_columns, put_columns, read_half, transform_w, write_v, multiply_step
// slots     store_pool, load_pool, exchange_outputs

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> src: array<f32>;
@group(0) @binding(2) var<storage, read> u: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> dst: array<f32>;

const POINTS: u32 = POINTS_H * POINTS_W;
const THREADS_T: u32 = BLOCK_T / EACH_T;
const THREADS_POINT: u32 = (BLOCK_K / EACH_K) * THREADS_T;
const STEP_V: u32 = BLOCK_C * POINTS * BLOCK_T;
const_assert WORKGROUP == POINTS * THREADS_POINT;
const_assert HALF + 2u * STEP_V <= POOL;

// In the channel loop: half_done, [channel][row of points][tile][column of the tile], then V twice,
// [channel][point][tile].
var<workgroup> pool: array<vec4<f32>, POOL / 4u>;

// Where the column `item` of a step lies: its first element for the step's channel 0, and which of its rows are inside
// the image, one bit each. Columns are counted over channels, tiles and columns of a tile.
fn place(item: u32, first: u32, g: u32) -> vec2<u32> {
    let tile = params.first + min(first + item / SPAN_W % BLOCK_T, params.tiles - 1u);
    let n = tile / (params.tiles_x * params.tiles_y);
    let image = params.src_offset + (n * params.c + g * params.group_c) * params.h * params.w;
    // Above and left of the image these wrap around to huge numbers; sums of them wrap back.
    let y = tile / params.tiles_x % params.tiles_y * OUT_H - params.pad_top;
    let x = tile % params.tiles_x * OUT_W + item % SPAN_W - params.pad_left;
    if (x >= params.w) {
        return vec2<u32>(image, 0u);
    }
    var rows = 0u;
    for (var i = 0u; i < SPAN_H; i++) {
        rows |= select(0u, 1u << i, y + i < params.h);
    }
    return vec2<u32>(image + y * params.w + x, rows);
}

// The rows of a column that are to be loaded: none, if there is no such channel.
fn rows_of(rows: u32, channel: u32) -> u32 {
    if (channel < params.group_c) {
        return rows;
    }
    return 0u;
}

// An element of the input, if its row is to be loaded.
fn load_row(at: u32, rows: u32, row: u32) -> f32 {
    if ((rows & row) != 0u) {
        return src[at];
    }
    return 0.0;
}

// The place in half_done of the first row of a step's column, the others BLOCK_T * HALF_STRIDE apart.
fn half_at(item: u32) -> u32 {
    let channel = item / (BLOCK_T * SPAN_W);
    let t = item / SPAN_W % BLOCK_T;
    return (channel * POINTS_H * BLOCK_T + t) * HALF_STRIDE + item % SPAN_W;
}

// A value of a half-transformed column, unless the step has no such column.
fn store_half(item: u32, at: u32, value: f32) {
    if (item < BLOCK_C * BLOCK_T * SPAN_W) {
        store_pool(at, value);
    }
}

// All rows of a step, from half_done into a buffer of V. Neighbouring invocations write neighbouring tiles.
fn transform_rows(local: u32, buffer: u32) {
    for (var item = local; item < BLOCK_C * POINTS_H * BLOCK_T; item += WORKGROUP) {
        let t = item % BLOCK_T;
        let line = item / BLOCK_T;
        var d: array<f32, SPAN_W>;
        read_half(item * HALF_STRIDE, &d);
        var b: array<f32, POINTS_W>;
        transform_w(&d, &b);
        write_v(HALF + buffer * STEP_V + line * POINTS_W * BLOCK_T + t, &b);
    }
}

// A vector of U: row `at` of it, for this channel of the step. Past the last channel it is the last one, whose
// factors in V are zero.
fn load_u(at: u32, c: u32) -> vec4<f32> {
    return u[at + min(c, params.group_c - 1u) * (params.k_stride / 4u)];
}

// A vector of V, of this channel of the step.
fn load_v(at: u32, channel: u32) -> vec4<f32> {
    return pool[at + channel * (POINTS * BLOCK_T / 4u)];
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let blocks = (params.group_k + BLOCK_K - 1u) / BLOCK_K;
    let g = workgroup.y / blocks;
    let k_first = workgroup.y % blocks * BLOCK_K;
    let t_first = workgroup.x * BLOCK_T;

    let point = local / THREADS_POINT;
    let row = local % THREADS_POINT / THREADS_T;
    let column = local % THREADS_T;
    let u_first = (point * params.c + g * params.group_c) * (params.k_stride / 4u);
    // Past the last filter the last vector is multiplied again, and not written.
    let k_last = params.k_stride / 4u - 1u;
    let k_vector = (k_first + row * EACH_K) / 4u;

    var image: array<u32, FETCH>;
    var rows: array<u32, FETCH>;
    place_columns(local, t_first, g, &image, &rows);
    var next: array<f32, FETCH * SPAN_H>;
    fetch_columns(local, 0u, &image, &rows, &next);
    put_columns(local, &next);
    fetch_columns(local, BLOCK_C, &image, &rows, &next);
    workgroupBarrier();
    transform_rows(local, 0u);
    workgroupBarrier();
    put_columns(local, &next);
    fetch_columns(local, 2u * BLOCK_C, &image, &rows, &next);
    workgroupBarrier();

    var acc: array<vec4<f32>, EACH_K * EACH_T / 4u>;
    var buffer = 0u;
    for (var c = 0u; c < params.group_c; c += BLOCK_C) {
        let v_at = (HALF + buffer * STEP_V + point * BLOCK_T) / 4u + column;
        multiply_step(c, u_first, k_vector, k_last, v_at, &acc);
        buffer = 1u - buffer;
        transform_rows(local, buffer);
        workgroupBarrier();
        put_columns(local, &next);
        fetch_columns(local, c + 3u * BLOCK_C, &image, &rows, &next);
        workgroupBarrier();
    }
    exchange_outputs(local, point, row, column, g, k_first, t_first, &acc);
}
