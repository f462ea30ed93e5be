// Slot read_src: an element of the source, stored as f32.
@group(0) @binding(1) var<storage, read> src: array<f32>;

fn read_src(at: u32) -> f32 {
    return src[at];
}
