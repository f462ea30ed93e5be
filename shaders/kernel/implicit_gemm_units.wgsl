// implicit_gemm_units: out = epilogue(weights * columns) as `implicit_gemm` has it, of tensors in f16, by matrix units that add
// products up in f32. Nothing is rounded but the sums and the output.
//
// One workgroup owns BLOCK_K filters x BLOCK_T positions of one group. It walks the taps, and of each tap the channels in steps of
// BLOCK_C, through workgroup memory, while the next step's channels are on their way into registers. A subgroup of 32 invocations
// owns EACH_K filters x EACH_T positions of it in fragments of 16 x 16 sums.
// One invocation fetches channels, eight at a time, of always the same SOURCES positions: it works out where these meet the source.
// Neighbours fetch the same channels of neighbouring positions, or, where a position's channels lie side by side, those.
// The weights lie in rows, see `filter_rows`.
//
// grid      x: blocks of BLOCK_T positions of this dispatch, counted over images, planes, rows, columns
//           y: blocks of BLOCK_K filters, group by group
// constants WORKGROUP, BLOCK_K, BLOCK_T, BLOCK_C, EACH_K, EACH_T, SUBGROUPS, SOURCES
// leaves    find_sources, find_places, fetch_u, fetch_v, stage_u, stage_v, clear_sums, multiply_step, finish_fragment, write_outputs
// slots     read_eight, unfetched, epilogue, write_dst; positions; unpacked, kept, left, right, no_sums, multiply_add, put_sums; Fetched, Eight, Left, Right, Sums

@group(0) @binding(0) var<uniform> params: Params;
// Weights in rows of channels, eight halves at a time.
@group(0) @binding(2) var<storage, read> filter_rows: array<vec4<u32>>;

const EIGHTS: u32 = BLOCK_C / 8u;
// Eights of a row in workgroup memory: one more than there are, so that rows lie in different banks.
const ROW: u32 = EIGHTS + 1u;
// `vec4`s of a row of a fragment of sums on its way to the output, and of a fragment.
const EDGE_ROW: u32 = 5u;
const EDGE: u32 = 16u * EDGE_ROW;
const_assert WORKGROUP % BLOCK_T == 0u;
const_assert WORKGROUP % EIGHTS == 0u;

var<workgroup> u_step: array<Eight, BLOCK_K * ROW>;
var<workgroup> v_step: array<Eight, BLOCK_T * ROW>;
// Sums of a fragment of each subgroup. [subgroup][filter][position]
var<workgroup> edge: array<vec4<f32>, SUBGROUPS * EDGE>;
// Where the outputs of the block's positions lie.
var<workgroup> places: array<u32, BLOCK_T>;

// Which channels of which tap are fetched next.
struct Turn {
    plane: u32,
    row: u32,
    column: u32,
    // Of all taps.
    tap: u32,
    c: u32,
}

// A position that an invocation fetches: its first tap's coordinates, which before the source have wrapped around to huge numbers,
// and where in the source they lie; and where the element lies that stands for those outside.
struct Source {
    z: u32,
    y: u32,
    x: u32,
    first: u32,
    outside: u32,
}

fn source_of(g: u32, index: u32) -> Source {
    let position = position_of(index);
    let z = position.y * params.stride_d - params.before_d;
    let y = position.z * params.stride_h - params.before_h;
    let x = position.w * params.stride_w - params.before_w;
    let outside = params.src_offset + position.x * params.src_n + g * params.src_g;
    return Source(z, y, x, outside + z * params.src_d + y * params.src_h + x * params.src_w, outside);
}

fn next_turn(turn: Turn) -> Turn {
    var next = turn;
    next.c += BLOCK_C;
    if (next.c >= params.group_c) {
        next.c = 0u;
        next.tap += 1u;
        next.column += 1u;
        if (next.column == params.taps_w) {
            next.column = 0u;
            next.row += 1u;
        }
        if (next.row == params.taps_h) {
            next.row = 0u;
            next.plane += 1u;
        }
    }
    return next;
}

// Whether a group has the eight channels that are fetched at a turn.
fn has_eight(turn: Turn, eight: u32) -> bool {
    return turn.c + eight * 8u < params.group_c;
}

// The first of them, or of the last ones that there are.
fn channel_of(turn: Turn, eight: u32) -> u32 {
    return min(turn.c + eight * 8u, params.group_c - 8u);
}

// Eight channels of a filter; past the last tap, another one's.
fn load_weights(row: u32, turn: Turn, eight: u32) -> vec4<u32> {
    let tap = select(0u, turn.tap * params.weights_w, turn.plane < params.taps_d);
    return filter_rows[row + tap + channel_of(turn, eight) / 8u];
}

// Where the source has a tap of a position, and whether it has it.
fn place_in_source(source: Source, turn: Turn) -> vec2<u32> {
    let z = turn.plane * params.dilation_d;
    let y = turn.row * params.dilation_h;
    let x = turn.column * params.dilation_w;
    let is_there = turn.plane < params.taps_d && source.z + z < params.d && source.y + y < params.h && source.x + x < params.w;
    let at = source.first + z * params.src_d + y * params.src_h + x * params.src_w;
    return vec2<u32>(select(source.outside, at, is_there), u32(is_there));
}

// Eight channels of a position; outside of the source, some that are there.
fn load_columns(place: vec2<u32>, turn: Turn, eight: u32) -> Fetched {
    return read_eight(place.x + channel_of(turn, eight) * params.src_c);
}

// The same in workgroup memory: past the last channel, and outside of the source, zeros.
fn staged(value: Fetched, place: vec2<u32>, turn: Turn, eight: u32) -> Eight {
    return kept(unfetched(value), has_eight(turn, eight) && place.y != 0u);
}

// A subgroup's fragment to the edge, for all invocations to read.
fn show_sums(sums: Sums, at: u32, lane: u32) {
    workgroupBarrier();
    put_sums(sums, at, lane);
    workgroupBarrier();
}

// What is written of a sum: nothing that is used past the last filter or position. `at` is the position's place, `first` the
// group's first filter of all.
fn output_of(at: u32, index: u32, first: u32, k: u32, sum: f32) -> f32 {
    if (k < params.group_k && index < params.end) {
        return epilogue(sum, first + k, at + k * params.dst_k);
    }
    return sum;
}

// Writes an output, unless it lies past the last filter or position.
fn store_output(at: u32, index: u32, k: u32, value: f32) {
    if (k < params.group_k && index < params.end) {
        write_dst(at + k * params.dst_k, value);
    }
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let blocks = (params.group_k + BLOCK_K - 1u) / BLOCK_K;
    let g = workgroup.y / blocks;
    let k_first = workgroup.y % blocks * BLOCK_K;
    let t_first = params.first + workgroup.x * BLOCK_T;
    let subgroup = local / 32u;
    let lane = local % 32u;
    let own_k = subgroup / (BLOCK_T / EACH_T) * EACH_K;
    let own_t = subgroup % (BLOCK_T / EACH_T) * EACH_T;

    var sources: array<Source, SOURCES>;
    find_sources(g, t_first, local, &sources);
    if (local < BLOCK_T) {
        places[local] = place_of(g, t_first + local);
    }

    var acc: array<Sums, EACH_K * EACH_T / 256u>;
    var next_u: array<vec4<u32>, BLOCK_K * EIGHTS / WORKGROUP>;
    var next_v: array<Fetched, BLOCK_T * EIGHTS / WORKGROUP>;
    clear_sums(&acc);
    var turn = Turn();
    // Where the turn's tap lies for each source.
    var found: array<vec2<u32>, SOURCES>;
    find_places(&sources, turn, &found);
    fetch_u(g, k_first, turn, local, &next_u);
    fetch_v(&found, turn, local, &next_v);
    let chunks = (params.group_c + BLOCK_C - 1u) / BLOCK_C;
    let steps = params.taps_d * params.taps_h * params.taps_w * chunks;
    for (var step = 0u; step < steps; step++) {
        // The step before has been read.
        workgroupBarrier();
        stage_u(turn, local, &next_u);
        stage_v(&found, turn, local, &next_v);
        workgroupBarrier();
        turn = next_turn(turn);
        if (turn.c == 0u) {
            find_places(&sources, turn, &found);
        }
        fetch_u(g, k_first, turn, local, &next_u);
        fetch_v(&found, turn, local, &next_v);
        multiply_step(own_k * ROW, own_t * ROW, lane, &acc);
    }
    write_outputs(subgroup * EDGE, params.k_first + g * params.k_group, k_first + own_k, t_first, own_t, lane, &acc);
}
