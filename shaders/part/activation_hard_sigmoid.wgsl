// Slot activate: params.act_a x + params.act_b between 0 and 1.
fn activate(x: f32, k: u32) -> f32 {
    let line = fma(params.act_a, x, params.act_b);
    return keep_nan(clamp(line, 0.0, 1.0), line);
}
