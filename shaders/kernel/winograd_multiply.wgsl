// winograd_multiply: M = U^T V for each point and group: [point][filter][tile] from [point][channel][filter] and
// [point][channel][tile]. Where one product has too few blocks to fill the device, its channels are split, and each part
// has an M of its own; the output transform adds them up. Where the whole
// sum is longer than U and V may be, later dispatches add to what earlier ones left in M.
//
// One workgroup owns BLOCK_K filters x BLOCK_T tiles of one point and group, and walks its part of the channels in steps
// of BLOCK_C through two buffers in workgroup memory: while one is multiplied, the next step's vectors are on their way
// into registers.
// One invocation owns EACH_K filters x EACH_T tiles in registers; its tiles are EACH_T/4 vectors, spread over the
// block so that neighbours read neighbouring vectors. The workgroup has SLICES of such invocations: each takes every
// SLICES-th step, with buffers of its own, and at the end their sums are added.
//
// grid      x: blocks of BLOCK_T tiles; y: blocks of BLOCK_K filters; z: points and groups, for each part of the channels
// constants WORKGROUP, BLOCK_K, BLOCK_T, BLOCK_C, EACH_K, EACH_T, FETCH_U, FETCH_V, SLICES
// leaves    fetch_u, fetch_v, stage_u, stage_v, multiply_step, write_m
// slots     slice_of, lane_of, gather_slices, put_m

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> u: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> m: array<vec4<f32>>;

const STEP_U: u32 = BLOCK_C * BLOCK_K / 4u;
const STEP_V: u32 = BLOCK_C * BLOCK_T / 4u;
const THREADS_T: u32 = BLOCK_T / EACH_T;
// Invocations of a slice.
const LANES: u32 = WORKGROUP / SLICES;
const_assert LANES == (BLOCK_K / EACH_K) * THREADS_T;
const_assert FETCH_U * LANES == STEP_U;
const_assert FETCH_V * LANES == STEP_V;

// [buffer][slice]
var<workgroup> u_step: array<vec4<f32>, 2u * SLICES * STEP_U>;
var<workgroup> v_step: array<vec4<f32>, 2u * SLICES * STEP_V>;

// A vector of U. Past the last channel of the part it is zero, past the last filter it is the last vector, whose products are
// not written.
fn load_u(base: u32, c: u32, end: u32, k: u32) -> vec4<f32> {
    if (c < end) {
        return u[base + c * (params.k_stride / 4u) + min(k, params.k_stride / 4u - 1u)];
    }
    return vec4<f32>();
}

// A vector of V, likewise.
fn load_v(base: u32, c: u32, end: u32, t: u32) -> vec4<f32> {
    if (c < end) {
        return v[base + c * (params.t_stride / 4u) + min(t, params.t_stride / 4u - 1u)];
    }
    return vec4<f32>();
}

// A vector of M, unless it lies past the last filter or tile. `base` is the group's first row.
fn store_m(base: u32, k: u32, t: u32, value: vec4<f32>) {
    if (k < params.group_k && t < params.t_stride / 4u) {
        put_m((base + k) * (params.t_stride / 4u) + t, value);
    }
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) invocation: u32) {
    let slice = slice_of(invocation);
    let local = lane_of(invocation);
    let batch = workgroup.z % params.batches;
    let k_first = workgroup.y * BLOCK_K;
    let t_first = workgroup.x * BLOCK_T / 4u;
    let u_base = batch * params.group_c * (params.k_stride / 4u);
    let v_base = batch * params.group_c * (params.t_stride / 4u);
    let first = workgroup.z / params.batches * params.part_c;
    let end = min(first + params.part_c, params.group_c);
    let row = local / THREADS_T;
    let column = local % THREADS_T;

    var acc: array<vec4<f32>, EACH_K * EACH_T / 4u>;
    var next_u: array<vec4<f32>, FETCH_U>;
    var next_v: array<vec4<f32>, FETCH_V>;
    let own = first + slice * BLOCK_C;
    fetch_u(u_base, own, end, k_first / 4u, local, &next_u);
    fetch_v(v_base, own, end, t_first, local, &next_v);
    // One barrier a step: whoever stages a buffer again has passed the barrier after its last use.
    var buffer = slice;
    for (var c = 0u; c < end - first; c += SLICES * BLOCK_C) {
        stage_u(buffer * STEP_U + local, &next_u);
        stage_v(buffer * STEP_V + local, &next_v);
        workgroupBarrier();
        fetch_u(u_base, own + c + SLICES * BLOCK_C, end, k_first / 4u, local, &next_u);
        fetch_v(v_base, own + c + SLICES * BLOCK_C, end, t_first, local, &next_v);
        multiply_step(buffer * STEP_U + row * (EACH_K / 4u), buffer * STEP_V + column, &acc);
        buffer ^= SLICES;
    }
    gather_slices(slice, local, &acc);
    if (slice == 0u) {
        write_m(workgroup.z * params.group_k, k_first + row * EACH_K, t_first + column, &acc);
    }
}
