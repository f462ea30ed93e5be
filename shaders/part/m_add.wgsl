// Slot put_m: a vector of M, added to the products that an earlier dispatch left there.
fn put_m(at: u32, value: vec4<f32>) {
    m[at] += value;
}
