//! The report as GitHub Markdown: provenance, summary, figures (as links to the SVG files beside it), one table per
//! layer, then the details.

use std::fmt::Write as _;

use super::Report;
use super::grid::{Cell, Grid, Tone};
use super::layers;
use super::plot::Figure;
use super::sections::{self, Section};

/// The whole report; `figures` are linked by their file names.
pub(crate) fn render(report: &Report, figures: &[Figure]) -> String {
    let mut out = String::from("# winoconv benchmark\n\n");
    for (name, line) in layers::provenance(report) {
        let _ = writeln!(out, "- **{name}**: {}", escape(&line));
    }
    let groups = layers::layers(report);
    section(&mut out, 2, &sections::summary(&groups));
    if !report.notes.is_empty() {
        out.push_str("\n## Notes\n\n");
        for note in &report.notes {
            let _ = writeln!(out, "- {}", escape(note));
        }
    }
    if !figures.is_empty() {
        out.push_str("\n## Figures\n");
        for figure in figures {
            let _ = write!(out, "\n![{}]({})\n", figure.title, figure.file);
        }
    }
    if !groups.is_empty() {
        out.push_str("\n## Layers\n\nThe planner's choice is **bold**.\n");
    }
    for group in &groups {
        section(&mut out, 3, &sections::layer(group));
    }
    for detail in sections::details(&groups) {
        section(&mut out, 2, &detail);
    }
    out
}

fn section(out: &mut String, level: usize, section: &Section) {
    let _ = write!(out, "\n{} {}\n\n", "#".repeat(level), escape(&section.title));
    for line in &section.intro {
        let _ = writeln!(out, "{}\n", escape(line));
    }
    table(out, &section.grid.without_empty_columns());
    if !section.remarks.is_empty() {
        out.push('\n');
    }
    for remark in &section.remarks {
        let _ = writeln!(out, "- {}", escape(remark));
    }
}

/// One grid as a table, its numbers to the right.
pub(super) fn table(out: &mut String, grid: &Grid) {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    out.push_str(&line(grid.columns.iter().map(|column| escape(column.head)).collect()));
    out.push_str(&line(grid.columns.iter().map(|c| if c.numeric { "--:" } else { ":--" }.to_owned()).collect()));
    for row in &grid.rows {
        out.push_str(&line(row.iter().map(shown).collect()));
    }
}

fn shown(cell: &Cell) -> String {
    let text = escape(&cell.text);
    match cell.tone {
        Tone::Plain => text,
        Tone::Chosen | Tone::Alert if text == super::units::ABSENT => text,
        Tone::Chosen | Tone::Alert => format!("**{text}**"),
    }
}

/// Text in which Markdown and HTML see nothing of theirs. Underscores stay: GitHub leaves them alone inside words.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in super::units::clean(text).chars() {
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
