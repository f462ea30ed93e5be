// Slot read_residual: an element of the residual, stored as f32.
@group(0) @binding(6) var<storage, read> residual: array<f32>;

fn read_residual(at: u32) -> f32 {
    return residual[at];
}
