//! The other unsafe call of the GPU side: what a driver compiled before is handed back to it.

use super::source::CacheSource;

impl CacheSource {
    /// A cache from bytes that the application stored itself, see [`super::super::Context::pipeline_cache_bytes`].
    ///
    /// # Safety
    /// The bytes are what [`super::super::Context::pipeline_cache_bytes`] gave, stored where only this user writes. Damaged bytes
    /// and those of another device, driver or version are found out and ignored; bytes that were forged are not, and reach
    /// the driver.
    #[expect(unsafe_code, reason = "a checksum shows damage, and proves nothing of where the bytes come from")]
    pub unsafe fn bytes(bytes: Vec<u8>) -> Self {
        Self::stored(bytes)
    }
}

/// A driver's cache with what is in `data`, or an empty one. The data were verified: they are what an earlier process of
/// this version got from this driver and stored, see `pipeline_cache`.
#[expect(unsafe_code, reason = "the only way to give a driver what it compiled in an earlier process")]
pub(super) fn create(device: &wgpu::Device, data: Option<&[u8]>) -> wgpu::PipelineCache {
    let descriptor = wgpu::PipelineCacheDescriptor { label: Some("winoconv"), data, fallback: false };
    // SAFETY: the data must have come from `PipelineCache::get_data`. They are the inside of a file or of bytes that
    // `stored::open` accepted: our magic, this crate's version, this adapter and driver, the length, and a checksum
    // over all of it, so neither a file cut short nor a damaged one passes. wgpu then checks a header of its own, and the
    // driver, as Vulkan demands, its own with vendor, device and the UUID of its build. What is left is forgery. A file is
    // read only if it is this user's own and nobody else may write it or its folder (`private_folder`, on Unix; elsewhere the
    // folder's documentation asks for it), and whoever gives bytes has promised it (`CacheSource::bytes`).
    unsafe { device.create_pipeline_cache(&descriptor) }
}
