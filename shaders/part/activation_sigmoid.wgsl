// Slot activate: 1 / (1 + exp(-x)).
fn activate(x: f32, k: u32) -> f32 {
    return keep_nan(logistic(x), x);
}
