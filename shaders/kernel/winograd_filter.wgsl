// winograd_filter: U = G g G^T, the transformed filters, [point][input channel][filter of its group].
//
// One invocation owns one filter of one input channel; one workgroup owns WORKGROUP filters, so that its writes
// to u are contiguous.
//
// grid      x: blocks of WORKGROUP filters of a group; y: input channels, over all groups
// constants WORKGROUP, TAPS_H, TAPS_W, POINTS_H, POINTS_W
// leaves    transform_filter

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read_write> u: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let k = workgroup.x * WORKGROUP + local;
    if (k >= params.group_k) {
        return;
    }
    let c = workgroup.y;
    let g = c / params.group_c;
    let filter_at = ((g * params.group_k + k) * params.group_c + c % params.group_c) * (TAPS_H * TAPS_W);
    transform_filter(filter_at, c * params.k_stride + k, params.c * params.k_stride);
}
