// ---- head ----
// winograd_multiply_f32_16x16x16_4x4
const WORKGROUP: u32 = 16u;
const BLOCK_K: u32 = 16u;
const BLOCK_T: u32 = 16u;
const BLOCK_C: u32 = 16u;
const EACH_K: u32 = 4u;
const EACH_T: u32 = 4u;
const FETCH_U: u32 = 4u;
const FETCH_V: u32 = 4u;
const SLICES: u32 = 1u;

struct Params {
    group_c: u32,
    group_k: u32,
    k_stride: u32,
    t_stride: u32,
    part_c: u32,
    batches: u32,
}

// ---- shaders/part/slices_one.wgsl ----
// Slots slice_of, lane_of and gather_slices: the workgroup is one slice.
fn slice_of(invocation: u32) -> u32 {
    return 0u;
}

fn lane_of(invocation: u32) -> u32 {
    return invocation;
}

fn gather_slices(slice: u32, lane: u32, acc: ptr<function, array<vec4<f32>, EACH_K * EACH_T / 4u>>) {}

// ---- shaders/part/m_set.wgsl ----
// Slot put_m: a vector of M, whatever stood there.
fn put_m(at: u32, value: vec4<f32>) {
    m[at] = value;
}

// ---- leaves ----
// A step's share of u into registers: 4 vectors a channel, dealt out in order.
fn fetch_u(base: u32, c: u32, end: u32, column: u32, local: u32, next_u: ptr<function, array<vec4<f32>, 4>>) {
    (*next_u)[0] = load_u(base, c + (local + 0u) / 4u, end, column + (local + 0u) % 4u);
    (*next_u)[1] = load_u(base, c + (local + 16u) / 4u, end, column + (local + 16u) % 4u);
    (*next_u)[2] = load_u(base, c + (local + 32u) / 4u, end, column + (local + 32u) % 4u);
    (*next_u)[3] = load_u(base, c + (local + 48u) / 4u, end, column + (local + 48u) % 4u);
}

// The fetched vectors of u into workgroup memory, in the same order.
fn stage_u(at: u32, next_u: ptr<function, array<vec4<f32>, 4>>) {
    u_step[at + 0u] = (*next_u)[0];
    u_step[at + 16u] = (*next_u)[1];
    u_step[at + 32u] = (*next_u)[2];
    u_step[at + 48u] = (*next_u)[3];
}

// A step's share of v into registers: 4 vectors a channel, dealt out in order.
fn fetch_v(base: u32, c: u32, end: u32, column: u32, local: u32, next_v: ptr<function, array<vec4<f32>, 4>>) {
    (*next_v)[0] = load_v(base, c + (local + 0u) / 4u, end, column + (local + 0u) % 4u);
    (*next_v)[1] = load_v(base, c + (local + 16u) / 4u, end, column + (local + 16u) % 4u);
    (*next_v)[2] = load_v(base, c + (local + 32u) / 4u, end, column + (local + 32u) % 4u);
    (*next_v)[3] = load_v(base, c + (local + 48u) / 4u, end, column + (local + 48u) % 4u);
}

// The fetched vectors of v into workgroup memory, in the same order.
fn stage_v(at: u32, next_v: ptr<function, array<vec4<f32>, 4>>) {
    v_step[at + 0u] = (*next_v)[0];
    v_step[at + 16u] = (*next_v)[1];
    v_step[at + 32u] = (*next_v)[2];
    v_step[at + 48u] = (*next_v)[3];
}

// acc += U^T V over a step's 16 channels.
fn multiply_step(u_at: u32, v_at: u32, acc: ptr<function, array<vec4<f32>, 4>>) {
    let a0_0 = u_step[u_at + 0u];
    let b0_0 = v_step[v_at + 0u];
    (*acc)[0] = fma(vec4<f32>(a0_0.x), b0_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a0_0.y), b0_0, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a0_0.z), b0_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a0_0.w), b0_0, (*acc)[3]);
    let a1_0 = u_step[u_at + 4u];
    let b1_0 = v_step[v_at + 4u];
    (*acc)[0] = fma(vec4<f32>(a1_0.x), b1_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a1_0.y), b1_0, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a1_0.z), b1_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a1_0.w), b1_0, (*acc)[3]);
    let a2_0 = u_step[u_at + 8u];
    let b2_0 = v_step[v_at + 8u];
    (*acc)[0] = fma(vec4<f32>(a2_0.x), b2_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a2_0.y), b2_0, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a2_0.z), b2_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a2_0.w), b2_0, (*acc)[3]);
    let a3_0 = u_step[u_at + 12u];
    let b3_0 = v_step[v_at + 12u];
    (*acc)[0] = fma(vec4<f32>(a3_0.x), b3_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a3_0.y), b3_0, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a3_0.z), b3_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a3_0.w), b3_0, (*acc)[3]);
    let a4_0 = u_step[u_at + 16u];
    let b4_0 = v_step[v_at + 16u];
    (*acc)[0] = fma(vec4<f32>(a4_0.x), b4_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a4_0.y), b4_0, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a4_0.z), b4_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a4_0.w), b4_0, (*acc)[3]);
    let a5_0 = u_step[u_at + 20u];
    let b5_0 = v_step[v_at + 20u];
    (*acc)[0] = fma(vec4<f32>(a5_0.x), b5_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a5_0.y), b5_0, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a5_0.z), b5_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a5_0.w), b5_0, (*acc)[3]);
    let a6_0 = u_step[u_at + 24u];
    let b6_0 = v_step[v_at + 24u];
    (*acc)[0] = fma(vec4<f32>(a6_0.x), b6_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a6_0.y), b6_0, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a6_0.z), b6_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a6_0.w), b6_0, (*acc)[3]);
    let a7_0 = u_step[u_at + 28u];
    let b7_0 = v_step[v_at + 28u];
    (*acc)[0] = fma(vec4<f32>(a7_0.x), b7_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a7_0.y), b7_0, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a7_0.z), b7_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a7_0.w), b7_0, (*acc)[3]);
    let a8_0 = u_step[u_at + 32u];
    let b8_0 = v_step[v_at + 32u];
    (*acc)[0] = fma(vec4<f32>(a8_0.x), b8_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a8_0.y), b8_0, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a8_0.z), b8_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a8_0.w), b8_0, (*acc)[3]);
    let a9_0 = u_step[u_at + 36u];
    let b9_0 = v_step[v_at + 36u];
    (*acc)[0] = fma(vec4<f32>(a9_0.x), b9_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a9_0.y), b9_0, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a9_0.z), b9_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a9_0.w), b9_0, (*acc)[3]);
    let a10_0 = u_step[u_at + 40u];
    let b10_0 = v_step[v_at + 40u];
    (*acc)[0] = fma(vec4<f32>(a10_0.x), b10_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a10_0.y), b10_0, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a10_0.z), b10_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a10_0.w), b10_0, (*acc)[3]);
    let a11_0 = u_step[u_at + 44u];
    let b11_0 = v_step[v_at + 44u];
    (*acc)[0] = fma(vec4<f32>(a11_0.x), b11_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a11_0.y), b11_0, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a11_0.z), b11_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a11_0.w), b11_0, (*acc)[3]);
    let a12_0 = u_step[u_at + 48u];
    let b12_0 = v_step[v_at + 48u];
    (*acc)[0] = fma(vec4<f32>(a12_0.x), b12_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a12_0.y), b12_0, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a12_0.z), b12_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a12_0.w), b12_0, (*acc)[3]);
    let a13_0 = u_step[u_at + 52u];
    let b13_0 = v_step[v_at + 52u];
    (*acc)[0] = fma(vec4<f32>(a13_0.x), b13_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a13_0.y), b13_0, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a13_0.z), b13_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a13_0.w), b13_0, (*acc)[3]);
    let a14_0 = u_step[u_at + 56u];
    let b14_0 = v_step[v_at + 56u];
    (*acc)[0] = fma(vec4<f32>(a14_0.x), b14_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a14_0.y), b14_0, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a14_0.z), b14_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a14_0.w), b14_0, (*acc)[3]);
    let a15_0 = u_step[u_at + 60u];
    let b15_0 = v_step[v_at + 60u];
    (*acc)[0] = fma(vec4<f32>(a15_0.x), b15_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a15_0.y), b15_0, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a15_0.z), b15_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a15_0.w), b15_0, (*acc)[3]);
}

// The register tile to M.
fn write_m(base: u32, k: u32, t: u32, acc: ptr<function, array<vec4<f32>, 4>>) {
    store_m(base, k + 0u, t + 0u, (*acc)[0]);
    store_m(base, k + 1u, t + 0u, (*acc)[1]);
    store_m(base, k + 2u, t + 0u, (*acc)[2]);
    store_m(base, k + 3u, t + 0u, (*acc)[3]);
}

// ---- shaders/kernel/winograd_multiply.wgsl ----
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
