// Part rows: the matrix of columns, which has a row for each channel and tap and a column for each output position, and lies
// nowhere.
//
// slots     load_src; positions

// Channel, and plane, row and column of the tap, of a row of the product. Where nothing is summed there are no taps.
fn row_of(index: u32) -> vec4<u32> {
    let w = max(params.taps_w, 1u);
    let h = max(params.taps_h, 1u);
    let d = max(params.taps_d, 1u);
    return vec4<u32>(index / (w * h * d), index / (w * h) % d, index / w % h, index % w);
}

// The row so many further on: sums with carries, where row_of divides.
fn advance(row: vec4<u32>, by: vec4<u32>) -> vec4<u32> {
    var next = row + by;
    if (next.w >= params.taps_w) {
        next.w -= params.taps_w;
        next.z += 1u;
    }
    if (next.z >= params.taps_h) {
        next.z -= params.taps_h;
        next.y += 1u;
    }
    if (next.y >= params.taps_d) {
        next.y -= params.taps_d;
        next.x += 1u;
    }
    return next;
}

// Where a position's first tap lies: the image's first element, and coordinates, which before the source wrap around to
// huge numbers.
fn start_of(g: u32, index: u32) -> vec4<u32> {
    let position = position_of(index);
    return vec4<u32>(
        params.src_offset + position.x * params.src_n + g * params.src_g,
        position.y * params.stride_d - params.before_d,
        position.z * params.stride_h - params.before_h,
        position.w * params.stride_w - params.before_w,
    );
}

// A row's elements for the position that starts there.
fn load_tap(start: vec4<u32>, tap: vec4<u32>) -> f32 {
    let at = start + tap;
    return load_src(at.x, at.y, at.z, at.w);
}
