//! The rows grouped by layer, and the questions a reader asks of a group: who was fastest, what did the planner
//! take, how far ahead of the CPU is it. Only rows that ran and were verified can be best.

use std::collections::BTreeMap;

use super::units::{self, clean};
use super::{Device, Report, Row};

/// The rows of one layer: GPU before CPU, faster before slower, refused ones last.
pub(super) struct Layer<'a> {
    pub rows: Vec<&'a Row>,
}

/// What one device made of one layer in one element type.
pub(super) struct Verdict<'a> {
    /// How many rows could have been the best.
    pub contenders: usize,
    pub device: Device,
    pub dtype: &'a str,
    pub best: Option<&'a Row>,
    pub chosen: Option<&'a Row>,
}

/// Two rows share a layer when all of this is equal.
fn layer_key(row: &Row) -> (&str, &str, [usize; 7]) {
    (&row.suite, &row.layer, [row.n, row.c, row.k, row.h, row.w, row.r, row.stride])
}

/// Groups the report's rows, layers in order of first appearance.
pub(super) fn layers(report: &Report) -> Vec<Layer<'_>> {
    let mut layers: Vec<Layer<'_>> = Vec::new();
    for row in &report.rows {
        match layers.iter_mut().find(|layer| layer_key(layer.rows[0]) == layer_key(row)) {
            Some(layer) => layer.rows.push(row),
            None => layers.push(Layer { rows: vec![row] }),
        }
    }
    let time = |row: &Row| row.time_ms.filter(|t| !t.is_nan()).unwrap_or(f64::INFINITY);
    for layer in &mut layers {
        layer
            .rows
            .sort_by(|a, b| (a.device, a.refused()).cmp(&(b.device, b.refused())).then(time(a).total_cmp(&time(b))));
    }
    layers
}

impl<'a> Layer<'a> {
    /// Suite and name: `vgg conv1.2`.
    pub(super) fn name(&self) -> String {
        let row = self.rows[0];
        clean(&format!("{} {}", row.suite, row.layer))
    }

    /// The shape in cuDNN's letters.
    pub(super) fn shape(&self) -> String {
        let Row { n, c, k, h, w, r, stride, .. } = self.rows[0];
        let step = if *stride == 1 { String::new() } else { format!(", stride {stride}") };
        format!("N={n} C={c} K={k}, {h}x{w}, {r}x{r}{step}")
    }

    /// The algorithm's name, with what tells it from its neighbours on the same device: type and points.
    pub(super) fn label(&self, row: &Row) -> String {
        let twins = || self.rows.iter().filter(|r| r.device == row.device && r.algorithm == row.algorithm);
        let points = row.points.as_deref().filter(|_| twins().any(|r| r.dtype == row.dtype && r.points != row.points));
        clean(&match points {
            Some(points) => format!("{} [{points}]", row.algorithm),
            None => row.algorithm.clone(),
        })
    }

    /// Like [`Layer::label`], with the element type where the layer has several.
    pub(super) fn label_with_type(&self, row: &Row) -> String {
        let label = self.label(row);
        if self.rows.iter().any(|r| r.dtype != row.dtype) { label + " " + &clean(&row.dtype) } else { label }
    }

    /// The fastest verified CPU row of any element type, against which `x CPU` is told.
    pub(super) fn best_cpu(&self) -> Option<f64> {
        self.rows.iter().filter(|r| r.device == Device::Cpu).filter_map(|r| r.winning_time()).reduce(f64::min)
    }

    /// How many times faster than the fastest CPU row a GPU row ran.
    pub(super) fn over_cpu(&self, row: &Row) -> Option<f64> {
        (row.device == Device::Gpu).then_some(())?;
        Some(self.best_cpu()? / row.time_ms.filter(|t| *t > 0.0)?)
    }

    /// Best and chosen for each device and element type that the layer has.
    pub(super) fn verdicts(&self) -> Vec<Verdict<'a>> {
        let mut keys: Vec<(Device, &'a str)> = Vec::new();
        for row in &self.rows {
            if !keys.contains(&(row.device, &row.dtype)) {
                keys.push((row.device, &row.dtype));
            }
        }
        keys.sort_unstable();
        let verdict = |(device, dtype)| {
            let own = || self.rows.iter().copied().filter(move |r| r.device == device && r.dtype == dtype);
            let timed = || own().filter_map(|r| Some((r.winning_time()?, r)));
            let best = timed().min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, row)| row);
            Verdict { contenders: timed().count(), device, dtype, best, chosen: own().find(|r| r.chosen) }
        };
        keys.into_iter().map(verdict).collect()
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

/// Measured relative L2 error over the expected one.
pub(super) fn error_ratio(row: &Row) -> Option<f64> {
    Some(row.rel_l2_error? / row.expected_error.filter(|e| *e > 0.0)?)
}

/// Measured relative L2 error over that of a sequential sum in f32 on the same data: normal, and as a ReLU leaves it.
pub(super) fn direct_ratios(row: &Row) -> [Option<f64>; 2] {
    let ratio = |error: Option<f64>, direct: Option<f64>| Some(error? / direct.filter(|e| *e > 0.0)?);
    [ratio(row.rel_l2_error, row.direct_error), ratio(row.relu_rel_l2_error, row.relu_direct_error)]
}

/// One sentence per device: the largest of these ratios over the planner's choices, and where.
pub(super) fn planner_accuracy(layers: &[Layer<'_>]) -> Vec<String> {
    let sentence = |device: Device| {
        let chosen = || layers.iter().flat_map(|l| l.rows.iter().map(move |row| (l, row)));
        let chosen = || chosen().filter(move |(_, row)| row.chosen && row.device == device);
        let worst = |kind: usize| {
            let ratios = chosen().filter_map(|(layer, row)| Some((direct_ratios(row)[kind]?, layer)));
            let (ratio, layer) = ratios.max_by(|a, b| a.0.total_cmp(&b.0))?;
            let name = ["normal data", "data after a ReLU"][kind];
            Some(format!("{} on {name} ({})", units::ratio(ratio), layer.name()))
        };
        let worst: Vec<String> = [0, 1].into_iter().filter_map(worst).collect();
        (!worst.is_empty()).then(|| {
            let name = device.name();
            format!("{name}: at worst the planner's choice has {} the error of a sequential f32 sum.", worst.join(", "))
        })
    };
    [Device::Gpu, Device::Cpu].into_iter().filter_map(sentence).collect()
}

/// The stage in which the batched GEMM ran, alone or fused with a transform.
pub(super) fn multiply_ms(row: &Row) -> Option<f64> {
    let fused = || row.stage_ms.iter().find(|(name, _)| name.contains("multiply"));
    row.stage_ms.get("multiply").or_else(|| Some(fused()?.1)).copied()
}

/// What must be said of a row beside its numbers.
pub(super) fn remarks(row: &Row) -> Vec<String> {
    let mut remarks = Vec::new();
    let note = row.note.as_deref().map(clean);
    if row.refused() {
        remarks.push(format!("refused: {}", note.unwrap_or_else(|| "no reason was given".into())));
    } else {
        if !row.verified {
            remarks.push("NOT VERIFIED: its time cannot win".into());
        }
        remarks.extend(note);
    }
    remarks.extend(row.fallback.as_deref().map(|fallback| format!("FELL BACK: {}", clean(fallback))));
    remarks
}

/// The header lines: adapter (a software one in plain words), host, moment.
pub(super) fn provenance(report: &Report) -> Vec<(&'static str, String)> {
    let host = &report.host;
    let mut lines = vec![match &report.adapter {
        Some(a) => ("Adapter", clean(&format!("{} ({}, {}; driver {})", a.name, a.backend, a.device_type, a.driver))),
        None => ("Adapter", "none: only the CPU was measured".into()),
    }];
    if report.adapter.as_ref().is_some_and(|a| a.software) {
        lines.push(("SOFTWARE", SOFTWARE.into()));
    }
    lines.push(("Host", clean(&format!("{}, {} cores, {} {}", host.cpu, host.cores, host.os, host.arch))));
    let revision = host.git_revision.as_ref().map(|r| format!(" at {r}")).unwrap_or_default();
    lines.push(("winoconv", clean(&format!("{}{revision}", host.version))));
    lines.push(("Date", clean(&host.date)));
    lines
}

const SOFTWARE: &str = "this adapter is a program on the CPU that stands in for a GPU. The GPU rows show that the \
                        kernels are right, not how fast any GPU is.";

/// One sentence per device: how far the planner's choices are from the best.
pub(super) fn planner_quality(layers: &[Layer<'_>]) -> Vec<String> {
    let sentence = |device: Device| {
        let all = layers.iter().flat_map(Layer::verdicts).filter(|v| v.device == device);
        let ratios: Vec<f64> = all.filter_map(|v| v.chosen_over_best()).collect();
        let mean = units::geometric_mean(ratios.iter().copied())?;
        let right = ratios.iter().filter(|r| **r <= 1.0).count();
        Some(format!(
            "{}: the planner chose the best in {right} of {} cases; its choice takes {} the time of the best (geometric mean).",
            device.name(),
            ratios.len(),
            units::ratio(mean),
        ))
    };
    [Device::Gpu, Device::Cpu].into_iter().filter_map(sentence).collect()
}
