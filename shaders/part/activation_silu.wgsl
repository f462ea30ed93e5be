// Slot activate: x * sigmoid(x), see activation_sigmoid.wgsl for the bound.
fn activate(x: f32, k: u32) -> f32 {
    return x / (1.0 + exp(min(-x, 87.0)));
}
