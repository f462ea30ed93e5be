// winograd_fused: input transform, multiply and output transform of a block of filters and tiles, with bias and
// activation: from the image and U to the output, with nothing in memory between them.
//
// One workgroup owns all points of BLOCK_K filters x BLOCK_T tiles of one group. It walks the channels in steps of
// BLOCK_C. In one turn of the loop an invocation multiplies a step (it owns one point of EACH_K filters x EACH_T
// tiles, in registers), transforms rows of the next step (from half_done into V) and columns of the one after (from
// registers into half_done), and fetches columns of the one after that: so a turn has one barrier, and V and
// half_done two buffers each. The vectors of U for the next step are fetched as those of this one are used up.
//
// At the end the products are exchanged through the same workgroup memory, ROUND filters of each invocation at a
// time, see part/output_exchange.wgsl.
//
// grid      x: blocks of BLOCK_T tiles of this dispatch; y: blocks of BLOCK_K filters, group by group
// constants WORKGROUP, BLOCK_K, BLOCK_T, BLOCK_C, EACH_K, EACH_T, ROUND, OUT_H, OUT_W, SPAN_H, SPAN_W, POINTS_H,
//           POINTS_W, FETCH, HALF, HALF_STRIDE, POOL
// leaves    place_columns, fetch_columns, put_columns, read_half, transform_w, write_v, fetch_u, multiply_step
// slots     load_src, epilogue, exchange_outputs

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> src: array<f32>;
@group(0) @binding(2) var<storage, read> u: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> dst: array<f32>;

const POINTS: u32 = POINTS_H * POINTS_W;
const THREADS_T: u32 = BLOCK_T / EACH_T;
const THREADS_POINT: u32 = (BLOCK_K / EACH_K) * THREADS_T;
const STEP_V: u32 = BLOCK_C * POINTS * BLOCK_T;
const_assert WORKGROUP == POINTS * THREADS_POINT;
const_assert 2u * HALF + 2u * STEP_V <= POOL;

// In the channel loop: half_done, [channel][row of points][tile][column of the tile], then V, [channel][point][tile],
// each twice.
var<workgroup> pool: array<vec4<f32>, POOL / 4u>;

fn store_pool(at: u32, value: f32) {
    pool[at / 4u][at % 4u] = value;
}

fn load_pool(at: u32) -> f32 {
    return pool[at / 4u][at % 4u];
}

// Where the column `item` of a step lies in the image: the channel's first element for the step's channel 0, row,
// column. Columns are counted over channels, tiles and columns of a tile.
fn place(item: u32, first: u32, g: u32) -> vec3<u32> {
    let column = item % SPAN_W;
    let tile = params.first + min(first + item / SPAN_W % BLOCK_T, params.tiles - 1u);
    let tile_x = tile % params.tiles_x;
    let tile_y = tile / params.tiles_x % params.tiles_y;
    let n = tile / (params.tiles_x * params.tiles_y);
    let image = params.src_offset + (n * params.c + g * params.group_c) * params.h * params.w;
    // Above and left of the image these wrap around to huge numbers, which load_src finds outside.
    return vec3<u32>(image, tile_y * OUT_H - params.pad_top, tile_x * OUT_W + column - params.pad_left);
}

// The column to load: outside, if there is no such channel.
fn column_of(x: u32, channel: u32) -> u32 {
    if (channel < params.group_c) {
        return x;
    }
    return 0xffffffffu;
}

// The place in half_done of the first row of a step's column, the others BLOCK_T * HALF_STRIDE apart.
fn half_at(item: u32, buffer: u32) -> u32 {
    let channel = item / (BLOCK_T * SPAN_W);
    let t = item / SPAN_W % BLOCK_T;
    return buffer * HALF + (channel * POINTS_H * BLOCK_T + t) * HALF_STRIDE + item % SPAN_W;
}

// A value of a half-transformed column, unless the step has no such column.
fn store_half(item: u32, at: u32, value: f32) {
    if (item < BLOCK_C * BLOCK_T * SPAN_W) {
        store_pool(at, value);
    }
}

// All rows of a step, from half_done into the same buffer of V. Neighbouring invocations write neighbouring tiles.
fn transform_rows(local: u32, buffer: u32) {
    for (var item = local; item < BLOCK_C * POINTS_H * BLOCK_T; item += WORKGROUP) {
        let t = item % BLOCK_T;
        let line = item / BLOCK_T;
        var d: array<f32, SPAN_W>;
        read_half(buffer * HALF + item * HALF_STRIDE, &d);
        var b: array<f32, POINTS_W>;
        transform_w(&d, &b);
        write_v(2u * HALF + buffer * STEP_V + line * POINTS_W * BLOCK_T + t, &b);
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
    var y: array<u32, FETCH>;
    var x: array<u32, FETCH>;
    place_columns(local, t_first, g, &image, &y, &x);
    var next: array<f32, FETCH * SPAN_H>;
    fetch_columns(local, 0u, &image, &y, &x, &next);
    var next_u: array<vec4<f32>, BLOCK_C * EACH_K / 4u>;
    fetch_u(0u, u_first, k_vector, k_last, &next_u);
    put_columns(local, 0u, &next);
    fetch_columns(local, BLOCK_C, &image, &y, &x, &next);
    workgroupBarrier();
    transform_rows(local, 0u);
    put_columns(local, 1u, &next);
    fetch_columns(local, 2u * BLOCK_C, &image, &y, &x, &next);
    workgroupBarrier();

    var acc: array<vec4<f32>, EACH_K * EACH_T / 4u>;
    var buffer = 0u;
    for (var c = 0u; c < params.group_c; c += BLOCK_C) {
        let v_at = (2u * HALF + buffer * STEP_V + point * BLOCK_T) / 4u + column;
        multiply_step(c + BLOCK_C, u_first, k_vector, k_last, v_at, &next_u, &acc);
        transform_rows(local, 1u - buffer);
        put_columns(local, buffer, &next);
        fetch_columns(local, c + 3u * BLOCK_C, &image, &y, &x, &next);
        buffer = 1u - buffer;
        workgroupBarrier();
    }
    exchange_outputs(local, point, row, column, g, k_first, t_first, &acc);
}
