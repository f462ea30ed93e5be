// pack_halves: outputs that were made in f32, rounded to halves, two in a word.
//
// One invocation owns one word of the output, so that no two write the same one. A half of it that is no output of this
// dispatch, before the first one, behind the last one or in a gap between rows, stays what it is.
//
// grid      x: blocks of WORKGROUP words of this dispatch
// constants WORKGROUP
// slots     is_element, half_of

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(3) var<storage, read_write> halves: array<u32>;

// Whether an element of memory, counted from this dispatch's first one, is an output of it.
fn is_output(at: u32) -> bool {
    return at < params.count && is_element(params.first + at);
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let word = params.halves_offset / 2u + workgroup.x * WORKGROUP + local;
    // Of a half before the first one this wraps around to a huge number.
    let at = 2u * word - params.halves_offset;
    let low = is_output(at);
    let high = is_output(at + 1u);
    if (!low && !high) {
        return;
    }
    var bits = halves[word];
    if (low) {
        bits = (bits & 0xffff0000u) | half_of(values[params.values_offset + at]);
    }
    if (high) {
        bits = (bits & 0x0000ffffu) | (half_of(values[params.values_offset + at + 1u]) << 16u);
    }
    halves[word] = bits;
}
