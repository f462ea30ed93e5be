// Slots slice_of, lane_of and gather_slices: two slices. The second one's sums are added to the first one's, as many at a
// time as fit where U was.
//
// constants also GATHERED: vectors of an invocation that are added at once
// leaves    put_sums, add_sums, turn_sums
const_assert SLICES == 2u;
const_assert GATHERED * LANES <= 2u * SLICES * STEP_U;

fn slice_of(invocation: u32) -> u32 {
    return invocation / LANES;
}

fn lane_of(invocation: u32) -> u32 {
    return invocation % LANES;
}

fn gather_slices(slice: u32, lane: u32, acc: ptr<function, array<vec4<f32>, EACH_K * EACH_T / 4u>>) {
    for (var first = 0u; first < EACH_K * EACH_T / 4u; first += GATHERED) {
        // Before the first turn: the last step's vectors have been read. Before others: the sums.
        workgroupBarrier();
        if (slice == 1u) {
            put_sums(lane, acc);
        }
        workgroupBarrier();
        if (slice == 0u) {
            add_sums(lane, acc);
        }
        turn_sums(acc);
    }
}
