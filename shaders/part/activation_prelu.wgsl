// Slot activate: x if positive, else the filter's slope times x.
@group(0) @binding(5) var<storage, read> slopes: array<f32>;

fn activate(x: f32, k: u32) -> f32 {
    let slope = slopes[params.slopes_offset + k];
    return select(slope * x, x, x > 0.0);
}
