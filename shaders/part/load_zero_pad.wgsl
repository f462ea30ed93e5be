// Slot load_src: an element of the input, zero outside the image. `image` is the first element of the channel;
// coordinates left of or above the image have wrapped around to huge numbers.
fn load_src(image: u32, y: u32, x: u32) -> f32 {
    if (y < params.h && x < params.w) {
        return src[image + y * params.w + x];
    }
    return 0.0;
}
