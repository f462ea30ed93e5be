// winograd_fused: input transform, multiply and output transform of a block of filters and tiles, with bias and
// activation: from the image and the filters to the output, with nothing in memory between them.
//
// One workgroup walks blocks: all points of BLOCK_K filters x BLOCK_T tiles of one group. Of each it walks the channels
// BLOCK_C at a time. An invocation transforms one tile of one channel, in registers, into V in workgroup memory; then it
// multiplies one point of EACH_K filters x EACH_T tiles, STEP_C channels a turn, while its next tile is on its way from
// memory, at the end of a block the first one of the next block. Where U comes from is the slot's affair: from memory,
// see part/filters_ready.wgsl, or from filters as they are given, transformed at each step, see
// part/filters_given.wgsl.
//
// At the end of a block the products are exchanged through the same workgroup memory, ROUND filters of each invocation
// at a time, see part/output_exchange.wgsl.
//
// grid      x: params.walk blocks of BLOCK_T tiles of this dispatch; y: blocks of BLOCK_K filters, group by group
// constants WORKGROUP, BLOCK_K, BLOCK_T, BLOCK_C, STEP_C, EACH_K, EACH_T, ROUND, OUT_H, OUT_W, SPAN_H, SPAN_W,
//           POINTS_H, POINTS_W, CHANNEL, POOL
// leaves    fetch_tile, put_tile, multiply_step
// slots     read_src, put_filters, place_u, load_u, exchange_outputs

@group(0) @binding(0) var<uniform> params: Params;

const POINTS: u32 = POINTS_H * POINTS_W;
const THREADS_K: u32 = BLOCK_K / EACH_K;
const THREADS_T: u32 = BLOCK_T / EACH_T;
const_assert WORKGROUP == POINTS * THREADS_K * THREADS_T;
// A tile is transformed by one invocation, and no invocation has two of them.
const TILES: u32 = BLOCK_C * BLOCK_T;
const_assert TILES <= WORKGROUP;
const_assert BLOCK_C * CHANNEL <= POOL;
const_assert POINTS * BLOCK_T <= CHANNEL && CHANNEL % 4u == 0u;
const_assert BLOCK_C % STEP_C == 0u;

// In the channel loop: V, [channel][point][tile], CHANNEL floats a channel, so that neighbours which put tiles of two
// channels use different banks; and what the slot of the filters puts behind it.
var<workgroup> pool: array<vec4<f32>, POOL / 4u>;

// A tile of the input: its first element for the group's channel 0, and which of its rows and columns are inside the
// image, one bit each.
struct Tile {
    at: u32,
    rows: u32,
    cols: u32,
}

fn place_tile(t: u32, g: u32) -> Tile {
    let tile = params.first + min(t, params.tiles - 1u);
    let n = tile / (params.tiles_x * params.tiles_y);
    let image = params.src_offset + n * params.src_n + g * params.group_c * params.src_c;
    // Above and left of the image these wrap around to huge numbers; sums of them wrap back.
    let y = tile / params.tiles_x % params.tiles_y * OUT_H - params.before_h;
    let x = tile % params.tiles_x * OUT_W - params.before_w;
    var rows = 0u;
    for (var i = 0u; i < SPAN_H; i++) {
        rows |= select(0u, 1u << i, y + i < params.h);
    }
    var cols = 0u;
    for (var i = 0u; i < SPAN_W; i++) {
        cols |= select(0u, 1u << i, x + i < params.w);
    }
    return Tile(image + y * params.src_h + x, rows, cols);
}

// The columns to be loaded of a row: none, if the row is outside.
fn columns_of(rows: u32, row: u32, cols: u32) -> u32 {
    return select(0u, cols, (rows & row) != 0u);
}

// An element of the input, if its column is to be loaded. No early return: SwiftShader's compiler takes twice as long for
// each one that is inlined.
fn load_column(at: u32, cols: u32, col: u32) -> f32 {
    var value = 0.0;
    if ((cols & col) != 0u) {
        value = read_src(at);
    }
    return value;
}

// This invocation's tile of the channels from c on, into registers: zeros past the last channel.
fn fetch(local: u32, c: u32, tile: Tile, d: ptr<function, array<f32, SPAN_H * SPAN_W>>) {
    if (local < TILES) {
        let channel = c + local / BLOCK_T;
        let rows = select(0u, tile.rows, channel < params.group_c);
        fetch_tile(tile.at + channel * params.src_c, rows, tile.cols, d);
    }
}

// The fetched tile, transformed, into V.
fn put(local: u32, d: ptr<function, array<f32, SPAN_H * SPAN_W>>) {
    if (local < TILES) {
        let t = local % BLOCK_T;
        put_tile(local / BLOCK_T * (CHANNEL / 4u) + t / 4u, t % 4u, d);
    }
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let blocks = (params.group_k + BLOCK_K - 1u) / BLOCK_K;
    let g = workgroup.y / blocks;
    let k_first = workgroup.y % blocks * BLOCK_K;
    let first = workgroup.x * params.walk * BLOCK_T;
    let end = min(first + params.walk * BLOCK_T, params.tiles);

    let point = local / (THREADS_K * THREADS_T);
    let row = local / THREADS_T % THREADS_K;
    let column = local % THREADS_T;

    var tile = place_tile(first + local % BLOCK_T, g);
    var next: array<f32, SPAN_H * SPAN_W>;
    fetch(local, 0u, tile, &next);
    for (var t_first = first; t_first < end; t_first += BLOCK_T) {
        // With its zeros written out: Tint, as Chromium 156 has it, makes those of a bare declaration once and not anew
        // for each block (and so did naga before version 30).
        var acc = array<vec4<f32>, EACH_K * EACH_T / 4u>();
        for (var c = 0u; c < params.group_c; c += BLOCK_C) {
            put(local, &next);
            put_filters(local, c, g, k_first);
            workgroupBarrier();
            var next_c = c + BLOCK_C;
            if (next_c >= params.group_c && t_first + BLOCK_T < end) {
                tile = place_tile(t_first + BLOCK_T + local % BLOCK_T, g);
                next_c = 0u;
            }
            fetch(local, next_c, tile, &next);
            let channels = min(BLOCK_C, params.group_c - c);
            for (var step = 0u; step < channels; step += STEP_C) {
                let v_at = step * (CHANNEL / 4u) + point * (BLOCK_T / 4u) + column;
                multiply_step(c, step, point, g, k_first, row, v_at, &acc);
            }
            workgroupBarrier();
        }
        exchange_outputs(local, point, row, column, g, k_first, t_first, &acc);
    }
}
