// Slot term: a gradient times the negative part of the source: what a slope of PReLU was multiplied by.
fn term(at: u32) -> f32 {
    let x = read_src(params.src_offset + at);
    return read_weight(params.weights_offset + at) * select(x, 0.0, x > 0.0);
}
