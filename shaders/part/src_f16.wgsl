// Slot read_src: an element of the source, stored as f16.
@group(0) @binding(1) var<storage, read> src: array<f16>;

fn read_src(at: u32) -> f32 {
    return f32(src[at]);
}
