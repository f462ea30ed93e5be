// Slot add_bias: one number for each filter.
@group(0) @binding(4) var<storage, read> bias: array<f32>;

fn add_bias(x: f32, k: u32) -> f32 {
    return x + bias[params.bias_offset + k];
}
