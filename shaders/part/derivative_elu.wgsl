// Slot derive: the gradient where the kept value is positive. Else params.act_a exp(x) times it: with the output y that is
// y + params.act_a. Where params.act_a is negative, the sum x is kept.
fn derive(gradient: f32, kept: f32, k: u32) -> f32 {
    let of_sum = params.act_a * exp(clamp(kept, -87.0, 0.0));
    let slope = select(kept + params.act_a, of_sum, params.act_a < 0.0);
    return select(slope * gradient, gradient, kept > 0.0);
}
