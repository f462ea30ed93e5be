// Slot read_weight: a weight, stored as f32.
@group(0) @binding(2) var<storage, read> weights: array<f32>;

fn read_weight(at: u32) -> f32 {
    return weights[at];
}
