//! `cargo xtask portability`: what runs where, on every implementation that this machine has, as a table. Each row is another
//! verb, started anew as a user would start it, with what it counted; rows of other machines are written by hand, below.
//! docs/PORTABILITY.md shows the table.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use winoconv::Device;
use winoconv::gpu::adapters;
use winoconv::kernel::KernelSpec;

use crate::ci::{TARGETS, check_target};
use crate::coverage;
use crate::driver::{self, SWIFTSHADER};
use crate::setup;
use crate::steps::{Outcome, cargo, told};

/// Between these lines of docs/PORTABILITY.md stands the table.
const MARKS: [&str; 2] = ["<!-- portability: cargo xtask portability --write -->", "<!-- end of portability -->"];

/// What was seen on machines that are not this one, or was not seen yet.
const ELSEWHERE: [[&str; 3]; 4] = [
    [
        "NVIDIA H100 (Vulkan)",
        "the tests that use a GPU, but for tests/errors; every layer of the benchmark",
        "passed by hand, 2026-11-28",
    ],
    ["an Apple GPU (Metal)", "all tests, by CI's macOS job", "not yet run"],
    ["WARP, or a GPU (DX12)", "all tests, by CI's Windows job", "not yet run"],
    ["a browser on a hardware GPU", "the page, \"Check all\"", "not yet run"],
];

/// Every attribute by every algorithm, against sums in f64.
const ATTRIBUTES: &str = "every attribute by every algorithm";

/// What validates plans for devices that are not here.
const PROFILES: &str = "wgpu's validation, on noop devices";

/// Options of `portability`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Write the table into docs/PORTABILITY.md
    #[arg(long)]
    write: bool,
    /// Install nothing; only say what is missing
    #[arg(long)]
    no_install: bool,
}

/// An implementation, what was run on it, and what became of that.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    implementation: String,
    suite: String,
    outcome: Outcome,
    /// What was counted.
    detail: String,
}

/// Runs everything, prints the table, and fails if anything failed.
pub(crate) fn verb(root: &Path, options: &Options) -> anyhow::Result<()> {
    let rows = rows(root, options.no_install);
    let table = table(&rows);
    println!("\n{table}");
    let failed = rows.iter().filter(|row| matches!(row.outcome, Outcome::Failed(_))).count();
    ensure!(failed == 0, "{failed} of {} rows failed", rows.len());
    if options.write {
        let path = root.join("docs/PORTABILITY.md");
        let text = std::fs::read_to_string(&path)?;
        let [before, _, after] = split(&text)?;
        let today = jiff::Zoned::now().strftime("%Y-%m-%d").to_string();
        let (system, machine) = (std::env::consts::OS, std::env::consts::ARCH);
        let note = format!("\nRun on {today} on {system}, {machine}; the last {} rows by hand.\n", ELSEWHERE.len());
        std::fs::write(&path, format!("{before}{table}{note}{after}"))?;
    }
    Ok(())
}

fn rows(root: &Path, no_install: bool) -> Vec<Row> {
    let host = coverage::run_all(&Device::host()).map(|count| (Outcome::Passed, format!("{count} cells ran")));
    let mut rows = vec![Row::new("the processor, without a GPU's interface", ATTRIBUTES, host)];
    for caps in pollster::block_on(adapters()) {
        let words = ["coverage-table", "--run", "--adapter", &caps.name];
        rows.push(verb_row(&format!("{} ({})", caps.name, caps.backend), ATTRIBUTES, root, &words, " cells ran"));
    }
    let of_swiftshader = "SwiftShader (Vulkan)".to_owned();
    rows.push(match driver::swiftshader() {
        Ok(_) => {
            let words = ["coverage-table", "--run", "--adapter", SWIFTSHADER];
            verb_row(&of_swiftshader, ATTRIBUTES, root, &words, " cells ran")
        }
        Err(missing) => Row::skipped(of_swiftshader, ATTRIBUTES, format!("{missing:#}")),
    });
    let tint = ["shaders", "--tint", "--check"];
    rows.push(verb_row("Dawn's Tint, without a device", "every kernel variant is accepted", root, &tint, "Tint: "));
    let dxc: &[&str] =
        if no_install { &["shaders", "--dxc", "--check", "--no-install"] } else { &["shaders", "--dxc", "--check"] };
    rows.push(verb_row("Microsoft's DXC, without a device", "every kernel variant as HLSL", root, dxc, "DXC: "));
    let exports = ["export", "--check"];
    rows.push(verb_row("Dawn, in Node", "exported plans of every kind", root, &exports, " plans in "));
    let page: &[&str] = if no_install { &["web", "--test", "--no-install"] } else { &["web", "--test"] };
    rows.push(verb_row(
        "Chromium, WebGPU on SwiftShader, and without",
        "a page: filters by every algorithm",
        root,
        page,
        " pairs right on ",
    ));
    rows.push(texts(root, "MSL, HLSL and GLSL", "every_variant_is_written_as_msl_hlsl_and_glsl"));
    let spirv_val = setup::ensure_tool("spirv-val", no_install);
    rows.push(if spirv_val.is_there() {
        texts(root, "SPIR-V, through spirv-val", "every_variant_is_valid_spirv")
    } else {
        Row::skipped("naga's writers".to_owned(), "SPIR-V, through spirv-val", spirv_val.to_string())
    });
    rows.push(device_profiles(root));
    for target in TARGETS {
        println!("\n== {target}");
        let outcome = check_target(root, target, no_install);
        let (implementation, suite) = (format!("`{target}`"), "the library is checked by rustc".to_owned());
        rows.push(Row { implementation, suite, outcome, detail: String::new() });
    }
    rows
}

/// Runs a verb of this program. `mark` stands in the line that says what was counted.
fn verb_row(implementation: &str, suite: &str, root: &Path, words: &[&str], mark: &str) -> Row {
    let run = || -> anyhow::Result<(Outcome, String)> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(words);
        run(root, &mut command, mark)
    };
    Row::new(implementation, suite, run())
}

/// One test of the kernels' texts.
fn texts(root: &Path, suite: &str, test: &str) -> Row {
    let mut command = cargo(root, &format!("test -p winoconv --test shaders -- --exact {test}"));
    let result = run(root, &mut command, "test result: ok. 1 passed").map(|(outcome, _)| {
        let detail = format!("{} variants", KernelSpec::all().len());
        (outcome, detail)
    });
    Row::new("naga's writers", suite, result)
}

/// Plans for devices that are not here, past wgpu's own validation.
fn device_profiles(root: &Path) -> Row {
    let test = "every_plan_compiles_and_is_submitted_on_a_noop_device";
    let mut command = cargo(root, &format!("test -p winoconv --test profiles -- --exact {test} --nocapture"));
    Row::new(PROFILES, "device profiles", run(root, &mut command, " compile on noop devices"))
}

/// Runs a command, and finds in its words how it ended and the last line with `mark`.
fn run(root: &Path, command: &mut Command, mark: &str) -> anyhow::Result<(Outcome, String)> {
    println!("\n== {}", told(command));
    let output = command.current_dir(root).stdin(Stdio::null()).output().context("starting it")?;
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    print!("{text}");
    Ok(ending(output.status.success(), &text, mark))
}

fn ending(success: bool, text: &str, mark: &str) -> (Outcome, String) {
    const SKIPPED: &str = "SKIPPED: ";
    let last = |part: &str| text.lines().rfind(|line| line.contains(part)).unwrap_or_default().trim().to_owned();
    match (success, last(mark)) {
        // A verb that counted nothing did nothing.
        (true, line) if line.is_empty() => (Outcome::Failed(format!("no line with `{mark}`")), String::new()),
        (true, line) => (Outcome::Passed, counted(&line)),
        (false, _) => match last(SKIPPED).split_once(SKIPPED) {
            Some((_, why)) => (Outcome::Skipped(why.to_owned()), String::new()),
            None => (Outcome::Failed(last("error: ")), String::new()),
        },
    }
}

/// What a verb's line counts, without where and how.
fn counted(line: &str) -> String {
    let ends = [" in ", " right on ", ", each within"];
    let end = ends.iter().filter_map(|end| line.find(end)).min().unwrap_or(line.len());
    let line = line[..end].trim();
    // Where several are named, the last one is of all.
    let line = line.rsplit_once(": ").map_or(line, |(_, count)| count);
    line.rsplit_once(", ").map_or(line, |(_, count)| count).to_owned()
}

impl Row {
    fn new(implementation: &str, suite: &str, result: anyhow::Result<(Outcome, String)>) -> Self {
        let (outcome, detail) = result.unwrap_or_else(|error| (Outcome::Failed(format!("{error:#}")), String::new()));
        Self { implementation: implementation.to_owned(), suite: suite.to_owned(), outcome, detail }
    }

    fn skipped(implementation: String, suite: &str, why: String) -> Self {
        Self { implementation, suite: suite.to_owned(), outcome: Outcome::Skipped(why), detail: String::new() }
    }
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from("| implementation | what | result |\n|---|---|---|\n");
    let mut add = |cells: [&str; 3]| {
        // A cell is one line, and bars are its walls.
        let cells = cells.map(|cell| cell.replace('|', "/").replace('\n', " "));
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    };
    for Row { implementation, suite, outcome, detail } in rows {
        let result = if detail.is_empty() { outcome.to_string() } else { format!("{outcome}: {detail}") };
        add([implementation, suite, &result]);
    }
    ELSEWHERE.into_iter().for_each(add);
    text
}

fn split(text: &str) -> anyhow::Result<[&str; 3]> {
    let [first, last] = MARKS;
    let start = text.find(first).with_context(|| format!("docs/PORTABILITY.md has no line {first}"))? + first.len() + 1;
    let end = text.find(last).with_context(|| format!("docs/PORTABILITY.md has no line {last}"))?;
    Ok([&text[..start], &text[start..end], &text[end..]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_verb_ended_is_read_from_its_words() {
        let (outcome, detail) =
            ending(true, "a\nllvmpipe (x): 175 cells ran, each within its bound\nb\n", " cells ran");
        assert_eq!((outcome, detail.as_str()), (Outcome::Passed, "175 cells ran"));
        let profiles = "h100: 2 plans\n4 plans of 2 profiles compile on noop devices\n";
        assert_eq!(
            ending(true, profiles, " compile on noop devices").1,
            "4 plans of 2 profiles compile on noop devices"
        );
        assert_eq!(ending(true, "Tint: 4 of 4 variants pass\n", "Tint: ").1, "4 of 4 variants pass");
        assert_eq!(ending(true, "21 plans in /some/where\n", " plans in ").1, "21 plans");
        assert_eq!(ending(true, "no WebGPU: 9 pairs right on x (y: z)", " right on ").1, "9 pairs");
        assert!(matches!(ending(true, "nothing\n", "Tint: ").0, Outcome::Failed(_)), "nothing was counted");
        let (outcome, _) = ending(false, "error: SKIPPED: no Node\n", "Tint: ");
        assert_eq!(outcome, Outcome::Skipped("no Node".into()));
        let (outcome, _) = ending(false, "x\nerror: FAILED: wrong\n", "Tint: ");
        assert_eq!(outcome, Outcome::Failed("error: FAILED: wrong".into()));
    }

    #[test]
    fn rows_that_failed_and_rows_of_other_machines_are_in_the_table() {
        let row = Row::skipped("a | b".to_owned(), "all", "no\nadapter".to_owned());
        let text = table(&[row]);
        assert!(text.contains("| a / b | all | SKIPPED: no adapter |\n"), "{text}");
        for [implementation, suite, result] in ELSEWHERE {
            assert!(text.contains(&format!("| {implementation} | {suite} | {result} |")), "{text}");
        }
    }

    /// What it says of this machine is from the day it was written; that no row is missing and none failed can be held.
    #[test]
    fn the_page_has_the_table() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
        let text = std::fs::read_to_string(root.join("docs/PORTABILITY.md")).expect("read");
        let [_, found, _] = split(&text).unwrap_or_else(|error| panic!("{error:#}"));
        let by_hand = table(&[]);
        let by_hand = by_hand.lines().skip(2);
        let targets = TARGETS.iter().map(|target| format!("| `{target}` | "));
        let implementations = [
            "the processor",
            "SwiftShader (Vulkan)",
            "Dawn's Tint",
            "Microsoft's DXC",
            "Dawn, in Node",
            "Chromium",
            PROFILES,
        ];
        for expected in
            by_hand.map(ToOwned::to_owned).chain(targets).chain(implementations.map(|name| format!("| {name}")))
        {
            assert!(found.contains(&expected), "`{expected}` is missing; run `cargo xtask portability --write`");
        }
        assert!(!found.contains("FAILED"), "a row failed:\n{found}");
    }
}
