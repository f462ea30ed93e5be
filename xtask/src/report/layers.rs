//! The rows grouped by layer, and the questions a reader asks of a group: who was fastest, what did the planner
//! take, how far ahead of the CPU is it. Only rows that ran and were verified can be best.

use std::collections::{BTreeMap, BTreeSet};

use super::units::{self, clean};
use super::{Device, Report, Row};

/// The rows of one layer: GPU before CPU, faster before slower, refused ones last.
pub(super) struct Layer<'a> {
    pub rows: Vec<&'a Row>,
}

/// What one device made of one layer.
pub(super) struct Verdict<'a> {
    /// How many rows could have been the best.
    pub contenders: usize,
    pub device: Device,
    pub best: Option<&'a Row>,
    pub chosen: Option<&'a Row>,
}

/// Groups the report's rows, layers in order of first appearance.
pub(super) fn layers(report: &Report) -> Vec<Layer<'_>> {
    let key = |row: &Row| (row.suite.clone(), row.layer.clone(), [row.n, row.c, row.k, row.h, row.w, row.r]);
    let mut layers: Vec<Layer<'_>> = Vec::new();
    for row in &report.rows {
        match layers.iter_mut().find(|layer| key(layer.rows[0]) == key(row)) {
            Some(layer) => layer.rows.push(row),
            None => layers.push(Layer { rows: vec![row] }),
        }
    }
    let time = |row: &Row| row.time_ms.filter(|t| !t.is_nan()).unwrap_or(f64::INFINITY);
    for Layer { rows } in &mut layers {
        rows.sort_by(|a, b| (a.device, a.refused()).cmp(&(b.device, b.refused())).then(time(a).total_cmp(&time(b))));
    }
    layers
}

impl<'a> Layer<'a> {
    /// Suite and name: `vgg conv1.2`.
    pub(super) fn name(&self) -> String {
        clean(&format!("{} {}", self.rows[0].suite, self.rows[0].layer))
    }

    /// The shape in cuDNN's letters.
    pub(super) fn shape(&self) -> String {
        let Row { n, c, k, h, w, r, .. } = self.rows[0];
        format!("N={n} C={c} K={k}, {h}x{w}, {r}x{r}")
    }

    /// How many times faster a GPU row ran than the fastest verified CPU row.
    pub(super) fn over_cpu(&self, row: &Row) -> Option<f64> {
        let cpu = self.rows.iter().filter(|r| r.device == Device::Cpu).filter_map(|r| r.winning_time());
        let time = row.time_ms.filter(|t| row.device == Device::Gpu && *t > 0.0)?;
        Some(cpu.reduce(f64::min)? / time)
    }

    /// Best and chosen for each device that the layer has.
    pub(super) fn verdicts(&self) -> Vec<Verdict<'a>> {
        let verdict = |device| {
            let own = || self.rows.iter().copied().filter(move |row| row.device == device);
            let timed = || own().filter_map(|r| Some((r.winning_time()?, r)));
            let best = timed().min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, row)| row);
            Verdict { contenders: timed().count(), device, best, chosen: own().find(|r| r.chosen) }
        };
        let devices: BTreeSet<Device> = self.rows.iter().map(|row| row.device).collect();
        devices.into_iter().map(verdict).collect()
    }

    /// Other libraries' times on this layer; where several rows bring one, the shortest.
    pub(super) fn peers(&self) -> BTreeMap<String, f64> {
        let mut peers = BTreeMap::new();
        for (name, &ms) in self.rows.iter().flat_map(|row| &row.peers) {
            let shortest: &mut f64 = peers.entry(clean(name)).or_insert(ms);
            *shortest = shortest.min(ms);
        }
        peers
    }
}

impl Verdict<'_> {
    /// The chosen row's time over the best's: 1 where the planner was right. `None` where nothing else was measured.
    pub(super) fn chosen_over_best(&self) -> Option<f64> {
        (self.contenders > 1).then_some(())?;
        Some(self.chosen?.time_ms.filter(|t| t.is_finite() && *t > 0.0)? / self.best?.winning_time()?)
    }
}

fn over(x: Option<f64>, y: Option<f64>) -> Option<f64> {
    Some(x? / y.filter(|y| *y > 0.0)?)
}

/// Measured relative L2 error over the expected one.
pub(super) fn error_ratio(row: &Row) -> Option<f64> {
    over(row.rel_l2_error, row.expected_error)
}

/// Measured relative L2 error over that of a sequential sum in f32 on the same data: normal, and as a ReLU leaves it.
pub(super) fn direct_ratios(row: &Row) -> [Option<f64>; 2] {
    [over(row.rel_l2_error, row.direct_error), over(row.relu_rel_l2_error, row.relu_direct_error)]
}

/// What must be said of a row beside its numbers.
pub(super) fn remarks(row: &Row) -> Vec<String> {
    let mut remarks = Vec::new();
    if row.refused() {
        remarks.push(format!("refused: {}", row.note.as_deref().unwrap_or("no reason was given")));
    } else {
        remarks.extend((!row.verified).then(|| "NOT VERIFIED: its time cannot win".to_owned()));
        remarks.extend(row.note.clone());
    }
    remarks
}

/// The header lines: adapter (a software one in plain words), host, moment.
pub(super) fn provenance(report: &Report) -> Vec<(&'static str, String)> {
    let host = &report.host;
    let mut lines = vec![match &report.adapter {
        Some(a) => ("Adapter", format!("{} ({}, {}; driver {})", a.name, a.backend, a.device_type, a.driver)),
        None => ("Adapter", "none: only the CPU was measured".into()),
    }];
    if report.adapter.as_ref().is_some_and(|a| a.software) {
        let words = "this adapter is a program on the CPU that stands in for a GPU. The GPU rows show that the kernels \
                     are right, not how fast any GPU is.";
        lines.push(("SOFTWARE", words.into()));
    }
    lines.push(("Host", host.machine()));
    lines.push(("winoconv", host.crate_version()));
    lines.push(("Date", host.date.clone()));
    lines.into_iter().map(|(name, line)| (name, clean(&line))).collect()
}

/// One sentence per device: how far the planner's choices are from the best.
pub(super) fn planner_quality(layers: &[Layer<'_>]) -> Vec<String> {
    let sentence = |device: Device| {
        let all = layers.iter().flat_map(Layer::verdicts).filter(|v| v.device == device);
        let ratios: Vec<f64> = all.filter_map(|v| v.chosen_over_best()).collect();
        let mean = units::ratio(units::geometric_mean(&ratios)?);
        let right = ratios.iter().filter(|r| **r <= 1.0).count();
        let (name, all) = (device.name(), ratios.len());
        Some(format!(
            "{name}: the planner chose the best in {right} of {all} cases; its choice takes {mean} the time of the best \
             (geometric mean)."
        ))
    };
    [Device::Gpu, Device::Cpu].into_iter().filter_map(sentence).collect()
}

/// One sentence per device: the largest error of the planner's choices over a sequential sum's, and where.
pub(super) fn planner_accuracy(layers: &[Layer<'_>]) -> Vec<String> {
    let sentence = |device: Device| {
        let worst = |(kind, data): (usize, &str)| {
            let chosen = layers.iter().flat_map(|layer| layer.rows.iter().map(move |row| (layer, row)));
            let chosen = chosen.filter(|(_, row)| row.chosen && row.device == device);
            let ratios = chosen.filter_map(|(layer, row)| Some((direct_ratios(row)[kind]?, layer)));
            let (ratio, layer) = ratios.max_by(|a, b| a.0.total_cmp(&b.0))?;
            Some(format!("{} on {data} ({})", units::ratio(ratio), layer.name()))
        };
        let kinds = ["normal data", "data after a ReLU"].into_iter().enumerate();
        let worst: Vec<String> = kinds.filter_map(worst).collect();
        let (name, worst) = (device.name(), (!worst.is_empty()).then(|| worst.join(", "))?);
        Some(format!("{name}: at worst the planner's choice has {worst} the error of a sequential f32 sum."))
    };
    [Device::Gpu, Device::Cpu].into_iter().filter_map(sentence).collect()
}
