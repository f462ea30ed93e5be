// Slot activate: x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2. The argument is bounded as in activation_tanh.wgsl.
fn activate(x: f32, k: u32) -> f32 {
    let inner = 0.79788456 * fma(0.044715 * x * x, x, x);
    return 0.5 * x * (1.0 + tanh(clamp(inner, -12.0, 12.0)));
}
