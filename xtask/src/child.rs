//! A child process with a limit: it ends by itself in time, or is ended. What it says is read as it says it, so that a
//! full pipe cannot hold it, and what it said until it was ended is not lost.

use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often a child is looked at.
const POLL: Duration = Duration::from_millis(10);
/// How long a child that was ended, or the pipes of one that has ended, may take to go: a driver that hangs in the kernel
/// can hold a process whatever is sent to it.
const GRACE: Duration = Duration::from_secs(10);

/// How a child ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    /// How.
    pub(crate) how: How,
    /// Its standard output.
    pub(crate) stdout: String,
    /// Its standard error.
    pub(crate) stderr: String,
}

/// How a child ended.
#[derive(Debug)]
pub(crate) enum How {
    /// By itself.
    Exited(ExitStatus),
    /// It was ended at the limit; `gone` if the system has confirmed that.
    Killed { gone: bool },
}

/// Runs a command without input for at most `limit`.
///
/// # Errors
/// If it cannot be started or asked for.
pub(crate) fn run_within(command: &mut Command, limit: Duration) -> io::Result<Ended> {
    let start = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let stdout = Reader::of(child.stdout.take());
    let stderr = Reader::of(child.stderr.take());
    let how = match wait_until(&mut child, start + limit)? {
        Some(status) => How::Exited(status),
        None => {
            // Fails where it has ended just now: that is found out below.
            let _ = child.kill();
            How::Killed { gone: wait_until(&mut child, Instant::now() + GRACE)?.is_some() }
        }
    };
    Ok(Ended { how, stdout: stdout.text(), stderr: stderr.text() })
}

fn wait_until(child: &mut Child, end: Instant) -> io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        thread::sleep(left.min(POLL));
    }
}

/// A pipe that is read by a thread of its own.
struct Reader {
    read: Arc<Mutex<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    fn of(pipe: Option<impl Read + Send + 'static>) -> Self {
        let read = Arc::new(Mutex::new(Vec::new()));
        let thread = pipe.map(|mut pipe| {
            let read = Arc::clone(&read);
            thread::spawn(move || {
                let mut piece = [0; 4096];
                // An error of the pipe is its end.
                while let Ok(len @ 1..) = pipe.read(&mut piece) {
                    read.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&piece[..len]);
                }
            })
        });
        Self { read, thread }
    }

    /// All that came. The pipe ends with the child, unless something that it started holds it.
    fn text(self) -> String {
        let end = Instant::now() + GRACE;
        while self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) && Instant::now() < end {
            thread::sleep(POLL);
        }
        String::from_utf8_lossy(&self.read.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_child_in_time_is_heard() {
        let ended = run_within(&mut shell("echo said; echo complained >&2; exit 3"), GRACE).expect("starts");
        assert!(matches!(ended.how, How::Exited(status) if status.code() == Some(3)), "{ended:?}");
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("said\n", "complained\n"));
    }

    #[test]
    fn a_child_that_takes_too_long_is_ended_and_gone() {
        let start = Instant::now();
        let ended = run_within(&mut shell("echo $$; exec sleep 300"), Duration::from_millis(300)).expect("starts");
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        assert!(matches!(ended.how, How::Killed { gone: true }), "{ended:?}");
        let id = ended.stdout.trim();
        let there = shell(&format!("kill -0 {id}")).stderr(Stdio::null()).status().expect("asked");
        assert!(!there.success(), "process {id} is still there");
    }

    #[test]
    fn a_child_that_says_much_is_not_held_by_its_pipe() {
        let ended = run_within(&mut shell("head -c 1000000 /dev/zero"), GRACE).expect("starts");
        assert!(matches!(ended.how, How::Exited(status) if status.success()), "{:?}", ended.how);
        assert_eq!(ended.stdout.len(), 1_000_000);
    }
}
