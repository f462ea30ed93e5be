// filter_rows: weights in f16, of each filter and tap the channels side by side: [group][filter][tap][channel].
//
// One invocation writes one word, of two channels.
//
// grid      x, y: blocks of WORKGROUP words, counted row by row
// constants WORKGROUP
// slots     read_weight, half_of

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(3) var<storage, read_write> filter_rows: array<u32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let word = (workgroup.y * params.grid_x + workgroup.x) * WORKGROUP + local;
    if (word >= params.words) {
        return;
    }
    let pairs = params.group_c / 2u;
    let taps = params.taps_d * params.taps_h * params.taps_w;
    let c = word % pairs * 2u;
    let tap = word / pairs % taps;
    let k = word / (pairs * taps);
    let at = params.weights_offset + k / params.group_k * params.weights_g + k % params.group_k * params.weights_k
        + tap / (params.taps_h * params.taps_w) * params.weights_d + tap / params.taps_w % params.taps_h * params.weights_h
        + tap % params.taps_w * params.weights_w + c * params.weights_c;
    filter_rows[word] = half_of(read_weight(at)) | (half_of(read_weight(at + params.weights_c)) << 16u);
}
