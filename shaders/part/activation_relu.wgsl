// Slot activate: max(x, 0).
fn activate(x: f32, k: u32) -> f32 {
    return max(x, 0.0);
}
