//! What the study keeps of an adapter: one file of JSON, from which the page is written. A row is the benchmark's, so
//! that it has been verified before it was timed; beside it stand the program in numbers and the cold compilation.

use serde::{Deserialize, Serialize};

use crate::compile::CompileOutcome;
use crate::explosion::Explosion;
use crate::report::{Adapter, Host, Row};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Study {
    pub adapter: Adapter,
    pub host: Host,
    #[serde(default)]
    pub notes: Vec<String>,
    pub entries: Vec<Entry>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    #[serde(flatten)]
    pub row: Row,
    /// What runs. Absent where there is no plan; the row's note says why.
    pub program: Option<Program>,
    /// How its kernels compiled in a process of their own. Absent for what is the planner's pick only.
    pub cold: Option<CompileOutcome>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Program {
    pub dispatches: usize,
    pub packing_dispatches: usize,
    pub bound: Vec<String>,
    pub written: Vec<String>,
    pub kernels: Vec<Explosion>,
    pub packing_kernels: Vec<Explosion>,
}

impl Study {
    pub(crate) fn slug(&self) -> String {
        let name = format!("{} {}", self.adapter.name, self.adapter.backend).to_lowercase();
        let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join("-")
    }

    pub(crate) fn wrong(&self) -> Vec<String> {
        let wrong = self.entries.iter().filter(|entry| entry.is_wrong());
        wrong.map(|entry| format!("{} on {}", entry.row.algorithm, entry.row.layer)).collect()
    }

    pub(crate) fn layers(&self) -> Vec<&str> {
        in_order(self.entries.iter().map(|entry| entry.row.layer.as_str()))
    }

    pub(crate) fn families(&self) -> Vec<&str> {
        in_order(self.entries.iter().filter(|entry| entry.cold.is_some()).map(Entry::family))
    }

    pub(crate) fn get<'a>(&'a self, layer: &str, family: &'a str) -> Option<&'a Entry> {
        self.of(family).find(|entry| entry.row.layer == layer)
    }

    pub(crate) fn of<'a>(&'a self, family: &'a str) -> impl Iterator<Item = &'a Entry> + Clone {
        self.entries.iter().filter(move |entry| entry.cold.is_some() && entry.family() == family)
    }

    pub(crate) fn any_of(&self, layer: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.row.layer == layer)
    }

    pub(crate) fn pick(&self, layer: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.row.chosen && entry.row.layer == layer)
    }
}

impl Entry {
    /// The algorithm's name without its transform.
    pub(crate) fn family(&self) -> &str {
        self.row.algorithm.split(' ').next().unwrap_or_default()
    }

    pub(crate) fn time(&self) -> Option<f64> {
        self.row.winning_time()
    }

    /// The cold compilation, where it came to an end, in milliseconds: with what the first run took longer than later
    /// ones, since some drivers compile no sooner.
    pub(crate) fn compile(&self) -> Option<f64> {
        let Some(CompileOutcome::Compiled { cold_ms, run, .. }) = &self.cold else { return None };
        Some(cold_ms + run.as_ref().map_or(0.0, |run| (run.first_ms - run.ms).max(0.0)))
    }

    fn is_wrong(&self) -> bool {
        self.row.rel_l2_error.is_some() && !self.row.verified
    }

    /// Why there is no time, in a word and in full.
    pub(crate) fn failure(&self) -> (&'static str, String) {
        self.cold.as_ref().and_then(CompileOutcome::failure).unwrap_or_else(|| {
            let note = self.row.note.clone().unwrap_or_else(|| "no reason was given".to_owned());
            (if self.is_wrong() { "WRONG" } else { "refused" }, note)
        })
    }
}

pub(super) fn in_order<'a>(items: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut once = Vec::new();
    for item in items {
        if !once.contains(&item) {
            once.push(item);
        }
    }
    once
}
