//! The benchmark report: one format, three readers.
//!
//! `cargo xtask bench` fills a [`Report`] with one [`Row`] per layer, device and algorithm; everything else here only
//! draws it. [`layers`] groups the rows and answers who was best, [`sections`] turns the groups into grids of words,
//! [`table`] and [`markdown`] print these grids, and [`html`] makes a page of the latter. [`figures`] draws the SVG files,
//! [`compare`] sets two reports side by side, [`history`] many in a row. The field names are the file format: rename one
//! and old reports no longer load.

pub(crate) mod compare;
mod figures;
pub(crate) mod history;
mod host;
mod html;
mod layers;
pub(crate) mod markdown;
mod sections;
pub(crate) mod table;
#[cfg(test)]
mod tests;
pub(crate) mod units;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use fs_err as fs;
use serde::{Deserialize, Deserializer, Serialize};

/// Everything that one run of the benchmark measured, and where.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Report {
    pub adapter: Option<Adapter>,
    pub host: Host,
    pub rows: Vec<Row>,
    /// What a reader of the numbers must know (skipped suites, thermal state, a locked clock).
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Adapter {
    pub name: String,
    /// `Vulkan`, `Metal`, `Dx12`, `BrowserWebGpu`.
    pub backend: String,
    /// wgpu's `DeviceType`: `DiscreteGpu`, `IntegratedGpu`, `Cpu`.
    pub device_type: String,
    pub driver: String,
    /// True for a CPU that poses as a GPU (lavapipe, WARP, `SwiftShader`): its times are no GPU's.
    pub software: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Host {
    pub os: String,
    pub arch: String,
    pub cpu: String,
    pub cores: usize,
    pub version: String,
    pub date: String,
    pub git_revision: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Device {
    #[default]
    Gpu,
    Cpu,
}

impl Device {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Device::Gpu => "GPU",
            Device::Cpu => "CPU",
        }
    }
}

/// One algorithm on one layer. A row that was refused has no time, and its `note` says why.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Row {
    pub suite: String,
    pub layer: String,
    pub n: usize,
    pub c: usize,
    pub k: usize,
    pub h: usize,
    pub w: usize,
    pub r: usize,
    #[serde(default = "one")]
    pub stride: usize,
    pub dtype: String,
    pub algorithm: String,
    pub points: Option<String>,
    pub device: Device,
    pub kernels: Vec<String>,
    pub chosen: bool,
    /// Whether the results on both kinds of data were checked against the reference and stayed within their bounds.
    pub verified: bool,
    /// Median time of one run in milliseconds, by device timestamps.
    pub time_ms: Option<f64>,
    pub time_ms_min: Option<f64>,
    pub wall_ms: Option<f64>,
    pub runs: Option<u32>,
    /// Milliseconds of each stage, timed apart: they need not add up to `time_ms`.
    #[serde(deserialize_with = "numbers")]
    pub stage_ms: BTreeMap<String, f64>,
    pub compile_cold_ms: Option<f64>,
    pub compile_warm_ms: Option<f64>,
    /// Direct convolution's operations over `time_ms`, in 1e12 a second.
    pub tflops_effective: Option<f64>,
    pub workspace_bytes: Option<u64>,
    pub packed_bytes: Option<u64>,
    pub rel_l2_error: Option<f64>,
    pub max_abs_error: Option<f64>,
    /// The relative L2 error that the statistical model predicts.
    pub expected_error: Option<f64>,
    /// Relative L2 error of a sequential sum in f32 on the same data.
    pub direct_error: Option<f64>,
    pub relu_rel_l2_error: Option<f64>,
    pub relu_direct_error: Option<f64>,
    /// The rigorous bound, on normal data.
    pub error_bound: Option<f64>,
    /// What was fallen back to, and why; absent where nothing was.
    pub fallback: Option<String>,
    /// Anything else; the reason, for a refused row.
    pub note: Option<String>,
    /// Median milliseconds of other libraries on the same layer, by name.
    #[serde(deserialize_with = "numbers", skip_serializing_if = "BTreeMap::is_empty")]
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
}

impl Report {
    /// Pretty JSON, ending in a newline; a NaN or an infinity is `null`.
    pub(crate) fn to_json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        Ok(fs::write(path, self.to_json()?)?)
    }

    pub(crate) fn load(path: &Path) -> Result<Report> {
        let text = fs::read_to_string(path)?;
        serde_json::from_str(&text).with_context(|| format!("{} is no benchmark report", path.display()))
    }
}

/// Writes `report.json`, `report.md`, `report.html` and the figures (`time.svg`, `stages.svg`, `errors.svg`, as far as
/// there is data for them) into `dir`, which is made if need be.
pub(crate) fn write_all(report: &Report, dir: &Path) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(dir)?;
    let figures = figures::all(report)?;
    let text = markdown::render(report, &figures);
    let page = html::render("winoconv benchmark", &text, &figures);
    let mut files = vec![
        ("report.json".to_owned(), report.to_json()?),
        ("report.md".to_owned(), text),
        ("report.html".to_owned(), page),
    ];
    files.extend(figures.into_iter().map(|figure| (figure.file, figure.svg)));
    let write = |(name, text)| {
        let path = dir.join(name);
        fs::write(&path, text)?;
        Ok(path)
    };
    files.into_iter().map(write).collect()
}
