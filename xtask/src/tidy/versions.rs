//! Versions are stated once, in `Cargo.toml`; where another file repeats one, it repeats the same.

use super::{File, Violation};

/// The words that make a line speak of the oldest Rust we build with.
const MSRV_WORDS: &[&str] = &["msrv", "rust-version", "minimum supported rust", "toolchain"];

pub(super) fn check(files: &[File], found: &mut Vec<Violation>) {
    let Some(manifest) = files.iter().find(|file| file.path == "Cargo.toml") else {
        return;
    };
    match manifest_value(&manifest.text, "rust-version") {
        Some(msrv) => {
            for file in files.iter().filter(|file| speaks_of_msrv(file)) {
                check_msrv(file, &msrv, found);
            }
        }
        None => {
            found.push(manifest.violation(1, "states no `rust-version`; state the oldest Rust that CI builds with"));
        }
    }
    if let Some(version) = package_version(&manifest.text) {
        for file in files.iter().filter(|file| file.extension() == "md" && file.name() != "CHANGELOG.md") {
            check_own_version(file, &version, found);
        }
    }
}

fn speaks_of_msrv(file: &File) -> bool {
    matches!(file.path.as_str(), "README.md" | "CONTRIBUTING.md" | "clippy.toml")
        || file.path.starts_with(".github/workflows/")
        || file.path.starts_with(".ci/")
}

fn check_msrv(file: &File, msrv: &str, found: &mut Vec<Violation>) {
    for (number, line) in file.lines() {
        let lower = line.to_lowercase();
        if !MSRV_WORDS.iter().any(|word| lower.contains(word)) {
            continue;
        }
        for version in rust_versions(line) {
            // 1.88.0 is another way to write 1.88.
            if version.trim_end_matches(".0") != msrv.trim_end_matches(".0") {
                found.push(file.violation(
                    number,
                    format!(
                        "Rust {version}, but Cargo.toml's `rust-version` is {msrv}; read it from there, or say the same"
                    ),
                ));
            }
        }
    }
}

/// `winoconv = "0.1"` and `winoconv = { version = "0.1" ..` in the docs.
fn check_own_version(file: &File, version: &str, found: &mut Vec<Violation>) {
    for (number, line) in file.lines() {
        let Some(rest) = line.trim().strip_prefix("winoconv = ") else {
            continue;
        };
        let told = match rest.strip_prefix('"') {
            Some(_) => rest.split('"').nth(1),
            None => rest.split_once("version = ").and_then(|(_, after)| after.split('"').nth(1)),
        };
        if let Some(told) = told
            && version != told
            && !version.starts_with(&format!("{told}."))
        {
            found.push(file.violation(number, format!("winoconv {told}, but Cargo.toml has {version}; say the same")));
        }
    }
}

/// The words in `line` that look like a Rust of these years: `1.` and two digits or more.
fn rust_versions(line: &str) -> Vec<&str> {
    line.split(|c: char| !c.is_ascii_digit() && c != '.')
        .map(|word| word.trim_matches('.'))
        .filter(|word| {
            word.strip_prefix("1.").is_some_and(|minor| minor.split('.').next().is_some_and(|m| m.len() >= 2))
        })
        .collect()
}

/// The first `key = "value"` of a manifest.
fn manifest_value(manifest: &str, key: &str) -> Option<String> {
    manifest.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == key).then(|| value.split('"').nth(1).map(ToOwned::to_owned)).flatten()
    })
}

/// The `version` in the section `[package]`.
fn package_version(manifest: &str) -> Option<String> {
    let (_, section) = manifest.split_once("[package]")?;
    manifest_value(section.split("\n[").next()?, "version")
}
