// Slots slice_of, lane_of and gather_slices: the workgroup is one slice.
fn slice_of(invocation: u32) -> u32 {
    return 0u;
}

fn lane_of(invocation: u32) -> u32 {
    return invocation;
}

fn gather_slices(slice: u32, lane: u32, acc: ptr<function, array<vec4<f32>, EACH_K * EACH_T / 4u>>) {}
