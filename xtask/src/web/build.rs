//! The pages as files: the module by cargo, its JavaScript side by the workspace's own `winoconv-bindgen`, the rest as it is.

use std::path::Path;

use fs_err as fs;

use crate::ci::ensure_target;
use crate::steps::{cargo, run};

const TARGET: &str = "wasm32-unknown-unknown";
const SOURCES: &str = "examples/web/page";
/// What the page of networks asks for: weights, its picture, and what its test compares with; under these names.
const DATA: [(&str, &str); 4] = [
    ("models/weights/realesr/realesr-animevideov3-x4.safetensors", "realesr-animevideov3-x4.safetensors"),
    ("models/weights/oidn/rt_ldr.tza", "rt_ldr.tza"),
    ("models/tests/cases.safetensors", "cases.safetensors"),
    ("examples/cat-320x180.png", "cat.png"),
];

pub(super) fn page(root: &Path, folder: &Path, no_install: bool) -> anyhow::Result<()> {
    ensure_target(TARGET, no_install)?;
    run(&mut cargo(root, &format!("build --release --quiet --package winoconv-web --target {TARGET}")))?;
    fs::create_dir_all(folder)?;
    let mut bindgen = cargo(root, "run --release --quiet --package winoconv-bindgen --");
    let built = if cfg!(windows) { "target/steps" } else { "target" };
    bindgen.arg(root.join(built).join(TARGET).join("release/winoconv_web.wasm")).arg(folder);
    run(&mut bindgen)?;
    for entry in fs::read_dir(root.join(SOURCES))? {
        let entry = entry?;
        fs::copy(entry.path(), folder.join(entry.file_name()))?;
    }
    for (from, name) in DATA {
        fs::copy(root.join(from), folder.join(name))?;
    }
    Ok(())
}
