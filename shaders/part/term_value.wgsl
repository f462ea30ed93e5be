// Slot term: an element of the source.
fn term(at: u32) -> f32 {
    return read_src(params.src_offset + at);
}
