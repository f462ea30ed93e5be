// Slots store_pool and load_pool: single values of the kernel's workgroup memory `pool`, which is made of vectors.
fn store_pool(at: u32, value: f32) {
    pool[at / 4u][at % 4u] = value;
}

fn load_pool(at: u32) -> f32 {
    return pool[at / 4u][at % 4u];
}
