// Slot finish: the outputs of a large tile, put where its products were, then written row by row: a loop, so that bias and
// activation stand in the text once for a column. `at` and `lane` are where the products lie.
//
// leaves    finish_tile, write_row
// slots     store_dst

fn finish(at: u32, lane: u32, plane: u32, y: u32, x: u32, k: u32) {
    finish_tile(at, lane);
    for (var i = 0u; i < OUT_H; i++) {
        // A row that is outside has a first column that is.
        let first = select(params.q, x, y + i < params.p);
        write_row(at + i * (OUT_W * PAIRS / 4u), lane, plane + (y + i) * params.dst_h, first, k);
    }
}
