// Slot store_dst: one output, unless it lies right of the image. `row_at` is the row's first element.
fn store_dst(row_at: u32, x: u32, k: u32, value: f32) {
    if (x < params.q) {
        let at = row_at + x * params.dst_w;
        write_dst(at, epilogue(value, k, at));
    }
}
