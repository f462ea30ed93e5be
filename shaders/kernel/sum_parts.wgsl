// sum_parts: out = epilogue(sums of all parts), where the sum of an output was walked in parts that lie one behind the other in
// a workspace: [part][group and filter][position]. Parts are added in order.
//
// One invocation owns one position of one filter.
//
// grid      x: blocks of WORKGROUP positions of this dispatch
//           y: filters, group by group
// constants WORKGROUP
// slots     epilogue, write_dst; positions

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> sums: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = params.first + workgroup.x * WORKGROUP + local;
    if (index >= params.end) {
        return;
    }
    let at = params.sums_offset + workgroup.y * params.sums_k + index - params.first;
    var sum = sums[at];
    for (var part = 1u; part < params.parts; part++) {
        sum += sums[at + part * params.sums_part];
    }
    let g = workgroup.y / params.group_k;
    let k = workgroup.y % params.group_k;
    let place = place_of(g, index) + k * params.dst_k;
    write_dst(place, epilogue(sum, params.k_first + g * params.k_group + k, place));
}
