// direct: out = epilogue(sum over channels and taps of src * weights): any dimensions, strides, dilation, groups, sizes
// and order in memory.
//
// One invocation owns one output position of FILTERS filters of one group, in registers.
// One workgroup owns WORKGROUP positions of those filters.
//
// grid      x: blocks of WORKGROUP positions of this dispatch, counted over images, planes, rows, columns
//           y: blocks of FILTERS filters, group by group
// constants WORKGROUP, FILTERS
// leaves    choose_filters, accumulate, write_outputs
// slots     load_src, read_weight, epilogue, write_dst

@group(0) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = params.first + workgroup.x * WORKGROUP + local;
    // Past the last position the last one is summed up again, and not written.
    let position = min(index, params.end - 1u);
    let blocks = (params.group_k + FILTERS - 1u) / FILTERS;
    let g = workgroup.y / blocks;
    var filters: array<u32, FILTERS>;
    choose_filters(workgroup.y % blocks * FILTERS, params.group_k - 1u, &filters);

    let column = position % params.out_w;
    let row = position / params.out_w % params.out_h;
    let plane = position / (params.out_w * params.out_h) % params.out_d;
    let n = position / (params.out_w * params.out_h * params.out_d);
    // Coordinates before the source wrap around to huge numbers.
    let z_first = plane * params.stride_d - params.before_d;
    let y_first = row * params.stride_h - params.before_h;
    let x_first = column * params.stride_w - params.before_w;
    let image = params.src_offset + n * params.src_n + g * params.src_g;
    let own = params.weights_offset + g * params.weights_g;

    var acc: array<f32, FILTERS>;
    for (var c = 0u; c < params.group_c; c++) {
        for (var t = 0u; t < params.taps_d; t++) {
            for (var r = 0u; r < params.taps_h; r++) {
                let channel = image + c * params.src_c;
                let z = z_first + t * params.dilation_d;
                let y = y_first + r * params.dilation_h;
                let taps = own + c * params.weights_c + t * params.weights_d + r * params.weights_h;
                for (var s = 0u; s < params.taps_w; s++) {
                    let x = load_src(channel, z, y, x_first + s * params.dilation_w);
                    accumulate(x, taps + s * params.weights_w, &filters, &acc);
                }
            }
        }
    }

    if (index < params.end) {
        let at = params.dst_offset + n * params.dst_n + g * params.dst_g
            + plane * params.dst_d + row * params.dst_h + column * params.dst_w;
        write_outputs(at, params.k_first + g * params.k_group, &filters, &acc);
    }
}
