// Slot read_weight: a weight, stored as f16.
@group(0) @binding(2) var<storage, read> weights: array<f16>;

fn read_weight(at: u32) -> f32 {
    return f32(weights[at]);
}
