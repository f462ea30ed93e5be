// channel_sums: for each channel, a sum over images and places: the gradient of a bias or of a slope.
//
// A workgroup owns LANES neighbouring channels and a part of the positions. Its invocations take every ROWS-th position of the
// part; then their sums are added in a tree, always in the same order. Where there are several parts, a second dispatch adds
// those up.
//
// grid      x: blocks of LANES channels, y: parts of the positions
// constants WORKGROUP, LANES
// slots     term, write_dst

@group(0) @binding(0) var<uniform> params: Params;

const ROWS: u32 = WORKGROUP / LANES;
const_assert ROWS * LANES == WORKGROUP;

var<workgroup> sums: array<f32, WORKGROUP>;

// How far a position lies from its channel's first element.
fn place(position: u32) -> u32 {
    let rest_3 = position / params.size_3;
    let rest_2 = rest_3 / params.size_2;
    return rest_2 / params.size_1 * params.step_0 + rest_2 % params.size_1 * params.step_1
        + rest_3 % params.size_2 * params.step_2 + position % params.size_3 * params.step_3;
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let channel = workgroup.x * LANES + local % LANES;
    let row = local / LANES;
    let first = workgroup.y * params.part;
    let end = min(first + params.part, params.positions);
    var sum = 0.0;
    if (channel < params.channels) {
        for (var position = first + row; position < end; position += ROWS) {
            sum += term(channel * params.step_k + place(position));
        }
    }
    sums[local] = sum;
    workgroupBarrier();
    for (var half = ROWS / 2u; half > 0u; half /= 2u) {
        if (row < half) {
            sums[local] += sums[local + half * LANES];
        }
        workgroupBarrier();
    }
    if (row == 0u && channel < params.channels) {
        write_dst(params.dst_offset + workgroup.y * params.dst_part + channel, sums[local]);
    }
}
