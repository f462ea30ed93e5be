//! The environment that drivers read when they are loaded: a Vulkan driver that the loader does not know of, since it stands
//! in a browser's folder (`--adapter swiftshader` finds it; it shares no code with Mesa, so what passes on both is no accident
//! of one compiler), the folder that Mesa complains of where it is not set, and an allocator that gives memory back.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use fs_err as fs;

use crate::steps::{Missing, cargo};

/// What the loader reads, newer and older ones; it then sees these drivers alone.
pub(crate) const LOADER_VARIABLES: [&str; 2] = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"];
pub(crate) const SWIFTSHADER: &str = "swiftshader";
const MANIFEST: &str = "vk_swiftshader_icd.json";
/// Where Debian, Ubuntu, Fedora, Arch and Google put a browser.
const FOLDERS: [&str; 6] = [
    "/usr/lib/chromium",
    "/usr/lib/chromium-browser",
    "/usr/lib64/chromium-browser",
    "/opt/google/chrome",
    "/opt/google/chrome-unstable",
    "/opt/chromium.org/chromium",
];

/// SwiftShader's manifest; the error says where it was looked for, and how to get it.
pub(crate) fn swiftshader() -> Result<PathBuf, Missing> {
    let manifest = FOLDERS.into_iter().map(|folder| Path::new(folder).join(MANIFEST)).find(|path| has_library(path));
    manifest.ok_or_else(|| {
        Missing(format!(
            "SwiftShader's Vulkan driver is not on this machine: no {MANIFEST} with its library in {}. It comes with \
             Chromium: on Debian run `sudo apt-get install chromium`, or set {} to the manifest of another copy",
            FOLDERS.join(", "),
            LOADER_VARIABLES[0],
        ))
    })
}

fn has_library(manifest: &Path) -> bool {
    let value = fs::read(manifest).ok().and_then(|text| serde_json::from_slice::<serde_json::Value>(&text).ok());
    let library = value.as_ref().and_then(|value| value["ICD"]["library_path"].as_str());
    library.is_some_and(|library| manifest.with_file_name(library).is_file())
}

/// Runs the program again as a child where a variable is missing that a verb on this adapter needs, since a running process
/// cannot change its own environment safely. Returns the child's end; nothing where nothing is missing.
pub(crate) fn with_environment(root: &Path, adapter: Option<&str>, soaks: bool) -> anyhow::Result<Option<ExitCode>> {
    let lacks = |name: &str| std::env::var_os(name).is_none_or(|value| value.is_empty());
    let mut missing: Vec<(&str, PathBuf)> = Vec::new();
    let asked = adapter.is_some_and(|name| name.to_lowercase().contains(SWIFTSHADER));
    if asked && LOADER_VARIABLES.into_iter().all(lacks) {
        let manifest = swiftshader()?;
        println!("Vulkan driver: {}", manifest.display());
        missing.extend(LOADER_VARIABLES.map(|name| (name, manifest.clone())));
    }
    if cfg!(target_os = "linux") && lacks("XDG_RUNTIME_DIR") {
        let folder = root.join("target/runtime");
        fs::create_dir_all(&folder)?;
        missing.push(("XDG_RUNTIME_DIR", folder));
    }
    // With an arena for each thread, freed memory stays in arenas of threads that are gone, and the process seems to grow.
    if cfg!(target_os = "linux") && soaks && lacks("MALLOC_ARENA_MAX") {
        missing.push(("MALLOC_ARENA_MAX", "2".into()));
    }
    if missing.is_empty() {
        return Ok(None);
    }
    let mut command = Command::new(std::env::current_exe()?);
    end_of(command.args(std::env::args_os().skip(1)).envs(missing)).map(Some)
}

/// Builds this program optimised, and runs it with the same arguments.
pub(crate) fn optimised(root: &Path) -> anyhow::Result<ExitCode> {
    let mut command = cargo(root, "run --release --package xtask --");
    // Paths among the arguments are relative to where the caller is.
    end_of(command.args(std::env::args_os().skip(1)).current_dir(std::env::current_dir()?))
}

fn end_of(command: &mut Command) -> anyhow::Result<ExitCode> {
    let code = command.status()?.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_counts_if_its_library_is_there() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let manifest = folder.path().join(MANIFEST);
        assert!(!has_library(&manifest), "no manifest");
        fs::write(&manifest, r#"{"ICD": {"library_path": "./libvk_swiftshader.so"}}"#).expect("written");
        assert!(!has_library(&manifest), "no library");
        fs::write(folder.path().join("libvk_swiftshader.so"), "").expect("written");
        assert!(has_library(&manifest), "both, the path relative to the manifest");
    }
}
