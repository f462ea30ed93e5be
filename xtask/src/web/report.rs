//! What the page reports, and when that is a pass.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use super::browser::Gpu;
use crate::coverage::FAMILIES;

/// Filters of the page, each of which must have been right by so many algorithms at least.
const FILTERS: [&str; 3] = ["blur", "edges", "ink"];
const FEWEST: usize = 10;

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Report {
    webgpu: bool,
    software: bool,
    device: String,
    timestamps: bool,
    notice: String,
    cases: Vec<Case>,
    errors: Vec<String>,
    #[serde(default)]
    rows: Vec<Vec<String>>,
}

/// A filter by an algorithm: its largest error in parts of the bound, or what is wrong, or why it cannot run.
#[derive(Debug, Clone, Deserialize)]
struct Case {
    filter: String,
    label: String,
    of_bound: Option<f64>,
    wrong: Option<String>,
    refused: Option<String>,
}

impl Report {
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        serde_json::from_str(text).with_context(|| format!("the page's report is none: {text}"))
    }

    /// How many cases are right and what was found, if all of it is right.
    pub(super) fn judge(&self, gpu: Gpu) -> anyhow::Result<(usize, String)> {
        ensure!(self.errors.is_empty(), "it reports {}", self.errors.join("; "));
        let wrong: Vec<String> = self.cases.iter().filter_map(Case::complaint).collect();
        ensure!(wrong.is_empty(), "{} of {} cases are wrong:\n  {}", wrong.len(), self.cases.len(), wrong.join("\n  "));
        let right = || self.cases.iter().filter(|case| case.of_bound.is_some());
        let families: BTreeSet<&str> = right().filter_map(|case| case.label.split(':').next()).collect();
        // Each must have been right somewhere.
        for family in FAMILIES {
            ensure!(families.contains(family), "nothing ran by {family} on {}", self.device);
        }
        for filter in FILTERS {
            let count = right().filter(|case| case.filter == filter).count();
            ensure!(count >= FEWEST, "{filter} ran by {count} algorithms, {FEWEST} at least were expected");
        }
        ensure!(!self.rows.is_empty(), "its table of times is empty");
        match gpu {
            Gpu::SwiftShader => {
                ensure!(self.webgpu, "it did not get WebGPU but {}", self.device);
                ensure!(!self.software || !self.notice.is_empty(), "it does not say that its adapter is software");
            }
            Gpu::None => {
                ensure!(!self.webgpu, "it got {}, where there should be no WebGPU", self.device);
                ensure!(self.notice.contains("No GPU here"), "it does not say that there is no GPU: {}", self.notice);
            }
        }
        let refused = self.cases.iter().filter(|case| case.refused.is_some()).count();
        let worst = right().filter_map(|case| case.of_bound).fold(0.0, f64::max);
        let stamps = if self.timestamps { "timestamps" } else { "no timestamps" };
        let words = format!(
            "{} filters by {} algorithms, {} pairs right on {} ({stamps}), each with a planted wrong weight found; largest error \
             {worst:.3} of its bound; {refused} refused by the planner",
            FILTERS.len(),
            right().map(|case| &case.label).collect::<BTreeSet<_>>().len(),
            right().count(),
            self.device,
        );
        Ok((right().count(), words))
    }
}

impl Case {
    /// What is wrong with it. One of which nothing is said did not run.
    fn complaint(&self) -> Option<String> {
        let why = match (self.of_bound, &self.wrong, &self.refused) {
            (Some(of_bound), None, None) if of_bound <= 1.0 => return None,
            (None, None, Some(_)) => return None,
            (Some(of_bound), None, None) => format!("{of_bound} times the bound"),
            (_, Some(wrong), _) => wrong.clone(),
            _ => "it did not run".to_owned(),
        };
        Some(format!("{} by {}: {why}", self.filter, self.label))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn good() -> Value {
        let more = (0..FEWEST).map(|m| format!("staged:f{m}x3"));
        let labels: Vec<String> = FAMILIES.map(ToOwned::to_owned).into_iter().chain(more).collect();
        let case = |filter, label| json!({ "filter": filter, "label": label, "of_bound": 0.25 });
        let cases: Vec<_> =
            FILTERS.iter().flat_map(|filter| labels.iter().map(move |label| case(filter, label))).collect();
        json!({ "webgpu": true, "software": true, "device": "a GPU", "timestamps": true, "notice": "software",
                "cases": cases, "errors": [], "rows": [["ink"]] })
    }

    fn judged(report: &Value, gpu: Gpu) -> Result<String, String> {
        let report = Report::parse(&report.to_string()).expect("a report");
        report.judge(gpu).map(|(_, words)| words).map_err(|error| error.to_string())
    }

    #[test]
    fn a_report_passes_only_whole() {
        let words = judged(&good(), Gpu::SwiftShader).expect("right");
        assert!(words.contains("3 filters by 18 algorithms, 54 pairs right"), "{words}");
        for (words, place, flaw) in [
            ("uncaught", "/errors", json!(["uncaught"])),
            ("output 7", "/cases/3", json!({ "filter": "ink", "label": "direct", "wrong": "output 7" })),
            ("1.5 times", "/cases/3/of_bound", json!(1.5)),
            ("did not run", "/cases/3/of_bound", Value::Null),
            ("nothing ran by", "/cases", json!([{ "filter": "ink", "label": "direct", "of_bound": 0.5 }])),
            ("table", "/rows", json!([])),
            ("did not get WebGPU", "/webgpu", json!(false)),
            ("does not say", "/notice", json!("")),
        ] {
            let mut report = good();
            *report.pointer_mut(place).expect("it is there") = flaw;
            let error = judged(&report, Gpu::SwiftShader).expect_err("a flaw");
            assert!(error.contains(words), "{words}: {error}");
        }
        let mut report = good();
        report["webgpu"] = json!(false);
        assert!(judged(&report, Gpu::None).is_err_and(|error| error.contains("there is no GPU")));
        report["notice"] = json!("No GPU here (none)");
        assert!(judged(&report, Gpu::None).is_ok() && judged(&good(), Gpu::None).is_err());
    }
}
