//! What the study keeps of an adapter: one file of JSON, from which the page is written. A row is the benchmark's, so
//! that it has been verified before it was timed; beside it stand the program in numbers and the cold compilation.

use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::compile::CompileOutcome;
use crate::explosion::Explosion;
use crate::report::{Adapter, Host, Report, Row};

/// One adapter's study.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Study {
    /// The adapter.
    pub adapter: Adapter,
    /// The machine, the crate and the moment.
    pub host: Host,
    /// What a reader of the numbers must know.
    #[serde(default)]
    pub notes: Vec<String>,
    /// One entry for each layer and algorithm.
    pub entries: Vec<Entry>,
}

/// One algorithm on one layer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// As the benchmark measured it.
    #[serde(flatten)]
    pub row: Row,
    /// What runs. Absent where there is no plan; the row's note says why.
    pub program: Option<Program>,
    /// How its kernels compiled in a process of their own. Absent for what is the planner's pick only.
    pub cold: Option<CompileOutcome>,
}

/// A plan in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Program {
    /// Dispatches of a run.
    pub dispatches: usize,
    /// Dispatches that pack the weights, once.
    pub packing_dispatches: usize,
    /// Tensors that are bound, packing included.
    pub bound: Vec<String>,
    /// Those of them that a kernel writes.
    pub written: Vec<String>,
    /// The kernels of a run.
    pub kernels: Vec<Explosion>,
    /// The kernels that pack the weights.
    pub packing_kernels: Vec<Explosion>,
}

impl Study {
    /// Name of its file, without the ending: the adapter and its backend in small letters.
    pub(crate) fn slug(&self) -> String {
        let name = format!("{} {}", self.adapter.name, self.adapter.backend).to_lowercase();
        let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join("-")
    }

    /// Pretty JSON, ending in a newline; never a NaN or an infinity.
    pub(crate) fn to_json(&self) -> anyhow::Result<String> {
        let mut study = self.clone();
        // The benchmark's own rule for numbers that JSON cannot hold.
        let rows = study.entries.iter().map(|entry| entry.row.clone()).collect();
        let finite = Report { rows, ..Default::default() }.finite();
        for (entry, row) in study.entries.iter_mut().zip(finite.rows) {
            entry.row = row;
        }
        Ok(serde_json::to_string_pretty(&study)? + "\n")
    }

    /// Reads a study from a file.
    pub(crate) fn load(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is no study of an adapter", path.display()))
    }

    /// What ran and was wrong.
    pub(crate) fn wrong(&self) -> Vec<String> {
        let wrong = self.entries.iter().filter(|entry| entry.is_wrong());
        wrong.map(|entry| format!("{} on {}", entry.row.algorithm, entry.row.layer)).collect()
    }

    /// The layers' names, in order of first appearance.
    pub(crate) fn layers(&self) -> Vec<&str> {
        in_order(self.entries.iter().map(|entry| entry.row.layer.as_str()))
    }

    /// The families of the algorithms that were studied, in order of first appearance.
    pub(crate) fn families(&self) -> Vec<&str> {
        in_order(self.entries.iter().filter(|entry| entry.cold.is_some()).map(Entry::family))
    }

    /// What was studied of a family on a layer.
    pub(crate) fn get<'a>(&'a self, layer: &str, family: &'a str) -> Option<&'a Entry> {
        self.of(family).find(|entry| entry.row.layer == layer)
    }

    /// What was studied of a family.
    pub(crate) fn of<'a>(&'a self, family: &'a str) -> impl Iterator<Item = &'a Entry> + Clone {
        self.entries.iter().filter(move |entry| entry.cold.is_some() && entry.family() == family)
    }

    /// Any entry of a layer: they have its sizes.
    pub(crate) fn any_of(&self, layer: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.row.layer == layer)
    }

    /// What the planner takes for a layer.
    pub(crate) fn pick(&self, layer: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.row.chosen && entry.row.layer == layer)
    }
}

impl Entry {
    /// The algorithm's name without its transform.
    pub(crate) fn family(&self) -> &str {
        self.row.algorithm.split(' ').next().unwrap_or_default()
    }

    /// The time of a run, verified.
    pub(crate) fn time(&self) -> Option<f64> {
        self.row.winning_time()
    }

    /// The cold compilation, where it came to an end, in milliseconds: with what the first run took longer than later
    /// ones, since some drivers compile no sooner.
    pub(crate) fn compile(&self) -> Option<f64> {
        match &self.cold {
            Some(CompileOutcome::Compiled { cold_ms, run, .. }) => {
                Some(cold_ms + run.as_ref().map_or(0.0, |run| (run.first_ms - run.ms).max(0.0)))
            }
            _ => None,
        }
    }

    /// Whether it ran, and its result was not what it should be.
    fn is_wrong(&self) -> bool {
        self.row.rel_l2_error.is_some() && !self.row.verified
    }

    /// In a word, why there is no time.
    pub(crate) fn failure(&self) -> &'static str {
        match &self.cold {
            Some(CompileOutcome::TookLonger { .. }) => "given up",
            Some(CompileOutcome::Crashed { .. }) => "crashed",
            Some(CompileOutcome::Refused { .. }) => "refused",
            _ if self.is_wrong() => "WRONG",
            _ => "refused",
        }
    }

    /// In full, why there is no time.
    pub(crate) fn reason(&self) -> String {
        match &self.cold {
            Some(CompileOutcome::TookLonger { limit_ms, during, .. }) => {
                format!("ended after {} s, {during}", limit_ms / 1e3)
            }
            Some(CompileOutcome::Crashed { status, during, stderr }) => format!("died {during}: {status}. {stderr}"),
            Some(CompileOutcome::Refused { message }) => message.clone(),
            _ => self.row.note.clone().unwrap_or_else(|| "no reason was given".to_owned()),
        }
    }
}

/// Each item once.
pub(super) fn in_order<'a>(items: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut once = Vec::new();
    for item in items {
        if !once.contains(&item) {
            once.push(item);
        }
    }
    once
}
