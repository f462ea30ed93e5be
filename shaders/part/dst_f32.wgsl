// Slots read_dst and write_dst: an output, stored as f32.
@group(0) @binding(3) var<storage, read_write> dst: array<f32>;

fn read_dst(at: u32) -> f32 {
    return dst[at];
}

fn write_dst(at: u32, value: f32) {
    dst[at] = value;
}
