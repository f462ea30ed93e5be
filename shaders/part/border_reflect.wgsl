// Slot load_src: an element of the source; outside, its mirror image at the first or last one. `channel` is the channel's first
// element; coordinates before the source have wrapped around. No element lies outside, whatever a ragged tile asks for.
fn reflected(at: u32, size: u32) -> u32 {
    let last = i32(size) - 1;
    let signed = bitcast<i32>(at);
    let mapped = select(abs(signed), 2 * last - signed, signed > last);
    return u32(clamp(mapped, 0, last));
}

fn load_src(channel: u32, z: u32, y: u32, x: u32) -> f32 {
    let plane = channel + reflected(z, params.d) * params.src_d;
    return read_src(plane + reflected(y, params.h) * params.src_h + reflected(x, params.w) * params.src_w);
}
