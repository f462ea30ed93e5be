// Slot derive: params.act_a times the gradient where the output is between 0 and 1, else 0.
fn derive(gradient: f32, kept: f32, k: u32) -> f32 {
    return select(0.0, params.act_a * gradient, kept > 0.0 && kept < 1.0);
}
