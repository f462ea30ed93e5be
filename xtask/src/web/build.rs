//! What a browser loads, as files: the npm package (the module by cargo, its JavaScript side by the workspace's own
//! `winoconv-bindgen`, weights, licences), and the pages beside it.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use fs_err as fs;
use serde_json::Value;

use crate::ci::ensure_target;
use crate::steps::{cargo, run};

const TARGET: &str = "wasm32-unknown-unknown";
/// The package's name, and that of its folder beside the pages.
pub(super) const PACKAGE: &str = "winoconv-web";
const SOURCES: &str = "examples/web/package";
const PAGE: &str = "examples/web/page";
/// What the package carries beside its sources, and where in it.
const CARRIED: [(&str, &str); 4] = [
    ("LICENSE-MIT", "."),
    ("LICENSE-APACHE", "."),
    ("models/weights/oidn", "weights/oidn"),
    ("models/weights/realesr", "weights/realesr"),
];
/// What the page of networks asks for: its picture, and what its test compares with; under these names.
const DATA: [(&str, &str); 2] =
    [("models/tests/cases.safetensors", "cases.safetensors"), ("examples/cat-320x180.png", "cat.png")];

/// The pages, with the package in a folder.
pub(super) fn page(root: &Path, folder: &Path, no_install: bool) -> anyhow::Result<()> {
    package(root, &folder.join(PACKAGE), no_install)?;
    copy(&root.join(PAGE), folder)?;
    for (from, name) in DATA {
        fs::copy(root.join(from), folder.join(name))?;
    }
    Ok(())
}

/// The package, as npm packs it.
pub(super) fn package(root: &Path, folder: &Path, no_install: bool) -> anyhow::Result<()> {
    ensure_target(TARGET, no_install)?;
    run(&mut cargo(root, &format!("build --release --quiet --package winoconv-web --target {TARGET}")))?;
    // What an earlier version had is not part of this one.
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    let mut bindgen = cargo(root, "run --release --quiet --package winoconv-bindgen --");
    bindgen.arg(built(root)?.join(TARGET).join("release/winoconv_web.wasm")).arg(folder);
    run(&mut bindgen)?;
    copy(&root.join(SOURCES), folder)?;
    for (from, to) in CARRIED {
        copy(&root.join(from), &folder.join(to))?;
    }
    let manifest = folder.join("package.json");
    let mut value: Value = serde_json::from_str(&fs::read_to_string(&manifest)?)?;
    value["version"] = winoconv::VERSION.into();
    Ok(fs::write(&manifest, format!("{value:#}\n"))?)
}

/// The folder that cargo builds into.
fn built(root: &Path) -> anyhow::Result<PathBuf> {
    let output = cargo(root, "metadata --no-deps --format-version 1").stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "`cargo metadata` ended with {}", output.status);
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    metadata["target_directory"].as_str().map(PathBuf::from).context("`cargo metadata` names no target directory")
}

/// Copies a file or the files of a folder into a folder.
pub(super) fn copy(from: &Path, folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    if from.is_file() {
        fs::copy(from, folder.join(from.file_name().unwrap_or_default()))?;
        return Ok(());
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), folder.join(entry.file_name()))?;
    }
    Ok(())
}
