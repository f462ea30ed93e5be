// Slot finish: the outputs of a tile, each written as it is made. `at` and `lane` are where the tile's products lie.
//
// leaves    finish_tile
// slots     store_dst

// The first column of a row of outputs, or one that is outside if the row is.
fn column_in(y: u32, x: u32) -> u32 {
    return select(params.q, x, y < params.p);
}

fn finish(at: u32, lane: u32, plane: u32, y: u32, x: u32, k: u32) {
    finish_tile(at, lane, plane, y, x, k);
}
