// Slots put_filters, place_u and load_u: U was transformed before and is read as it is needed, since each vector of it is
// used by one row of invocations alone.
@group(0) @binding(2) var<storage, read> u: array<vec4<f32>>;

fn put_filters(local: u32, c: u32, g: u32, k_first: u32) {}

// Where a vector of the block's filters lies, for channel 0. Past the last filter the last vector is multiplied again,
// and not written.
fn place_u(point: u32, g: u32, k_first: u32, vector: u32) -> u32 {
    let row = (point * params.c + g * params.group_c) * (params.k_stride / 4u);
    return row + min(k_first / 4u + vector, params.k_stride / 4u - 1u);
}

// A vector of U, of a channel of the step from channel c on. Past the last channel it is the last one's, whose factors in
// V are zero.
fn load_u(at: u32, c: u32, channel: u32) -> vec4<f32> {
    return u[at + min(c + channel, params.group_c - 1u) * (params.k_stride / 4u)];
}
