// Slot derive: the gradient where the sum is positive, else the filter's slope times it.
@group(0) @binding(5) var<storage, read> slopes: array<f32>;

fn derive(gradient: f32, kept: f32, k: u32) -> f32 {
    return select(slopes[params.slopes_offset + k] * gradient, gradient, kept > 0.0);
}
