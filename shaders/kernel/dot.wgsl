// dot: each output as the dot product of a filter's weights and what they cover, by a whole workgroup: for few outputs and long
// sums, where nothing but the weights' way from memory takes time.
//
// One workgroup owns four filters of one group at POSITIONS output positions. Each of its invocations takes every WORKGROUP-th row
// (channels, then planes, rows and columns of taps), so that neighbours read neighbouring weights; then their sums are added
// in a tree, always in the same order.
//
// grid      x: blocks of POSITIONS positions of this dispatch, counted over images, planes, rows, columns
//           y: blocks of four filters, group by group
// constants WORKGROUP, POSITIONS
// leaves    begin, accumulate, put_sums, add_sums
// slots     load_src, read_weight, epilogue, write_dst; positions, rows

@group(0) @binding(0) var<uniform> params: Params;

// [position][invocation]: of four filters.
var<workgroup> sums: array<vec4<f32>, POSITIONS * WORKGROUP>;

// The filters' weights of a row; past the last filter the last one's, whose sums are not written.
fn load_weights(own: u32, row: vec4<u32>, filters: vec4<u32>) -> vec4<f32> {
    let at = own + row.x * params.weights_c + row.y * params.weights_d + row.z * params.weights_h + row.w * params.weights_w;
    return vec4<f32>(
        read_weight(at + filters.x * params.weights_k),
        read_weight(at + filters.y * params.weights_k),
        read_weight(at + filters.z * params.weights_k),
        read_weight(at + filters.w * params.weights_k),
    );
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let blocks = (params.group_k + 3u) / 4u;
    let g = workgroup.y / blocks;
    let k_first = workgroup.y % blocks * 4u;
    let t_first = params.first + workgroup.x * POSITIONS;
    let own = params.weights_offset + g * params.weights_g;
    let terms = params.group_c * params.taps_d * params.taps_h * params.taps_w;
    let filters = min(vec4<u32>(k_first, k_first + 1u, k_first + 2u, k_first + 3u), vec4<u32>(params.group_k - 1u));
    let steps = vec4<u32>(params.src_c, params.dilation_d, params.dilation_h, params.dilation_w);

    var starts: array<vec4<u32>, POSITIONS>;
    var acc: array<vec4<f32>, POSITIONS>;
    begin(g, t_first, &starts);
    let by = row_of(WORKGROUP);
    var row = row_of(local);
    for (var done = local; done < terms; done += WORKGROUP) {
        let weights = load_weights(own, row, filters);
        accumulate(weights, row * steps, &starts, &acc);
        row = advance(row, by);
    }
    put_sums(local, &acc);
    workgroupBarrier();
    for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
        if (local < half) {
            add_sums(local, half);
        }
        workgroupBarrier();
    }
    // An output for each of the first invocations.
    let k = k_first + local % 4u;
    let index = t_first + local / 4u;
    if (local < 4u * POSITIONS && k < params.group_k && index < params.end) {
        let place = place_of(g, index) + k * params.dst_k;
        write_dst(place, epilogue(sums[local / 4u * WORKGROUP][local % 4u], params.k_first + g * params.k_group + k, place));
    }
}
