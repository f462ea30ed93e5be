//! Files that verbs read and write.

use std::path::Path;

use anyhow::Context as _;
use fs_err as fs;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Writes a file, for which folders are made if need be, and says where it is.
pub(crate) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(Path::new("")))?;
    fs::write(path, text)?;
    println!("{}", path.display());
    Ok(())
}

/// Pretty JSON, ending in a newline; a NaN or an infinity is `null`.
pub(crate) fn to_json(value: &impl Serialize) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let text = fs::read_to_string(path)?;
    serde_json::from_str(&text).with_context(|| format!("{} is not what was expected", path.display()))
}

/// The files below a folder, by their paths relative to the root, written with `/`; `enters` says which folders count.
pub(crate) fn below(root: &Path, folder: &str, enters: &dyn Fn(&str) -> bool) -> anyhow::Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
        let kind = entry.file_type()?;
        if kind.is_dir() && enters(&path) {
            files.extend(below(root, &path, enters)?);
        } else if kind.is_file() {
            files.push(path);
        }
    }
    Ok(files)
}
