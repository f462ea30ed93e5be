//! What the page reports, and when that is a pass.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use super::browser::Gpu;

/// Families of algorithms, each of which must have been right somewhere.
const FAMILIES: [&str; 7] = ["direct", "implicit_gemm", "depthwise", "staged", "fused_output", "fused", "fused_filter"];
/// Filters of the page, each of which must have been right by so many algorithms at least.
const FILTERS: [&str; 3] = ["blur", "edges", "ink"];
const FEWEST: usize = 10;

/// A page's report.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Report {
    /// Whether it computed on WebGPU.
    webgpu: bool,
    /// Whether the processor played the GPU.
    software: bool,
    device: String,
    timestamps: bool,
    /// What it told its visitor to be lacking.
    notice: String,
    cases: Vec<Case>,
    errors: Vec<String>,
    /// The table of times.
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

    /// Says what was found, if all of it is right.
    pub(super) fn judge(&self, gpu: Gpu) -> anyhow::Result<String> {
        ensure!(self.errors.is_empty(), "it reports {}", self.errors.join("; "));
        let wrong: Vec<String> = self.cases.iter().filter_map(Case::complaint).collect();
        ensure!(wrong.is_empty(), "{} of {} cases are wrong:\n  {}", wrong.len(), self.cases.len(), wrong.join("\n  "));
        let right = || self.cases.iter().filter(|case| case.of_bound.is_some());
        let families: BTreeSet<&str> = right().filter_map(|case| case.label.split(':').next()).collect();
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
        Ok(format!(
            "{} filters by {} algorithms, {} pairs right on {} ({stamps}), each with a planted wrong weight found; largest error \
             {worst:.3} of its bound; {refused} refused by the planner",
            FILTERS.len(),
            right().map(|case| &case.label).collect::<BTreeSet<_>>().len(),
            right().count(),
            self.device,
        ))
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
    use super::*;

    fn good() -> Report {
        let case = |filter: &str, label: String| Case {
            filter: filter.to_owned(),
            label,
            of_bound: Some(0.25),
            wrong: None,
            refused: None,
        };
        let more = (0..FEWEST).map(|m| format!("staged:f{m}x3"));
        let labels: Vec<String> = FAMILIES.map(ToOwned::to_owned).into_iter().chain(more).collect();
        let cases = FILTERS.iter().flat_map(|filter| labels.iter().map(move |label| case(filter, label.clone())));
        Report {
            webgpu: true,
            software: true,
            device: "a GPU".to_owned(),
            timestamps: true,
            notice: "software".to_owned(),
            cases: cases.collect(),
            errors: Vec::new(),
            rows: vec![vec!["ink".to_owned()]],
        }
    }

    /// Each flaw alone is found, and named.
    #[test]
    fn a_report_passes_only_whole() {
        let words = good().judge(Gpu::SwiftShader).expect("right");
        assert!(words.contains("3 filters by 17 algorithms, 51 pairs right"), "{words}");
        type Flaw = (&'static str, fn(&mut Report));
        let flaws: [Flaw; 9] = [
            ("uncaught", |report| report.errors.push("uncaught".to_owned())),
            ("output 7", |report| report.cases[3].wrong = Some("output 7".to_owned())),
            ("1.5 times", |report| report.cases[3].of_bound = Some(1.5)),
            ("did not run", |report| report.cases[3].of_bound = None),
            ("depthwise", |report| report.cases.retain(|case| case.label != "depthwise")),
            ("ink ran by 0", |report| report.cases.retain(|case| case.filter != "ink")),
            ("table", |report| report.rows.clear()),
            ("did not get WebGPU", |report| report.webgpu = false),
            ("does not say", |report| report.notice.clear()),
        ];
        for (words, flaw) in flaws {
            let mut report = good();
            flaw(&mut report);
            let error = report.judge(Gpu::SwiftShader).expect_err("a flaw").to_string();
            assert!(error.contains(words), "{words}: {error}");
        }
    }

    #[test]
    fn a_page_without_webgpu_must_say_so() {
        let mut report = Report { webgpu: false, notice: "No GPU here (none)".to_owned(), ..good() };
        report.judge(Gpu::None).expect("it says so");
        report.notice = "all is well".to_owned();
        assert!(report.judge(Gpu::None).is_err());
        assert!(good().judge(Gpu::None).is_err(), "it has WebGPU");
    }

    #[test]
    fn a_report_is_read_as_the_page_writes_it() {
        let text = r#"{"webgpu": true, "software": false, "device": "x", "timestamps": true, "notice": "", "errors": [],
            "cases": [{"filter": "blur", "label": "direct", "of_bound": 0.5}, {"filter": "ink", "label": "d", "refused": "no"}]}"#;
        let report = Report::parse(text).expect("read");
        assert_eq!((report.cases[0].of_bound, report.cases[1].refused.as_deref()), (Some(0.5), Some("no")));
        assert!(Report::parse("{}").is_err());
    }
}
