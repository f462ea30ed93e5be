// winograd_filter: U = G g G^T, the transformed filters, [point][row][filter of its group].
//
// A row is a channel of a group, one of its planes of taps, and a phase: every phases_h-th row of taps and every phases_w-th
// column. One invocation owns one filter of one row; one workgroup owns WORKGROUP filters, so that its writes to u are
// contiguous.
//
// grid      x: blocks of WORKGROUP filters of a group; y: rows, over all groups
// constants WORKGROUP, TAPS_H, TAPS_W, POINTS_H, POINTS_W
// leaves    transform_filter
// slots     read_weight

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(3) var<storage, read_write> u: array<f32>;

// A tap of the phase at `phase`, zero past the last one.
fn load_tap(at: u32, phase: vec2<u32>, r: u32, s: u32) -> f32 {
    let y = r * params.phases_h + phase.y;
    let x = s * params.phases_w + phase.x;
    if (y < params.taps_h && x < params.taps_w) {
        return read_weight(at + y * params.weights_h + x * params.weights_w);
    }
    return 0.0;
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let k = workgroup.x * WORKGROUP + local;
    if (k >= params.group_k) {
        return;
    }
    let row = workgroup.y;
    let g = row / params.group_rows;
    let phase = vec2<u32>(row % params.phases_w, row / params.phases_w % params.phases_h);
    let plane = row % params.group_rows / (params.phases_w * params.phases_h);
    let own = params.weights_offset + g * params.weights_g + k * params.weights_k;
    let at = own + plane / params.taps_d * params.weights_c + plane % params.taps_d * params.weights_d;
    transform_filter(at, phase, row * params.k_stride + k, params.rows * params.k_stride);
}
