// Slot derive: of the sum x, the gradient times x / 3 + 1/2 between -3 and 3, 0 from -3 down and 1 from 3 up.
fn derive(gradient: f32, kept: f32, k: u32) -> f32 {
    let between = gradient * fma(kept, 0.33333334, 0.5);
    return select(select(between, gradient, kept >= 3.0), 0.0, kept <= -3.0);
}
