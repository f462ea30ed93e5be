//! Vulkan drivers that the loader does not know of, since they stand in a browser's folder: `--adapter swiftshader` finds
//! one and starts the program anew with the loader led to it. SwiftShader shares no code with Mesa, so what passes on
//! both is no accident of one compiler.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::setup;

/// What the loader reads, newer and older ones; it then sees these drivers alone.
pub(crate) const LOADER_VARIABLES: [&str; 2] = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"];
/// Part of the adapter's name that asks for the driver.
pub(crate) const SWIFTSHADER: &str = "swiftshader";
/// The manifest's name wherever Chromium puts it.
const MANIFEST: &str = "vk_swiftshader_icd.json";
/// Where Debian, Ubuntu, Fedora, Arch and Google put a browser.
const FOLDERS: &[&str] = &[
    "/usr/lib/chromium",
    "/usr/lib/chromium-browser",
    "/usr/lib64/chromium-browser",
    "/opt/google/chrome",
    "/opt/google/chrome-unstable",
    "/opt/chromium.org/chromium",
];

/// SwiftShader's manifest.
///
/// # Errors
/// Where it was looked for, and how to get it.
pub(crate) fn swiftshader() -> anyhow::Result<PathBuf> {
    anyhow::ensure!(std::env::consts::OS == "linux", "SwiftShader is looked for on Linux only");
    find(FOLDERS.iter().map(Path::new)).ok_or_else(|| {
        anyhow::anyhow!(
            "SwiftShader's Vulkan driver is not on this machine: no {MANIFEST} with its library in {}. It comes with \
             Chromium: on Debian run `sudo apt-get install chromium`, or set {} to the manifest of another copy",
            FOLDERS.join(", "),
            LOADER_VARIABLES[0],
        )
    })
}

/// The first manifest in `folders` whose library is there.
fn find<'a>(folders: impl Iterator<Item = &'a Path>) -> Option<PathBuf> {
    folders.map(|folder| folder.join(MANIFEST)).find(|manifest| library(manifest).is_some_and(|path| path.is_file()))
}

/// The library that a manifest names, relative to the manifest unless it is absolute.
fn library(manifest: &Path) -> Option<PathBuf> {
    let text = std::fs::read_to_string(manifest).ok()?;
    let value: serde_json::Value = serde_json::from_str(&text).ok()?;
    Some(manifest.parent()?.join(value.get("ICD")?.get("library_path")?.as_str()?))
}

/// Starts the program anew with the loader led to the driver that `adapter` asks for. Returns only where there is nothing
/// to do: no driver of that kind is asked for, or the loader was told where to look.
///
/// # Errors
/// When the driver is not on this machine.
pub(crate) fn with_driver_for(adapter: Option<&str>) -> anyhow::Result<Option<ExitCode>> {
    let asked = adapter.is_some_and(|name| name.to_lowercase().contains(SWIFTSHADER));
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if !asked || LOADER_VARIABLES.into_iter().any(is_set) {
        return Ok(None);
    }
    let manifest = swiftshader()?;
    println!("Vulkan driver: {}", manifest.display());
    let mut command = Command::new(std::env::current_exe()?);
    command.args(std::env::args_os().skip(1)).envs(LOADER_VARIABLES.map(|name| (name, &manifest)));
    Ok(setup::restart(command))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_counts_if_its_library_is_there() {
        let folder = std::env::temp_dir().join(format!("winoconv-driver-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for the test");
        let empty = folder.join("empty");
        let found = || find([empty.as_path(), folder.as_path()].into_iter());
        assert_eq!(found(), None, "no manifest");
        let manifest = folder.join(MANIFEST);
        std::fs::write(&manifest, r#"{"ICD": {"library_path": "./libvk_swiftshader.so"}}"#).expect("written");
        assert_eq!(found(), None, "no library");
        std::fs::write(folder.join("libvk_swiftshader.so"), "").expect("written");
        assert_eq!(found(), Some(manifest), "both, the path relative to the manifest");
        std::fs::remove_dir_all(&folder).expect("clean up");
    }

    #[test]
    fn other_adapters_need_no_driver_of_ours() {
        for adapter in [None, Some("llvmpipe"), Some("NVIDIA")] {
            assert!(with_driver_for(adapter).expect("nothing to find").is_none(), "{adapter:?}");
        }
    }
}
