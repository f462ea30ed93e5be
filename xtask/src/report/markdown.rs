//! The report as GitHub Markdown: provenance, summary, one table per layer, then the details. And its tables, for whoever
//! writes Markdown.

use std::fmt::Write as _;

use super::sections::{self, Section};
use super::units::clean;
use super::{Report, layers};

/// The whole report.
pub(super) fn render(report: &Report) -> String {
    let mut out = String::from("# winoconv benchmark\n\n");
    for (name, line) in layers::provenance(report) {
        let _ = writeln!(out, "- **{name}**: {}", escape(&line));
    }
    let groups = layers::layers(report);
    out += &section(2, &sections::summary(&groups));
    if !report.notes.is_empty() {
        let _ = write!(out, "\n## Notes\n\n{}", list(&report.notes));
    }
    if !groups.is_empty() {
        out += "\n## Layers\n";
    }
    for group in &groups {
        out += &section(3, &sections::layer(group));
    }
    for detail in sections::details(&groups) {
        out += &section(2, &detail);
    }
    out
}

/// A heading with what stands below it.
pub(super) fn section(level: usize, Section { title, intro, grid, remarks }: &Section) -> String {
    let mut out = format!("\n{} {}\n\n", "#".repeat(level), escape(title));
    for line in intro {
        let _ = writeln!(out, "{}\n", escape(line));
    }
    let heads: Vec<String> = grid.columns.iter().map(|column| escape(column.head)).collect();
    let rows: Vec<Vec<String>> = grid.rows.iter().map(|row| row.iter().map(|cell| escape(cell)).collect()).collect();
    if !rows.is_empty() {
        out += &table(&heads, &grid.words(), &rows);
    }
    if !remarks.is_empty() {
        let _ = write!(out, "\n{}", list(remarks));
    }
    out
}

pub(super) fn list(lines: &[String]) -> String {
    lines.iter().map(|line| format!("- {}\n", escape(line))).collect()
}

/// A table of cells that are Markdown already, of numbers but for the columns of words.
pub(crate) fn table(heads: &[String], words: &[usize], rows: &[Vec<String>]) -> String {
    let alignment = |i| if words.contains(&i) { ":--" } else { "--:" }.to_owned();
    let alignments = (0..heads.len()).map(alignment).collect();
    [heads.to_vec(), alignments].iter().chain(rows).map(|cells| format!("| {} |\n", cells.join(" | "))).collect()
}

/// Text in which Markdown and HTML see nothing of theirs. Underscores stay: GitHub leaves them alone inside words.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in clean(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '|' | '*' | '`' | '[' | ']' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}
