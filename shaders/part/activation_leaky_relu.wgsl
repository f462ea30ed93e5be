// Slot activate: x if positive, else params.act_a * x.
fn activate(x: f32, k: u32) -> f32 {
    return select(params.act_a * x, x, x > 0.0);
}
