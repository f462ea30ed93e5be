// Used by kernels that walk memory: whether a place, counted from the first element of a tensor, is an element of it. Along each
// dimension, longest steps first, it must be within the size.
fn is_element(place: u32) -> bool {
    let in_0 = place % params.step_0;
    let in_1 = in_0 % params.step_1;
    let in_2 = in_1 % params.step_2;
    let in_3 = in_2 % params.step_3;
    let outer = place / params.step_0 < params.size_0 && in_0 / params.step_1 < params.size_1;
    return outer && in_1 / params.step_2 < params.size_2 && in_2 / params.step_3 < params.size_3
        && in_3 / params.step_4 < params.size_4 && in_3 % params.step_4 == 0u;
}
