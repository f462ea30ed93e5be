// Slot read_weight: a weight, stored as a half: two in a word, the first one in its lower bits.
@group(0) @binding(2) var<storage, read> weights: array<u32>;

fn read_weight(at: u32) -> f32 {
    return unpack2x16float(weights[at / 2u] >> (at % 2u * 16u)).x;
}
