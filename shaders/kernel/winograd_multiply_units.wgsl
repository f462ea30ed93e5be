// winograd_multiply_units: M = U^T V as `winograd_multiply` has it, by products of 16-bit floats that matrix units add up in
// f32. With PRODUCTS = 1 each value is rounded to 11 bits (TF32-class). With PRODUCTS = 3 it is the sum of two such halves,
// high + low / LOW, and a product is low * high + high * low + high * high (f32-class).
//
// One workgroup owns BLOCK_K filters x BLOCK_T tiles of one point and group, and walks its part of the channels in steps of
// BLOCK_C through planes of halves in workgroup memory, while the next step's vectors are on their way into registers. A
// subgroup of 32 invocations owns EACH_K filters x EACH_T tiles of it in fragments of 16 x 16 sums.
//
// Halves have 5 bits of exponent. So U and V are multiplied by powers of two with which the largest finite value so far is
// below 2^(TOP + 1), and sums by the inverse: any f32 tensor will do, wherever its values lie.
//
// grid      x: blocks of BLOCK_T tiles; y: blocks of BLOCK_K filters; z: points and groups, for each part of the channels
// constants WORKGROUP, BLOCK_K, BLOCK_T, BLOCK_C, EACH_K, EACH_T, PRODUCTS, SUBGROUPS
// leaves    fetch_u, fetch_v, mask_u, mask_v, measure_u, measure_v, rank_u, rank_v, stage_u, stage_v, clear_sums, multiply_step, scale_sums, write_m
// slots     halves, left, right, no_sums, multiply_add, add_scaled, scaled, put_sums; Halves, Left, Right, Sums

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> u: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> m: array<vec4<f32>>;

// Rows of a plane, in fours of halves: two more than there are, so that rows lie in different banks.
const ROW_U: u32 = BLOCK_K / 4u + 2u;
const ROW_V: u32 = BLOCK_T / 4u + 2u;
// Planes of high halves, and behind them of low ones.
const PLANE_U: u32 = BLOCK_C * ROW_U;
const PLANE_V: u32 = BLOCK_C * ROW_V;
const PLANES: u32 = (PRODUCTS + 1u) / 2u;
// The exponent that the largest value is brought to, and the least that is taken for a largest value's.
const TOP: i32 = 14;
const LEAST: i32 = -48;
// What low halves are multiplied by.
const LOW: f32 = 2048.0;

var<workgroup> u_step: array<Halves, PLANES * PLANE_U>;
var<workgroup> v_step: array<Halves, PLANES * PLANE_V>;
// The largest magnitudes of U and V so far, see `magnitudes`. Of four words, since matrix units load from addresses that are multiples
// of 16 bytes: an H200 had wrong results with two.
var<workgroup> largest: array<atomic<u32>, 4>;

// A vector of U; past the last channel of the part or the last filter another one that is there.
fn load_u(base: u32, c: u32, end: u32, k: u32) -> vec4<f32> {
    return u[base + min(c, end - 1u) * (params.k_stride / 4u) + min(k, params.k_stride / 4u - 1u)];
}

// A vector of V, likewise.
fn load_v(base: u32, c: u32, end: u32, t: u32) -> vec4<f32> {
    return v[base + min(c, end - 1u) * (params.t_stride / 4u) + min(t, params.t_stride / 4u - 1u)];
}

// What carries data of a vector whose first column is `first`, else zero: what stands in padding may be anything.
fn inside(value: vec4<f32>, is_channel: bool, first: u32, count: u32) -> vec4<f32> {
    let columns = vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u);
    return select(vec4<f32>(), value, vec4<bool>(is_channel) & (columns < vec4<u32>(count)));
}

// Numbers that are sorted like the magnitudes of finite values: their bits with an exponent one higher. Infinities and NaN, whose
// exponent is the highest, become the smallest.
fn magnitudes(value: vec4<f32>) -> vec4<u32> {
    return (bitcast<vec4<u32>>(value) + vec4<u32>(0x00800000u)) & vec4<u32>(0x7fffffffu);
}

// The exponent of a magnitude.
fn exponent(magnitude: u32) -> i32 {
    return max(i32(magnitude >> 23u) - 128, LEAST);
}

// 2^exponent, in the range of normal numbers.
fn power(exponent: i32) -> f32 {
    return bitcast<f32>(u32(clamp(exponent, -126, 127) + 127) << 23u);
}

// The high halves of values: rounded to 11 bits by integers, since compilers may take f32(f16(x)) for x.
fn high(value: vec4<f32>) -> vec4<f32> {
    return bitcast<vec4<f32>>((bitcast<vec4<u32>>(value) + vec4<u32>(0x1000u)) & vec4<u32>(0xffffe000u));
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let batch = workgroup.z % params.batches;
    let k_first = workgroup.y * BLOCK_K;
    let t_first = workgroup.x * BLOCK_T;
    let u_base = batch * params.group_c * (params.k_stride / 4u);
    let v_base = batch * params.group_c * (params.t_stride / 4u);
    let first = workgroup.z / params.batches * params.part_c;
    let end = min(first + params.part_c, params.group_c);
    let subgroup = local / 32u;
    let lane = local % 32u;
    let own_k = subgroup / (BLOCK_T / EACH_T) * EACH_K;
    let own_t = subgroup % (BLOCK_T / EACH_T) * EACH_T;

    var acc: array<Sums, EACH_K * EACH_T / 256u>;
    var next_u: array<vec4<f32>, BLOCK_C * BLOCK_K / 4u / WORKGROUP>;
    var next_v: array<vec4<f32>, BLOCK_C * BLOCK_T / 4u / WORKGROUP>;
    // The exponents of the largest values so far; the largest of an invocation's own vectors, and its magnitude.
    var top = vec2<i32>(LEAST);
    var own = vec2<f32>();
    var ranks = vec2<u32>();
    let is_whole = k_first + BLOCK_K <= params.group_k && t_first + BLOCK_T <= params.tiles;
    // The exponent of what one of the sums stands for.
    var carried = 2 * (LEAST - TOP);
    clear_sums(&acc);
    if (local < 2u) {
        atomicStore(&largest[local], 0u);
    }
    workgroupBarrier();
    fetch_u(u_base, first, end, k_first / 4u, local, &next_u);
    fetch_v(v_base, first, end, t_first / 4u, local, &next_v);
    for (var c = 0u; c < end - first; c += BLOCK_C) {
        if (!is_whole || first + c + BLOCK_C > end) {
            mask_u(first + c, end, k_first, local, &next_u);
            mask_v(first + c, end, t_first, local, &next_v);
        }
        measure_u(&next_u, &own);
        measure_v(&next_v, &own);
        // Rarely true after the first step, unless a value is not finite.
        if (!all(own < vec2<f32>(power(top.x + 1), power(top.y + 1)))) {
            rank_u(&next_u, &ranks);
            rank_v(&next_v, &ranks);
            atomicMax(&largest[0], ranks.x);
            atomicMax(&largest[1], ranks.y);
        }
        // The planes of the step before have been read, and the largest values are known.
        workgroupBarrier();
        top = vec2<i32>(exponent(atomicLoad(&largest[0])), exponent(atomicLoad(&largest[1])));
        stage_u(local, power(TOP - top.x), &next_u);
        stage_v(local, power(TOP - top.y), &next_v);
        workgroupBarrier();
        fetch_u(u_base, first + c + BLOCK_C, end, k_first / 4u, local, &next_u);
        fetch_v(v_base, first + c + BLOCK_C, end, t_first / 4u, local, &next_v);
        let unit = top.x + top.y - 2 * TOP;
        if (PRODUCTS == 1u && unit != carried) {
            scale_sums(power(carried - unit), &acc);
            carried = unit;
        }
        multiply_step(own_k / 4u, own_t / 4u, lane, power(unit), &acc);
    }
    if (PRODUCTS == 1u) {
        scale_sums(power(carried), &acc);
    }
    write_m(workgroup.z * params.group_k, k_first, t_first, own_k, own_t, local, &acc);
}
