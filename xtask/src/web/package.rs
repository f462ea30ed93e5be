//! The npm package's test: it is packed, installed from its tarball beside a small program in TypeScript, type-checked with it, and
//! run in a browser. Judged is what the program reports.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use duct::cmd;
use fs_err as fs;
use serde::Deserialize;

use super::browser::{Browser, Gpu};
use super::{build, open};
use crate::steps::Missing;

const FOLDER: &str = "target/npm";
const CONSUMER: &str = "examples/web/consumer";
const CASES: &str = "models/tests/cases.safetensors";
/// The largest difference from ncnn and from Intel's library, in parts of the range, as the tests of `models` ask.
const LARGEST_DIFFERENCE: f64 = 1e-3;
/// Comparisons that the program makes.
const COMPARED: [&str; 4] = ["enlarged", "srgb", "hdr_alb_nrm", "hdr_alb_nrm_small"];
/// Errors that the program causes, which are to have their names as codes.
const CAUSED: [&str; 7] = ["inputs", "length", "size", "damaged", "not-shipped", "fetch", "scale"];

#[derive(Debug, Clone, Deserialize)]
struct Report {
    webgpu: bool,
    device: String,
    apart: BTreeMap<String, Option<f64>>,
    bytes_apart: Option<f64>,
    progress: Vec<[usize; 2]>,
    aborted: String,
    after: Option<f64>,
    errors_of: BTreeMap<String, String>,
    errors: Vec<String>,
}

impl Report {
    fn judge(&self, gpu: Gpu) -> anyhow::Result<String> {
        ensure!(self.errors.is_empty(), "it reports {}", self.errors.join("; "));
        ensure!(self.webgpu == (gpu != Gpu::None), "it computed on {} with {gpu}", self.device);
        let mut worst = 0.0f64;
        for what in COMPARED {
            // JSON has no NaN: what is no number is nothing.
            let apart = self.apart.get(what).copied().flatten().unwrap_or(f64::INFINITY);
            ensure!(apart <= LARGEST_DIFFERENCE, "{what} is {apart} of the range from the other program's result");
            worst = worst.max(apart);
        }
        ensure!(self.bytes_apart.is_some_and(|bytes| bytes <= 1.0), "a canvas differs by {:?} steps", self.bytes_apart);
        ensure!(self.progress == [[1, 1]], "progress was told as {:?}", self.progress);
        ensure!(self.aborted == "enough", "an aborted run ended with {:?}", self.aborted);
        let after = self.after.unwrap_or(f64::INFINITY);
        ensure!(after <= LARGEST_DIFFERENCE, "after an aborted run a result is off by {after}");
        for code in CAUSED.into_iter().chain((gpu == Gpu::None).then_some("device")) {
            let got = self.errors_of.get(code).map_or("nothing", String::as_str);
            ensure!(got == code, "the error {code} came as {got}");
        }
        Ok(format!("the packed package agrees with other programs ({worst:.1e} apart) on {}", self.device))
    }
}

/// npm, if this machine has it.
pub(super) fn npm() -> anyhow::Result<&'static str> {
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let found = cmd!(npm, "--version").stdout_null().stderr_null().run();
    found.map_err(|_| Missing("npm is not on the PATH; it comes with Node.js".to_owned()))?;
    Ok(npm)
}

/// Builds the package and packs it. Returns the tarball.
pub(super) fn pack(root: &Path, no_install: bool) -> anyhow::Result<PathBuf> {
    let npm = npm()?;
    let folder = root.join(FOLDER);
    let package = folder.join(build::PACKAGE);
    build::package(root, &package, no_install)?;
    let packed = cmd!(npm, "pack", "--silent", "--pack-destination", &folder).dir(&package).read()?;
    Ok(folder.join(packed.lines().last().unwrap_or_default()))
}

/// Packs, installs, type-checks and runs it, on WebGPU and where the browser has none.
pub(crate) fn test(root: &Path, no_install: bool) -> anyhow::Result<()> {
    let npm = npm()?;
    let browser = Browser::find(no_install)?;
    ensure!(!no_install, Missing("this test installs the npm package typescript".to_owned()));
    let tarball = pack(root, no_install)?;
    let home = tempfile::tempdir()?;
    build::copy(&root.join(CONSUMER), home.path())?;
    build::copy(&root.join(CASES), home.path())?;
    cmd!(npm, "install", "--no-audit", "--no-fund", "--silent", &tarball).dir(home.path()).run()?;
    let checked = cmd!(npm, "exec", "--", "tsc", "--project", ".").dir(home.path()).run();
    checked.context("the program does not type-check")?;
    for gpu in [Gpu::SwiftShader, Gpu::None] {
        let start = Instant::now();
        let text = open(home.path(), &browser, gpu, ("index.html", "screenshot.png"))?;
        let report: Report = serde_json::from_str(&text).with_context(|| format!("the report is none: {text}"))?;
        let words = report.judge(gpu).with_context(|| format!("the npm package with {gpu}"))?;
        println!("{gpu}: {words}, {:.1} s", start.elapsed().as_secs_f64());
    }
    let bytes = fs::metadata(&tarball)?.len();
    println!("{} of {:.1} MB", tarball.display(), bytes as f64 / 1e6);
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_report_passes_only_whole() {
        let codes: BTreeMap<&str, &str> = CAUSED.into_iter().chain(["device"]).map(|code| (code, code)).collect();
        let apart: BTreeMap<&str, f64> = COMPARED.into_iter().map(|what| (what, 1e-6)).collect();
        let whole = json!({
            "webgpu": false, "device": "a CPU", "apart": apart, "bytes_apart": 1, "progress": [[1, 1]],
            "aborted": "enough", "after": 1e-6, "errors_of": codes, "errors": [],
        });
        let judge = |value: &Value| serde_json::from_value::<Report>(value.clone()).expect("a report").judge(Gpu::None);
        assert!(judge(&whole).is_ok_and(|words| words.contains("1.0e-6 apart")));
        for (path, value) in [
            ("/webgpu", json!(true)),
            ("/apart/srgb", json!(0.1)),
            ("/apart/enlarged", json!(null)),
            ("/bytes_apart", json!(2)),
            ("/progress", json!([])),
            ("/aborted", json!("finished")),
            ("/after", json!(null)),
            ("/errors_of/size", json!("none")),
            ("/errors_of/device", json!("internal")),
            ("/errors", json!(["something"])),
        ] {
            let mut broken = whole.clone();
            *broken.pointer_mut(path).expect("it is there") = value;
            assert!(judge(&broken).is_err(), "{path}");
        }
    }
}
