//! `api`: the public items of the library without the feature `internals`, as rustdoc lists them, held in `docs/api.txt`.

use std::path::Path;

use anyhow::{Context as _, ensure};
use fs_err as fs;

use crate::steps::{cargo, run};

const FILE: &str = "docs/api.txt";
/// What rustdoc calls types.
const TYPES: [&str; 4] = ["struct", "enum", "trait", "type"];
/// Most types that an application has to know of.
const MOST_TYPES: usize = 71;

#[derive(Debug, clap::Args)]
#[group(id = "api")]
pub(crate) struct Options {
    /// Fail if docs/api.txt has another list, or too many types
    #[arg(long)]
    check: bool,
}

pub(crate) fn verb(root: &Path, options: &Options) -> anyhow::Result<()> {
    if options.check {
        return check(root);
    }
    let list = list(root)?;
    fs::write(root.join(FILE), &list)?;
    println!("{} types in {FILE}", types(&list));
    Ok(())
}

pub(crate) fn check(root: &Path) -> anyhow::Result<()> {
    let list = &list(root)?;
    let held = fs::read_to_string(root.join(FILE))?;
    let other = list.lines().find(|line| !held.lines().any(|held| held == *line));
    let gone = held.lines().find(|line| !list.lines().any(|found| found == *line));
    let first = other.map(|line| format!("{line} is new")).or(gone.map(|line| format!("{line} is gone")));
    ensure!(held == *list, "{FILE} has other public items ({first:?}); run `cargo xtask api`, and read the difference");
    ensure!(types(list) <= MOST_TYPES, "{} public types, {MOST_TYPES} at most", types(list));
    println!("{} types", types(list));
    Ok(())
}

fn types(list: &str) -> usize {
    list.lines().filter(|line| TYPES.iter().any(|kind| line.split(' ').next() == Some(kind))).count()
}

/// A line for each item: its kind and its path.
fn list(root: &Path) -> anyhow::Result<String> {
    // With the dependencies that clippy has checked.
    let mut doc = cargo(root, "doc -p winoconv -p winoconv-unify --no-deps --features serde");
    // What `internals` shows is linked from docs, and is not there now.
    run(doc.env("RUSTDOCFLAGS", "-A rustdoc::all"))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
    items(&fs::read_to_string(target.join("doc/winoconv/all.html"))?)
}

/// The items of rustdoc's page of all items, in which a link to an item ends in `kind.Name.html`.
fn items(page: &str) -> anyhow::Result<String> {
    let links = page.split("<li><a href=\"").skip(1).filter_map(|rest| rest.split_once('"'));
    let mut items: Vec<String> = links
        .filter_map(|(link, _)| {
            let (folder, file) = link.rsplit_once('/').unwrap_or(("", link));
            let (kind, name) = file.strip_suffix(".html")?.split_once('.')?;
            let folder = if folder.is_empty() { String::new() } else { format!("{}::", folder.replace('/', "::")) };
            Some(format!("{kind} {folder}{name}\n"))
        })
        .collect();
    items.sort();
    (!items.is_empty()).then(|| items.concat()).context("rustdoc's page lists no items")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_read_from_rustdocs_page() {
        let page = "<h3>Structs</h3><ul><li><a href=\"gpu/struct.Context.html\">gpu::Context</a></li>\
                    <li><a href=\"enum.Error.html\">Error</a></li></ul>";
        let list = items(page).expect("two items");
        assert_eq!(list, "enum Error\nstruct gpu::Context\n");
        assert_eq!(types(&list), 2);
        assert!(items("<p></p>").is_err());
    }
}
