// ---- head ----
// winograd_filter_f4x3_f2x3_f32
const WORKGROUP: u32 = 64u;
const TAPS_H: u32 = 3u;
const TAPS_W: u32 = 3u;
const POINTS_H: u32 = 6u;
const POINTS_W: u32 = 4u;

struct Params {
    group_k: u32,
    k_stride: u32,
    group_rows: u32,
    rows: u32,
    sum_first: u32,
    taps_d: u32,
    taps_h: u32,
    taps_w: u32,
    phases_h: u32,
    phases_w: u32,
    phase_step_h: u32,
    phase_step_w: u32,
    tap_step_h: u32,
    tap_step_w: u32,
    weights_g: u32,
    weights_k: u32,
    weights_c: u32,
    weights_d: u32,
    weights_h: u32,
    weights_w: u32,
    weights_offset: u32,
}

// ---- shaders/part/weights_f32.wgsl ----
// Slot read_weight: a weight, stored as f32.
@group(0) @binding(2) var<storage, read> weights: array<f32>;

fn read_weight(at: u32) -> f32 {
    return weights[at];
}

// ---- leaves ----
// U = G g G^T of the filter at `at`. G of the columns:
//    256/225         0        0
// -2048/2975  -256/595  -32/119
// -2048/2975   256/595  -32/119
//   128/1071    64/357   32/119
//   128/1071   -64/357   32/119
//          0         0        1
// G of the rows:
//  -1     0    0
// 1/2   1/2  1/2
// 1/2  -1/2  1/2
//   0     0    1
fn transform_filter(at: u32, phase: vec2<u32>, to: u32, plane: u32) {
    let g0 = load_tap(at, phase, 0u, 0u);
    let g1 = load_tap(at, phase, 0u, 1u);
    let g2 = load_tap(at, phase, 0u, 2u);
    let g3 = load_tap(at, phase, 1u, 0u);
    let g4 = load_tap(at, phase, 1u, 1u);
    let g5 = load_tap(at, phase, 1u, 2u);
    let g6 = load_tap(at, phase, 2u, 0u);
    let g7 = load_tap(at, phase, 2u, 1u);
    let g8 = load_tap(at, phase, 2u, 2u);
    let h0_0 = fma(0.390625f, g6, g0);
    let h0_1 = fma(2.25f, g6, g0);
    let h0_2 = 1.1377778f * g0;
    let h0_3 = -0.4302521f * g3;
    let h0_4 = fma(-0.68840337f, h0_0, h0_3);
    let h0_5 = fma(-0.68840337f, h0_0, -h0_3);
    let h0_6 = 0.17927171f * g3;
    let h0_7 = fma(0.11951447f, h0_1, h0_6);
    let h0_8 = fma(0.11951447f, h0_1, -h0_6);
    let h1_0 = fma(0.390625f, g7, g1);
    let h1_1 = fma(2.25f, g7, g1);
    let h1_2 = 1.1377778f * g1;
    let h1_3 = -0.4302521f * g4;
    let h1_4 = fma(-0.68840337f, h1_0, h1_3);
    let h1_5 = fma(-0.68840337f, h1_0, -h1_3);
    let h1_6 = 0.17927171f * g4;
    let h1_7 = fma(0.11951447f, h1_1, h1_6);
    let h1_8 = fma(0.11951447f, h1_1, -h1_6);
    let h2_0 = fma(0.390625f, g8, g2);
    let h2_1 = fma(2.25f, g8, g2);
    let h2_2 = 1.1377778f * g2;
    let h2_3 = -0.4302521f * g5;
    let h2_4 = fma(-0.68840337f, h2_0, h2_3);
    let h2_5 = fma(-0.68840337f, h2_0, -h2_3);
    let h2_6 = 0.17927171f * g5;
    let h2_7 = fma(0.11951447f, h2_1, h2_6);
    let h2_8 = fma(0.11951447f, h2_1, -h2_6);
    let w0_0 = h0_2 + h2_2;
    let w0_1 = -1.0f * h0_2;
    let w0_2 = 0.5f * h1_2;
    let w0_3 = fma(0.5f, w0_0, w0_2);
    let w0_4 = fma(0.5f, w0_0, -w0_2);
    let w1_0 = h0_4 + h2_4;
    let w1_1 = -1.0f * h0_4;
    let w1_2 = 0.5f * h1_4;
    let w1_3 = fma(0.5f, w1_0, w1_2);
    let w1_4 = fma(0.5f, w1_0, -w1_2);
    let w2_0 = h0_5 + h2_5;
    let w2_1 = -1.0f * h0_5;
    let w2_2 = 0.5f * h1_5;
    let w2_3 = fma(0.5f, w2_0, w2_2);
    let w2_4 = fma(0.5f, w2_0, -w2_2);
    let w3_0 = h0_7 + h2_7;
    let w3_1 = -1.0f * h0_7;
    let w3_2 = 0.5f * h1_7;
    let w3_3 = fma(0.5f, w3_0, w3_2);
    let w3_4 = fma(0.5f, w3_0, -w3_2);
    let w4_0 = h0_8 + h2_8;
    let w4_1 = -1.0f * h0_8;
    let w4_2 = 0.5f * h1_8;
    let w4_3 = fma(0.5f, w4_0, w4_2);
    let w4_4 = fma(0.5f, w4_0, -w4_2);
    let w5_0 = g6 + g8;
    let w5_1 = -1.0f * g6;
    let w5_2 = 0.5f * g7;
    let w5_3 = fma(0.5f, w5_0, w5_2);
    let w5_4 = fma(0.5f, w5_0, -w5_2);
    u[to + 0u * plane] = w0_1;
    u[to + 1u * plane] = w0_3;
    u[to + 2u * plane] = w0_4;
    u[to + 3u * plane] = h2_2;
    u[to + 4u * plane] = w1_1;
    u[to + 5u * plane] = w1_3;
    u[to + 6u * plane] = w1_4;
    u[to + 7u * plane] = h2_4;
    u[to + 8u * plane] = w2_1;
    u[to + 9u * plane] = w2_3;
    u[to + 10u * plane] = w2_4;
    u[to + 11u * plane] = h2_5;
    u[to + 12u * plane] = w3_1;
    u[to + 13u * plane] = w3_3;
    u[to + 14u * plane] = w3_4;
    u[to + 15u * plane] = h2_7;
    u[to + 16u * plane] = w4_1;
    u[to + 17u * plane] = w4_3;
    u[to + 18u * plane] = w4_4;
    u[to + 19u * plane] = h2_8;
    u[to + 20u * plane] = w5_1;
    u[to + 21u * plane] = w5_3;
    u[to + 22u * plane] = w5_4;
    u[to + 23u * plane] = g8;
}

// ---- shaders/kernel/winograd_filter.wgsl ----
// winograd_filter: U = G g G^T, the transformed filters, [point][row][filter of its group].
//
// A row is a channel of a group, one of its planes of taps, and a phase of taps (every so-many-th row and column) or a block of
// them: either begins a phase_step after the one before, and has taps a tap_step apart. One invocation owns one filter of one row; one workgroup owns WORKGROUP filters, so that its writes to u are
// contiguous.
//
// grid      x: blocks of WORKGROUP filters of a group; y: rows of this dispatch, over all groups
// constants WORKGROUP, TAPS_H, TAPS_W, POINTS_H, POINTS_W
// leaves    transform_filter
// slots     read_weight

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(3) var<storage, read_write> u: array<f32>;

// A tap of the phase or block that begins at `phase`, zero past the last one.
fn load_tap(at: u32, phase: vec2<u32>, r: u32, s: u32) -> f32 {
    let y = r * params.tap_step_h + phase.y;
    let x = s * params.tap_step_w + phase.x;
    if (y < params.taps_h && x < params.taps_w) {
        return read_weight(at + y * params.weights_h + x * params.weights_w);
    }
    return 0.0;
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let k = workgroup.x * WORKGROUP + local;
    if (k >= params.group_k) {
        return;
    }
    let row = workgroup.y;
    let g = row / params.group_rows;
    let in_sum = row % params.group_rows + params.sum_first;
    let phase = vec2<u32>(
        in_sum % params.phases_w * params.phase_step_w,
        in_sum / params.phases_w % params.phases_h * params.phase_step_h,
    );
    let plane = in_sum / (params.phases_w * params.phases_h);
    let own = params.weights_offset + g * params.weights_g + k * params.weights_k;
    let at = own + plane / params.taps_d * params.weights_c + plane % params.taps_d * params.weights_d;
    transform_filter(at, phase, row * params.k_stride + k, params.rows * params.k_stride);
}
