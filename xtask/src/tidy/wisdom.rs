//! Files of wisdom: each reads, and comes with the crate. One that is outdated breaks no rule, since nothing believes it and
//! its device may be far away; but it is said, with the command that makes it anew.

use winoconv::plan::Wisdom;

use super::{File, Violation};

pub(super) fn check(file: &File, found: &mut Vec<Violation>) {
    let Some(name) = file.path.strip_prefix("wisdom/") else { return };
    if let Err(error) = Wisdom::parse(&file.text) {
        found.push(file.violation(error.line, error.to_string()));
    }
    if !Wisdom::SHIPPED_FILES.iter().any(|(shipped, _)| *shipped == name) {
        let what = "no part of the crate; name it in `Wisdom::SHIPPED_FILES` (src/plan/wisdom/mod.rs), or remove it";
        found.push(file.violation(1, what));
    }
}

pub(super) fn notes(files: &[(&str, &str)]) -> Vec<String> {
    let mut notes = Vec::new();
    for (name, text) in files {
        let Ok(wisdom) = Wisdom::parse(text) else { continue };
        let outdated: Vec<_> = wisdom.entries().filter_map(|entry| entry.outdated().map(|why| (entry, why))).collect();
        if let Some((first, why)) = outdated.first() {
            notes.push(format!(
                "note: wisdom/{name}: {} of {} entries are not believed ({why}); on {} run `cargo xtask hwbench --wisdom \
                 wisdom/{name}` with the layers that it has",
                outdated.len(),
                wisdom.entries().len(),
                first.device.name,
            ));
        }
    }
    notes
}
