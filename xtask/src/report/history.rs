//! The times of many reports over the days. Each day's are appended to a file, a line of JSON each, and drawn on a page that
//! needs nothing beside it. Of a report what matters is kept: on each machine, of each layer, the planner's choice, or where
//! it made none, what was fastest.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::layers::layers;
use super::sections::{Grid, Section, number, words};
use super::units::{self, clean, or_absent};
use super::{Device, Report, Row, html, markdown};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    date: String,
    commit: Option<String>,
    machine: String,
    layer: String,
    device: Device,
    algorithm: String,
    ms: f64,
}

#[derive(Debug, Default)]
pub(crate) struct History {
    entries: Vec<Entry>,
}

/// What is compared over the days: a layer on a device.
type Series<'a> = BTreeMap<(&'a str, Device), Vec<&'a Entry>>;

const DRAWN: usize = 120;
/// A curve's height with the space around it.
const LINE: f64 = 34.0;

impl History {
    /// Reads what [`History::lines`] wrote.
    pub(crate) fn parse(text: &str) -> Result<History> {
        let entry = |(i, line)| serde_json::from_str(line).with_context(|| format!("line {}", i + 1));
        Ok(History { entries: text.lines().enumerate().map(entry).collect::<Result<_>>()? })
    }

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
                let entry = row.and_then(|row| entry(report, layer.name(), row));
                self.entries.extend(entry.filter(|entry| !self.entries.contains(entry)));
            }
        }
        self.entries.len() - before
    }

    pub(crate) fn page(&self) -> String {
        let mut machines: BTreeMap<&str, Series<'_>> = BTreeMap::new();
        let mut entries: Vec<&Entry> = self.entries.iter().collect();
        entries.sort_by(|a, b| a.date.cmp(&b.date));
        for entry in entries {
            let key = (entry.layer.as_str(), entry.device);
            machines.entry(&entry.machine).or_default().entry(key).or_default().push(entry);
        }
        let title = "winoconv over time";
        let mut text = format!(
            "# {title}\n\nMedian time of one run, of the planner's choice, each night. Machines of a service share their \
             CPUs with others: read the course, not a day.\n"
        );
        for (machine, series) in machines {
            text += &format!("{}\n{}\n", markdown::section(2, &section(machine, &series)), figure(machine, &series));
        }
        html::render(title, &text)
    }
}

fn entry(report: &Report, layer: String, row: &Row) -> Option<Entry> {
    let host = &report.host;
    let machine = match (row.device, &report.adapter) {
        (Device::Gpu, Some(adapter)) => format!("{} ({}), {}", adapter.name, adapter.backend, host.machine()),
        _ => host.machine(),
    };
    Some(Entry {
        date: host.date.clone(),
        commit: host.git_revision.clone(),
        machine: clean(&machine),
        layer,
        device: row.device,
        algorithm: clean(&row.algorithm),
        ms: row.winning_time()?,
    })
}

fn section(machine: &str, series: &Series<'_>) -> Section {
    let rows = series.iter().filter_map(|((layer, device), days)| {
        let (last, before) = days.split_last()?;
        let median = units::median(&before.iter().map(|entry| entry.ms).collect::<Vec<_>>());
        Some(vec![
            format!("{layer} {}", device.name()),
            last.algorithm.clone(),
            units::time(last.ms),
            or_absent(median, |median| units::ratio(last.ms / median)),
            or_absent(days.iter().map(|entry| entry.ms).reduce(f64::min), units::time),
            days.len().to_string(),
            last.date.get(..10).unwrap_or(&last.date).to_owned(),
            or_absent(last.commit.as_deref(), ToOwned::to_owned),
        ])
    });
    let [time, over, shortest, days] = ["time", "/ median before", "shortest", "days"].map(number);
    let columns = [words("layer"), words("algorithm"), time, over, shortest, days, words("last"), words("commit")];
    let grid = Grid::new(&columns, rows.collect());
    Section { title: machine.to_owned(), intro: Vec::new(), grid, remarks: Vec::new() }
}

/// A curve for each layer, each on a scale of its own that begins at 0, as SVG.
fn figure(machine: &str, series: &Series<'_>) -> String {
    let (name, height) = (html::escape(machine), LINE * series.len() as f64);
    let mut svg = format!("<figure><svg viewBox=\"0 0 1000 {height}\" role=\"img\"><title>Times on {name}</title>\n");
    for (i, ((layer, device), days)) in series.iter().enumerate() {
        let days = &days[days.len().saturating_sub(DRAWN)..];
        let Some(last) = days.last() else { continue };
        let largest = days.iter().map(|entry| entry.ms).fold(f64::MIN_POSITIVE, f64::max);
        let (step, bottom) = (490.0 / days.len().max(2) as f64, LINE * (i + 1) as f64 - 4.0);
        let point = |(day, entry): (usize, &&Entry)| {
            format!("{:.1},{:.1} ", 250.0 + step * day as f64, bottom - (LINE - 8.0) * entry.ms / largest)
        };
        let points: String = days.iter().enumerate().map(point).collect();
        let (device, y) = (device.name(), bottom - LINE / 3.0);
        let name = html::escape(&shorten(&format!("{layer} {device}"), 36));
        let words = html::escape(&shorten(&format!("{}, {}", units::time(last.ms), last.algorithm), 40));
        svg += &format!("<text x=\"234\" y=\"{y:.0}\" text-anchor=\"end\">{name}</text>");
        svg +=
            &format!("<polyline class=\"{device}\" points=\"{points}\"/><text x=\"752\" y=\"{y:.0}\">{words}</text>\n");
    }
    svg + "</svg></figure>\n"
}

fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most { text.to_owned() } else { text.chars().take(most - 1).chain(['…']).collect() }
}
