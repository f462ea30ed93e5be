// Slot activate: x / (1 + exp(-x)). At -infinity that is NaN.
fn activate(x: f32, k: u32) -> f32 {
    return keep_nan(x * logistic(x), x);
}
