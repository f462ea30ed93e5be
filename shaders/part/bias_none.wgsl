// Slot add_bias: no bias.
fn add_bias(x: f32, k: u32) -> f32 {
    return x;
}
