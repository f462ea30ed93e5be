// Slot derive: the gradient where the output is between params.act_a and params.act_b, else 0.
fn derive(gradient: f32, kept: f32, k: u32) -> f32 {
    return select(0.0, gradient, kept > params.act_a && kept < params.act_b);
}
