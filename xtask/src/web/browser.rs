//! Chromium without a window: found, or installed as other tools are; opened on a page with SwiftShader as its GPU, or with
//! none, and ended.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::SCREENSHOT;
use crate::setup;

/// Names of the program on a `PATH`.
const PROGRAMS: &[&str] =
    &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "google-chrome-unstable"];
/// Where else it is.
const PLACES: &[&str] = &[
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
];
/// What Debian calls it, and what is installed.
const DEBIANS: &str = "chromium";
/// How long it may take to draw the window and end, once the page has reported.
const TO_END: Duration = Duration::from_secs(60);
/// The window of the picture.
const WINDOW: &str = "1180,1400";
/// How much of its words is worth repeating.
const TAIL_LINES: usize = 8;

/// What computes in the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gpu {
    /// WebGPU, played by the processor.
    SwiftShader,
    /// No WebGPU at all.
    None,
}

impl fmt::Display for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SwiftShader => "WebGPU on SwiftShader",
            Self::None => "no WebGPU",
        })
    }
}

/// Chromium, or Chrome.
#[derive(Debug)]
pub(super) struct Browser {
    program: PathBuf,
}

impl Browser {
    /// Finds it; on Debian and Ubuntu installs it.
    ///
    /// # Errors
    /// Where it was looked for, and how to get it.
    pub(super) fn find(no_install: bool) -> anyhow::Result<Self> {
        let found = || {
            let on_path = PROGRAMS.iter().copied().find(|program| setup::is_on_path(program)).map(PathBuf::from);
            on_path.or_else(|| PLACES.iter().map(PathBuf::from).find(|place| place.is_file()))
        };
        if let Some(program) = found() {
            return Ok(Self { program });
        }
        let setup = setup::ensure_tool(DEBIANS, no_install);
        match found() {
            Some(program) => Ok(Self { program }),
            None => bail!("neither {} is on the PATH; {setup}", PROGRAMS.join(" nor ")),
        }
    }

    /// Opens a page. Its words go into a file in `folder`, and a picture of the window when everything is loaded.
    pub(super) fn open(&self, page: &str, folder: &Path, gpu: Gpu) -> anyhow::Result<Run> {
        let folder = folder.canonicalize()?;
        let (profile, words) = (folder.join("profile"), folder.join("chromium.log"));
        // What an earlier run left would be read again.
        if profile.exists() {
            std::fs::remove_dir_all(&profile).with_context(|| format!("emptying {}", profile.display()))?;
        }
        let log = std::fs::File::create(&words).with_context(|| format!("writing {}", words.display()))?;
        let mut command = Command::new(&self.program);
        command.args(["--headless", "--no-sandbox", "--no-first-run", "--hide-scrollbars"]);
        command.arg(format!("--window-size={WINDOW}"));
        command.arg(format!("--user-data-dir={}", profile.display()));
        match gpu {
            Gpu::SwiftShader => {
                let picture = folder.join(SCREENSHOT);
                // One of an earlier run would pass for this one's.
                if picture.exists() {
                    std::fs::remove_file(&picture).with_context(|| format!("deleting {}", picture.display()))?;
                }
                command.args([
                    "--enable-unsafe-webgpu",
                    "--use-webgpu-adapter=swiftshader",
                    "--enable-features=Vulkan",
                ]);
                command.arg(format!("--screenshot={}", picture.display()));
            }
            Gpu::None => {
                command.args(["--disable-gpu", "--disable-blink-features=WebGPU"]);
                command.arg(format!("--screenshot={}", folder.join("screenshot-host.png").display()));
            }
        }
        command.arg(page).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().with_context(|| format!("running {}", self.program.display()))?;
        Ok(Run { child, words, profile })
    }
}

/// A browser that runs. It is ended when this goes.
#[derive(Debug)]
pub(super) struct Run {
    child: Child,
    words: PathBuf,
    profile: PathBuf,
}

impl Run {
    /// The last of what it wrote, and whether it still runs.
    pub(super) fn words(&mut self) -> String {
        let state = match self.child.try_wait() {
            Ok(Some(status)) => format!("ended with {status}"),
            Ok(None) => "still running".to_owned(),
            Err(error) => format!("in a state that cannot be told ({error})"),
        };
        let text = std::fs::read_to_string(&self.words).unwrap_or_default();
        // A machine without a desktop lacks its buses, and Chromium does not tire of saying so.
        let lines: Vec<&str> = text.lines().filter(|line| !line.contains("/dbus/")).collect();
        let last = lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n  ");
        format!("Chromium is {state}; its words are in {}:\n  {last}", self.words.display())
    }

    /// Waits for its end.
    pub(super) fn finish(&mut self) -> anyhow::Result<()> {
        let start = Instant::now();
        while start.elapsed() < TO_END {
            if let Some(status) = self.child.try_wait()? {
                anyhow::ensure!(status.success(), "{}", self.words());
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("it did not end within {} s; {}", TO_END.as_secs(), self.words())
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // It has ended already, or nothing more can be done about it.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}
