//! What a driver compiled, kept from one process to the next where the backend can: asked for by the application, since a
//! library writes no files of its own accord.

use std::fmt;
use std::path::{Path, PathBuf};

use super::cache_file;
use super::context::Context;
use super::driver_cache;
use super::fault::scoped;
use super::stored_cache::{self, Owner};
use crate::error::{DeviceError, Error, Result};

/// This crate's: what it stored, another version does not take.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Where compiled pipelines come from when a device is opened, and go to when they are saved.
///
/// ```no_run
/// use winoconv::gpu::{CacheSource, Context, ContextOptions};
///
/// # async fn example(cache: &std::path::Path) -> Result<(), winoconv::Error> {
/// let options = ContextOptions::default().pipeline_cache(CacheSource::folder(cache.join("shaders")));
/// let context = Context::new(&options).await?;
/// println!("{}", context.pipeline_cache()); // loaded, empty, ignored and why, or that the backend has none
/// // ... run the layers once, then:
/// context.save_pipeline_cache()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheSource(Source);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Source {
    #[default]
    Off,
    Folder(PathBuf),
    Stored(Vec<u8>),
    Empty,
}

impl CacheSource {
    /// None: nothing is read nor written. The default.
    pub const fn off() -> Self {
        Self(Source::Off)
    }

    /// A file of this folder for each adapter and version of this crate, read when the device is opened and written by
    /// [`Context::save_pipeline_cache`]. A folder that is missing is made when the cache is saved.
    ///
    /// What is in the file reaches the driver, so the folder must be one that only this user writes, for instance below the
    /// user's folder for caches. On Unix this is checked. The folder must belong to this user or to root, the file to this
    /// user, and neither may be writable for group or others; so `/tmp` itself is refused, a folder of your own in it is
    /// not. The file must be a regular file of at most 256 MiB, and no link. It is opened once, and what was opened is
    /// checked. What fails is ignored, with the [`CacheFault`] as the reason, and is not written to either. Folders further
    /// up are not checked: whoever can write those can only put another folder there that passes the same checks. Access
    /// control lists are not looked at. On Windows only the kind and the size of the file are checked, and that nobody else
    /// writes the folder is your promise.
    pub fn folder(path: impl Into<PathBuf>) -> Self {
        Self(Source::Folder(path.into()))
    }

    /// An empty one in memory, for applications that store [`Context::pipeline_cache_bytes`] themselves and have none
    /// yet; with those, see [`Self::bytes`].
    pub const fn empty() -> Self {
        Self(Source::Empty)
    }

    pub(super) const fn stored(bytes: Vec<u8>) -> Self {
        Self(Source::Stored(bytes))
    }

    /// Whether one is asked for.
    pub(super) fn is_wanted(&self) -> bool {
        self.0 != Source::Off
    }
}

/// What became of the cache that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheState {
    /// None was asked for.
    Off,
    /// The backend or the device has none.
    Unavailable {
        /// What is missing.
        why: String,
    },
    /// Nothing was stored yet.
    Empty,
    /// What was stored is in use.
    Loaded {
        /// Bytes that the driver got.
        bytes: usize,
    },
    /// What was stored is of no use; the cache began empty.
    Ignored(CacheFault),
}

/// Why a stored cache is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CacheFault {
    /// It is something else.
    #[error("it is no pipeline cache of this crate")]
    NotOurs,
    /// Its end is missing.
    #[error("its end is missing")]
    Incomplete,
    /// Its checksum is not that of its contents.
    #[error("it is damaged")]
    Damaged,
    /// It is another version's or another device's.
    #[error("it is of {found}, expected {expected}")]
    Foreign {
        /// This version or device.
        expected: String,
        /// The one that stored it.
        found: String,
    },
    /// Others may write it, or the folder that it is in.
    #[error("others than its owner may write {}", path.display())]
    Shared {
        /// What they may write.
        path: PathBuf,
    },
    /// It, or the folder that it is in, belongs to another user.
    #[error("{} belongs to user {uid}, expected this one", path.display())]
    OtherUser {
        /// What belongs to them.
        path: PathBuf,
        /// Who it belongs to.
        uid: u32,
    },
    /// It is a link, a folder, a pipe or a device.
    #[error("{} is no regular file", path.display())]
    NotRegular {
        /// What is in its place.
        path: PathBuf,
    },
    /// It is larger than any cache is expected to be; it was not read.
    #[error("it has {bytes} bytes, the bound is {bound}")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The largest that is read.
        bound: u64,
    },
    /// It cannot be read.
    #[error("it cannot be read: {message}")]
    Unreadable {
        /// What the system said.
        message: String,
    },
    /// The device does not take it.
    #[error("the device does not take it: {message}")]
    Refused {
        /// What it said.
        message: String,
    },
}

impl fmt::Display for CacheState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("no pipeline cache was asked for"),
            Self::Unavailable { why } => write!(f, "no pipeline cache: {why}"),
            Self::Empty => f.write_str("an empty pipeline cache"),
            Self::Loaded { bytes } => write!(f, "a pipeline cache of {bytes} bytes"),
            Self::Ignored(fault) => write!(f, "an empty pipeline cache: the stored one was ignored, {fault}"),
        }
    }
}

/// A device's cache, and what became of the stored one.
#[derive(Debug)]
pub(super) struct PipelineCache {
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
    pub(super) async fn open(device: &wgpu::Device, info: &wgpu::AdapterInfo, source: &CacheSource) -> Result<Self> {
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
        let (cache, state) = match stored(source, path.as_deref(), &owner) {
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
    pub(super) fn driver(&self) -> Option<&wgpu::PipelineCache> {
        self.open.as_ref().map(|open| &open.cache)
    }

    fn bytes(&self) -> Result<(&Open, Vec<u8>)> {
        let unsupported = |why: String| Error::Unsupported { what: "storing the pipeline cache".to_owned(), why };
        let open = self.open.as_ref().ok_or_else(|| unsupported(self.state.to_string()))?;
        let data = open.cache.get_data().ok_or_else(|| unsupported("the driver gives nothing to store".to_owned()))?;
        Ok((open, stored_cache::seal(&open.owner, &data)))
    }
}

async fn create(device: &wgpu::Device, data: Option<&[u8]>) -> Result<wgpu::PipelineCache> {
    scoped(device, "opening the pipeline cache", || driver_cache::create(device, data)).await
}

/// What was stored, if anything was and it is of use.
fn stored(source: &CacheSource, path: Option<&Path>, owner: &Owner) -> Result<Option<Vec<u8>>, CacheFault> {
    let read = match (&source.0, path) {
        (Source::Stored(bytes), _) => return stored_cache::open(owner, bytes).map(|data| Some(data.to_vec())),
        (_, Some(path)) => cache_file::read(path)?,
        (_, None) => None,
    };
    read.map(|bytes| stored_cache::open(owner, &bytes).map(<[u8]>::to_vec)).transpose()
}

impl Context {
    /// What became of the pipeline cache that was asked for.
    pub fn pipeline_cache(&self) -> &CacheState {
        &self.cache().state
    }

    /// All that the driver compiled for this device so far and what it had from before, to be stored by the application and
    /// given to [`CacheSource::bytes`] the next time.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if none was asked for or the backend has none.
    pub fn pipeline_cache_bytes(&self) -> Result<Vec<u8>> {
        Ok(self.cache().bytes()?.1)
    }

    /// Stores the same in the folder that the device was opened with, replacing what is there in one step, and returns
    /// the file. Of two processes that save, the later one stays.
    ///
    /// # Errors
    /// [`Error::Unsupported`] as above, or if there is no folder; [`DeviceError::Store`] if writing fails, or if the folder
    /// is one that a cache would not be read from, see [`CacheSource::folder`].
    pub fn save_pipeline_cache(&self) -> Result<PathBuf> {
        let (open, bytes) = self.cache().bytes()?;
        let path = open.path.clone().ok_or_else(|| Error::Unsupported {
            what: "storing the pipeline cache in a folder".to_owned(),
            why: "the device was opened without one".to_owned(),
        })?;
        let failed =
            |error: std::io::Error| DeviceError::Store { path: path.display().to_string(), message: error.to_string() };
        cache_file::replace(&path, &bytes).map_err(failed)?;
        Ok(path)
    }
}
