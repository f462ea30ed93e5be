//! The pipeline cache's file: read only where nobody but this user could have written it, replaced in one step.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use super::private_folder::Folder;
use super::source::CacheFault;

/// The largest file that is read, 256 MiB. Drivers' caches have a few MiB.
const MAX_BYTES: u64 = 256 << 20;

/// Folder and name of a file.
fn split(path: &Path) -> (&Path, &OsStr) {
    (path.parent().unwrap_or(Path::new("")), path.file_name().unwrap_or_default())
}

/// Reads a regular file of this user in a folder that nobody else may write. It is opened once, without following a link, and
/// what was opened is judged before it is read. `None` where there is no file.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, CacheFault> {
    let (folder, name) = split(path);
    let Some(folder) = Folder::open(folder)? else { return Ok(None) };
    let Some((file, metadata)) = folder.file(name)? else { return Ok(None) };
    let too_large = |bytes| CacheFault::TooLarge { bytes, bound: MAX_BYTES };
    if metadata.len() > MAX_BYTES {
        return Err(too_large(metadata.len()));
    }
    let mut bytes = Vec::new();
    // It may have grown meanwhile.
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| CacheFault::Unreadable { message: format!("{}: {error}", path.display()) })?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(too_large(bytes.len() as u64));
    }
    Ok(Some(bytes))
}

/// Writes a new file beside the place and moves it there, so that nobody sees half of one. The folder is made if it is
/// missing, and refused where [`read`] would refuse it.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    /// Two threads of a process write two files.
    static WRITES: AtomicU32 = AtomicU32::new(0);
    let (folder, name) = split(path);
    if !folder.as_os_str().is_empty() {
        Folder::create(folder)?;
    }
    let folder = Folder::open(folder).map_err(io::Error::other)?.ok_or(io::ErrorKind::NotFound)?;
    let mut unfinished = OsString::from(name);
    unfinished.push(format!(".{}-{}.unfinished", std::process::id(), WRITES.fetch_add(1, Ordering::Relaxed)));
    let written = folder.create_file(&unfinished).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let moved = written.and_then(|()| folder.rename(&unfinished, name));
    if moved.is_err() {
        // What went wrong is reported; that its remains could not be taken away would say no more.
        let _ = folder.remove(&unfinished);
    }
    moved
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{self, File, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
    use std::path::{Path, PathBuf};
    use std::process::Command;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;

    /// A user that no process of ours runs as.
    const NOBODY: u32 = 65_534;

    /// A folder of one test, for this user alone, gone before and after it.
    struct Folder(PathBuf);

    impl Folder {
        fn new(test: &str) -> Self {
            let folder = Self(std::env::temp_dir().join(format!("winoconv-{test}-{}", std::process::id())));
            let _ = fs::remove_dir_all(&folder.0);
            fs::create_dir(&folder.0).expect("made");
            mode(&folder.0, 0o700);
            folder
        }

        fn file(&self) -> PathBuf {
            let file = self.0.join("cache.bin");
            fs::write(&file, "compiled").expect("written");
            mode(&file, 0o600);
            file
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("changed");
    }

    /// Gives a file to another user, which root alone can. Says that the test is skipped otherwise.
    #[expect(clippy::print_stdout, reason = "a skipped test says so")]
    fn give_away(test: &str, path: &Path) -> bool {
        let given = chown(path, Some(NOBODY), None);
        if given.is_err() {
            println!("SKIPPED {test}: only root gives files away");
        }
        given.is_ok()
    }

    /// Reads on another thread, so that a read that never ends is a failure and no hang.
    fn read_in_time(path: &Path) -> Result<Option<Vec<u8>>, CacheFault> {
        let (sender, receiver) = mpsc::channel();
        let path = path.to_owned();
        thread::spawn(move || sender.send(read(&path)));
        receiver.recv_timeout(Duration::from_secs(10)).expect("an answer within 10 seconds")
    }

    #[test]
    fn a_file_of_this_user_is_read_whoever_else_may_read_it() {
        let folder = Folder::new("cache-own");
        let file = folder.file();
        for (file_mode, folder_mode) in [(0o600, 0o700), (0o644, 0o755), (0o400, 0o500)] {
            mode(&file, file_mode);
            mode(&folder.0, folder_mode);
            assert_eq!(read(&file), Ok(Some(b"compiled".to_vec())), "{file_mode:o} in {folder_mode:o}");
        }
        mode(&folder.0, 0o700);
        assert_eq!(read(&folder.0.join("none")), Ok(None), "no file");
        assert_eq!(read(&folder.0.join("none/none")), Ok(None), "no folder");
    }

    #[test]
    fn a_file_or_folder_that_others_may_write_is_refused() {
        let folder = Folder::new("cache-shared");
        let file = folder.file();
        for (file_mode, folder_mode) in
            [(0o620, 0o700), (0o602, 0o700), (0o600, 0o720), (0o600, 0o702), (0o600, 0o1777)]
        {
            mode(&file, file_mode);
            mode(&folder.0, folder_mode);
            let fault = read(&file);
            assert!(matches!(fault, Err(CacheFault::Shared { .. })), "{file_mode:o} in {folder_mode:o}: {fault:?}");
        }
    }

    #[test]
    fn a_file_of_another_user_is_refused() {
        let folder = Folder::new("cache-foreign");
        let file = folder.file();
        for file_mode in [0o644, 0o600] {
            mode(&file, file_mode);
            if give_away("a_file_of_another_user_is_refused", &file) {
                let fault = read(&file).expect_err("another user wrote it");
                assert!(matches!(fault, CacheFault::OtherUser { uid: NOBODY, .. }), "{fault}");
            }
        }
    }

    #[test]
    fn a_folder_of_another_user_is_refused() {
        let folder = Folder::new("cache-foreign-folder");
        let file = folder.file();
        if give_away("a_folder_of_another_user_is_refused", &folder.0) {
            let fault = read(&file).expect_err("another user may replace it");
            assert!(matches!(fault, CacheFault::OtherUser { uid: NOBODY, .. }), "{fault}");
            let error = replace(&file, b"compiled").expect_err("another user may replace it").to_string();
            assert!(error.contains("user 65534"), "{error}");
        }
    }

    #[test]
    fn a_link_in_the_files_place_is_refused() {
        let (folder, open_to_all) = (Folder::new("cache-link"), Folder::new("cache-link-target"));
        let target = open_to_all.file();
        mode(&open_to_all.0, 0o777);
        let link = folder.0.join("link.bin");
        symlink(&target, &link).expect("linked");
        let fault = read_in_time(&link).expect_err("the target's folder is open to all");
        assert!(matches!(fault, CacheFault::NotRegular { .. }), "{fault}");
    }

    #[test]
    fn a_linked_folder_is_judged_by_what_it_leads_to() {
        let (folder, open_to_all) = (Folder::new("cache-linked"), Folder::new("cache-linked-target"));
        open_to_all.file();
        let link = folder.0.join("link");
        symlink(&open_to_all.0, &link).expect("linked");
        assert_eq!(read(&link.join("cache.bin")), Ok(Some(b"compiled".to_vec())), "a folder of this user");
        mode(&open_to_all.0, 0o777);
        let fault = read(&link.join("cache.bin")).expect_err("open to all");
        assert!(matches!(fault, CacheFault::Shared { .. }), "{fault}");
        let error = replace(&link.join("cache.bin"), b"new").expect_err("open to all").to_string();
        assert!(error.contains("can be written by other users"), "{error}");
    }

    #[test]
    fn a_pipe_and_a_device_do_not_stop_the_reader() {
        let folder = Folder::new("cache-special");
        let pipe = folder.0.join("pipe.bin");
        assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
        mode(&pipe, 0o600);
        let fault = read_in_time(&pipe).expect_err("a pipe");
        assert!(matches!(fault, CacheFault::NotRegular { .. }), "{fault}");
        let zeros = folder.0.join("zeros.bin");
        symlink("/dev/zero", &zeros).expect("linked");
        let fault = read_in_time(&zeros).expect_err("a device");
        assert!(matches!(fault, CacheFault::NotRegular { .. }), "{fault}");
        let fault = read_in_time(Path::new("/dev/zero")).expect_err("a device");
        assert!(matches!(fault, CacheFault::NotRegular { .. }), "{fault}");
        fs::create_dir(folder.0.join("folder.bin")).expect("made");
        let fault = read_in_time(&folder.0.join("folder.bin")).expect_err("a folder");
        assert!(matches!(fault, CacheFault::NotRegular { .. }), "{fault}");
    }

    #[test]
    fn a_file_beyond_the_bound_is_refused_before_it_is_read() {
        let folder = Folder::new("cache-huge");
        let file = folder.file();
        File::options().write(true).open(&file).expect("opened").set_len(1 << 40).expect("a sparse file");
        let fault = read_in_time(&file).expect_err("1 TiB");
        assert!(matches!(fault, CacheFault::TooLarge { bytes, .. } if bytes == 1 << 40), "{fault}");
    }

    #[test]
    fn a_file_is_replaced_whole_and_for_this_user_alone() {
        let folder = Folder::new("cache-replace");
        let file = folder.0.join("made/cache.bin");
        for contents in ["first", "second"] {
            replace(&file, contents.as_bytes()).expect("written");
            assert_eq!(read(&file), Ok(Some(contents.as_bytes().to_vec())));
        }
        let permissions = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((permissions(&file), permissions(file.parent().expect("a folder"))), (0o600, 0o700));
        assert_eq!(fs::read_dir(file.parent().expect("a folder")).expect("read").count(), 1, "no remains");
        // A link is replaced, and what it leads to stays.
        let elsewhere = folder.file();
        fs::remove_file(&file).expect("removed");
        symlink(&elsewhere, &file).expect("linked");
        replace(&file, b"third").expect("written");
        assert_eq!(fs::read(&elsewhere).expect("there"), b"compiled");
        assert_eq!(read(&file), Ok(Some(b"third".to_vec())));
        // A folder that others may write is none to write to.
        mode(file.parent().expect("a folder"), 0o777);
        let error = replace(&file, b"fourth").expect_err("open to all").to_string();
        assert!(error.contains("can be written by other users"), "{error}");
    }
}
