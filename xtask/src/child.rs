//! This program as its own child, with a limit and with drivers' caches off. What it says goes to files, so that no full pipe
//! can hold it, and what it said until it was ended is not lost.

use std::io;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use duct::cmd;
use fs_err as fs;

/// Caches of drivers that would make a compilation warm, switched off: Mesa's and NVIDIA's.
const COLD: [(&str, &str); 2] = [("MESA_SHADER_CACHE_DISABLE", "true"), ("__GL_SHADER_DISK_CACHE", "0")];
/// How long a child that was ended may take to go: a driver that hangs in the kernel can hold a process whatever is sent to
/// it.
const GRACE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) how: How,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

#[derive(Debug)]
pub(crate) enum How {
    Exited(ExitStatus),
    /// It was ended at the limit; `gone` if the system has confirmed that.
    Killed {
        gone: bool,
    },
}

pub(crate) fn run_verb(arguments: &[&str], limit: Duration) -> io::Result<Ended> {
    run_within(&std::env::current_exe()?, arguments, limit)
}

fn run_within(program: &Path, arguments: &[&str], limit: Duration) -> io::Result<Ended> {
    let folder = tempfile::tempdir()?;
    let [stdout, stderr] = ["stdout", "stderr"].map(|name| folder.path().join(name));
    let command = cmd(program, arguments).stdin_null().stdout_path(&stdout).stderr_path(&stderr);
    let child = COLD.iter().fold(command, |command, (name, value)| command.env(name, value)).unchecked().start()?;
    let how = match child.wait_timeout(limit)? {
        Some(output) => How::Exited(output.status),
        None => {
            child.kill()?;
            How::Killed { gone: child.wait_timeout(GRACE)?.is_some() }
        }
    };
    let read = |path| Ok::<_, io::Error>(String::from_utf8_lossy(&fs::read(path)?).into_owned());
    Ok(Ended { how, stdout: read(stdout)?, stderr: read(stderr)? })
}

#[cfg(all(test, unix))]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_child_is_heard_whether_it_ends_or_is_ended() {
        let sh = |script, limit| run_within(Path::new("/bin/sh"), &["-c", script], limit).expect("starts");
        let ended = sh("echo said; echo complained >&2; exit 3", GRACE);
        assert!(matches!(ended.how, How::Exited(status) if status.code() == Some(3)), "{ended:?}");
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("said\n", "complained\n"));
        let start = Instant::now();
        let ended = sh("echo $$; exec sleep 300", Duration::from_millis(300));
        assert!(matches!(ended.how, How::Killed { gone: true }), "{ended:?}");
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        let id = ended.stdout.trim();
        assert!(cmd!("kill", "-0", id).stderr_null().run().is_err(), "process {id} is still there");
    }
}
