// Slot derive: of the sum x, the gradient times s (1 + x (1 - s)), where s is logistic(x).
fn derive(gradient: f32, kept: f32, k: u32) -> f32 {
    // Beyond 100 the derivative is 0 or 1 in f32.
    let x = clamp(kept, -100.0, 100.0);
    let s = logistic(x);
    return gradient * (s * fma(x, 1.0 - s, 1.0));
}
