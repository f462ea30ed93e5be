//! Versions are stated once, in `Cargo.toml`; where another file repeats one, it repeats the same.

use super::{File, Violation};

/// The oldest Rust that we build with, from the workspace's manifest.
pub(super) const MSRV: &str = env!("CARGO_PKG_RUST_VERSION");
const MSRV_WORDS: &[&str] = &["msrv", "rust-version", "minimum supported rust", "toolchain"];

pub(super) fn check(file: &File, found: &mut Vec<Violation>) {
    let names = ["README.md", "CONTRIBUTING.md", "clippy.toml"];
    let speaks_of_msrv = names.contains(&file.path.as_str())
        || file.path.starts_with(".github/workflows/")
        || file.path.starts_with(".ci/");
    let is_doc = file.extension() == "md" && file.name() != "CHANGELOG.md";
    for (number, line) in file.lines() {
        let lower = line.to_lowercase();
        if speaks_of_msrv && MSRV_WORDS.iter().any(|word| lower.contains(word)) {
            // 1.88.0 is another way to write 1.88.
            for version in rust_versions(line).filter(|version| version.trim_end_matches(".0") != MSRV) {
                let what = format!(
                    "Rust {version}, but Cargo.toml's `rust-version` is {MSRV}; read it from there, or say the same"
                );
                found.push(file.violation(number, what));
            }
        }
        if let Some(told) = own_version(line).filter(|_| is_doc)
            && winoconv::VERSION != told
            && !winoconv::VERSION.starts_with(&format!("{told}."))
        {
            let what = format!("winoconv {told}, but Cargo.toml has {}; say the same", winoconv::VERSION);
            found.push(file.violation(number, what));
        }
    }
}

/// `winoconv = "0.1"` and `winoconv = { version = "0.1" ..` in the docs.
fn own_version(line: &str) -> Option<&str> {
    let rest = line.trim().strip_prefix("winoconv = ")?;
    let quoted = if rest.starts_with('"') { rest } else { rest.split_once("version = ")?.1 };
    quoted.split('"').nth(1)
}

/// The words in `line` that look like a Rust of these years: `1.` and two digits or more.
fn rust_versions(line: &str) -> impl Iterator<Item = &str> {
    let words = line.split(|c: char| !c.is_ascii_digit() && c != '.').map(|word| word.trim_matches('.'));
    let is_rust = |minor: &str| minor.split('.').next().is_some_and(|minor| minor.len() >= 2);
    words.filter(move |word| word.strip_prefix("1.").is_some_and(is_rust))
}
