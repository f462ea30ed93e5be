// Slot derive: the gradient where the output is positive, else 0.
fn derive(gradient: f32, kept: f32, k: u32) -> f32 {
    return select(0.0, gradient, kept > 0.0);
}
