// Slot exchange_outputs: from products, one point an invocation, to outputs. The products of ROUND filters of each
// invocation go into workgroup memory, all points of a filter and tile at the same place of a plane; then an invocation
// transforms one tile of one filter, in registers, puts the outputs where the products were, and writes them row by
// row: a loop, so that bias and activation stand in the text once for a column. What has been exchanged makes room in the registers.
//
// An invocation's filters lie four by four, THREADS_K * 4 apart.
//
// leaves    put_products, shift_products, finish_tile, write_row
// slots     store_dst

// A round's lines of BLOCK_T tiles: [filter of the round][invocation's row]. The planes of points are PAIRS apart.
const LINES: u32 = ROUND * THREADS_K;
const PAIRS: u32 = LINES * BLOCK_T;
const_assert POINTS_H * POINTS_W * PAIRS <= POOL;
const_assert 4u % ROUND == 0u;
// Lines that are transformed at once, an invocation for each tile.
const LINES_AT_ONCE: u32 = WORKGROUP / BLOCK_T;
const_assert LINES_AT_ONCE > 0u;

// The first column of a row of outputs, or one that is outside if the row is.
fn column_in(y: u32, x: u32) -> u32 {
    return select(params.q, x, y < params.p);
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
        put_products((point * PAIRS + row * BLOCK_T) / 4u + column, acc);
        shift_products(acc);
        workgroupBarrier();

        for (var line = line_first; line < LINES; line += LINES_AT_ONCE) {
            let i = first + line / THREADS_K;
            let k = k_first + (i / 4u * THREADS_K + line % THREADS_K) * 4u + i % 4u;
            if (inside && k < params.group_k) {
                let k_all = g * params.group_k + k;
                let plane = params.dst_offset + (n * params.k + k_all) * params.p * params.q;
                let at = (line * BLOCK_T + t) / 4u;
                finish_tile(at, t % 4u);
                for (var i = 0u; i < OUT_H; i++) {
                    let row_at = plane + (y + i) * params.q;
                    write_row(at + i * (OUT_W * PAIRS / 4u), t % 4u, row_at, column_in(y + i, x), k_all);
                }
            }
        }
        workgroupBarrier();
    }
}
