// Slot derive: of the output y, the gradient times 1 - y^2.
fn derive(gradient: f32, kept: f32, k: u32) -> f32 {
    return gradient * fma(-kept, kept, 1.0);
}
