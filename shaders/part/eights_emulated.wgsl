// Fragments of 16 x 16 without matrix units: of sums each of 32 invocations has half a row, of factors where they lie in workgroup
// memory. Eights are packed by two, which needs no 16-bit floats in shaders.
alias Eight = vec4<u32>;
alias Left = u32;
alias Right = u32;

struct Sums {
    first: vec4<f32>,
    second: vec4<f32>,
}

// Eight values that 16-bit floats have.
fn eight(first: vec4<f32>, second: vec4<f32>) -> Eight {
    return Eight(pack2x16float(first.xy), pack2x16float(first.zw), pack2x16float(second.xy), pack2x16float(second.zw));
}

// Eight halves of four words.
fn unpacked(words: vec4<u32>) -> Eight {
    return words;
}

// A value, or zeros.
fn kept(value: Eight, is_kept: bool) -> Eight {
    return select(Eight(), value, vec4<bool>(is_kept));
}

// 16 filters x 16 channels, from [filter][channel]: an invocation takes its row's filter.
fn left(at: u32, lane: u32) -> Left {
    return at + lane / 2u * ROW;
}

// 16 channels x 16 positions, from [position][channel]: an invocation takes its half row's positions.
fn right(at: u32, lane: u32) -> Right {
    return at + lane % 2u * 8u * ROW;
}

fn no_sums() -> Sums {
    return Sums(vec4<f32>(), vec4<f32>());
}

// sum + x y, of two products.
fn dot_pair(x: u32, y: u32, sum: f32) -> f32 {
    let a = unpack2x16float(x);
    let b = unpack2x16float(y);
    return fma(a.y, b.y, fma(a.x, b.x, sum));
}

// The same of eight.
fn dot_eight(x: Eight, y: Eight, sum: f32) -> f32 {
    let two = dot_pair(x.y, y.y, dot_pair(x.x, y.x, sum));
    return dot_pair(x.w, y.w, dot_pair(x.z, y.z, two));
}

// c + a b
fn multiply_add(a: Left, b: Right, c: Sums) -> Sums {
    var sums = c;
    for (var i = 0u; i < 2u; i++) {
        let x = u_step[a + i];
        let y = b + i;
        sums.first.x = dot_eight(x, v_step[y], sums.first.x);
        sums.first.y = dot_eight(x, v_step[y + ROW], sums.first.y);
        sums.first.z = dot_eight(x, v_step[y + 2u * ROW], sums.first.z);
        sums.first.w = dot_eight(x, v_step[y + 3u * ROW], sums.first.w);
        sums.second.x = dot_eight(x, v_step[y + 4u * ROW], sums.second.x);
        sums.second.y = dot_eight(x, v_step[y + 5u * ROW], sums.second.y);
        sums.second.z = dot_eight(x, v_step[y + 6u * ROW], sums.second.z);
        sums.second.w = dot_eight(x, v_step[y + 7u * ROW], sums.second.w);
    }
    return sums;
}

// A fragment to the edge.
fn put_sums(c: Sums, at: u32, lane: u32) {
    let own = at + lane / 2u * EDGE_ROW + lane % 2u * 2u;
    edge[own] = c.first;
    edge[own + 1u] = c.second;
}
