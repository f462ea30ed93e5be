//! The benchmark report: one format, three readers.
//!
//! `cargo xtask bench` fills a [`Report`] with one [`Row`] per layer, device and algorithm; everything else here only
//! draws it. [`layers`] groups the rows and answers who was best, [`sections`] turns the groups into grids of words,
//! [`table`] and [`markdown`] print these grids, and [`html`] makes a page of the latter.
//! [`compare`] sets two reports side by side, [`history`] many in a row. The field names are the file format: rename one and
//! old reports no longer load.

pub(crate) mod compare;
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
use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Deserializer, Serialize};

use crate::files;

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
    /// Milliseconds of each stage, timed apart: they need not add up to `time_ms`.
    #[serde(deserialize_with = "numbers")]
    pub stage_ms: BTreeMap<String, f64>,
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
    /// Anything else; the reason, for a refused row.
    pub note: Option<String>,
    /// Median milliseconds of other libraries on the same layer, by name.
    #[serde(deserialize_with = "numbers", skip_serializing_if = "BTreeMap::is_empty")]
    pub peers: BTreeMap<String, f64>,
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

/// Writes `report.json`, `report.md` and `report.html` into `dir`.
pub(crate) fn write_all(report: &Report, dir: &Path) -> Result<()> {
    let text = markdown::render(report);
    files::write(&dir.join("report.json"), &files::to_json(report)?)?;
    files::write(&dir.join("report.md"), &text)?;
    files::write(&dir.join("report.html"), &html::render("winoconv benchmark", &text))
}
