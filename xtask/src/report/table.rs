//! The report in a terminal: one table per layer, all with the same columns, the planner's choice marked with `*`.
//! A narrow terminal loses columns in the order in which they are least missed, never the end of a line.

use std::fmt::Write as _;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width};

use super::Report;
use super::grid::{Cell, Grid, Tone};
use super::layers::{self, Layer};
use super::sections::{self, LEGEND, Section};
use super::units::{ABSENT, clean};

/// The whole report for a terminal of `width` columns.
pub(crate) fn render(report: &Report, width: usize) -> String {
    let mut out = String::new();
    for (name, line) in layers::provenance(report) {
        paragraph(&mut out, &format!("{name:<9}"), &line, 9, width);
    }
    let groups = layers::layers(report);
    let sections: Vec<Section> = groups.iter().map(|group: &Layer<'_>| sections::layer(group)).collect();
    let grids: Vec<&Grid> = sections.iter().map(|section| &section.grid).collect();
    for (section, table) in sections.iter().zip(tables(&grids, width)) {
        let _ = write!(out, "\n{}   {}\n{table}\n", section.title, section.intro.join(" "));
        for remark in &section.remarks {
            paragraph(&mut out, "  ", remark, 4, width);
        }
    }
    let summary = sections::summary(&groups);
    let _ = write!(out, "\n{}\n{}\n", summary.title, table(&summary.grid, width));
    out.push('\n');
    for line in &summary.intro {
        paragraph(&mut out, "", line, 2, width);
    }
    paragraph(&mut out, "* is the planner's choice. ", LEGEND, 0, width);
    for note in &report.notes {
        paragraph(&mut out, "Note: ", &clean(note), 2, width);
    }
    out
}

/// One grid as a table that fits into `width` columns.
pub(super) fn table(grid: &Grid, width: usize) -> String {
    tables(&[grid], width).pop().unwrap_or_default()
}

/// Grids of the same columns, drawn with the same widths and short of the same columns.
fn tables(grids: &[&Grid], width: usize) -> Vec<String> {
    let Some(first) = grids.first() else { return Vec::new() };
    let widths: Vec<usize> = (0..first.columns.len()).map(|i| column_width(grids, i)).collect();
    let mut kept: Vec<usize> = (0..widths.len()).filter(|&i| has_data(grids, i)).collect();
    // Each column costs its content, a blank on either side and the line to its left; the last line is one more.
    let total = |kept: &[usize]| kept.iter().map(|&i| widths[i] + 3).sum::<usize>() + 1;
    while total(&kept) > width {
        let Some(&drop) = kept.iter().max_by_key(|&&i| first.columns[i].dispensable) else { break };
        if first.columns[drop].dispensable == 0 {
            break;
        }
        kept.retain(|&i| i != drop);
    }
    let fits = total(&kept) <= width;
    let draw = |grid: &&Grid| draw(&grid.keep(|i| kept.contains(&i)), &kept, &widths, fits, width);
    grids.iter().map(draw).collect()
}

fn draw(grid: &Grid, kept: &[usize], widths: &[usize], fits: bool, width: usize) -> String {
    let narrow = |x: usize| u16::try_from(x).unwrap_or(u16::MAX);
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(grid.columns.iter().map(|column| column.head));
    for row in &grid.rows {
        table.add_row(row.iter().map(shown));
    }
    if fits {
        table.set_constraints(kept.iter().map(|&i| ColumnConstraint::Absolute(Width::Fixed(narrow(widths[i] + 2)))));
    } else {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(narrow(width));
    }
    for (column, head) in table.column_iter_mut().zip(&grid.columns) {
        if head.numeric {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

fn shown(cell: &Cell) -> String {
    let chosen = cell.tone == Tone::Chosen && cell.text != ABSENT;
    if chosen { format!("{} *", cell.text) } else { cell.text.clone() }
}

fn column_width(grids: &[&Grid], column: usize) -> usize {
    let cells = grids.iter().flat_map(|grid| &grid.rows).map(|row| shown(&row[column]).chars().count());
    cells.chain(grids.iter().map(|grid| grid.columns[column].head.chars().count())).max().unwrap_or(0)
}

fn has_data(grids: &[&Grid], column: usize) -> bool {
    !grids[0].columns[column].numeric || grids.iter().flat_map(|grid| &grid.rows).any(|row| row[column].text != ABSENT)
}

/// Writes `label` and then words in lines of at most `width` columns, later lines indented by `indent`.
fn paragraph(out: &mut String, label: &str, text: &str, indent: usize, width: usize) {
    let mut line = label.to_owned();
    let mut fresh = true;
    for word in text.split_whitespace() {
        if !fresh && line.chars().count() + 1 + word.chars().count() > width {
            out.push_str(&line);
            out.push('\n');
            line = " ".repeat(indent);
            fresh = true;
        }
        if !fresh {
            line.push(' ');
        }
        line.push_str(word);
        fresh = false;
    }
    out.push_str(&line);
    out.push('\n');
}
