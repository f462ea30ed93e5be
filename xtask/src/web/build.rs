//! The page as files: the module by cargo, its JavaScript side by the workspace's own `winoconv-bindgen`, the rest as it is.

use std::path::Path;

use anyhow::{Context as _, anyhow};

use crate::ci::ensure_target;
use crate::steps::{cargo, run};

const TARGET: &str = "wasm32-unknown-unknown";
/// Below the root.
const SOURCES: &str = "examples/web/page";

/// Has Rust's library for the target.
///
/// # Errors
/// Why it is not there, and how to get it.
pub(super) fn target(no_install: bool) -> Result<(), String> {
    ensure_target(TARGET, no_install)
}

/// Builds everything into `folder`.
pub(super) fn page(root: &Path, folder: &Path, no_install: bool) -> anyhow::Result<()> {
    target(no_install).map_err(|missing| anyhow!("{missing}"))?;
    run(&mut cargo(root, &format!("build --release --quiet --package winoconv-web --target {TARGET}")))?;
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let mut bindgen = cargo(root, "run --release --quiet --package winoconv-bindgen --");
    let built = if cfg!(windows) { "target/steps" } else { "target" };
    bindgen.arg(root.join(built).join(TARGET).join("release/winoconv_web.wasm")).arg(folder);
    run(&mut bindgen)?;
    let sources = root.join(SOURCES);
    for entry in std::fs::read_dir(&sources).with_context(|| format!("reading {}", sources.display()))? {
        let entry = entry?;
        let to = folder.join(entry.file_name());
        std::fs::copy(entry.path(), &to).with_context(|| format!("writing {}", to.display()))?;
    }
    Ok(())
}
