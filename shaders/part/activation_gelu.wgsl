// Slot activate: x (1 + erf(x / sqrt 2)) / 2. WGSL has no erf: Abramowitz and Stegun 7.1.26, absolute error 1.5e-7.
fn activate(x: f32, k: u32) -> f32 {
    let z = abs(x) * 0.70710678;
    let t = 1.0 / fma(0.3275911, z, 1.0);
    let poly = t * fma(t, fma(t, fma(t, fma(t, 1.061405429, -1.453152027), 1.421413741), -0.284496736), 0.254829592);
    // From z = 9 on the exponential is 0 in f32.
    let tail = poly * exp(-min(z * z, 81.0));
    // tail = 1 - erf(z); for negative x the sum 1 + erf is tail itself, with no cancellation.
    return 0.5 * x * select(tail, 2.0 - tail, x > 0.0);
}
