//! Where a cache comes from, and what became of it.

use std::fmt;
use std::path::PathBuf;

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
pub struct CacheSource(pub(super) Source);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Source {
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
    /// [`super::super::Context::save_pipeline_cache`]. A folder that is missing is made when the cache is saved.
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

    /// An empty one in memory, for applications that store [`super::super::Context::pipeline_cache_bytes`] themselves and have none
    /// yet; with those, see [`Self::bytes`].
    pub const fn empty() -> Self {
        Self(Source::Empty)
    }

    pub(super) const fn stored(bytes: Vec<u8>) -> Self {
        Self(Source::Stored(bytes))
    }

    /// Whether a cache was asked for.
    pub(in crate::gpu) fn is_wanted(&self) -> bool {
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
    #[error("it is not a pipeline cache of this crate")]
    NotOurs,
    /// Its end is missing.
    #[error("its end is missing")]
    Incomplete,
    /// Its checksum is not that of its contents.
    #[error("it is damaged")]
    Damaged,
    /// It is another version's or another device's.
    #[error("it was written for {found}, expected {expected}")]
    Foreign {
        /// This version or device.
        expected: String,
        /// The one that stored it.
        found: String,
    },
    /// Others may write it, or the folder that it is in.
    #[error("{} can be written by other users", path.display())]
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
    #[error("{} is not a regular file", path.display())]
    NotRegular {
        /// What is in its place.
        path: PathBuf,
    },
    /// The file is larger than a cache may be; it was not read.
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
    #[error("the device refused it: {message}")]
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
