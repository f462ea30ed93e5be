//! The times of many reports over the days. Each day's are appended to a file, a line of JSON each, and drawn on a page that
//! needs nothing beside it. Of a report what matters is kept: on each machine, of each layer and element type, the planner's
//! choice, or where it made none, what was fastest.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;
use serde::{Deserialize, Serialize};

use super::figures::{FAINT, Figure, INK, color, draw, shorten, style};
use super::layers::layers;
use super::sections::{Grid, Section, number, words};
use super::units::{self, or_absent};
use super::{Device, Report, Row, html, markdown};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    date: String,
    commit: Option<String>,
    machine: String,
    layer: String,
    device: Device,
    dtype: String,
    algorithm: String,
    ms: f64,
}

#[derive(Debug, Default)]
pub(crate) struct History {
    entries: Vec<Entry>,
}

/// What is compared over the days by name: layer, device and type.
type Series<'a> = BTreeMap<(&'a str, Device, &'a str), Vec<&'a Entry>>;

const DRAWN: usize = 120;
const LINE: u32 = 34;

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
                let entry = row.and_then(|row| entry(report, layer.name(), layer.label(row), row));
                self.entries.extend(entry.filter(|entry| !self.entries.contains(entry)));
            }
        }
        self.entries.len() - before
    }

    pub(crate) fn page(&self) -> Result<String> {
        let mut machines: BTreeMap<&str, Series<'_>> = BTreeMap::new();
        let mut entries: Vec<&Entry> = self.entries.iter().collect();
        entries.sort_by(|a, b| a.date.cmp(&b.date));
        for entry in entries {
            let key = (entry.layer.as_str(), entry.device, entry.dtype.as_str());
            machines.entry(&entry.machine).or_default().entry(key).or_default().push(entry);
        }
        let title = "winoconv over time";
        let mut text = format!(
            "# {title}\n\nMedian time of one run, of the planner's choice, each night. Machines of a service share their \
             CPUs with others: read the course, not a day.\n"
        );
        let mut figures = Vec::new();
        for (i, (machine, series)) in machines.iter().enumerate() {
            let (file, title) = (format!("{i}.svg"), format!("Times on {machine}"));
            let figure = Figure { file, svg: figure(&title, series)?, title };
            text += &format!("{}\n{}\n", markdown::section(2, &section(machine, series)), figure.link());
            figures.push(figure);
        }
        Ok(html::render(title, &text, &figures))
    }
}

fn entry(report: &Report, layer: String, algorithm: String, row: &Row) -> Option<Entry> {
    let host = &report.host;
    let machine = match (row.device, &report.adapter) {
        (Device::Gpu, Some(adapter)) => format!("{} ({}), {}", adapter.name, adapter.backend, host.machine()),
        _ => host.machine(),
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

fn section(machine: &str, series: &Series<'_>) -> Section {
    let rows = series.iter().filter_map(|((layer, device, dtype), days)| {
        let (last, before) = days.split_last()?;
        let median = units::median(&before.iter().map(|entry| entry.ms).collect::<Vec<_>>());
        Some(vec![
            format!("{layer} {} {dtype}", device.name()).into(),
            last.algorithm.as_str().into(),
            units::time(last.ms).into(),
            or_absent(median, |median| units::ratio(last.ms / median)).into(),
            or_absent(days.iter().map(|entry| entry.ms).reduce(f64::min), units::time).into(),
            days.len().to_string().into(),
            last.date.get(..10).unwrap_or(&last.date).into(),
            or_absent(last.commit.as_deref(), ToOwned::to_owned).into(),
        ])
    });
    let [time, over, shortest, days] = ["time", "/ median before", "shortest", "days"].map(number);
    let columns = vec![words("layer"), words("algorithm"), time, over, shortest, days, words("last"), words("commit")];
    let grid = Grid { columns, rows: rows.collect() };
    Section { title: machine.to_owned(), intro: Vec::new(), grid, remarks: Vec::new() }
}

/// A curve for each layer, each on a scale of its own that begins at 0.
fn figure(title: &str, series: &Series<'_>) -> Result<String> {
    draw(title, LINE * u32::try_from(series.len())?, |area| {
        for (area, ((layer, device, dtype), days)) in area.split_evenly((series.len(), 1)).iter().zip(series) {
            let days = &days[days.len().saturating_sub(DRAWN)..];
            let Some(last) = days.last() else { continue };
            let largest = days.iter().map(|entry| entry.ms).fold(f64::MIN_POSITIVE, f64::max);
            let mut builder = ChartBuilder::on(area);
            builder.margin(4).margin_left(250).margin_right(260);
            let mut chart = builder.build_cartesian_2d(0..days.len().max(2) - 1, 0.0..largest)?;
            let points: Vec<_> = days.iter().map(|entry| entry.ms).enumerate().collect();
            let end = points[points.len() - 1];
            chart.draw_series(LineSeries::new(points, color(*device)))?;
            chart.draw_series([Circle::new(end, 3, color(*device).filled())])?;
            let middle = (LINE / 2).cast_signed();
            let name = shorten(&format!("{layer} {} {dtype}", device.name()), 36);
            area.draw_text(&name, &style(12, INK, HPos::Right), (234, middle))?;
            let words = shorten(&format!("{}, {}", units::time(last.ms), last.algorithm), 40);
            area.draw_text(&words, &style(12, FAINT, HPos::Left), (752, middle))?;
        }
        Ok(())
    })
}
