// Slot put_m: a vector of M, whatever stood there.
fn put_m(at: u32, value: vec4<f32>) {
    m[at] = value;
}
