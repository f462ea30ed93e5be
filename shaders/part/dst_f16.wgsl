// Slots read_dst and write_dst: an output, stored as f16.
@group(0) @binding(3) var<storage, read_write> dst: array<f16>;

fn read_dst(at: u32) -> f32 {
    return f32(dst[at]);
}

fn write_dst(at: u32, value: f32) {
    dst[at] = f16(value);
}
