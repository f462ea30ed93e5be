// Slot activate: x if positive, else params.act_a (exp(x) - 1).
fn activate(x: f32, k: u32) -> f32 {
    // The difference cancels near zero: there it is its Taylor polynomial, off by less than a rounding down to -1/2.
    let near = clamp(x, -0.5, 0.0);
    let rest = fma(near, fma(near, fma(near, fma(near, 0.000024801587, 0.0001984127), 0.0013888889), 0.008333334), 0.041666668);
    let poly = near * fma(near, fma(near, fma(near, rest, 0.16666667), 0.5), 1.0);
    // Below -87 the exponential is lost beside 1.
    let far = exp(clamp(x, -87.0, 0.0)) - 1.0;
    let negative = params.act_a * select(far, poly, x > -0.5);
    return keep_nan(select(negative, x, x > 0.0), x);
}
