// depthwise: out = epilogue(sum over taps of src * weights), for groups of one channel: any number of filters for each, any
// dimensions, strides, dilation, sizes and order in memory.
//
// One invocation owns four neighbouring outputs of one filter's row, in registers: each weight is loaded once for the four,
// and a window holds the elements that one tap meets.
//
// grid      x: blocks of WORKGROUP strips of this dispatch, counted over images, filters, planes, rows and strips of four
//           columns
// constants WORKGROUP
// slots     load_src, read_weight, epilogue, write_dst, open_window, move_window

@group(0) @binding(0) var<uniform> params: Params;

// An output, unless it lies right of the last one. `at` is the row's first element.
fn store_output(at: u32, column: u32, k: u32, value: f32) {
    if (column < params.out_w) {
        let place = at + column * params.dst_w;
        write_dst(place, epilogue(value, k, place));
    }
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = params.first + workgroup.x * WORKGROUP + local;
    if (index >= params.end) {
        return;
    }
    let strips = (params.out_w + 3u) / 4u;
    let filters = params.groups * params.group_k;
    let column = index % strips * 4u;
    let row = index / strips % params.out_h;
    let plane = index / (strips * params.out_h) % params.out_d;
    let n = index / (strips * params.out_h * params.out_d) / filters;
    let g = index / (strips * params.out_h * params.out_d) % filters / params.group_k;
    let k = index / (strips * params.out_h * params.out_d) % params.group_k;

    // Coordinates before the source wrap around to huge numbers.
    let z_first = plane * params.stride_d - params.before_d;
    let y_first = row * params.stride_h - params.before_h;
    let x_first = column * params.stride_w - params.before_w;
    let channel = params.src_offset + n * params.src_n + g * params.src_g;
    let own = params.weights_offset + g * params.weights_g + k * params.weights_k;

    var acc = vec4<f32>();
    for (var t = 0u; t < params.taps_d; t++) {
        for (var r = 0u; r < params.taps_h; r++) {
            let z = z_first + t * params.dilation_d;
            let y = y_first + r * params.dilation_h;
            let taps = own + t * params.weights_d + r * params.weights_h;
            var window = open_window(channel, z, y, x_first);
            for (var s = 0u; s < params.taps_w; s++) {
                window = move_window(window, channel, z, y, x_first + s * params.dilation_w);
                acc = fma(window, vec4<f32>(read_weight(taps + s * params.weights_w)), acc);
            }
        }
    }

    let at = params.dst_offset + n * params.dst_n + g * params.dst_g + k * params.dst_k + plane * params.dst_d
        + row * params.dst_h;
    let of_all = params.k_first + g * params.k_group + k;
    store_output(at, column, of_all, acc.x);
    store_output(at, column + 1u, of_all, acc.y);
    store_output(at, column + 2u, of_all, acc.z);
    store_output(at, column + 3u, of_all, acc.w);
}
