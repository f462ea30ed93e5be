//! Two reports side by side, as Markdown: the same row then and now. A ratio is the new time over the old, so that below 1 is
//! faster; reports from different machines are compared all the same, with a warning on top.

use super::sections::{Grid, Section, number, words};
use super::units::{self, clean};
use super::{Report, Row, markdown};

/// Matches the rows of two reports by their names.
pub(crate) fn compare(old: &Report, new: &Report) -> String {
    let mut warnings = machine_warnings(old, new);
    let mut left: Vec<&Row> = old.rows.iter().collect();
    let (mut rows, mut ratios, mut only_new) = (Vec::new(), Vec::new(), Vec::new());
    for now in &new.rows {
        let name = name(now);
        let Some(at) = left.iter().position(|then| self::name(then) == name) else {
            only_new.push(name);
            continue;
        };
        let then = left.remove(at);
        if then.verified && !now.verified && !now.refused() {
            warnings.push(format!("{name} was verified in the old report and is NOT in the new one"));
        }
        let timed = |row: &Row| row.time_ms.filter(|ms| ms.is_finite() && *ms > 0.0);
        match (timed(then), timed(now)) {
            (Some(old), Some(new)) => {
                ratios.push(new / old);
                rows.push(cells(&name, old, new));
            }
            (Some(_), None) => {
                let why = now.note.as_deref().map_or_else(String::new, |note| format!(": {}", clean(note)));
                warnings.push(format!("{name} ran in the old report and has no time in the new one{why}"));
            }
            (None, Some(_)) => warnings.push(format!("{name} has no time in the old report and runs now")),
            (None, None) => {}
        }
    }
    let verdict = match units::geometric_mean(&ratios) {
        Some(mean) => format!(
            "Over {} rows the new time is {} the old (geometric mean; below 1 is faster; `same` is within 2 %).",
            ratios.len(),
            units::ratio(mean)
        ),
        None => "No row has a time in both reports.".into(),
    };
    let columns = [words("row"), number("old"), number("new"), number("new / old"), words("")];
    let grid = Grid::new(&columns, rows);
    let times = Section { title: "Times".into(), intro: vec![verdict], grid, remarks: Vec::new() };
    let only_old: Vec<String> = left.into_iter().map(name).collect();
    let lists = [("Warnings", warnings), ("Only in the old report", only_old), ("Only in the new report", only_new)];
    let lists = lists.into_iter().filter(|(_, lines)| !lines.is_empty());
    let lists: String = lists.map(|(head, lines)| format!("\n## {head}\n\n{}", markdown::list(&lines))).collect();
    format!("# winoconv benchmark, compared\n{}{lists}", markdown::section(2, &times))
}

fn cells(name: &str, old: f64, new: f64) -> Vec<String> {
    let word = match new / old {
        r if r > 1.02 => "SLOWER",
        r if r < 0.98 => "faster",
        _ => "same",
    };
    vec![name.to_owned(), units::time(old), units::time(new), units::ratio(new / old), word.to_owned()]
}

/// Everything that tells a row from others.
fn name(row: &Row) -> String {
    let Row { suite, layer, n, c, k, h, w, r, algorithm, .. } = row;
    let device = row.device.name();
    clean(&format!("{suite} {layer} {n}x{c}x{h}x{w} K={k} R={r}, {device} {algorithm}"))
}

fn machine_warnings(old: &Report, new: &Report) -> Vec<String> {
    let adapter = |report: &Report| match &report.adapter {
        Some(a) => {
            let software = if a.software { ", SOFTWARE" } else { "" };
            format!("{} ({}, driver {}{software})", a.name, a.backend, a.driver)
        }
        None => "none".into(),
    };
    let pairs = [("adapter", adapter(old), adapter(new)), ("host", old.host.machine(), new.host.machine())];
    let other = pairs.into_iter().filter(|(_, old, new)| old != new);
    other.map(|(what, old, new)| format!("the {what} differs: {old} in the old report, {new} in the new")).collect()
}
