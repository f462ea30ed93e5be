// Slot derive: of the output y, the gradient times y (1 - y).
fn derive(gradient: f32, kept: f32, k: u32) -> f32 {
    return gradient * (kept * (1.0 - kept));
}
