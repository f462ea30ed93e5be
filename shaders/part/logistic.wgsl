// Used by activations: 1 / (1 + exp(-x)), exactly 0 and 1 far from zero. The exponential's argument is bounded: a shader may
// assume that there are no infinities, and some devices return a small number where the result is 0.
fn logistic(x: f32) -> f32 {
    let size = abs(x);
    // exp(-87) is close to the smallest normal number.
    let small = select(exp(-min(size, 87.0)), 0.0, size > 87.0);
    return select(small, 1.0, x > 0.0) / (1.0 + small);
}
