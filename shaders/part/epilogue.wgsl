// Slot epilogue: what happens to an output of filter k before it is written to dst[at].
fn epilogue(x: f32, k: u32, at: u32) -> f32 {
    return activate(add_residual(add_bias(x, k), at), k);
}
