//! The report in a terminal: one table per layer. The files have more.

use std::fmt::Write as _;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ContentArrangement, Table, TableStyle};

use super::sections::{self, Grid, LEGEND};
use super::units::clean;
use super::{Report, layers};

pub(crate) fn render(report: &Report) -> String {
    let mut out = String::new();
    for (name, line) in layers::provenance(report) {
        let _ = writeln!(out, "{name:<9}{}", clean(&line));
    }
    let groups = layers::layers(report);
    for section in groups.iter().map(sections::layer) {
        let _ = writeln!(out, "\n{}   {}\n{}", section.title, section.intro.join(" "), table(&section.grid));
        section.remarks.iter().for_each(|remark| out += &format!("  {}\n", clean(remark)));
    }
    let summary = sections::summary(&groups);
    let _ = writeln!(out, "\n{}\n{}\n", summary.title, table(&summary.grid));
    summary.intro.iter().for_each(|line| out += &format!("{line}\n"));
    let _ = writeln!(out, "{LEGEND}");
    report.notes.iter().for_each(|note| out += &format!("Note: {}\n", clean(note)));
    out
}

/// One grid as a table that fits into the terminal.
fn table(grid: &Grid) -> Table {
    let heads: Vec<&str> = grid.columns.iter().map(|column| column.head).collect();
    let mut table = numbers(UTF8_FULL_CONDENSED, &heads, &grid.words());
    table.set_content_arrangement(ContentArrangement::Dynamic).add_rows(&grid.rows);
    table
}

/// A table without rows yet, of numbers but for the columns of words.
pub(crate) fn numbers(style: TableStyle, heads: &[&str], words: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_style(style).set_header(heads);
    for (_, column) in table.column_iter_mut().enumerate().filter(|(i, _)| !words.contains(i)) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
