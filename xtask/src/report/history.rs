//! The times of many reports over the days. Each day's are appended to a file, a line of JSON each, and drawn on a page that
//! needs nothing beside it. Of a report what matters is kept: on each machine, of each layer and element type, the planner's
//! choice, or where it made none, what was fastest.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::canvas::{FAINT, INK, Stand, draw};
use super::grid::{Column, Grid};
use super::html;
use super::layers::layers;
use super::plot::{self, shorten};
use super::sections::Section;
use super::units::{self, or_absent};
use super::{Device, Report, Row};

/// One time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    /// The report's, RFC 3339.
    date: String,
    commit: Option<String>,
    /// What ran it, in words.
    machine: String,
    /// Suite and name.
    layer: String,
    device: Device,
    dtype: String,
    algorithm: String,
    ms: f64,
}

/// All times so far.
#[derive(Debug, Default)]
pub(crate) struct History {
    entries: Vec<Entry>,
}

/// What is compared over the days.
type Key<'a> = (&'a str, Device, &'a str);
/// In the order of their dates.
type Days<'a> = Vec<&'a Entry>;

/// Days that are drawn.
const DRAWN: usize = 120;
const WIDTH: i32 = 1000;
/// Pixels of a line of the figure, and of the curve in it.
const LINE: i32 = 34;
const CURVE: f64 = 26.0;
/// Where curves begin and end.
const LEFT: i32 = 250;
const RIGHT: i32 = 740;

impl History {
    /// Reads what [`History::lines`] wrote.
    pub(crate) fn parse(text: &str) -> Result<History> {
        let entry = |(i, line)| serde_json::from_str(line).with_context(|| format!("line {}", i + 1));
        Ok(History { entries: text.lines().enumerate().map(entry).collect::<Result<_>>()? })
    }

    /// One line of JSON for each time.
    pub(crate) fn lines(&self) -> Result<String> {
        let line = |entry| Ok(serde_json::to_string(entry)? + "\n");
        self.entries.iter().map(line).collect()
    }

    /// Adds what matters of a report, and returns how many times that are. One that is added again changes nothing.
    pub(crate) fn add(&mut self, report: &Report) -> usize {
        let before = self.entries.len();
        for layer in layers(report) {
            for verdict in layer.verdicts() {
                let row = verdict.chosen.or(verdict.best);
                let entry = row.and_then(|row| entry(report, layer.name(), layer.label(row), row));
                self.entries.extend(entry.filter(|entry| !self.entries.contains(entry)));
            }
        }
        self.entries.len() - before
    }

    /// The page.
    pub(crate) fn page(&self) -> Result<String> {
        let mut body = String::from(
            "<h1>winoconv over time</h1>\n<p class=\"faint\">Median time of one run, of the planner's choice, each night. \
             Machines of a service share their processors with others: read the course, not a day.</p>\n",
        );
        for (machine, series) in self.machines() {
            html::section(&mut body, 2, &section(machine, &series));
            body.push_str(&format!("<figure>\n{}</figure>\n", figure(machine, &series)?));
        }
        Ok(html::page("winoconv over time", &body))
    }

    fn machines(&self) -> BTreeMap<&str, BTreeMap<Key<'_>, Days<'_>>> {
        let mut machines: BTreeMap<&str, BTreeMap<Key<'_>, Days<'_>>> = BTreeMap::new();
        let mut entries: Vec<&Entry> = self.entries.iter().collect();
        entries.sort_by(|a, b| a.date.cmp(&b.date));
        for entry in entries {
            let key = (entry.layer.as_str(), entry.device, entry.dtype.as_str());
            machines.entry(&entry.machine).or_default().entry(key).or_default().push(entry);
        }
        machines
    }
}

fn entry(report: &Report, layer: String, algorithm: String, row: &Row) -> Option<Entry> {
    let host = &report.host;
    let computer = format!("{}, {} cores, {} {}", host.cpu, host.cores, host.os, host.arch);
    let machine = match (row.device, &report.adapter) {
        (Device::Gpu, Some(adapter)) => format!("{} ({}), {computer}", adapter.name, adapter.backend),
        _ => computer,
    };
    Some(Entry {
        date: host.date.clone(),
        commit: host.git_revision.clone(),
        machine: units::clean(&machine),
        layer,
        device: row.device,
        dtype: row.dtype.clone(),
        algorithm,
        ms: row.winning_time()?,
    })
}

fn name((layer, device, dtype): Key<'_>) -> String {
    format!("{layer} {} {dtype}", device.name())
}

fn section(machine: &str, series: &BTreeMap<Key<'_>, Days<'_>>) -> Section {
    let rows = series.iter().filter_map(|(key, days)| {
        let (last, before) = days.split_last()?;
        Some(vec![
            name(*key).into(),
            last.algorithm.as_str().into(),
            units::time(last.ms).into(),
            or_absent(median(before), |median| units::ratio(last.ms / median)).into(),
            or_absent(days.iter().map(|entry| entry.ms).reduce(f64::min), units::time).into(),
            days.len().to_string().into(),
            last.date.get(..10).unwrap_or(&last.date).into(),
            or_absent(last.commit.as_deref(), ToOwned::to_owned).into(),
        ])
    });
    let columns = vec![
        Column::words("layer"),
        Column::words("algorithm"),
        Column::number("time", 0),
        Column::number("/ median before", 0),
        Column::number("shortest", 0),
        Column::number("days", 0),
        Column::words("last"),
        Column::words("commit"),
    ];
    let grid = Grid { columns, rows: rows.collect() };
    Section { title: machine.to_owned(), intro: Vec::new(), grid, remarks: Vec::new() }
}

fn median(days: &[&Entry]) -> Option<f64> {
    let mut times: Vec<f64> = days.iter().map(|entry| entry.ms).collect();
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied()
}

/// A curve for each layer, each on a scale of its own that begins at 0.
fn figure(machine: &str, series: &BTreeMap<Key<'_>, Days<'_>>) -> Result<String> {
    let height = LINE * i32::try_from(series.len())? + 16;
    draw(machine, (WIDTH.unsigned_abs(), height.unsigned_abs()), |canvas| {
        for (i, (key, days)) in (0..).zip(series) {
            let middle = LINE * i + LINE / 2 + 8;
            canvas.words(&shorten(&name(*key), 36), (LEFT - 16, middle), 12, INK, Stand::Left)?;
            let days = &days[days.len().saturating_sub(DRAWN)..];
            let points = points(days, middle);
            let color = plot::color(key.1);
            for pair in points.windows(2) {
                canvas.line(pair[0], pair[1], color)?;
            }
            if let (Some(at), Some(last)) = (points.last(), days.last()) {
                canvas.dot(*at, 3, color, true)?;
                let words = format!("{}, {}", units::time(last.ms), last.algorithm);
                canvas.words(&shorten(&words, 40), (RIGHT + 12, middle), 12, FAINT, Stand::Right)?;
            }
        }
        Ok(())
    })
}

#[expect(clippy::cast_possible_truncation, reason = "a pixel within the line")]
fn points(days: &[&Entry], middle: i32) -> Vec<(i32, i32)> {
    let largest = days.iter().map(|entry| entry.ms).fold(f64::MIN_POSITIVE, f64::max);
    let steps = i32::try_from(days.len()).unwrap_or(i32::MAX).saturating_sub(1).max(1);
    let x = |i: i32| LEFT + (RIGHT - LEFT) * i / steps;
    let y = |ms: f64| f64::from(middle) + CURVE * (0.5 - ms / largest);
    (0..).zip(days).map(|(i, entry)| (x(i), y(entry.ms).round() as i32)).collect()
}
