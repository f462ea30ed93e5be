// Slot activate: ln(1 + exp(beta x)) / beta, and x where beta x is above the threshold; beta is params.act_a, the threshold
// params.act_b.
fn activate(x: f32, k: u32) -> f32 {
    let z = params.act_a * x;
    let size = abs(z);
    let e = select(exp(-min(size, 87.0)), 0.0, size > 87.0);
    // ln(1 + e) is 2 atanh(t), here as its Taylor polynomial, off by less than a rounding: WGSL's log is off by up to 2^-21
    // between 1 and 2.
    let t = e / (2.0 + e);
    let s = t * t;
    let rest = fma(s, fma(s, fma(s, 0.07692308, 0.09090909), 0.11111111), 0.14285715);
    let tail = 2.0 * t * fma(s, fma(s, fma(s, rest, 0.2), 0.33333334), 1.0);
    return keep_nan(select((max(z, 0.0) + tail) / params.act_a, x, z > params.act_b), x);
}
