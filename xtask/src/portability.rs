//! `cargo xtask portability`: what runs where, on every implementation that this machine has, as a table. Rows of other
//! machines are written by hand, in `elsewhere.txt`. docs/PORTABILITY.md shows the table.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use winoconv::Device;
use winoconv::caps::Caps;
use winoconv::gpu::{ContextOptions, adapters};
use winoconv::kernel::KernelSpec;

use crate::bench::adapter::Adapter;
use crate::ci::{TARGETS, check_target};
use crate::driver::{self, SWIFTSHADER};
use crate::readme::Place;
use crate::steps::{Outcome, cargo, run, told};
use crate::{coverage, export, hlsl, setup, shaders, web};

const PLACE: Place = Place("docs/PORTABILITY.md", "portability", "portability");

/// What was seen on machines that are not this one, or was not seen yet.
const ELSEWHERE: &str = include_str!("elsewhere.txt");

const ATTRIBUTES: &str = "every attribute by every algorithm";

/// What validates plans for devices that are not here.
const PROFILES: &str = "wgpu's validation, on noop devices";

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Write the table into docs/PORTABILITY.md
    #[arg(long)]
    write: bool,
    /// Install nothing; only say what is missing
    #[arg(long)]
    no_install: bool,
}

/// An implementation, what was run on it, what became of that, and what was counted.
struct Row {
    implementation: String,
    suite: &'static str,
    outcome: Outcome,
    counted: String,
}

/// Runs everything, prints the table, and fails if anything failed.
pub(crate) fn verb(root: &Path, options: &Options) -> anyhow::Result<()> {
    let rows = rows(root, options.no_install);
    let table = table(&rows);
    println!("\n{table}");
    let failed = rows.iter().filter(|row| matches!(row.outcome, Outcome::Failed(_))).count();
    ensure!(failed == 0, "{failed} of {} rows failed", rows.len());
    if options.write {
        let today = jiff::Zoned::now().strftime("%Y-%m-%d").to_string();
        let (system, machine) = (std::env::consts::OS, std::env::consts::ARCH);
        let by_hand = ELSEWHERE.lines().count();
        let note = format!("\nRun on {today} on {system}, {machine}; the last {by_hand} rows by hand.\n");
        PLACE.write(root, &(table + &note))?;
    }
    Ok(())
}

fn rows(root: &Path, no_install: bool) -> Vec<Row> {
    let all = KernelSpec::all();
    let variants = |result: anyhow::Result<()>| result.map(|()| format!("{} variants", all.len()));
    let cells = |device: &Device| coverage::run_all(device).map(|count| format!("{count} cells ran"));
    // A test of the library's, by its name and its file's.
    let test =
        |file, name| cargo(root, &format!("test -p winoconv --test suite -- --exact {file}::{name} --nocapture"));
    let written = "every_variant_passes_our_checks_and_is_portable";
    let profiles = "every_plan_compiles_and_is_submitted_on_a_noop_device";
    let mut rows = vec![row("the CPU, without a GPU's interface", ATTRIBUTES, || cells(&Device::cpu()))];
    for Caps { name, backend, .. } in pollster::block_on(adapters()) {
        let open = || Adapter::named(&name).open(&ContextOptions::default());
        rows.push(row(&format!("{name} ({backend})"), ATTRIBUTES, || cells(&open()?)));
    }
    rows.extend([
        row("SwiftShader (Vulkan)", ATTRIBUTES, || {
            driver::swiftshader()?;
            // Its loader's environment is that of a process.
            let mut verb = Command::new(std::env::current_exe()?);
            verb.args(["coverage-table", "--run", "--adapter", SWIFTSHADER]);
            let line = last_line(&mut verb, " cells ran")?;
            Ok(line.rsplit_once(": ").map_or(&*line, |(_, counted)| counted).replace(", each within its bound", ""))
        }),
        row("Dawn's Tint, without a device", "every kernel variant is accepted", || {
            let plain: Vec<_> = all.iter().map(|&kernel| kernel.into()).collect();
            variants(shaders::tint(root, &plain))
        }),
        row("Microsoft's DXC, without a device", "every kernel variant as HLSL", || {
            variants(hlsl::judge(root, &all, no_install))
        }),
        row("Dawn, in Node", "exported plans of every kind", || {
            export::check(root, no_install).map(|count| format!("{count} plans"))
        }),
        row("Chromium, WebGPU on SwiftShader, and without", "a page: filters by every algorithm", || {
            web::test(root, no_install).map(|pairs| format!("{pairs} pairs"))
        }),
        row("naga's writers", "MSL, HLSL, GLSL, and SPIR-V through spirv-val", || {
            setup::ensure_spirv_val(no_install)?;
            variants(run(&mut test("shaders", written)))
        }),
        row(PROFILES, "device profiles", || last_line(&mut test("profiles", profiles), " compile on noop devices")),
    ]);
    rows.extend(TARGETS.iter().map(|target| {
        let check = || check_target(root, target, no_install).map(|()| String::new());
        row(&format!("`{target}`"), "the library is checked by rustc", check)
    }));
    rows
}

fn row(implementation: &str, suite: &'static str, run: impl FnOnce() -> anyhow::Result<String>) -> Row {
    println!("\n== {implementation}: {suite}");
    let (outcome, counted) = match run() {
        Ok(counted) => (Outcome::Passed, counted),
        Err(error) => (Err(error).into(), String::new()),
    };
    Row { implementation: implementation.to_owned(), suite, outcome, counted }
}

/// Runs a command, and returns the last line with `mark` of what it says.
fn last_line(command: &mut Command, mark: &str) -> anyhow::Result<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    print!("{text}");
    ensure!(output.status.success(), "{} ended with {}", told(command), output.status);
    let line = text.lines().rfind(|line| line.contains(mark)).with_context(|| format!("no line with `{mark}`"))?;
    Ok(line.trim().to_owned())
}

fn table(rows: &[Row]) -> String {
    let row = |Row { implementation, suite, outcome, counted }: &Row| {
        let counted = if counted.is_empty() { String::new() } else { format!(": {counted}") };
        // A cell is one line, and bars are its walls.
        let cells = [implementation, *suite, &format!("{outcome}{counted}")].map(|cell| cell.replace('|', "/"));
        format!("| {} |\n", cells.join(" | ").replace('\n', " "))
    };
    let rows: String = rows.iter().map(row).collect();
    format!("| implementation | what | result |\n|---|---|---|\n{rows}{ELSEWHERE}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::Missing;

    #[test]
    fn a_cell_is_one_line() {
        let missing = || Err(Missing("no\nadapter".to_owned()).into());
        let text = table(&[row("a | b", "all", missing), row("c", "all", || Ok("2 plans".to_owned()))]);
        let rows = "| a / b | all | SKIPPED: no adapter |\n| c | all | passed: 2 plans |\n";
        assert!(text.contains(rows) && text.ends_with(ELSEWHERE), "{text}");
    }

    /// What it says of this machine is from the day it was written; that no row is missing and none failed can be held.
    #[test]
    fn the_readme_has_the_table() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
        let found = PLACE.read(root).unwrap_or_else(|error| panic!("{error:#}"));
        let by_hand = table(&[]);
        let by_hand = by_hand.lines().skip(2).map(ToOwned::to_owned);
        let implementations = ["the CPU", "SwiftShader (Vulkan)", "Dawn's Tint", "Microsoft's DXC", "Dawn, in Node"];
        let targets = TARGETS.iter().map(|target| format!("| `{target}` | "));
        let others = implementations.into_iter().chain(["Chromium", PROFILES]).map(|name| format!("| {name}"));
        for expected in by_hand.chain(targets).chain(others) {
            assert!(found.contains(&expected), "`{expected}` is missing; run `cargo xtask portability --write`");
        }
        assert!(!found.contains("FAILED"), "a row failed:\n{found}");
    }
}
