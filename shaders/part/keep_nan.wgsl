// Used by activations: `value`, or x if that is a NaN. The test is on bits: compilers may assume that no float is a NaN, and
// min, max and clamp of one differ between devices.
fn keep_nan(value: f32, x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    return bitcast<f32>(select(bitcast<u32>(value), bits, (bits & 0x7fffffffu) > 0x7f800000u));
}
