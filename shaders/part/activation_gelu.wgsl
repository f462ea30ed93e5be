// Slot activate: x (1 + erf(x / sqrt 2)) / 2. WGSL has no erf: Abramowitz and Stegun 7.1.26, absolute error 1.5e-7. At
// -infinity it is NaN.
fn activate(x: f32, k: u32) -> f32 {
    let z = abs(x) * 0.70710678;
    // Beyond 9, 1 - erf(z) is zero in f32.
    let near = min(z, 9.0);
    let t = 1.0 / fma(0.3275911, near, 1.0);
    let poly = t * fma(t, fma(t, fma(t, fma(t, 1.061405429, -1.453152027), 1.421413741), -0.284496736), 0.254829592);
    // tail = 1 - erf(z); for negative x the sum 1 + erf is tail itself, with no cancellation.
    let tail = select(poly * exp(-near * near), 0.0, z > 9.0);
    return keep_nan(0.5 * x * select(tail, 2.0 - tail, x > 0.0), x);
}
