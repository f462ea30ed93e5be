// depthwise_patch: out = epilogue(sum over taps of src * weights), for groups of one channel and planes with zeros around
// them: any number of filters for each, any sizes and order in memory. Size and stride of the filters are the text's.
//
// One invocation owns a patch of COLUMNS x ROWS neighbouring outputs of one filter's plane, in registers, beside the filter's
// TAPS weights. Each element that the patch covers is loaded once, and added to all outputs that it is a part of.
//
// No load waits for a comparison: an element outside of the plane is loaded at the plane's last row or column, and masked.
//
// grid      x: blocks of WORKGROUP patches of this dispatch, counted over groups and the patches of a plane
//           y: filters of a group
//           z: images
// constants WORKGROUP, COLUMNS, ROWS, STRIDE, TAPS
// leaves    load_filter, sum_patch, write_outputs
// slots     read_src, read_weight, epilogue, write_dst, group_and_patch

@group(0) @binding(0) var<uniform> params: Params;

// All bits where a coordinate is inside, no bits where it is outside. Coordinates before the source wrap around to huge numbers.
fn mask(at: u32, size: u32) -> u32 {
    return select(0u, 0xffffffffu, at < size);
}

// How far an element lies from the first one of its dimension; outside, the last one.
fn distance_of(at: u32, size: u32, step: u32) -> u32 {
    return min(at, size - 1u) * step;
}

// An element as far as the mask has bits: all of it, or zero.
fn masked(at: u32, bits: u32) -> f32 {
    return bitcast<f32>(bitcast<u32>(read_src(at)) & bits);
}

// What is written of a sum: nothing that is used past the last row or column. `at` is the plane's first output.
fn output_of(at: u32, row: u32, column: u32, k: u32, sum: f32) -> f32 {
    if (row < params.out_h && column < params.out_w) {
        return epilogue(sum, k, at + row * params.dst_h + column * params.dst_w);
    }
    return sum;
}

// Writes an output, unless it lies past the last row or column.
fn store_output(at: u32, row: u32, column: u32, value: f32) {
    if (row < params.out_h && column < params.out_w) {
        write_dst(at + row * params.dst_h + column * params.dst_w, value);
    }
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = params.first + workgroup.x * WORKGROUP + local;
    if (index >= params.end) {
        return;
    }
    let strips = (params.out_w + COLUMNS - 1u) / COLUMNS;
    let patches = strips * ((params.out_h + ROWS - 1u) / ROWS);
    let own = group_and_patch(index, patches);
    let g = own.x;
    let k = workgroup.y;
    let row = own.y / strips * ROWS;
    let column = own.y % strips * COLUMNS;

    var filter_taps: array<f32, TAPS>;
    load_filter(params.weights_offset + g * params.weights_g + k * params.weights_k, &filter_taps);
    let channel = params.src_offset + workgroup.z * params.src_n + g * params.src_g;
    var acc: array<f32, COLUMNS * ROWS>;
    sum_patch(channel, row * STRIDE - params.before_h, column * STRIDE - params.before_w, &filter_taps, &acc);

    let at = params.dst_offset + workgroup.z * params.dst_n + g * params.dst_g + k * params.dst_k;
    write_outputs(at, row, column, params.k_first + g * params.k_group + k, &acc);
}
