// winograd_fused_output: multiply and output transform of a block of filters and tiles, with bias and activation:
// from V and U to the output. M never leaves the registers but through workgroup memory.
//
// One workgroup owns all points of BLOCK_K filters x BLOCK_T tiles of one group; one invocation owns one point of
// EACH_K filters x EACH_T tiles, in registers. It reads its vectors of U and V straight from memory, so the channel
// loop has no barrier; those of the next STEP_C channels are fetched as those of this turn are used up. At the end the
// products are exchanged, see part/output_exchange.wgsl.
//
// grid      x: blocks of BLOCK_T tiles of this dispatch; y: blocks of BLOCK_K filters, group by group
// constants WORKGROUP, BLOCK_K, BLOCK_T, STEP_C, EACH_K, EACH_T, ROUND, OUT_H, OUT_W, POINTS_H, POINTS_W, POOL
// leaves    fetch_u, fetch_v, multiply_step
// slots     exchange_outputs

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> u: array<vec4<f32>>;

const POINTS: u32 = POINTS_H * POINTS_W;
const THREADS_K: u32 = BLOCK_K / EACH_K;
const THREADS_T: u32 = BLOCK_T / EACH_T;
const_assert WORKGROUP == POINTS * THREADS_K * THREADS_T;

var<workgroup> pool: array<vec4<f32>, POOL / 4u>;

// A vector of U: row `at` of it, for this channel. Past the last channel it is the last one, whose factors in V are
// zero.
fn load_u(at: u32, c: u32) -> vec4<f32> {
    return u[at + min(c, params.group_c - 1u) * (params.k_stride / 4u)];
}

// A vector of V, likewise, zero past the last channel.
fn load_v(at: u32, c: u32) -> vec4<f32> {
    if (c < params.group_c) {
        return v[at + c * (params.t_stride / 4u)];
    }
    return vec4<f32>();
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let blocks = (params.group_k + BLOCK_K - 1u) / BLOCK_K;
    let g = workgroup.y / blocks;
    let k_first = workgroup.y % blocks * BLOCK_K;
    let t_first = workgroup.x * BLOCK_T;

    let point = local / (THREADS_K * THREADS_T);
    let row = local / THREADS_T % THREADS_K;
    let column = local % THREADS_T;
    let plane = point * params.c + g * params.group_c;
    let u_first = plane * (params.k_stride / 4u);
    let k_last = params.k_stride / 4u - 1u;
    let k_vector = k_first / 4u + row;
    let t_last = params.t_stride / 4u - 1u;
    let t_vector = t_first / 4u + column;

    let v_first = plane * (params.t_stride / 4u);
    var next_u: array<vec4<f32>, STEP_C * EACH_K / 4u>;
    var next_v: array<vec4<f32>, STEP_C * EACH_T / 4u>;
    fetch_u(0u, u_first, k_vector, k_last, &next_u);
    fetch_v(0u, v_first, t_vector, t_last, &next_v);
    var acc: array<vec4<f32>, EACH_K * EACH_T / 4u>;
    for (var c = STEP_C; c < params.group_c + STEP_C; c += STEP_C) {
        multiply_step(c, u_first, k_vector, k_last, v_first, t_vector, t_last, &next_u, &next_v, &acc);
    }
    exchange_outputs(local, point, row, column, g, k_first, t_first, &acc);
}
