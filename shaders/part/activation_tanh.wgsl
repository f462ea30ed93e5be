// Slot activate: tanh(x). Some devices compute it from exp(2x), which overflows from 44 on, where tanh is 1 in f32.
fn activate(x: f32, k: u32) -> f32 {
    return tanh(clamp(x, -12.0, 12.0));
}
