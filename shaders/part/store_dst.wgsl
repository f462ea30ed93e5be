// Slot store_dst: one output, unless it lies right of the image. `row_at` is the row's first element.
fn store_dst(row_at: u32, x: u32, k: u32, value: f32) {
    if (x < params.q) {
        dst[row_at + x] = epilogue(value, k);
    }
}
