// Slot group_and_patch: a group, and a patch of its plane, where neighbouring invocations have neighbouring channels.
fn group_and_patch(index: u32, patches: u32) -> vec2<u32> {
    return vec2<u32>(index % params.groups, index / params.groups);
}
