// Slot epilogue: what happens to an output of filter k before it is written.
fn epilogue(x: f32, k: u32) -> f32 {
    return activate(add_bias(x, k), k);
}
