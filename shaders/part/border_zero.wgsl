// Slot load_src: an element of the source, zero outside. `channel` is the channel's first element; coordinates before the
// source have wrapped around to huge numbers.
fn load_src(channel: u32, z: u32, y: u32, x: u32) -> f32 {
    if (z < params.d && y < params.h && x < params.w) {
        return read_src(channel + z * params.src_d + y * params.src_h + x * params.src_w);
    }
    return 0.0;
}
