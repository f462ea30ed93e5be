// Slot derive: of the sum x, the gradient times s + x s (1 - s) y', where s is logistic(y) and y that of
// activation_gelu_tanh.wgsl.
fn derive(gradient: f32, kept: f32, k: u32) -> f32 {
    // Beyond 16 the derivative is 0 or 1 in f32.
    let x = clamp(kept, -16.0, 16.0);
    let s = logistic(1.5957691 * fma(0.044715 * x * x, x, x));
    let slope = 1.5957691 * fma(0.134145 * x, x, 1.0);
    return gradient * (s * fma(x * (1.0 - s), slope, 1.0));
}
