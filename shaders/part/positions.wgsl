// Part positions: output positions, counted over images, planes, rows and columns.

// Image, plane, row and column of an output position; past the last one, the last one's.
fn position_of(index: u32) -> vec4<u32> {
    let at = min(index, params.end - 1u);
    let plane = at / (params.out_w * params.out_h);
    return vec4<u32>(plane / params.out_d, plane % params.out_d, at / params.out_w % params.out_h, at % params.out_w);
}

// Where a position's output of the group's first filter lies.
fn place_of(g: u32, index: u32) -> u32 {
    let position = position_of(index);
    return params.dst_offset + position.x * params.dst_n + g * params.dst_g + position.y * params.dst_d
        + position.z * params.dst_h + position.w * params.dst_w;
}
