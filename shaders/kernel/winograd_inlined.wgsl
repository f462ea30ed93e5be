// winograd_inlined: multiply and output transform of a tile, from V and U to the output, with nothing shared. An
// exhibit: never chosen, kept to count and time what substituting a reduce into a Kronecker product comes to.
//
// One invocation owns one tile of one filter. Its leaf is the whole expression, channel loops included: the one
// generated function that has control flow. No workgroup memory, no value that is used twice, no vectors.
//
// grid      x: blocks of WORKGROUP tiles of this dispatch; y: filters
// constants WORKGROUP, OUT_H, OUT_W
// leaves    write_tile
// slots     store_dst

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> v: array<f32>;
@group(0) @binding(2) var<storage, read> u: array<f32>;

// One output of filter k, unless it lies below the image. `plane` is the image's first output of that filter.
fn store_output(plane: u32, y: u32, x: u32, k: u32, value: f32) {
    if (y < params.p) {
        store_dst(plane + y * params.dst_h, x, k, value);
    }
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let t = workgroup.x * WORKGROUP + local;
    if (t >= params.tiles) {
        return;
    }
    let k = workgroup.y;
    let c_first = k / params.group_k * params.group_c;
    let tile = params.first + t;
    let x = tile % params.tiles_x * OUT_W;
    let y = tile / params.tiles_x % params.tiles_y * OUT_H;
    let n = tile / (params.tiles_x * params.tiles_y);
    let plane = params.dst_offset + n * params.dst_n + k * params.dst_k;
    write_tile(c_first, k % params.group_k, t, plane, y, x, k);
}
