// Fragments of 16 x 16 in matrix units, of factors that lie in workgroup memory in rows of eights of 16-bit floats: a subgroup has
// each together. All of a workgroup's invocations call these together.
alias Eight = array<vec4<f16>, 2>;
alias Left = coop_mat16x16<f16, A>;
alias Right = coop_mat16x16<f16, B>;
alias Sums = coop_mat16x16<f32, C>;

// Eight values that 16-bit floats have.
fn eight(first: vec4<f32>, second: vec4<f32>) -> Eight {
    return Eight(vec4<f16>(first), vec4<f16>(second));
}

// Eight halves of four words.
fn unpacked(words: vec4<u32>) -> Eight {
    let first = vec4<f32>(unpack2x16float(words.x), unpack2x16float(words.y));
    return eight(first, vec4<f32>(unpack2x16float(words.z), unpack2x16float(words.w)));
}

// A value, or zeros.
fn kept(value: Eight, is_kept: bool) -> Eight {
    let all = vec4<bool>(is_kept);
    return Eight(select(vec4<f16>(), value[0], all), select(vec4<f16>(), value[1], all));
}

// 16 filters x 16 channels, from [filter][channel].
fn left(at: u32, lane: u32) -> Left {
    return coopLoadT<Left>(&u_step[at][0], 2u * ROW);
}

// 16 channels x 16 positions, from [position][channel].
fn right(at: u32, lane: u32) -> Right {
    return coopLoad<Right>(&v_step[at][0], 2u * ROW);
}

fn no_sums() -> Sums {
    return Sums();
}

// c + a b
fn multiply_add(a: Left, b: Right, c: Sums) -> Sums {
    return coopMultiplyAdd(a, b, c);
}

// A fragment to the edge.
fn put_sums(c: Sums, at: u32, lane: u32) {
    coopStoreT(c, &edge[at], EDGE_ROW);
}
