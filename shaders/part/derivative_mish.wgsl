// Slot derive: of the sum x, the gradient times t + x (1 - t^2) / (1 + exp(-x)), with t = tanh(ln(1 + exp(x))) as in
// activation_mish.wgsl.
fn derive(gradient: f32, kept: f32, k: u32) -> f32 {
    // Beyond 100 the derivative is 0 or 1 in f32.
    let x = clamp(kept, -100.0, 100.0);
    let size = abs(x);
    let e = select(exp(-min(size, 87.0)), 0.0, size > 87.0);
    let n = select(e * (e + 2.0), fma(2.0, e, 1.0), x > 0.0);
    let d = n + select(2.0, 2.0 * e * e, x > 0.0);
    // (1 - t^2) / (1 + exp(-x)) is 4 e (1 + e) / d^2, above zero times e.
    let q = 4.0 * e * (1.0 + e) * select(1.0, e, x > 0.0);
    return gradient * fma(x, q / (d * d), n / d);
}
