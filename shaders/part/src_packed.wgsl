// Slot read_src: an element of the source, stored as a half: two in a word, the first one in its lower bits.
@group(0) @binding(1) var<storage, read> src: array<u32>;

fn read_src(at: u32) -> f32 {
    return unpack2x16float(src[at / 2u] >> (at % 2u * 16u)).x;
}
