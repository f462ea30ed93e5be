// Slots read_eight and unfetched: eight channels of the source from an element on that lie side by side: sixteen bytes, whose place is a multiple
// of as many.
@group(0) @binding(1) var<storage, read> src: array<vec4<u32>>;

alias Fetched = vec4<u32>;

fn read_eight(at: u32) -> Fetched {
    return src[at / 8u];
}

// Words are taken apart when they have come, not when they are asked for.
fn unfetched(value: Fetched) -> Eight {
    return unpacked(value);
}
