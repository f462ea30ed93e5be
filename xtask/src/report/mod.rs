//! The benchmark report: one format, three readers.
//!
//! `cargo xtask bench` fills a [`Report`] with one [`Row`] per layer, device and algorithm; everything
//! else here only draws it. [`layers`] groups the rows and answers who was best, [`sections`] turns the
//! groups into grids of words, and [`table`], [`markdown`] and [`html`] print these grids. [`plot`] draws
//! the SVG figures, [`compare`] sets two reports side by side, [`history`] many in a row. The field names
//! are the file format of `docs/ARCHITECTURE.md`: rename one and old reports no longer load.

mod canvas;
pub(crate) mod compare;
mod grid;
pub(crate) mod history;
pub(crate) mod host;
pub(crate) mod html;
mod layers;
pub(crate) mod markdown;
pub(crate) mod plot;
mod sections;
pub(crate) mod table;
#[cfg(test)]
mod tests;
pub(crate) mod units;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Deserializer, Serialize};

/// Everything that one run of the benchmark measured, and where.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// The GPU that ran the `gpu` rows; absent where only the CPU ran.
    #[serde(default)]
    pub adapter: Option<Adapter>,
    /// The machine, the crate and the moment.
    #[serde(default)]
    pub host: Host,
    /// One row per layer, device, algorithm and element type, refused ones included.
    #[serde(default)]
    pub rows: Vec<Row>,
    /// What a reader of the numbers must know (skipped suites, thermal state, a locked clock).
    #[serde(default)]
    pub notes: Vec<String>,
}

/// The adapter as wgpu describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Adapter {
    /// Marketing name, for instance `NVIDIA H100 80GB HBM3`.
    pub name: String,
    /// `Vulkan`, `Metal`, `Dx12`, `BrowserWebGpu`.
    pub backend: String,
    /// wgpu's `DeviceType`: `DiscreteGpu`, `IntegratedGpu`, `Cpu`.
    pub device_type: String,
    /// Driver name and version in one line.
    pub driver: String,
    /// True for a CPU that poses as a GPU (lavapipe, WARP, `SwiftShader`): its times are no GPU's.
    pub software: bool,
}

/// The machine and the moment of the measurement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Host {
    /// Operating system, as `std::env::consts::OS` names it.
    pub os: String,
    /// Processor architecture, as `std::env::consts::ARCH` names it.
    pub arch: String,
    /// The processor's own name.
    pub cpu: String,
    /// Logical cores that this process may use.
    pub cores: usize,
    /// Version of `winoconv`.
    pub version: String,
    /// RFC 3339, passed in by the caller.
    pub date: String,
    /// Commit, where the tree was a git checkout.
    pub git_revision: Option<String>,
}

/// What a row ran on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Device {
    /// The report's adapter.
    #[default]
    Gpu,
    /// The host's processor.
    Cpu,
}

impl Device {
    /// `GPU` or `CPU`, for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Device::Gpu => "GPU",
            Device::Cpu => "CPU",
        }
    }
}

/// One algorithm on one layer. A row that was refused has no time, and its `note` says why.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// The list of layers this one belongs to, for instance `vgg`.
    pub suite: String,
    /// The layer's name within its suite.
    pub layer: String,
    /// Batch.
    pub n: usize,
    /// Input channels.
    pub c: usize,
    /// Filters.
    pub k: usize,
    /// Input height.
    pub h: usize,
    /// Input width.
    pub w: usize,
    /// Filter size.
    pub r: usize,
    /// Step of the filter.
    #[serde(default = "one")]
    pub stride: usize,
    /// Storage type of the tensors: `f32`, `f16`.
    pub dtype: String,
    /// Name with its tile, for instance `fused F(4,3)`.
    pub algorithm: String,
    /// Interpolation points, for Winograd rows.
    #[serde(default)]
    pub points: Option<String>,
    /// What ran it.
    pub device: Device,
    /// Names of the kernels in the order of their dispatch.
    #[serde(default)]
    pub kernels: Vec<String>,
    /// Whether the planner would have taken this one.
    #[serde(default)]
    pub chosen: bool,
    /// Whether the results on both kinds of data were checked against the reference and stayed within their bounds.
    #[serde(default)]
    pub verified: bool,
    /// Median time of one run in milliseconds, by device timestamps.
    #[serde(default)]
    pub time_ms: Option<f64>,
    /// Shortest time of one run in milliseconds.
    #[serde(default)]
    pub time_ms_min: Option<f64>,
    /// Time of one run by the host's clock, in milliseconds.
    #[serde(default)]
    pub wall_ms: Option<f64>,
    /// Number of runs behind `time_ms`.
    #[serde(default)]
    pub runs: Option<u32>,
    /// Milliseconds of each stage, timed apart: they need not add up to `time_ms`.
    #[serde(default, deserialize_with = "numbers")]
    pub stage_ms: BTreeMap<String, f64>,
    /// First compilation of all kernels, in milliseconds.
    #[serde(default)]
    pub compile_cold_ms: Option<f64>,
    /// Compilation with the driver's cache filled, in milliseconds.
    #[serde(default)]
    pub compile_warm_ms: Option<f64>,
    /// Direct convolution's operations over `time_ms`, in 1e12 a second.
    #[serde(default)]
    pub tflops_effective: Option<f64>,
    /// Bytes between input and output.
    #[serde(default)]
    pub workspace_bytes: Option<u64>,
    /// Bytes of the packed weights.
    #[serde(default)]
    pub packed_bytes: Option<u64>,
    /// Relative L2 error against the f64 reference.
    #[serde(default)]
    pub rel_l2_error: Option<f64>,
    /// Largest absolute error against the f64 reference.
    #[serde(default)]
    pub max_abs_error: Option<f64>,
    /// The relative L2 error that the statistical model predicts.
    #[serde(default)]
    pub expected_error: Option<f64>,
    /// Relative L2 error of a sequential sum in f32 on the same data.
    #[serde(default)]
    pub direct_error: Option<f64>,
    /// Relative L2 error where the input is what a ReLU leaves of normal numbers.
    #[serde(default)]
    pub relu_rel_l2_error: Option<f64>,
    /// Relative L2 error of a sequential sum in f32 on that input.
    #[serde(default)]
    pub relu_direct_error: Option<f64>,
    /// The rigorous bound, on normal data.
    #[serde(default)]
    pub error_bound: Option<f64>,
    /// What was fallen back to, and why; absent where nothing was.
    #[serde(default)]
    pub fallback: Option<String>,
    /// Anything else; the reason, for a refused row.
    #[serde(default)]
    pub note: Option<String>,
    /// Median milliseconds of other libraries on the same layer, by name.
    #[serde(default, deserialize_with = "numbers", skip_serializing_if = "BTreeMap::is_empty")]
    pub peers: BTreeMap<String, f64>,
}

fn one() -> usize {
    1
}

/// JSON has no NaN: other writers put `null` in its place, which a map of numbers drops.
fn numbers<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, f64>, D::Error> {
    let map = Option::<BTreeMap<String, Option<f64>>>::deserialize(from)?.unwrap_or_default();
    Ok(map.into_iter().filter_map(|(name, x)| Some((name, x?))).collect())
}

impl Row {
    /// True where the algorithm did not run; the reason is in `note`.
    pub(crate) fn refused(&self) -> bool {
        self.time_ms.is_none()
    }

    /// The time, where it may win: measured, a positive number, and the result verified.
    pub(crate) fn winning_time(&self) -> Option<f64> {
        self.time_ms.filter(|t| self.verified && t.is_finite() && *t > 0.0)
    }

    /// Takes out every number that JSON cannot hold and says so in `note`, so that a NaN is not
    /// later read as "not measured".
    fn keep_finite(&mut self) {
        let mut lost = Vec::new();
        for (name, field) in [
            ("time_ms", &mut self.time_ms),
            ("time_ms_min", &mut self.time_ms_min),
            ("wall_ms", &mut self.wall_ms),
            ("compile_cold_ms", &mut self.compile_cold_ms),
            ("compile_warm_ms", &mut self.compile_warm_ms),
            ("tflops_effective", &mut self.tflops_effective),
            ("rel_l2_error", &mut self.rel_l2_error),
            ("max_abs_error", &mut self.max_abs_error),
            ("expected_error", &mut self.expected_error),
            ("direct_error", &mut self.direct_error),
            ("relu_rel_l2_error", &mut self.relu_rel_l2_error),
            ("relu_direct_error", &mut self.relu_direct_error),
            ("error_bound", &mut self.error_bound),
        ] {
            if let Some(x) = field.take_if(|x| !x.is_finite()) {
                lost.push(format!("{name} was {x}"));
            }
        }
        for (what, map) in [("stage_ms", &mut self.stage_ms), ("peers", &mut self.peers)] {
            map.retain(|name, x| {
                if !x.is_finite() {
                    lost.push(format!("{what}.{name} was {x}"));
                }
                x.is_finite()
            });
        }
        if !lost.is_empty() {
            let lost = lost.join(", ");
            self.note = Some(match self.note.take() {
                Some(note) => format!("{note}; {lost}"),
                None => lost,
            });
        }
    }
}

impl Report {
    /// The report with every number finite; what was not is named in its row's `note`.
    #[must_use]
    pub(crate) fn finite(mut self) -> Report {
        self.rows.iter_mut().for_each(Row::keep_finite);
        self
    }

    /// Pretty JSON, ending in a newline; never a NaN or an infinity.
    pub(crate) fn to_json(&self) -> Result<String> {
        let text = serde_json::to_string_pretty(&self.clone().finite())?;
        Ok(text + "\n")
    }

    /// Reads what [`Report::to_json`] wrote; fields that may be absent may be missing.
    pub(crate) fn from_json(text: &str) -> Result<Report> {
        serde_json::from_str(text).context("this is not a winoconv benchmark report")
    }

    /// Writes the report as JSON.
    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        fs::write(path, self.to_json()?).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Reads a report from a JSON file.
    pub(crate) fn load(path: &Path) -> Result<Report> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Report::from_json(&text).with_context(|| format!("in {}", path.display()))
    }
}

/// Writes `report.json`, `report.md`, `report.html` and the figures (`time.svg`, `stages.svg`,
/// `errors.svg`, as far as there is data for them) into `dir`, which is made if need be.
pub(crate) fn write_all(report: &Report, dir: &Path) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let figures = plot::figures(report)?;
    let mut files = vec![
        ("report.json", report.to_json()?),
        ("report.md", markdown::render(report, &figures)),
        ("report.html", html::render(report, &figures)),
    ];
    files.extend(figures.into_iter().map(|figure| (figure.file, figure.svg)));
    let mut written = Vec::new();
    for (name, text) in files {
        let path = dir.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        written.push(path);
    }
    Ok(written)
}
