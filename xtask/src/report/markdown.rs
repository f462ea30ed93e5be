//! The report as GitHub Markdown: provenance, summary, figures (as links to the SVG files beside it), one table per
//! layer, then the details. And its tables, for whoever writes Markdown.

use std::fmt::Write as _;

use super::figures::Figure;
use super::sections::{self, Cell, Section, Tone};
use super::units::{ABSENT, clean};
use super::{Report, layers};

/// The whole report; `figures` are linked by their file names.
pub(super) fn render(report: &Report, figures: &[Figure]) -> String {
    let mut out = String::from("# winoconv benchmark\n\n");
    for (name, line) in layers::provenance(report) {
        let _ = writeln!(out, "- **{name}**: {}", escape(&line));
    }
    let groups = layers::layers(report);
    out += &section(2, &sections::summary(&groups));
    if !report.notes.is_empty() {
        let _ = write!(out, "\n## Notes\n\n{}", list(&report.notes));
    }
    if !figures.is_empty() {
        out += "\n## Figures\n";
    }
    figures.iter().for_each(|figure| out += &format!("\n{}\n", figure.link()));
    if !groups.is_empty() {
        out += "\n## Layers\n\nThe planner's choice is **bold**.\n";
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
    let grid = grid.without_empty_columns();
    let heads: Vec<_> = grid.columns.iter().map(|column| (escape(column.head), column.numeric)).collect();
    let rows: Vec<Vec<String>> = grid.rows.iter().map(|row| row.iter().map(shown).collect()).collect();
    if !rows.is_empty() {
        out += &table(&heads, &rows);
    }
    if !remarks.is_empty() {
        let _ = write!(out, "\n{}", list(remarks));
    }
    out
}

pub(super) fn list(lines: &[String]) -> String {
    lines.iter().map(|line| format!("- {}\n", escape(line))).collect()
}

/// A table of cells that are Markdown already; of each head, whether it stands over numbers, which are at the right.
pub(crate) fn table(heads: &[(String, bool)], rows: &[Vec<String>]) -> String {
    let (heads, alignments): (Vec<_>, Vec<_>) =
        heads.iter().map(|(head, numeric)| (head.clone(), if *numeric { "--:" } else { ":--" }.to_owned())).unzip();
    [heads, alignments].iter().chain(rows).map(|cells| format!("| {} |\n", cells.join(" | "))).collect()
}

fn shown(cell: &Cell) -> String {
    let text = escape(&cell.text);
    if cell.tone == Tone::Plain || text == ABSENT { text } else { format!("**{text}**") }
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
