//! Chromium without a window: found, or installed as other tools are; opened on a page with SwiftShader as its GPU, or with
//! none, and ended.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use duct::{Handle, cmd};
use fs_err as fs;
use tempfile::TempDir;

use crate::setup;

const PROGRAMS: &[&str] =
    &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "google-chrome-unstable"];
/// Where it is beside the `PATH`.
const PLACES: &[&str] = &[
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
];
/// How long it may take to draw the window and end, once the page has reported.
const TO_END: Duration = Duration::from_secs(60);
const WINDOW: &str = "1180,1400";
/// How many lines of its words are worth repeating.
const TAIL_LINES: usize = 8;

/// What computes in the page: WebGPU played by the CPU, or no WebGPU at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gpu {
    SwiftShader,
    None,
}

impl fmt::Display for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::None { "no WebGPU" } else { "WebGPU on SwiftShader" })
    }
}

pub(super) struct Browser {
    program: OsString,
}

impl Browser {
    pub(super) fn find(no_install: bool) -> anyhow::Result<Self> {
        let found = || {
            let on_path = PROGRAMS.iter().copied().find(|program| setup::is_on_path(program));
            on_path.or_else(|| PLACES.iter().copied().find(|place| Path::new(place).is_file())).map(OsString::from)
        };
        if let Some(program) = found() {
            return Ok(Self { program });
        }
        setup::install(&setup::CHROMIUM, no_install)?;
        let program = found().with_context(|| format!("neither {} is on the PATH", PROGRAMS.join(" nor ")))?;
        Ok(Self { program })
    }

    /// Opens a page. Its words go into a file in `folder`, and a picture of the window when everything is loaded, under this name.
    pub(super) fn open(&self, page: &str, folder: &Path, gpu: Gpu, picture: &str) -> anyhow::Result<Run> {
        let folder = fs::canonicalize(folder)?;
        let (profile, words) = (tempfile::tempdir()?, folder.join("chromium.log"));
        let picture = folder.join(picture);
        // One of an earlier run would pass for this one's.
        if picture.exists() {
            fs::remove_file(&picture)?;
        }
        let gpu = match gpu {
            Gpu::SwiftShader => "--enable-unsafe-webgpu --use-webgpu-adapter=swiftshader --enable-features=Vulkan",
            Gpu::None => "--disable-gpu --disable-blink-features=WebGPU",
        };
        let mut arguments = vec![
            format!("--window-size={WINDOW}"),
            format!("--user-data-dir={}", profile.path().display()),
            format!("--screenshot={}", picture.display()),
        ];
        let flags = "--headless --no-sandbox --no-first-run --hide-scrollbars";
        arguments.extend(flags.split(' ').chain(gpu.split(' ')).chain([page]).map(ToOwned::to_owned));
        let command = cmd(self.program.clone(), arguments).stdin_null().stdout_null().stderr_path(&words).unchecked();
        let child = command.start().with_context(|| format!("running {}", self.program.to_string_lossy()))?;
        Ok(Run { child, words, _profile: profile })
    }
}

/// A browser that runs. It is ended when this goes.
pub(super) struct Run {
    child: Handle,
    words: PathBuf,
    _profile: TempDir,
}

impl Run {
    pub(super) fn words(&self) -> String {
        let state = match self.child.try_wait() {
            Ok(Some(output)) => format!("ended with {}", output.status),
            Ok(None) => "still running".to_owned(),
            Err(error) => format!("in a state that cannot be told ({error})"),
        };
        let text = std::fs::read_to_string(&self.words).unwrap_or_default();
        // A machine without a desktop lacks its buses, and Chromium does not tire of saying so.
        let lines: Vec<&str> = text.lines().filter(|line| !line.contains("/dbus/")).collect();
        let last = setup::tail(&lines.join("\n"), TAIL_LINES);
        format!("Chromium is {state}; its words are in {}:\n  {last}", self.words.display())
    }

    pub(super) fn finish(&self) -> anyhow::Result<()> {
        let ended = self.child.wait_timeout(TO_END)?;
        let output = ended.with_context(|| format!("it did not end within {TO_END:?}; {}", self.words()))?;
        ensure!(output.status.success(), "{}", self.words());
        Ok(())
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // It has ended already, or nothing more can be done about it.
        let _ = self.child.kill();
        let _ = self.child.wait_timeout(Duration::from_secs(5));
    }
}
