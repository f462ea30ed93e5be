// Slot activate: x between params.act_a and params.act_b, and NaN for NaN.
fn activate(x: f32, k: u32) -> f32 {
    return keep_nan(clamp(x, params.act_a, params.act_b), x);
}
