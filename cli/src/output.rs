//! Files that are there as a whole or not at all: each is written under another name in the same folder, and gets its name when it is
//! finished. After Ctrl-C the unfinished one is removed.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::error::{CliError, Result};

/// The unfinished file. Whoever holds the lock may remove or rename it.
static UNFINISHED: Mutex<Option<PathBuf>> = Mutex::new(None);

/// What shells take for a process that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

pub(crate) fn clean_up_on_interrupt() -> Result<()> {
    ctrlc::set_handler(|| {
        // The lock is kept until the process has ended, so that no other file is begun.
        let unfinished = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = &*unfinished {
            let _ = fs::remove_file(path);
        }
        eprintln!("interrupted");
        #[expect(clippy::exit, reason = "the user asked for the end of the process")]
        std::process::exit(INTERRUPTED);
    })
    .map_err(CliError::Interrupt)
}

/// Refuses a file that is there, before anything is computed for it.
pub(crate) fn check(path: &Path, force: bool) -> Result<()> {
    if !force && path.symlink_metadata().is_ok() {
        return Err(CliError::Exists(path.to_owned()));
    }
    Ok(())
}

/// Writes a whole file.
pub(crate) fn write(path: &Path, bytes: &[u8], force: bool) -> Result<()> {
    let failed = |source| CliError::Write { path: path.to_owned(), source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(failed)?;
    let mut unfinished = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".winoconv-").suffix(".part");
    #[cfg(unix)]
    {
        // As any new file: whoever may read it is said by the user's umask.
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder).map_err(failed)?;
    *unfinished = Some(file.path().to_owned());
    drop(unfinished);
    let written = file.write_all(bytes).and_then(|()| file.as_file().sync_all());

    let mut unfinished = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner);
    *unfinished = None;
    // An error drops the file, which removes it.
    written.map_err(failed)?;
    let renamed = if force { file.persist(path) } else { file.persist_noclobber(path) };
    match renamed {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Err(CliError::Exists(path.to_owned())),
        Err(error) => Err(failed(error.error)),
    }
}
