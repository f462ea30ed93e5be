// Slot exchange_outputs: from products, one point an invocation, to outputs. The products of ROUND filters of each
// invocation go into workgroup memory, all points of a filter and tile beside each other; then an invocation
// transforms columns of products, then rows, and writes. What has been exchanged makes room in the registers.
//
// constants also ROWS: rows of outputs that an invocation writes in a round
// leaves    place_rows, put_products, shift_products, read_products, finish_h, write_column, write_rows
// slots     store_dst

// Filters and tiles of a round, [invocation's row][filter of the round][tile]; the products of a point are PAIRS
// apart, then come the half-transformed columns, [row of outputs][column of points].
const PAIRS: u32 = (BLOCK_K / EACH_K) * ROUND * BLOCK_T;
const COLUMNS: u32 = POINTS_H * POINTS_W * PAIRS;
const_assert COLUMNS + OUT_H * POINTS_W * PAIRS <= POOL;

// Where the row `item` of a round lies, for the round's first filter: its first element in dst, its first column, its
// filter in the group, and whether there is such a row. Rows are counted over rows of a tile, then pairs.
struct Row {
    at: u32,
    x: u32,
    k: u32,
    inside: bool,
}

fn place_row(item: u32, g: u32, k_first: u32, t_first: u32) -> Row {
    let pair = item % PAIRS;
    let t = t_first + pair % BLOCK_T;
    let tile = params.first + t;
    let y = tile / params.tiles_x % params.tiles_y * OUT_H + item / PAIRS;
    let n = tile / (params.tiles_x * params.tiles_y);
    let k = k_first + pair / (ROUND * BLOCK_T) * EACH_K + pair / BLOCK_T % ROUND;
    let at = params.dst_offset + ((n * params.k + g * params.group_k + k) * params.p + y) * params.q;
    let inside = item < OUT_H * PAIRS && t < params.tiles && y < params.p;
    return Row(at, tile % params.tiles_x * OUT_W, k, inside);
}

fn exchange_outputs(
    local: u32, point: u32, row: u32, column: u32, g: u32, k_first: u32, t_first: u32,
    acc: ptr<function, array<vec4<f32>, EACH_K * EACH_T / 4u>>,
) {
    var rows: array<Row, ROWS>;
    place_rows(local, g, k_first, t_first, &rows);
    for (var round = 0u; round < EACH_K / ROUND; round++) {
        put_products((point * PAIRS + row * ROUND * BLOCK_T) / 4u + column, acc);
        shift_products(acc);
        workgroupBarrier();

        // Neighbouring invocations take neighbouring tiles.
        for (var item = local; item < POINTS_W * PAIRS; item += WORKGROUP) {
            var d: array<f32, POINTS_H>;
            read_products(item, &d);
            var a: array<f32, OUT_H>;
            finish_h(&d, &a);
            write_column(COLUMNS + item, &a);
        }
        workgroupBarrier();
        write_rows(local, g, round * ROUND, &rows);
    }
}

// Transforms and writes the row `item` of the round that begins at filter `k_round`.
fn finish_row(item: u32, g: u32, k_round: u32, row: Row) {
    let k = row.k + k_round;
    if (row.inside && k < params.group_k) {
        var d: array<f32, POINTS_W>;
        read_column(COLUMNS + item / PAIRS * (POINTS_W * PAIRS) + item % PAIRS, &d);
        var a: array<f32, OUT_W>;
        finish_w(&d, &a);
        write_row(row.at + k_round * params.p * params.q, row.x, g * params.group_k + k, &a);
    }
}
