//! A driver's compiled pipelines, kept for the next process if the backend can. The application must ask for it, since a
//! library should write no files unasked.

mod driver;
mod file;
mod private_folder;
mod source;
mod stored;

use std::path::{Path, PathBuf};

pub use source::{CacheFault, CacheSource, CacheState};

use self::source::Source;
use self::stored::Owner;
use super::fault::scoped;
use crate::error::{DeviceError, Error, Result};

/// This crate's: what it stored, another version does not take.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A device's cache, and what became of the stored one.
#[derive(Debug)]
pub(in crate::gpu) struct PipelineCache {
    state: CacheState,
    open: Option<Open>,
}

/// A cache that is there.
#[derive(Debug)]
struct Open {
    cache: wgpu::PipelineCache,
    owner: Owner,
    path: Option<PathBuf>,
}

impl PipelineCache {
    /// None, for whatever reason.
    const fn none(state: CacheState) -> Self {
        Self { state, open: None }
    }

    /// The cache that is asked for, with what was stored, as far as it is of use.
    pub(in crate::gpu) async fn open(
        device: &wgpu::Device,
        info: &wgpu::AdapterInfo,
        source: &CacheSource,
    ) -> Result<Self> {
        if !source.is_wanted() {
            return Ok(Self::none(CacheState::Off));
        }
        let unavailable = |why: String| Ok(Self::none(CacheState::Unavailable { why }));
        let Some(key) = wgpu::util::pipeline_cache_key(info) else {
            return unavailable(format!("wgpu has PIPELINE_CACHE on Vulkan alone, and this is {}", info.backend));
        };
        if !device.features().contains(wgpu::Features::PIPELINE_CACHE) {
            return unavailable("the device was opened without PIPELINE_CACHE".to_owned());
        }
        let path = match &source.0 {
            Source::Folder(folder) => Some(folder.join(format!("{key}_winoconv_{VERSION}.bin"))),
            _ => None,
        };
        let device_name = format!("{key} {} {} {}", info.name, info.driver, info.driver_info);
        let owner = Owner { version: format!("winoconv {VERSION}"), device: device_name };
        let (cache, state) = match read(source, path.as_deref(), &owner) {
            Ok(Some(data)) => match create(device, Some(&data)).await {
                Ok(cache) => (cache, CacheState::Loaded { bytes: data.len() }),
                Err(error) => {
                    let refused = CacheFault::Refused { message: error.to_string() };
                    (create(device, None).await?, CacheState::Ignored(refused))
                }
            },
            Ok(None) => (create(device, None).await?, CacheState::Empty),
            Err(fault) => (create(device, None).await?, CacheState::Ignored(fault)),
        };
        Ok(Self { state, open: Some(Open { cache, owner, path }) })
    }

    /// What pipelines are made with.
    pub(in crate::gpu) fn driver(&self) -> Option<&wgpu::PipelineCache> {
        self.open.as_ref().map(|open| &open.cache)
    }

    /// What became of the stored one.
    pub(in crate::gpu) const fn state(&self) -> &CacheState {
        &self.state
    }

    /// All that the driver compiled, sealed.
    pub(in crate::gpu) fn bytes(&self) -> Result<Vec<u8>> {
        Ok(self.sealed()?.1)
    }

    /// Stores it in its folder; the file.
    pub(in crate::gpu) fn save(&self) -> Result<PathBuf> {
        let (open, bytes) = self.sealed()?;
        let path = open.path.clone().ok_or_else(|| Error::Unsupported {
            what: "storing the pipeline cache in a folder".to_owned(),
            why: "the device was opened without a cache folder".to_owned(),
        })?;
        let failed =
            |error: std::io::Error| DeviceError::Store { path: path.display().to_string(), message: error.to_string() };
        file::replace(&path, &bytes).map_err(failed)?;
        Ok(path)
    }

    fn sealed(&self) -> Result<(&Open, Vec<u8>)> {
        let unsupported = |why: String| Error::Unsupported { what: "storing the pipeline cache".to_owned(), why };
        let open = self.open.as_ref().ok_or_else(|| unsupported(self.state.to_string()))?;
        let data = open.cache.get_data().ok_or_else(|| unsupported("the driver gives nothing to store".to_owned()))?;
        Ok((open, stored::seal(&open.owner, &data)))
    }
}

async fn create(device: &wgpu::Device, data: Option<&[u8]>) -> Result<wgpu::PipelineCache> {
    scoped(device, "opening the pipeline cache", || driver::create(device, data)).await
}

/// What was stored, if anything was and it is of use.
fn read(source: &CacheSource, path: Option<&Path>, owner: &Owner) -> Result<Option<Vec<u8>>, CacheFault> {
    let found = match (&source.0, path) {
        (Source::Stored(bytes), _) => return stored::open(owner, bytes).map(|data| Some(data.to_vec())),
        (_, Some(path)) => file::read(path)?,
        (_, None) => None,
    };
    found.map(|bytes| stored::open(owner, &bytes).map(<[u8]>::to_vec)).transpose()
}

/// Opens a stored pipeline cache as if it were of this version and this device, and seals its data again: for the fuzzers in
/// `fuzz/`, which have no device.
///
/// # Errors
/// What is wrong with it.
#[cfg(feature = "internals")]
pub fn reseal_stored_cache(version: &str, device: &str, sealed: &[u8]) -> Result<Vec<u8>, CacheFault> {
    let owner = Owner { version: version.to_owned(), device: device.to_owned() };
    stored::open(&owner, sealed).map(|data| stored::seal(&owner, data))
}
