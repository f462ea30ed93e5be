//! Two reports side by side: the same row then and now. A ratio is the new time over the old, so that below 1 is
//! faster; reports from different machines are compared all the same, with a warning on top.

use std::fmt::Write as _;

use super::grid::{Cell, Column, Grid, Tone};
use super::units::{self, clean};
use super::{Report, Row, markdown, table};

/// What became of the rows of one report in another.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Comparison {
    /// Rows with a time in both, in the new report's order.
    pub pairs: Vec<Pair>,
    /// Names of rows that only the old report has.
    pub only_old: Vec<String>,
    /// Names of rows that only the new report has.
    pub only_new: Vec<String>,
    /// The geometric mean of the pairs' ratios; absent where there is no pair.
    pub geometric_mean: Option<f64>,
    /// Why the numbers may not mean what they seem to: other machines, rows that stopped running or verifying.
    pub warnings: Vec<String>,
}

/// One row, then and now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pair {
    /// Layer and shape.
    pub layer: String,
    /// Device, algorithm, element type and points.
    pub what: String,
    /// Median time in the old report, in milliseconds.
    pub old_ms: f64,
    /// Median time in the new report, in milliseconds.
    pub new_ms: f64,
    /// `new_ms / old_ms`: below 1 is faster.
    pub ratio: f64,
}

/// Matches the rows of two reports by suite, layer, shape, stride, device, algorithm, points and type.
pub(crate) fn compare(old: &Report, new: &Report) -> Comparison {
    let mut warnings = machine_warnings(old, new);
    let mut left: Vec<&Row> = old.rows.iter().collect();
    let (mut pairs, mut only_new) = (Vec::new(), Vec::new());
    for now in &new.rows {
        let Some(at) = left.iter().position(|then| same(then, now)) else {
            only_new.push(name(now));
            continue;
        };
        let then = left.remove(at);
        let timed = |row: &Row| row.time_ms.filter(|ms| ms.is_finite() && *ms > 0.0);
        match (timed(then), timed(now)) {
            (Some(old_ms), Some(new_ms)) => {
                let (layer, what) = (layer(now), what(now));
                pairs.push(Pair { layer, what, old_ms, new_ms, ratio: new_ms / old_ms });
            }
            (Some(_), None) => {
                let why = now.note.as_deref().map_or_else(String::new, |note| format!(": {}", clean(note)));
                warnings.push(format!("{} ran in the old report and has no time in the new one{why}", name(now)));
            }
            (None, Some(_)) => warnings.push(format!("{} has no time in the old report and runs now", name(now))),
            (None, None) => {}
        }
        if then.verified && !now.verified && !now.refused() {
            warnings.push(format!("{} was verified in the old report and is NOT in the new one", name(now)));
        }
    }
    Comparison {
        geometric_mean: units::geometric_mean(pairs.iter().map(|pair| pair.ratio)),
        pairs,
        only_old: left.into_iter().map(name).collect(),
        only_new,
        warnings,
    }
}

fn same(a: &Row, b: &Row) -> bool {
    let shape = |r: &Row| [r.n, r.c, r.k, r.h, r.w, r.r, r.stride];
    shape(a) == shape(b)
        && (&a.suite, &a.layer, a.device, &a.algorithm, &a.points, &a.dtype)
            == (&b.suite, &b.layer, b.device, &b.algorithm, &b.points, &b.dtype)
}

fn layer(row: &Row) -> String {
    let Row { suite, layer, n, c, k, h, w, r, stride, .. } = row;
    let step = if *stride == 1 { String::new() } else { format!("/{stride}") };
    clean(&format!("{suite} {layer} {n}x{c}x{h}x{w} K={k} R={r}{step}"))
}

fn what(row: &Row) -> String {
    let points = row.points.as_ref().map(|points| format!(" [{points}]")).unwrap_or_default();
    clean(&format!("{} {} {}{points}", row.device.name(), row.algorithm, row.dtype))
}

fn name(row: &Row) -> String {
    format!("{}, {}", layer(row), what(row))
}

fn machine_warnings(old: &Report, new: &Report) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut differ = |what: &str, old: String, new: String| {
        if old != new {
            warnings.push(format!("the {what} differs: {} in the old report, {} in the new", clean(&old), clean(&new)));
        }
    };
    let adapter = |report: &Report| match &report.adapter {
        Some(a) => {
            let software = if a.software { ", SOFTWARE" } else { "" };
            format!("{} ({}, driver {}{software})", a.name, a.backend, a.driver)
        }
        None => "none".into(),
    };
    let host = |r: &Report| format!("{}, {} cores, {} {}", r.host.cpu, r.host.cores, r.host.os, r.host.arch);
    differ("adapter", adapter(old), adapter(new));
    differ("host", host(old), host(new));
    warnings
}

impl Comparison {
    fn grid(&self) -> Grid {
        let columns = vec![
            Column::words("layer"),
            Column::words("row"),
            Column::number("old", 1),
            Column::number("new", 1),
            Column::number("new / old", 0),
            Column::words(""),
        ];
        let cells = |pair: &Pair| {
            vec![
                pair.layer.as_str().into(),
                pair.what.as_str().into(),
                units::time(pair.old_ms).into(),
                units::time(pair.new_ms).into(),
                units::ratio(pair.ratio).into(),
                match pair.ratio {
                    r if r > 1.02 => Cell::toned("slower", Tone::Alert),
                    r if r < 0.98 => "faster".into(),
                    _ => "same".into(),
                },
            ]
        };
        Grid { columns, rows: self.pairs.iter().map(cells).collect() }
    }

    fn verdict(&self) -> String {
        match self.geometric_mean {
            Some(mean) => format!(
                "Over {} rows the new time is {} the old (geometric mean; below 1 is faster; `same` is within 2 %).",
                self.pairs.len(),
                units::ratio(mean)
            ),
            None => "No row has a time in both reports.".into(),
        }
    }

    /// Lists of what has no counterpart, with their headings.
    fn rest(&self) -> impl Iterator<Item = (&'static str, &Vec<String>)> {
        let lists = [("Only in the old report", &self.only_old), ("Only in the new report", &self.only_new)];
        lists.into_iter().filter(|(_, list)| !list.is_empty())
    }

    /// For a terminal of `width` columns.
    pub(crate) fn render(&self, width: usize) -> String {
        let mut out = String::new();
        for warning in &self.warnings {
            let _ = writeln!(out, "WARNING: {warning}");
        }
        if !self.pairs.is_empty() {
            let _ = writeln!(out, "{}", table::table(&self.grid(), width));
        }
        let _ = writeln!(out, "{}", self.verdict());
        for (head, list) in self.rest() {
            let _ = writeln!(out, "{head}:\n  {}", list.join("\n  "));
        }
        out
    }

    /// As GitHub Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut out = String::from("# winoconv benchmark, compared\n\n");
        for warning in &self.warnings {
            let _ = writeln!(out, "- **Warning**: {}", markdown::escape(warning));
        }
        let _ = write!(out, "\n{}\n\n", self.verdict());
        if !self.pairs.is_empty() {
            markdown::table(&mut out, &self.grid());
        }
        for (head, list) in self.rest() {
            let _ = write!(out, "\n## {head}\n\n");
            for row in list {
                let _ = writeln!(out, "- {}", markdown::escape(row));
            }
        }
        out
    }
}
