// Slot half_of: a value's half, in the lower bits. From 65,520 on it is infinite: what pack2x16float makes of such numbers, and of
// a NaN, is up to the device.
fn half_of(value: f32) -> u32 {
    let bits = bitcast<u32>(value);
    let size = bits & 0x7fffffffu;
    let beyond = ((bits >> 16u) & 0x8000u) | select(0x7c00u, 0x7e00u, size > 0x7f800000u);
    return select(pack2x16float(vec2<f32>(value, 0.0)) & 0xffffu, beyond, size >= 0x477ff000u);
}
