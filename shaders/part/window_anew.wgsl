// Slots open_window and move_window: the elements of four neighbouring outputs, each loaded for each tap. `x` is the first
// output's element.
fn open_window(channel: u32, z: u32, y: u32, x: u32) -> vec4<f32> {
    return vec4<f32>();
}

fn move_window(window: vec4<f32>, channel: u32, z: u32, y: u32, x: u32) -> vec4<f32> {
    let x1 = x + params.stride_w;
    let x2 = x1 + params.stride_w;
    return vec4<f32>(
        load_src(channel, z, y, x),
        load_src(channel, z, y, x1),
        load_src(channel, z, y, x2),
        load_src(channel, z, y, x2 + params.stride_w),
    );
}
