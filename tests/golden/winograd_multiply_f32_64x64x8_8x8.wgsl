// ---- head ----
// winograd_multiply_f32_64x64x8_8x8
const WORKGROUP: u32 = 64u;
const BLOCK_K: u32 = 64u;
const BLOCK_T: u32 = 64u;
const BLOCK_C: u32 = 8u;
const EACH_K: u32 = 8u;
const EACH_T: u32 = 8u;
const FETCH_U: u32 = 2u;
const FETCH_V: u32 = 2u;
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
// A step's share of u into registers: 16 vectors a channel, dealt out in order.
fn fetch_u(base: u32, c: u32, end: u32, column: u32, local: u32, next_u: ptr<function, array<vec4<f32>, 2>>) {
    (*next_u)[0] = load_u(base, c + (local + 0u) / 16u, end, column + (local + 0u) % 16u);
    (*next_u)[1] = load_u(base, c + (local + 64u) / 16u, end, column + (local + 64u) % 16u);
}

// The fetched vectors of u into workgroup memory, in the same order.
fn stage_u(at: u32, next_u: ptr<function, array<vec4<f32>, 2>>) {
    u_step[at + 0u] = (*next_u)[0];
    u_step[at + 64u] = (*next_u)[1];
}

// A step's share of v into registers: 16 vectors a channel, dealt out in order.
fn fetch_v(base: u32, c: u32, end: u32, column: u32, local: u32, next_v: ptr<function, array<vec4<f32>, 2>>) {
    (*next_v)[0] = load_v(base, c + (local + 0u) / 16u, end, column + (local + 0u) % 16u);
    (*next_v)[1] = load_v(base, c + (local + 64u) / 16u, end, column + (local + 64u) % 16u);
}

// The fetched vectors of v into workgroup memory, in the same order.
fn stage_v(at: u32, next_v: ptr<function, array<vec4<f32>, 2>>) {
    v_step[at + 0u] = (*next_v)[0];
    v_step[at + 64u] = (*next_v)[1];
}

// acc += U^T V over a step's 8 channels.
fn multiply_step(u_at: u32, v_at: u32, acc: ptr<function, array<vec4<f32>, 16>>) {
    let a0_0 = u_step[u_at + 0u];
    let a0_1 = u_step[u_at + 1u];
    let b0_0 = v_step[v_at + 0u];
    let b0_1 = v_step[v_at + 8u];
    (*acc)[0] = fma(vec4<f32>(a0_0.x), b0_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a0_0.x), b0_1, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a0_0.y), b0_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a0_0.y), b0_1, (*acc)[3]);
    (*acc)[4] = fma(vec4<f32>(a0_0.z), b0_0, (*acc)[4]);
    (*acc)[5] = fma(vec4<f32>(a0_0.z), b0_1, (*acc)[5]);
    (*acc)[6] = fma(vec4<f32>(a0_0.w), b0_0, (*acc)[6]);
    (*acc)[7] = fma(vec4<f32>(a0_0.w), b0_1, (*acc)[7]);
    (*acc)[8] = fma(vec4<f32>(a0_1.x), b0_0, (*acc)[8]);
    (*acc)[9] = fma(vec4<f32>(a0_1.x), b0_1, (*acc)[9]);
    (*acc)[10] = fma(vec4<f32>(a0_1.y), b0_0, (*acc)[10]);
    (*acc)[11] = fma(vec4<f32>(a0_1.y), b0_1, (*acc)[11]);
    (*acc)[12] = fma(vec4<f32>(a0_1.z), b0_0, (*acc)[12]);
    (*acc)[13] = fma(vec4<f32>(a0_1.z), b0_1, (*acc)[13]);
    (*acc)[14] = fma(vec4<f32>(a0_1.w), b0_0, (*acc)[14]);
    (*acc)[15] = fma(vec4<f32>(a0_1.w), b0_1, (*acc)[15]);
    let a1_0 = u_step[u_at + 16u];
    let a1_1 = u_step[u_at + 17u];
    let b1_0 = v_step[v_at + 16u];
    let b1_1 = v_step[v_at + 24u];
    (*acc)[0] = fma(vec4<f32>(a1_0.x), b1_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a1_0.x), b1_1, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a1_0.y), b1_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a1_0.y), b1_1, (*acc)[3]);
    (*acc)[4] = fma(vec4<f32>(a1_0.z), b1_0, (*acc)[4]);
    (*acc)[5] = fma(vec4<f32>(a1_0.z), b1_1, (*acc)[5]);
    (*acc)[6] = fma(vec4<f32>(a1_0.w), b1_0, (*acc)[6]);
    (*acc)[7] = fma(vec4<f32>(a1_0.w), b1_1, (*acc)[7]);
    (*acc)[8] = fma(vec4<f32>(a1_1.x), b1_0, (*acc)[8]);
    (*acc)[9] = fma(vec4<f32>(a1_1.x), b1_1, (*acc)[9]);
    (*acc)[10] = fma(vec4<f32>(a1_1.y), b1_0, (*acc)[10]);
    (*acc)[11] = fma(vec4<f32>(a1_1.y), b1_1, (*acc)[11]);
    (*acc)[12] = fma(vec4<f32>(a1_1.z), b1_0, (*acc)[12]);
    (*acc)[13] = fma(vec4<f32>(a1_1.z), b1_1, (*acc)[13]);
    (*acc)[14] = fma(vec4<f32>(a1_1.w), b1_0, (*acc)[14]);
    (*acc)[15] = fma(vec4<f32>(a1_1.w), b1_1, (*acc)[15]);
    let a2_0 = u_step[u_at + 32u];
    let a2_1 = u_step[u_at + 33u];
    let b2_0 = v_step[v_at + 32u];
    let b2_1 = v_step[v_at + 40u];
    (*acc)[0] = fma(vec4<f32>(a2_0.x), b2_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a2_0.x), b2_1, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a2_0.y), b2_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a2_0.y), b2_1, (*acc)[3]);
    (*acc)[4] = fma(vec4<f32>(a2_0.z), b2_0, (*acc)[4]);
    (*acc)[5] = fma(vec4<f32>(a2_0.z), b2_1, (*acc)[5]);
    (*acc)[6] = fma(vec4<f32>(a2_0.w), b2_0, (*acc)[6]);
    (*acc)[7] = fma(vec4<f32>(a2_0.w), b2_1, (*acc)[7]);
    (*acc)[8] = fma(vec4<f32>(a2_1.x), b2_0, (*acc)[8]);
    (*acc)[9] = fma(vec4<f32>(a2_1.x), b2_1, (*acc)[9]);
    (*acc)[10] = fma(vec4<f32>(a2_1.y), b2_0, (*acc)[10]);
    (*acc)[11] = fma(vec4<f32>(a2_1.y), b2_1, (*acc)[11]);
    (*acc)[12] = fma(vec4<f32>(a2_1.z), b2_0, (*acc)[12]);
    (*acc)[13] = fma(vec4<f32>(a2_1.z), b2_1, (*acc)[13]);
    (*acc)[14] = fma(vec4<f32>(a2_1.w), b2_0, (*acc)[14]);
    (*acc)[15] = fma(vec4<f32>(a2_1.w), b2_1, (*acc)[15]);
    let a3_0 = u_step[u_at + 48u];
    let a3_1 = u_step[u_at + 49u];
    let b3_0 = v_step[v_at + 48u];
    let b3_1 = v_step[v_at + 56u];
    (*acc)[0] = fma(vec4<f32>(a3_0.x), b3_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a3_0.x), b3_1, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a3_0.y), b3_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a3_0.y), b3_1, (*acc)[3]);
    (*acc)[4] = fma(vec4<f32>(a3_0.z), b3_0, (*acc)[4]);
    (*acc)[5] = fma(vec4<f32>(a3_0.z), b3_1, (*acc)[5]);
    (*acc)[6] = fma(vec4<f32>(a3_0.w), b3_0, (*acc)[6]);
    (*acc)[7] = fma(vec4<f32>(a3_0.w), b3_1, (*acc)[7]);
    (*acc)[8] = fma(vec4<f32>(a3_1.x), b3_0, (*acc)[8]);
    (*acc)[9] = fma(vec4<f32>(a3_1.x), b3_1, (*acc)[9]);
    (*acc)[10] = fma(vec4<f32>(a3_1.y), b3_0, (*acc)[10]);
    (*acc)[11] = fma(vec4<f32>(a3_1.y), b3_1, (*acc)[11]);
    (*acc)[12] = fma(vec4<f32>(a3_1.z), b3_0, (*acc)[12]);
    (*acc)[13] = fma(vec4<f32>(a3_1.z), b3_1, (*acc)[13]);
    (*acc)[14] = fma(vec4<f32>(a3_1.w), b3_0, (*acc)[14]);
    (*acc)[15] = fma(vec4<f32>(a3_1.w), b3_1, (*acc)[15]);
    let a4_0 = u_step[u_at + 64u];
    let a4_1 = u_step[u_at + 65u];
    let b4_0 = v_step[v_at + 64u];
    let b4_1 = v_step[v_at + 72u];
    (*acc)[0] = fma(vec4<f32>(a4_0.x), b4_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a4_0.x), b4_1, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a4_0.y), b4_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a4_0.y), b4_1, (*acc)[3]);
    (*acc)[4] = fma(vec4<f32>(a4_0.z), b4_0, (*acc)[4]);
    (*acc)[5] = fma(vec4<f32>(a4_0.z), b4_1, (*acc)[5]);
    (*acc)[6] = fma(vec4<f32>(a4_0.w), b4_0, (*acc)[6]);
    (*acc)[7] = fma(vec4<f32>(a4_0.w), b4_1, (*acc)[7]);
    (*acc)[8] = fma(vec4<f32>(a4_1.x), b4_0, (*acc)[8]);
    (*acc)[9] = fma(vec4<f32>(a4_1.x), b4_1, (*acc)[9]);
    (*acc)[10] = fma(vec4<f32>(a4_1.y), b4_0, (*acc)[10]);
    (*acc)[11] = fma(vec4<f32>(a4_1.y), b4_1, (*acc)[11]);
    (*acc)[12] = fma(vec4<f32>(a4_1.z), b4_0, (*acc)[12]);
    (*acc)[13] = fma(vec4<f32>(a4_1.z), b4_1, (*acc)[13]);
    (*acc)[14] = fma(vec4<f32>(a4_1.w), b4_0, (*acc)[14]);
    (*acc)[15] = fma(vec4<f32>(a4_1.w), b4_1, (*acc)[15]);
    let a5_0 = u_step[u_at + 80u];
    let a5_1 = u_step[u_at + 81u];
    let b5_0 = v_step[v_at + 80u];
    let b5_1 = v_step[v_at + 88u];
    (*acc)[0] = fma(vec4<f32>(a5_0.x), b5_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a5_0.x), b5_1, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a5_0.y), b5_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a5_0.y), b5_1, (*acc)[3]);
    (*acc)[4] = fma(vec4<f32>(a5_0.z), b5_0, (*acc)[4]);
    (*acc)[5] = fma(vec4<f32>(a5_0.z), b5_1, (*acc)[5]);
    (*acc)[6] = fma(vec4<f32>(a5_0.w), b5_0, (*acc)[6]);
    (*acc)[7] = fma(vec4<f32>(a5_0.w), b5_1, (*acc)[7]);
    (*acc)[8] = fma(vec4<f32>(a5_1.x), b5_0, (*acc)[8]);
    (*acc)[9] = fma(vec4<f32>(a5_1.x), b5_1, (*acc)[9]);
    (*acc)[10] = fma(vec4<f32>(a5_1.y), b5_0, (*acc)[10]);
    (*acc)[11] = fma(vec4<f32>(a5_1.y), b5_1, (*acc)[11]);
    (*acc)[12] = fma(vec4<f32>(a5_1.z), b5_0, (*acc)[12]);
    (*acc)[13] = fma(vec4<f32>(a5_1.z), b5_1, (*acc)[13]);
    (*acc)[14] = fma(vec4<f32>(a5_1.w), b5_0, (*acc)[14]);
    (*acc)[15] = fma(vec4<f32>(a5_1.w), b5_1, (*acc)[15]);
    let a6_0 = u_step[u_at + 96u];
    let a6_1 = u_step[u_at + 97u];
    let b6_0 = v_step[v_at + 96u];
    let b6_1 = v_step[v_at + 104u];
    (*acc)[0] = fma(vec4<f32>(a6_0.x), b6_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a6_0.x), b6_1, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a6_0.y), b6_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a6_0.y), b6_1, (*acc)[3]);
    (*acc)[4] = fma(vec4<f32>(a6_0.z), b6_0, (*acc)[4]);
    (*acc)[5] = fma(vec4<f32>(a6_0.z), b6_1, (*acc)[5]);
    (*acc)[6] = fma(vec4<f32>(a6_0.w), b6_0, (*acc)[6]);
    (*acc)[7] = fma(vec4<f32>(a6_0.w), b6_1, (*acc)[7]);
    (*acc)[8] = fma(vec4<f32>(a6_1.x), b6_0, (*acc)[8]);
    (*acc)[9] = fma(vec4<f32>(a6_1.x), b6_1, (*acc)[9]);
    (*acc)[10] = fma(vec4<f32>(a6_1.y), b6_0, (*acc)[10]);
    (*acc)[11] = fma(vec4<f32>(a6_1.y), b6_1, (*acc)[11]);
    (*acc)[12] = fma(vec4<f32>(a6_1.z), b6_0, (*acc)[12]);
    (*acc)[13] = fma(vec4<f32>(a6_1.z), b6_1, (*acc)[13]);
    (*acc)[14] = fma(vec4<f32>(a6_1.w), b6_0, (*acc)[14]);
    (*acc)[15] = fma(vec4<f32>(a6_1.w), b6_1, (*acc)[15]);
    let a7_0 = u_step[u_at + 112u];
    let a7_1 = u_step[u_at + 113u];
    let b7_0 = v_step[v_at + 112u];
    let b7_1 = v_step[v_at + 120u];
    (*acc)[0] = fma(vec4<f32>(a7_0.x), b7_0, (*acc)[0]);
    (*acc)[1] = fma(vec4<f32>(a7_0.x), b7_1, (*acc)[1]);
    (*acc)[2] = fma(vec4<f32>(a7_0.y), b7_0, (*acc)[2]);
    (*acc)[3] = fma(vec4<f32>(a7_0.y), b7_1, (*acc)[3]);
    (*acc)[4] = fma(vec4<f32>(a7_0.z), b7_0, (*acc)[4]);
    (*acc)[5] = fma(vec4<f32>(a7_0.z), b7_1, (*acc)[5]);
    (*acc)[6] = fma(vec4<f32>(a7_0.w), b7_0, (*acc)[6]);
    (*acc)[7] = fma(vec4<f32>(a7_0.w), b7_1, (*acc)[7]);
    (*acc)[8] = fma(vec4<f32>(a7_1.x), b7_0, (*acc)[8]);
    (*acc)[9] = fma(vec4<f32>(a7_1.x), b7_1, (*acc)[9]);
    (*acc)[10] = fma(vec4<f32>(a7_1.y), b7_0, (*acc)[10]);
    (*acc)[11] = fma(vec4<f32>(a7_1.y), b7_1, (*acc)[11]);
    (*acc)[12] = fma(vec4<f32>(a7_1.z), b7_0, (*acc)[12]);
    (*acc)[13] = fma(vec4<f32>(a7_1.z), b7_1, (*acc)[13]);
    (*acc)[14] = fma(vec4<f32>(a7_1.w), b7_0, (*acc)[14]);
    (*acc)[15] = fma(vec4<f32>(a7_1.w), b7_1, (*acc)[15]);
}

// The register tile to M.
fn write_m(base: u32, k: u32, t: u32, acc: ptr<function, array<vec4<f32>, 16>>) {
    store_m(base, k + 0u, t + 0u, (*acc)[0]);
    store_m(base, k + 0u, t + 8u, (*acc)[1]);
    store_m(base, k + 1u, t + 0u, (*acc)[2]);
    store_m(base, k + 1u, t + 8u, (*acc)[3]);
    store_m(base, k + 2u, t + 0u, (*acc)[4]);
    store_m(base, k + 2u, t + 8u, (*acc)[5]);
    store_m(base, k + 3u, t + 0u, (*acc)[6]);
    store_m(base, k + 3u, t + 8u, (*acc)[7]);
    store_m(base, k + 4u, t + 0u, (*acc)[8]);
    store_m(base, k + 4u, t + 8u, (*acc)[9]);
    store_m(base, k + 5u, t + 0u, (*acc)[10]);
    store_m(base, k + 5u, t + 8u, (*acc)[11]);
    store_m(base, k + 6u, t + 0u, (*acc)[12]);
    store_m(base, k + 6u, t + 8u, (*acc)[13]);
    store_m(base, k + 7u, t + 0u, (*acc)[14]);
    store_m(base, k + 7u, t + 8u, (*acc)[15]);
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
