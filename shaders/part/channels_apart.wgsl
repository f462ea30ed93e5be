// Slots read_eight and unfetched: eight channels of the source from an element on, each where its stride puts it.
alias Fetched = Eight;

fn read_eight(at: u32) -> Eight {
    let step = params.src_c;
    let first = vec4<f32>(read_src(at), read_src(at + step), read_src(at + 2u * step), read_src(at + 3u * step));
    let second = vec4<f32>(
        read_src(at + 4u * step),
        read_src(at + 5u * step),
        read_src(at + 6u * step),
        read_src(at + 7u * step),
    );
    return eight(first, second);
}

fn unfetched(value: Fetched) -> Eight {
    return value;
}
