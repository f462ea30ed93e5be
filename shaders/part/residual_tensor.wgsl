// Slot add_residual: an element of another tensor, which lies in memory as the output does.
@group(0) @binding(6) var<storage, read> residual: array<f32>;

fn add_residual(x: f32, at: u32) -> f32 {
    return x + residual[params.residual_offset + (at - params.dst_offset)];
}
