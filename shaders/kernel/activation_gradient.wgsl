// activation_gradient: the gradient before an activation, from the gradient behind it and from what the forward pass kept. All
// three tensors lie alike.
//
// One invocation owns one element of memory. A gap between rows stays what it is.
//
// grid      x: blocks of WORKGROUP elements of this dispatch
// constants WORKGROUP
// slots     read_src (what was kept), read_weight (the gradient), write_dst, derive; is_element, keep_nan

@group(0) @binding(0) var<uniform> params: Params;

// The channel of an element: params.k_0 to k_4 are 1 along the channels and 0 elsewhere.
fn channel_of(place: u32) -> u32 {
    let in_0 = place % params.step_0;
    let in_1 = in_0 % params.step_1;
    let in_2 = in_1 % params.step_2;
    let in_3 = in_2 % params.step_3;
    return place / params.step_0 * params.k_0 + in_0 / params.step_1 * params.k_1 + in_1 / params.step_2 * params.k_2
        + in_2 / params.step_3 * params.k_3 + in_3 / params.step_4 * params.k_4;
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let at = workgroup.x * WORKGROUP + local;
    let place = params.first + at;
    if (at >= params.count || !is_element(place)) {
        return;
    }
    let kept = read_src(params.src_offset + at);
    let gradient = read_weight(params.weights_offset + at);
    write_dst(params.dst_offset + at, keep_nan(derive(gradient, kept, channel_of(place)), kept));
}
