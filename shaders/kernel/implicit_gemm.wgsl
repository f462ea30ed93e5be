// implicit_gemm: out = epilogue(weights * columns), a product of matrices for each group, for any dimensions, strides,
// dilation, groups, sizes and order in memory. The matrix of columns has a row for each channel and tap, a column for each
// output position, and lies nowhere: whoever fetches an element of it works out where in the source it stands.
//
// One workgroup owns BLOCK_K filters x BLOCK_T positions of one group, and walks the rows (channels, then planes, rows and
// columns of taps) in steps of BLOCK_C through two buffers in workgroup memory: while one is multiplied, the next step's
// elements are on their way into registers.
// One invocation owns EACH_K filters x EACH_T positions in registers. It fetches FETCH_V vectors of the columns, always of
// the same four positions, whose places it keeps; and FETCH_U vectors of four filters' weights, always of the same row of a
// step. The four positions of a vector stand BLOCK_T/4 apart, so that neighbours fetch, and write, neighbouring positions.
//
// Where these are too few to fill a device, the rows are walked in parts, each by workgroups of its own, which write sums to
// a workspace: sum_parts adds them up.
//
// grid      x: blocks of BLOCK_T positions of this dispatch, counted over images, planes, rows, columns
//           y: blocks of BLOCK_K filters, group by group
//           z: parts of the rows
// constants WORKGROUP, BLOCK_K, BLOCK_T, BLOCK_C, EACH_K, EACH_T, FETCH_U, FETCH_V
// leaves    fetch_u, fetch_v, stage_u, stage_v, multiply_step, write_outputs
// slots     load_src, read_weight, epilogue, write_dst; positions, rows

@group(0) @binding(0) var<uniform> params: Params;

// Neighbours stage neighbouring rows of the weights: a vector more lets these lie in different banks.
const PITCH_U: u32 = BLOCK_K / 4u + 1u;
const STEP_U: u32 = BLOCK_C * PITCH_U;
const VECTORS_T: u32 = BLOCK_T / 4u;
const STEP_V: u32 = BLOCK_C * VECTORS_T;
const THREADS_T: u32 = BLOCK_T / EACH_T;
const_assert WORKGROUP == (BLOCK_K / EACH_K) * THREADS_T;
const_assert FETCH_U * WORKGROUP == BLOCK_C * BLOCK_K / 4u;
const_assert FETCH_V * WORKGROUP == STEP_V;
const_assert WORKGROUP % BLOCK_C == 0u;
const_assert WORKGROUP % VECTORS_T == 0u;

var<workgroup> u_step: array<vec4<f32>, 2u * STEP_U>;
var<workgroup> v_step: array<vec4<f32>, 2u * STEP_V>;

// Four filters' weights of a row. Past the last row they are zero; past the last filter they are the last one's, whose
// products are not written.
fn load_weights(own: u32, row: vec4<u32>, channels: u32, k: u32) -> vec4<f32> {
    if (row.x < channels) {
        let at = own + row.x * params.weights_c + row.y * params.weights_d + row.z * params.weights_h
            + row.w * params.weights_w;
        let last = params.group_k - 1u;
        return vec4<f32>(
            read_weight(at + min(k, last) * params.weights_k),
            read_weight(at + min(k + 1u, last) * params.weights_k),
            read_weight(at + min(k + 2u, last) * params.weights_k),
            read_weight(at + min(k + 3u, last) * params.weights_k),
        );
    }
    return vec4<f32>();
}

// Four positions' elements of a row; past the last row they are zero.
fn load_columns(starts: ptr<function, array<vec4<u32>, 4>>, row: vec4<u32>, channels: u32) -> vec4<f32> {
    if (row.x < channels) {
        let tap = row * vec4<u32>(params.src_c, params.dilation_d, params.dilation_h, params.dilation_w);
        return vec4<f32>(
            load_tap((*starts)[0], tap),
            load_tap((*starts)[1], tap),
            load_tap((*starts)[2], tap),
            load_tap((*starts)[3], tap),
        );
    }
    return vec4<f32>();
}

// What is written of a sum: nothing that is used past the last filter or position. `at` is the position's place, `first` the
// group's first filter of all.
fn output_of(at: u32, index: u32, first: u32, k: u32, sum: f32) -> f32 {
    if (k < params.group_k && index < params.end) {
        return epilogue(sum, first + k, at + k * params.dst_k);
    }
    return sum;
}

// Writes an output, unless it lies past the last filter or position.
fn store_output(at: u32, index: u32, k: u32, value: f32) {
    if (k < params.group_k && index < params.end) {
        write_dst(at + k * params.dst_k, value);
    }
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let blocks = (params.group_k + BLOCK_K - 1u) / BLOCK_K;
    let g = workgroup.y / blocks;
    let k_first = workgroup.y % blocks * BLOCK_K;
    let t_first = params.first + workgroup.x * BLOCK_T;
    let own = params.weights_offset + g * params.weights_g;
    let terms = params.group_c * params.taps_d * params.taps_h * params.taps_w;
    // None, where there are no taps.
    let channels = min(params.group_c, terms);
    // The rows of this workgroup's part.
    let first_row = workgroup.z * params.part;
    let end_row = min(terms, first_row + params.part);
    let tile_row = local / THREADS_T;
    let tile_column = local % THREADS_T;

    var starts: array<vec4<u32>, 4>;
    starts[0] = start_of(g, t_first + local % VECTORS_T);
    starts[1] = start_of(g, t_first + local % VECTORS_T + VECTORS_T);
    starts[2] = start_of(g, t_first + local % VECTORS_T + 2u * VECTORS_T);
    starts[3] = start_of(g, t_first + local % VECTORS_T + 3u * VECTORS_T);
    // The rows that are fetched next, and how far it is to the ones after them.
    let by_u = row_of(BLOCK_C);
    let by_v = row_of(WORKGROUP / VECTORS_T);
    var row_u = row_of(first_row + local % BLOCK_C);
    var row_v = row_of(first_row + local / VECTORS_T);
    let filters = k_first + local / BLOCK_C * 4u;
    let place_u = local % BLOCK_C * PITCH_U + local / BLOCK_C;

    var acc: array<vec4<f32>, EACH_K * EACH_T / 4u>;
    var next_u: array<vec4<f32>, FETCH_U>;
    var next_v: array<vec4<f32>, FETCH_V>;
    fetch_u(own, channels, filters, by_u, &row_u, &next_u);
    fetch_v(&starts, channels, by_v, &row_v, &next_v);
    // One barrier a step: whoever stages a buffer again has passed the barrier after its last use.
    var buffer = 0u;
    for (var done = first_row; done < end_row; done += BLOCK_C) {
        stage_u(buffer * STEP_U + place_u, &next_u);
        stage_v(buffer * STEP_V + local, &next_v);
        workgroupBarrier();
        fetch_u(own, channels, filters, by_u, &row_u, &next_u);
        fetch_v(&starts, channels, by_v, &row_v, &next_v);
        multiply_step(buffer * STEP_U + tile_row * (EACH_K / 4u), buffer * STEP_V + tile_column, &acc);
        buffer ^= 1u;
    }
    write_outputs(workgroup.z * params.dst_part, g, k_first + tile_row * EACH_K, t_first + tile_column, &acc);
}
