// winograd_filter: U = G g G^T, the transformed filters, [point][row][filter of its group].
//
// A row is a channel of a group, one of its planes of taps, and a phase of taps (every so-many-th row and column) or a block of
// them: either begins a phase_step after the one before, and has taps a tap_step apart. One invocation owns one filter of one row; one workgroup owns WORKGROUP filters, so that its writes to u are
// contiguous.
//
// grid      x: blocks of WORKGROUP filters of a group; y: rows of this dispatch, over all groups
// constants WORKGROUP, TAPS_H, TAPS_W, POINTS_H, POINTS_W
// leaves    transform_filter
// slots     read_weight

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(3) var<storage, read_write> u: array<f32>;

// A tap of the phase or block that begins at `phase`, zero past the last one.
fn load_tap(at: u32, phase: vec2<u32>, r: u32, s: u32) -> f32 {
    let y = r * params.tap_step_h + phase.y;
    let x = s * params.tap_step_w + phase.x;
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
    let in_sum = row % params.group_rows + params.sum_first;
    let phase = vec2<u32>(
        in_sum % params.phases_w * params.phase_step_w,
        in_sum / params.phases_w % params.phases_h * params.phase_step_h,
    );
    let plane = in_sum / (params.phases_w * params.phases_h);
    let own = params.weights_offset + g * params.weights_g + k * params.weights_k;
    let at = own + plane / params.taps_d * params.weights_c + plane % params.taps_d * params.weights_d;
    transform_filter(at, phase, row * params.k_stride + k, params.rows * params.k_stride);
}
