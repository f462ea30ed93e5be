// Fragments of 16 x 16 without matrix units: of sums each of 32 invocations has half a row, of factors where they lie in
// workgroup memory. Halves are packed by two, which needs no 16-bit floats in shaders.
alias Halves = vec2<u32>;

struct Left {
    at: u32,
    component: u32,
}

alias Right = u32;

struct Sums {
    first: vec4<f32>,
    second: vec4<f32>,
}

fn halves(value: vec4<f32>) -> Halves {
    return Halves(pack2x16float(value.xy), pack2x16float(value.zw));
}

fn values(packed: Halves) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(packed.x), unpack2x16float(packed.y));
}

// 16 filters x 16 channels of U, from [channel][filter]: an invocation takes its row's filter.
fn left(at: u32, lane: u32) -> Left {
    return Left(at + lane / 8u, lane / 2u % 4u);
}

// 16 channels x 16 tiles of V, from [channel][tile]: an invocation takes its half row's tiles.
fn right(at: u32, lane: u32) -> Right {
    return at + lane % 2u * 2u;
}

fn no_sums() -> Sums {
    return Sums(vec4<f32>(), vec4<f32>());
}

// c + a b
fn multiply_add(a: Left, b: Right, c: Sums) -> Sums {
    var sums = c;
    for (var channel = 0u; channel < 16u; channel++) {
        let pair = unpack2x16float(u_step[a.at + channel * ROW_U][a.component / 2u]);
        let factor = vec4<f32>(select(pair.x, pair.y, a.component % 2u == 1u));
        sums.first = fma(factor, values(v_step[b + channel * ROW_V]), sums.first);
        sums.second = fma(factor, values(v_step[b + channel * ROW_V + 1u]), sums.second);
    }
    return sums;
}

// c + d * factor
fn add_scaled(c: Sums, d: Sums, factor: f32) -> Sums {
    let factors = vec4<f32>(factor);
    return Sums(fma(d.first, factors, c.first), fma(d.second, factors, c.second));
}

fn scaled(c: Sums, factor: f32) -> Sums {
    return Sums(c.first * factor, c.second * factor);
}

// A fragment to M, from the k-th filter and the t-th tile of the block on.
fn put_sums(c: Sums, base: u32, first: vec2<u32>, k: u32, t: u32, local: u32) {
    let row = first.x + k + local % 32u / 2u;
    let column = (first.y + t) / 4u + local % 2u * 2u;
    let stride = params.t_stride / 4u;
    if (row < params.group_k && column < stride) {
        m[(base + row) * stride + column] = c.first;
    }
    if (row < params.group_k && column + 1u < stride) {
        m[(base + row) * stride + column + 1u] = c.second;
    }
}
