// Slot read_residual: an element of the residual, stored as a half: two in a word, the first one in its lower bits.
@group(0) @binding(6) var<storage, read> residual: array<u32>;

fn read_residual(at: u32) -> f32 {
    return unpack2x16float(residual[at / 2u] >> (at % 2u * 16u)).x;
}
