// Slot load_src: an element of the source; outside, the one at the other end. `channel` is the channel's first
// element; coordinates before the source have wrapped around. No element lies outside, whatever a ragged tile asks for.
fn wrapped(at: u32, size: u32) -> u32 {
    let last = i32(size) - 1;
    let signed = bitcast<i32>(at);
    let mapped = select(select(signed, signed - last - 1, signed > last), signed + last + 1, signed < 0);
    return u32(clamp(mapped, 0, last));
}

fn load_src(channel: u32, z: u32, y: u32, x: u32) -> f32 {
    let plane = channel + wrapped(z, params.d) * params.src_d;
    return read_src(plane + wrapped(y, params.h) * params.src_h + wrapped(x, params.w) * params.src_w);
}
