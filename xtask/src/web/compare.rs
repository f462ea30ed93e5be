//! `cargo xtask web --compare`: the npm package against `oidn-web`, in one browser on SwiftShader, by turns.

use std::path::Path;

use anyhow::{Context as _, ensure};
use comfy_table::presets;
use duct::cmd;
use fs_err as fs;
use serde::Deserialize;

use super::browser::{Browser, Gpu};
use super::{build, open, package};
use crate::report::table::numbers;
use crate::report::units::median;
use crate::steps::Missing;

const FOLDER: &str = "target/compare";
const PEER: &str = "oidn-web@0.4.0";
/// What the peer's package holds for browsers.
const BUNDLE: &str = "node_modules/oidn-web/dist/oidn.js";
const PAGE: [(&str, &str); 2] =
    [("compare.html", include_str!("compare.html")), ("compare.js", include_str!("compare.js"))];

#[derive(Debug, Deserialize)]
struct Report {
    adapter: String,
    cases: Vec<Case>,
    errors: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Case {
    name: String,
    contestants: Vec<Contestant>,
}

#[derive(Debug, Deserialize)]
struct Contestant {
    name: String,
    first_ms: f64,
    times_ms: Vec<f64>,
    apart: f64,
}

pub(super) fn compare(root: &Path, size: usize, rounds: usize, no_install: bool) -> anyhow::Result<()> {
    let npm = package::npm()?;
    let browser = Browser::find(no_install)?;
    let folder = root.join(FOLDER);
    build::package(root, &folder.join(build::PACKAGE), no_install)?;
    let peer = folder.join("peer");
    if !peer.join(BUNDLE).exists() {
        ensure!(!no_install, Missing(format!("the npm package {PEER} is not in {}", peer.display())));
        fs::create_dir_all(&peer)?;
        fs::write(peer.join("package.json"), "{\"private\": true}\n")?;
        cmd!(npm, "install", "--no-audit", "--no-fund", PEER).dir(&peer).run()?;
    }
    fs::copy(peer.join(BUNDLE), folder.join("oidn.js"))?;
    for (name, text) in PAGE {
        fs::write(folder.join(name), text)?;
    }
    let page = format!("compare.html?size={size}&rounds={rounds}");
    let text = open(&folder, &browser, Gpu::SwiftShader, (&page, "screenshot.png"))?;
    let report: Report = serde_json::from_str(&text).with_context(|| format!("the page's report is none: {text}"))?;
    ensure!(report.errors.is_empty(), "it reports {}", report.errors.join("; "));
    println!("{size} x {size} on {}, {rounds} rounds, {PEER}", report.adapter);
    println!("{}", table(&report));
    Ok(fs::write(folder.join("report.json"), text)?)
}

/// Each contestant's median, how many times as long as the first it takes (the median of the rounds, and their range), and how far its
/// result is from the first's.
fn table(report: &Report) -> comfy_table::Table {
    let heads = ["picture", "by", "first run, ms", "ms", "times the first's", "from", "to", "apart"];
    let mut table = numbers(presets::ASCII_MARKDOWN, &heads, &[0, 1]);
    for case in &report.cases {
        let Some(first) = case.contestants.first() else { continue };
        for contestant in &case.contestants {
            let ratios: Vec<f64> = contestant.times_ms.iter().zip(&first.times_ms).map(|(a, b)| a / b).collect();
            let middle = |times: &[f64]| median(times).unwrap_or(f64::NAN);
            let (from, to) = ratios.iter().fold((f64::INFINITY, 0.0f64), |(a, b), &ratio| (a.min(ratio), b.max(ratio)));
            table.add_row([
                case.name.clone(),
                contestant.name.clone(),
                format!("{:.0}", contestant.first_ms),
                format!("{:.0}", middle(&contestant.times_ms)),
                format!("{:.2}", middle(&ratios)),
                format!("{from:.2}"),
                format!("{to:.2}"),
                format!("{:.1e}", contestant.apart),
            ]);
        }
    }
    table
}
