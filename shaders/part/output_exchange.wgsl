// Slot exchange_outputs: from products, one point an invocation, to outputs. The products of ROUND filters of each
// invocation go into workgroup memory, all points of a filter and tile beside each other; then an invocation
// transforms columns of products, then rows, and writes. What has been exchanged makes room in the registers.
//
// leaves    put_products, shift_products, read_products, finish_h, write_column, read_column, finish_w, write_row
// slots     epilogue

// Filters and tiles of a round, [invocation's row][filter of the round][tile]; the products of a point are PAIRS
// apart, then come the half-transformed columns, [row of outputs][column of points].
const PAIRS: u32 = (BLOCK_K / EACH_K) * ROUND * BLOCK_T;
const COLUMNS: u32 = POINTS_H * POINTS_W * PAIRS;
const_assert COLUMNS + OUT_H * POINTS_W * PAIRS <= POOL;

// One output, unless it lies right of the image. `row_at` is the row's first element.
fn store_dst(row_at: u32, x: u32, k: u32, value: f32) {
    if (x < params.q) {
        dst[row_at + x] = epilogue(value, k);
    }
}

fn exchange_outputs(
    local: u32, point: u32, row: u32, column: u32, g: u32, k_first: u32, t_first: u32,
    acc: ptr<function, array<vec4<f32>, EACH_K * EACH_T / 4u>>,
) {
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

        for (var item = local; item < OUT_H * PAIRS; item += WORKGROUP) {
            let pair = item % PAIRS;
            let t = t_first + pair % BLOCK_T;
            let k = k_first + pair / (ROUND * BLOCK_T) * EACH_K + round * ROUND + pair / BLOCK_T % ROUND;
            let tile = params.first + t;
            let y = tile / params.tiles_x % params.tiles_y * OUT_H + item / PAIRS;
            if (t < params.tiles && k < params.group_k && y < params.p) {
                var d: array<f32, POINTS_W>;
                read_column(COLUMNS + item / PAIRS * (POINTS_W * PAIRS) + pair, &d);
                var a: array<f32, OUT_W>;
                finish_w(&d, &a);
                let n = tile / (params.tiles_x * params.tiles_y);
                let k_all = g * params.group_k + k;
                let row_at = params.dst_offset + ((n * params.k + k_all) * params.p + y) * params.q;
                write_row(row_at, tile % params.tiles_x * OUT_W, k_all, &a);
            }
        }
    }
}
