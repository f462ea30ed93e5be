// direct: out[n,k,p,q] = epilogue(sum over c,r,s of src[n, c, p*stride + r*dilation - pad, ...] * weights[k,c,r,s]).
//
// One invocation owns one output position (n, p, q) and FILTERS filters of one group; one workgroup owns WORKGROUP
// neighbouring positions, so that its reads of src are contiguous and its reads of weights are the same for all.
//
// grid      x: blocks of WORKGROUP positions from params.first; y: blocks of FILTERS filters, group by group
// constants WORKGROUP, FILTERS
// leaves    choose_filters, accumulate, write_outputs
// slots     load_src, epilogue

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> src: array<f32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let position = params.first + workgroup.x * WORKGROUP + local;
    if (position >= params.end) {
        return;
    }
    let plane = params.p * params.q;
    let n = position / plane;
    let p = position % plane / params.q;
    let q = position % params.q;

    let blocks = (params.group_k + FILTERS - 1u) / FILTERS;
    let g = workgroup.y / blocks;
    let k_first = g * params.group_k + workgroup.y % blocks * FILTERS;
    // Past the group's last filter the last one is computed again, so that no value needs a guard.
    var filters: array<u32, FILTERS>;
    choose_filters(k_first, (g + 1u) * params.group_k - 1u, &filters);

    // Rows and columns above and left of the image wrap around to huge numbers, which load_src finds outside.
    let y_first = p * params.stride_h - params.pad_top;
    let x_first = q * params.stride_w - params.pad_left;
    let filter_size = params.group_c * params.r * params.s;

    var acc: array<f32, FILTERS>;
    var tap = 0u;
    for (var c = 0u; c < params.group_c; c++) {
        let image = params.src_offset + (n * params.c + g * params.group_c + c) * params.h * params.w;
        for (var r = 0u; r < params.r; r++) {
            for (var s = 0u; s < params.s; s++) {
                let x = load_src(image, y_first + r * params.dilation_h, x_first + s * params.dilation_w);
                accumulate(x, tap, filter_size, &filters, &acc);
                tap++;
            }
        }
    }
    write_outputs(params.dst_offset + n * params.k * plane + p * params.q + q, plane, &filters, &acc);
}
