// Slot derive: the gradient where the kept value is positive, else params.act_a times it.
fn derive(gradient: f32, kept: f32, k: u32) -> f32 {
    return select(params.act_a * gradient, gradient, kept > 0.0);
}
