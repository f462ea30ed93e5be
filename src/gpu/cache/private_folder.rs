//! A folder that is for this user alone, and files in it that are opened once and judged by what was opened.

pub(super) use place::Folder;

#[cfg(unix)]
mod place {
    use std::ffi::OsStr;
    use std::fs::{DirBuilder, File, Metadata};
    use std::io;
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
    use std::path::{Path, PathBuf};

    use rustix::fs::{AtFlags, Mode, OFlags, open, openat, renameat, unlinkat};
    use rustix::io::Errno;
    use rustix::process::geteuid;

    use crate::gpu::cache::source::CacheFault;

    /// An open folder. Names are looked up in the folder that was judged, whatever its path leads to by then.
    pub(in crate::gpu) struct Folder {
        handle: File,
        path: PathBuf,
    }

    impl Folder {
        /// Opens a folder that belongs to this user or to root and that nobody else may write. `None` if there is none.
        ///
        /// The folders above it are not judged. Whoever may write those can put another folder in its place, but only
        /// one that passes the same test, so the files in it are this user's own in any case.
        pub(in crate::gpu) fn open(path: &Path) -> Result<Option<Self>, CacheFault> {
            let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
            let handle = match open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
                Ok(handle) => File::from(handle),
                Err(Errno::NOENT) => return Ok(None),
                Err(error) => return Err(unreadable(path, &error)),
            };
            let metadata = handle.metadata().map_err(|error| unreadable(path, &error))?;
            check(path, &metadata, true)?;
            Ok(Some(Self { handle, path: path.to_owned() }))
        }

        /// Makes a folder for this user alone, and those above it that are missing.
        pub(in crate::gpu) fn create(path: &Path) -> io::Result<()> {
            DirBuilder::new().recursive(true).mode(0o700).create(path)
        }

        /// Opens a regular file that belongs to this user and that nobody else may write. `None` if there is none. A
        /// link is not followed, and a pipe is not waited for.
        pub(in crate::gpu) fn file(&self, name: &OsStr) -> Result<Option<(File, Metadata)>, CacheFault> {
            let path = self.path.join(name);
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
            let file = match openat(&self.handle, name, flags, Mode::empty()) {
                Ok(file) => File::from(file),
                Err(Errno::NOENT) => return Ok(None),
                // What systems say of a link, the last one of a socket.
                Err(Errno::LOOP | Errno::MLINK | Errno::NXIO) => return Err(CacheFault::NotRegular { path }),
                Err(error) => return Err(unreadable(&path, &error)),
            };
            let metadata = file.metadata().map_err(|error| unreadable(&path, &error))?;
            if !metadata.is_file() {
                return Err(CacheFault::NotRegular { path });
            }
            check(&path, &metadata, false)?;
            Ok(Some((file, metadata)))
        }

        /// A new file for this user alone. It is an error if anything has that name.
        pub(in crate::gpu) fn create_file(&self, name: &OsStr) -> io::Result<File> {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            Ok(File::from(openat(&self.handle, name, flags, Mode::RUSR | Mode::WUSR)?))
        }

        pub(in crate::gpu) fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
            Ok(renameat(&self.handle, from, &self.handle, to)?)
        }

        pub(in crate::gpu) fn remove(&self, name: &OsStr) -> io::Result<()> {
            Ok(unlinkat(&self.handle, name, AtFlags::empty())?)
        }
    }

    /// Root can do anything, so a folder may be root's. A file must be what this user wrote.
    fn check(path: &Path, metadata: &Metadata, or_root: bool) -> Result<(), CacheFault> {
        let uid = metadata.uid();
        if uid != geteuid().as_raw() && !(or_root && uid == 0) {
            return Err(CacheFault::OtherUser { path: path.to_owned(), uid });
        }
        // Group and all others.
        if metadata.mode() & 0o022 != 0 {
            return Err(CacheFault::Shared { path: path.to_owned() });
        }
        Ok(())
    }

    fn unreadable(path: &Path, error: &dyn std::error::Error) -> CacheFault {
        CacheFault::Unreadable { message: format!("{}: {error}", path.display()) }
    }
}

/// Elsewhere owners and permissions are not looked at: that the folder is this user's alone is the application's word, see
/// `CacheSource::folder`.
#[cfg(not(unix))]
mod place {
    use std::ffi::OsStr;
    use std::fs::{self, File, Metadata};
    use std::io;
    use std::path::{Path, PathBuf};

    use crate::gpu::cache::source::CacheFault;

    pub(in crate::gpu) struct Folder(PathBuf);

    impl Folder {
        /// `None` if there is no such folder.
        pub(in crate::gpu) fn open(path: &Path) -> Result<Option<Self>, CacheFault> {
            Ok(path.is_dir().then(|| Self(path.to_owned())))
        }

        /// Makes a folder, and those above it that are missing.
        pub(in crate::gpu) fn create(path: &Path) -> io::Result<()> {
            fs::create_dir_all(path)
        }

        /// Opens a regular file. `None` if there is none.
        pub(in crate::gpu) fn file(&self, name: &OsStr) -> Result<Option<(File, Metadata)>, CacheFault> {
            let path = self.0.join(name);
            let unreadable = |error: io::Error| match error.kind() {
                io::ErrorKind::NotFound => Ok(None),
                _ => Err(CacheFault::Unreadable { message: format!("{}: {error}", path.display()) }),
            };
            // A link and what it leads to.
            for metadata in [fs::symlink_metadata(&path), fs::metadata(&path)] {
                match metadata {
                    Ok(metadata) if metadata.is_file() => {}
                    Ok(_) => return Err(CacheFault::NotRegular { path }),
                    Err(error) => return unreadable(error),
                }
            }
            match File::open(&path).and_then(|file| file.metadata().map(|metadata| (file, metadata))) {
                Ok((_, metadata)) if !metadata.is_file() => Err(CacheFault::NotRegular { path }),
                Ok(opened) => Ok(Some(opened)),
                Err(error) => unreadable(error),
            }
        }

        /// A new file. It is an error if anything has that name.
        pub(in crate::gpu) fn create_file(&self, name: &OsStr) -> io::Result<File> {
            File::options().write(true).create_new(true).open(self.0.join(name))
        }

        pub(in crate::gpu) fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
            fs::rename(self.0.join(from), self.0.join(to))
        }

        pub(in crate::gpu) fn remove(&self, name: &OsStr) -> io::Result<()> {
            fs::remove_file(self.0.join(name))
        }
    }
}
