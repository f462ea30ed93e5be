// Fragments of 16 x 16 in matrix units: a subgroup has each together. All of a workgroup's invocations call these together.
alias Halves = vec4<f16>;
alias Left = coop_mat16x16<f16, A>;
alias Right = coop_mat16x16<f16, B>;
alias Sums = coop_mat16x16<f32, C>;

// A fragment of each of so many subgroups, on its way past the edge of M. [subgroup][row][column]
const EDGES: u32 = min(SUBGROUPS, 8u);
var<workgroup> edge: array<vec4<f32>, EDGES * 64u>;

fn halves(value: vec4<f32>) -> Halves {
    return Halves(value);
}

// 16 filters x 16 channels of U, from [channel][filter].
fn left(at: u32, lane: u32) -> Left {
    return coopLoad<Left>(&u_step[at], ROW_U);
}

// 16 channels x 16 tiles of V, from [channel][tile].
fn right(at: u32, lane: u32) -> Right {
    return coopLoadT<Right>(&v_step[at], ROW_V);
}

fn no_sums() -> Sums {
    return Sums();
}

// c + a b
fn multiply_add(a: Left, b: Right, c: Sums) -> Sums {
    return coopMultiplyAdd(a, b, c);
}

// c + d * factor
fn add_scaled(c: Sums, d: Sums, factor: f32) -> Sums {
    return c + d * factor;
}

fn scaled(c: Sums, factor: f32) -> Sums {
    return c * factor;
}

// A fragment to M, from the k-th filter and the t-th tile of the block on. Robust access does not cover cooperative stores: where
// the block goes past the edge of M, fragments take the way through workgroup memory.
fn put_sums(c: Sums, base: u32, first: vec2<u32>, k: u32, t: u32, local: u32) {
    let stride = params.t_stride / 4u;
    let at = (base + first.x + k) * stride + (first.y + t) / 4u;
    if (first.x + BLOCK_K <= params.group_k && first.y + BLOCK_T <= params.t_stride) {
        coopStoreT(c, &m[at], stride);
    } else {
        for (var round = 0u; round < SUBGROUPS; round += EDGES) {
            let place = local / 32u % EDGES * 64u;
            let takes_part = local / 32u - local / 32u % EDGES == round;
            if (takes_part) {
                coopStoreT(c, &edge[place], 4u);
            }
            workgroupBarrier();
            if (takes_part) {
                for (var i = local % 32u; i < 64u; i += 32u) {
                    if (first.x + k + i / 4u < params.group_k && first.y + t + i % 4u * 4u < params.t_stride) {
                        m[at + i / 4u * stride + i % 4u] = edge[place + i];
                    }
                }
            }
            workgroupBarrier();
        }
    }
}
