// Slot activate: x (1 + tanh(y)) / 2 with y = sqrt(2/pi) (x + 0.044715 x^3); (1 + tanh(y)) / 2 is logistic(2y). At -infinity
// it is NaN.
fn activate(x: f32, k: u32) -> f32 {
    // Beyond 16 the logistic function is 0 or 1 in f32, and a larger cube could overflow.
    let near = clamp(x, -16.0, 16.0);
    return keep_nan(x * logistic(1.5957691 * fma(0.044715 * near * near, near, near)), x);
}
