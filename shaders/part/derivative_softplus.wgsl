// Slot derive: of the sum x, the gradient times logistic(beta x), and the gradient where beta x is above the threshold; beta
// is params.act_a, the threshold params.act_b.
fn derive(gradient: f32, kept: f32, k: u32) -> f32 {
    let z = params.act_a * kept;
    return gradient * select(logistic(z), 1.0, z > params.act_b);
}
