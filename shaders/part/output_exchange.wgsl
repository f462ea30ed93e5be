// Slot exchange_outputs: from products, one point an invocation, to outputs. The products of ROUND filters of each
// invocation go into workgroup memory, all points of a filter and tile at the same place of a plane; then an invocation
// transforms one tile of one filter, in registers, and writes it. What has been exchanged makes room in the registers.
//
// An invocation's filters lie four by four, THREADS_K * 4 apart.
//
// leaves    put_products, shift_products
// slots     finish

// A round's lines of BLOCK_T tiles: [filter of the round][invocation's row]. The planes of points are PAIRS apart.
const LINES: u32 = ROUND * THREADS_K;
const PAIRS: u32 = LINES * BLOCK_T;
const_assert POINTS_H * POINTS_W * PAIRS <= POOL;
const_assert 4u % ROUND == 0u;
// A line's vectors. Eight neighbours put eight vectors at once; where their rows' lines would lie in the same banks, the
// vectors of some rows are swapped.
const LINE: u32 = BLOCK_T / 4u;
// Lines that are transformed at once, an invocation for each tile.
const LINES_AT_ONCE: u32 = WORKGROUP / BLOCK_T;
const_assert LINES_AT_ONCE > 0u;

// What a vector's number in the line of an invocation's row is swapped with, by exclusive or.
fn swap_of(row: u32) -> u32 {
    return row * LINE / 8u * THREADS_T % LINE;
}

fn exchange_outputs(
    local: u32, point: u32, row: u32, column: u32, g: u32, k_first: u32, t_first: u32,
    acc: ptr<function, array<vec4<f32>, EACH_K * EACH_T / 4u>>,
) {
    // Neighbouring invocations take neighbouring tiles.
    let t = local % BLOCK_T;
    let tile = params.first + t_first + t;
    let n = tile / (params.tiles_x * params.tiles_y);
    let y = tile / params.tiles_x % params.tiles_y * OUT_H;
    let x = tile % params.tiles_x * OUT_W;
    let line_first = local / BLOCK_T;
    let inside = line_first < LINES_AT_ONCE && t_first + t < params.tiles;
    for (var first = 0u; first < EACH_K; first += ROUND) {
        put_products((point * PAIRS + row * BLOCK_T) / 4u + column, swap_of(row), acc);
        shift_products(acc);
        workgroupBarrier();

        for (var line = line_first; line < LINES; line += LINES_AT_ONCE) {
            let i = first + line / THREADS_K;
            let k = k_first + (i / 4u * THREADS_K + line % THREADS_K) * 4u + i % 4u;
            if (inside && k < params.group_k) {
                let k_all = g * params.group_k + k;
                let plane = params.dst_offset + n * params.dst_n + k_all * params.dst_k;
                finish(line * LINE + ((t / 4u) ^ swap_of(line % THREADS_K)), t % 4u, plane, y, x, k_all);
            }
        }
        workgroupBarrier();
    }
}
