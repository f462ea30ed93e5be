//! What the page of networks reports, and when that is a pass.

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use super::browser::Gpu;

/// As the tests of `models` ask: the enlarged picture's signal-to-noise ratio against ncnn's in dB, and the largest difference of the
/// denoised one from Intel's in parts of the range.
const LEAST_PSNR: f64 = 60.0;
const LARGEST_DIFFERENCE: f64 = 1e-3;
/// What the page does with its picture, and how many times larger each side becomes.
const RUNS: [(&str, f64); 3] = [("denoise", 1.0), ("2", 2.0), ("4", 4.0)];

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Report {
    webgpu: bool,
    software: bool,
    device: String,
    notice: String,
    psnr: f64,
    apart: f64,
    results: Vec<Done>,
    errors: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Done {
    what: String,
    times: [f64; 2],
    plan: usize,
}

impl Report {
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        serde_json::from_str(text).with_context(|| format!("the page's report is none: {text}"))
    }

    /// What was found, if all of it is right.
    pub(super) fn judge(&self, gpu: Gpu) -> anyhow::Result<String> {
        ensure!(self.errors.is_empty(), "it reports {}", self.errors.join("; "));
        ensure!(self.psnr >= LEAST_PSNR, "the enlarged picture is {} dB from ncnn's", self.psnr);
        ensure!(self.apart <= LARGEST_DIFFERENCE, "the denoised picture is {} from Intel's", self.apart);
        for (what, larger) in RUNS {
            let done = self.results.iter().find(|done| done.what == what);
            let done = done.with_context(|| format!("it did not run {what}"))?;
            ensure!(done.times == [larger; 2], "{what} made the picture {:?} times as large", done.times);
            ensure!(done.plan > 0, "{what} shows no plan");
        }
        ensure!(self.webgpu == (gpu != Gpu::None), "it computed on {} with {gpu}", self.device);
        ensure!(!self.software || !self.notice.is_empty(), "it does not say that its adapter is software");
        let (psnr, apart, device) = (self.psnr, self.apart, &self.device);
        Ok(format!("enlarged as ncnn ({psnr:.1} dB), denoised as Intel's library ({apart:.1e} apart) on {device}"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_report_passes_only_whole() {
        let done = |what, times| json!({ "what": what, "times": [times, times], "plan": 100 });
        let good = json!({ "webgpu": true, "software": true, "device": "a GPU", "notice": "software", "psnr": 140.0,
                           "apart": 1e-6, "results": [done("denoise", 1), done("2", 2), done("4", 4)], "errors": [] });
        let judged = |report: &Value, gpu| {
            let report = Report::parse(&report.to_string()).expect("a report");
            report.judge(gpu).map_err(|error| error.to_string())
        };
        assert!(judged(&good, Gpu::SwiftShader).is_ok_and(|words| words.contains("140.0 dB")));
        assert!(judged(&good, Gpu::None).is_err());
        for (words, place, flaw) in [
            ("uncaught", "/errors", json!(["uncaught"])),
            ("50 dB", "/psnr", json!(50.0)),
            ("0.1 from Intel's", "/apart", json!(0.1)),
            ("did not run 4", "/results/2/what", json!("3")),
            ("times as large", "/results/1/times", json!([2, 1])),
            ("no plan", "/results/0/plan", json!(0)),
            ("computed on", "/webgpu", json!(false)),
            ("does not say", "/notice", json!("")),
        ] {
            let mut report = good.clone();
            *report.pointer_mut(place).expect("it is there") = flaw;
            let error = judged(&report, Gpu::SwiftShader).expect_err("a flaw");
            assert!(error.contains(words), "{words}: {error}");
        }
    }
}
