// Slot activate: 1 / (1 + exp(-x)). For x below -88 exp overflows to infinity, and the quotient is 0 as it should be;
// since a shader may assume that there are no infinities, the argument is kept finite.
fn activate(x: f32, k: u32) -> f32 {
    return 1.0 / (1.0 + exp(min(-x, 87.0)));
}
