//! The report in a terminal: one table per layer, the planner's choice marked with `*`. The files have more.

use std::fmt::Write as _;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ContentArrangement, Table};

use super::sections::{self, Grid, LEGEND, Tone};
use super::units::{ABSENT, clean};
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
    let _ = writeln!(out, "* is the planner's choice. {LEGEND}");
    report.notes.iter().for_each(|note| out += &format!("Note: {}\n", clean(note)));
    out
}

/// One grid as a table that fits into the terminal.
fn table(grid: &Grid) -> Table {
    let grid = grid.without_empty_columns();
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(grid.columns.iter().map(|column| column.head));
    for row in &grid.rows {
        table.add_row(row.iter().map(|cell| match cell.tone {
            Tone::Chosen if cell.text != ABSENT => cell.text.clone() + " *",
            _ => cell.text.clone(),
        }));
    }
    for (column, _) in table.column_iter_mut().zip(&grid.columns).filter(|(_, head)| head.numeric) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
