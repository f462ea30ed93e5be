// Slots put_filters, place_u and load_u: the filters as they are given, transformed at each step into workgroup memory
// behind V, [channel][point][filter]: every workgroup does it anew, and no other dispatch is needed.
//
// constants also TAPS: weights of a filter
// leaves    put_filter
// slots     read_weight
const U_FIRST: u32 = BLOCK_C * CHANNEL / 4u;
const_assert BLOCK_C * (CHANNEL + POINTS * BLOCK_K) <= POOL;

// Past the last filter the last one is multiplied again, and not written; past the last channel it is the last one's,
// whose factors in V are zero.
fn put_filters(local: u32, c: u32, g: u32, k_first: u32) {
    for (var item = local; item < BLOCK_C * BLOCK_K; item += WORKGROUP) {
        let channel = item / BLOCK_K;
        let own = item % BLOCK_K;
        let k = g * params.group_k + min(k_first + own, params.group_k - 1u);
        let at = params.weights_offset + (k * params.group_c + min(c + channel, params.group_c - 1u)) * TAPS;
        put_filter(at, U_FIRST + (channel * POINTS * BLOCK_K + own) / 4u, own % 4u);
    }
}

fn place_u(point: u32, g: u32, k_first: u32, vector: u32) -> u32 {
    return U_FIRST + point * (BLOCK_K / 4u) + vector;
}

fn load_u(at: u32, c: u32, channel: u32) -> vec4<f32> {
    return pool[at + channel * (POINTS * BLOCK_K / 4u)];
}
