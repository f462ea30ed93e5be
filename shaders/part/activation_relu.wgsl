// Slot activate: max(x, 0), and NaN for NaN. In bits, since max of a NaN differs between devices: from 0x80000000 (-0) to
// 0xff800000 (-infinity) x is not positive.
fn activate(x: f32, k: u32) -> f32 {
    let bits = bitcast<u32>(x);
    return bitcast<f32>(select(bits, 0u, bits - 0x80000000u <= 0x7f800000u));
}
