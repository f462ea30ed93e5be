//! Which files are read, and where each result goes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::error::{CliError, Result};
use crate::output;

/// Endings of pictures' names.
pub(crate) const ENDINGS: [&str; 6] = ["png", "jpg", "jpeg", "webp", "exr", "pfm"];

/// A file to read and one to write.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) input: PathBuf,
    pub(crate) output: PathBuf,
}

/// The jobs of a command line. Nothing is computed if one of the outputs is there and may not be replaced.
pub(crate) fn jobs(inputs: &[PathBuf], output: &Path, force: bool) -> Result<Vec<Job>> {
    let mut files = Vec::new();
    let mut is_one = inputs.len() == 1;
    for input in inputs {
        let pattern = input.to_str().filter(|text| text.contains(['*', '?', '[']) && !input.exists());
        if input.is_dir() {
            is_one = false;
            files.extend(pictures_of(input)?);
        } else if let Some(pattern) = pattern {
            is_one = false;
            files.extend(matches_of(pattern)?);
        } else {
            files.push(input.clone());
        }
    }
    let is_folder = output.is_dir() || output.as_os_str().to_string_lossy().ends_with(['/', std::path::MAIN_SEPARATOR]);
    if !is_one && !is_folder && (output.exists() || files.len() > 1 && has_ending(output)) {
        return Err(CliError::OutputIsFile { count: files.len(), output: output.to_owned() });
    }
    let is_folder = is_folder || !is_one;
    let mut taken: HashMap<PathBuf, PathBuf> = HashMap::new();
    let mut jobs = Vec::with_capacity(files.len());
    for input in files {
        let to = match input.file_name().filter(|_| is_folder) {
            Some(name) => output.join(name),
            None => output.to_owned(),
        };
        if let Some(first) = taken.insert(to.clone(), input.clone()) {
            return Err(CliError::SameOutput { first, second: input, output: to });
        }
        output::check(&to, force)?;
        jobs.push(Job { input, output: to });
    }
    Ok(jobs)
}

fn has_ending(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
    ENDINGS.contains(&&*ending)
}

/// The pictures of a folder, by name, without those of folders in it.
fn pictures_of(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |source| CliError::Read { path: folder.to_owned(), source };
    let entries: Vec<std::fs::DirEntry> =
        std::fs::read_dir(folder).map_err(failed)?.collect::<std::io::Result<_>>().map_err(failed)?;
    let mut found: Vec<PathBuf> =
        entries.into_iter().map(|entry| entry.path()).filter(|path| has_ending(path) && path.is_file()).collect();
    found.sort();
    if found.is_empty() {
        return Err(CliError::NoPictures { path: folder.to_owned() });
    }
    Ok(found)
}

fn matches_of(pattern: &str) -> Result<Vec<PathBuf>> {
    let wrong = |problem: String| CliError::Pattern { pattern: pattern.to_owned(), problem };
    let paths = glob::glob(pattern).map_err(|error| wrong(error.to_string()))?;
    let found: Vec<PathBuf> = paths
        .map(|path| path.map_err(|error| CliError::Read { path: error.path().to_owned(), source: error.into() }))
        .filter(|path| path.as_ref().map_or(true, |path| path.is_file() && has_ending(path)))
        .collect::<Result<_>>()?;
    if found.is_empty() {
        return Err(CliError::NoPictures { path: pattern.into() });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["a.png", "b.JPG", "notes.txt"] {
            std::fs::write(folder.path().join(name), "").expect("a file");
        }
        std::fs::create_dir(folder.path().join("deeper.png")).expect("a folder in it");
        folder
    }

    #[test]
    fn one_file_goes_to_a_file_and_several_to_a_folder() {
        let folder = folder();
        let [a, out] = ["a.png", "out"].map(|name| folder.path().join(name));
        let one = jobs(std::slice::from_ref(&a), &out, false).expect("a job");
        assert_eq!(one, [Job { input: a.clone(), output: out.clone() }]);

        let of_folder = jobs(&[folder.path().to_owned()], &out, false).expect("jobs");
        let outputs: Vec<PathBuf> = of_folder.into_iter().map(|job| job.output).collect();
        assert_eq!(outputs, [out.join("a.png"), out.join("b.JPG")]);

        let pattern = folder.path().join("*.png");
        let of_pattern = jobs(&[pattern], &out, false).expect("jobs");
        assert_eq!(of_pattern, [Job { input: a, output: out.join("a.png") }]);
    }

    #[test]
    fn what_would_be_lost_is_refused() {
        let folder = folder();
        let [a, b, out] = ["a.png", "b.JPG", "out"].map(|name| folder.path().join(name));
        let there = jobs(std::slice::from_ref(&a), &b, false);
        assert!(matches!(there, Err(CliError::Exists(path)) if path == b));
        assert!(jobs(std::slice::from_ref(&a), &b, true).is_ok());
        let file = jobs(&[a.clone(), b.clone()], &b, true);
        assert!(matches!(file, Err(CliError::OutputIsFile { count: 2, .. })));
        let same = jobs(&[a.clone(), a], &out, false);
        assert!(matches!(same, Err(CliError::SameOutput { .. })));
        let none = jobs(&[folder.path().join("deeper.png")], &out, false);
        assert!(matches!(none, Err(CliError::NoPictures { .. })));
    }
}
