// Slot derive: of the sum x, the gradient times (1 + erf(x / sqrt 2)) / 2 + x exp(-x^2 / 2) / sqrt(2 pi), with the erf of
// activation_gelu.wgsl.
fn derive(gradient: f32, kept: f32, k: u32) -> f32 {
    // Beyond 15 the derivative is 0 or 1 in f32.
    let x = clamp(kept, -15.0, 15.0);
    let z = abs(x) * 0.70710678;
    let near = min(z, 9.0);
    let t = 1.0 / fma(0.3275911, near, 1.0);
    let poly = t * fma(t, fma(t, fma(t, fma(t, 1.061405429, -1.453152027), 1.421413741), -0.284496736), 0.254829592);
    let bell = select(exp(-near * near), 0.0, z > 9.0);
    let tail = poly * bell;
    return gradient * fma(0.39894228 * x, bell, 0.5 * select(tail, 2.0 - tail, x > 0.0));
}
