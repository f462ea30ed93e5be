// Slot add_residual: an element of another tensor, which lies in memory as the output does.
fn add_residual(x: f32, at: u32) -> f32 {
    return x + read_residual(params.residual_offset + (at - params.dst_offset));
}
