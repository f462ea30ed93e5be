//! A verb's steps: each runs under a heading and a clock whatever became of those before it, and the end shows them all.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("passed"),
            Self::Failed(why) => write!(f, "FAILED: {why}"),
            Self::Skipped(why) => write!(f, "SKIPPED: {why}"),
        }
    }
}

/// Something that is not on this machine, and how to get it: a step that lacks it is skipped.
#[derive(Debug)]
pub(crate) struct Missing(pub(crate) String);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Missing {}

impl From<anyhow::Result<()>> for Outcome {
    fn from(result: anyhow::Result<()>) -> Self {
        match result {
            Ok(()) => Self::Passed,
            Err(error) if error.is::<Missing>() => Self::Skipped(format!("{error:#}")),
            Err(error) => Self::Failed(format!("{error:#}")),
        }
    }
}

#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Tally {
    /// Adds `test result: ok. 3 passed; 0 failed; 1 ignored; ..`; any other line adds nothing.
    fn add_line(&mut self, line: &str) {
        let counts = line.trim().strip_prefix("test result: ").and_then(|rest| rest.split_once(". "));
        for part in counts.into_iter().flat_map(|(_, counts)| counts.split("; ")) {
            let (number, kind) = part.split_once(' ').unwrap_or_default();
            let number = number.parse().unwrap_or(0);
            match kind {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

struct Row {
    name: String,
    outcome: Outcome,
    took: Duration,
}

#[derive(Default)]
pub(crate) struct Steps {
    rows: Vec<Row>,
    tally: Tally,
    skips: BTreeMap<String, String>,
}

impl Steps {
    pub(crate) fn step<O: Into<Outcome>>(&mut self, name: &str, body: impl FnOnce(&mut Self) -> O) {
        println!("\n== {name}");
        let start = Instant::now();
        let outcome = body(self).into();
        let took = start.elapsed();
        println!("-- {name}: {outcome} ({:.1} s)", took.as_secs_f64());
        self.rows.push(Row { name: name.into(), outcome, took });
    }

    /// Runs `cargo test` in one of its forms: its lines are shown as they come, and its counts are added up.
    pub(crate) fn run_tests(&mut self, command: &mut Command) -> anyhow::Result<()> {
        println!("$ {}", told(command));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let before = self.tally.failed;
        for line in child.stdout.take().into_iter().flat_map(|stdout| BufReader::new(stdout).split(b'\n')) {
            let line = String::from_utf8_lossy(&line?).into_owned();
            println!("{line}");
            self.tally.add_line(&line);
        }
        let (status, failed) = (child.wait()?, self.tally.failed - before);
        anyhow::ensure!(failed == 0, "{failed} tests failed");
        anyhow::ensure!(status.success(), "{} ended with {status}, and no test had failed", told(command));
        Ok(())
    }

    /// Reads the log to which tests append `SKIPPED <test>: <reason>`.
    pub(crate) fn read_skips(&mut self, log: &Path) {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        for line in text.lines() {
            let Some(rest) = line.trim().strip_prefix("SKIPPED ") else { continue };
            let (test, reason) = rest.split_once(": ").unwrap_or((rest, "no reason given"));
            // A test that says so twice is still one test.
            if self.skips.insert(test.to_owned(), reason.to_owned()).is_none() {
                // Its runner counted it as passed.
                self.tally.passed = self.tally.passed.saturating_sub(1);
                self.tally.skipped += 1;
            }
        }
    }

    /// Prints the table of steps, and as the last line the counts of tests with all that was left out. The code is a failure
    /// when any step failed, a test or not.
    pub(crate) fn finish(&self) -> ExitCode {
        println!("\n== summary");
        let width = self.rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
        for Row { name, outcome, took } in &self.rows {
            println!("{name:width$}  {:>7.1} s  {outcome}", took.as_secs_f64());
        }
        let minutes = self.rows.iter().map(|row| row.took.as_secs_f64()).sum::<f64>() / 60.0;
        let failed = self.rows.iter().filter(|row| matches!(row.outcome, Outcome::Failed(_))).count();
        println!("{} steps in {minutes:.1} minutes, {failed} of them failed", self.rows.len());
        println!("tests: {}; left out: {}", self.tally, self.left_out());
        if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn left_out(&self) -> String {
        let first_line = |reason: &str| reason.lines().next().unwrap_or_default().to_owned();
        let mut all: Vec<String> = Vec::new();
        for row in &self.rows {
            if let Outcome::Skipped(reason) = &row.outcome {
                all.push(format!("{} ({})", row.name, first_line(reason)));
            }
        }
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        self.skips.values().for_each(|reason| *reasons.entry(reason).or_default() += 1);
        all.extend(reasons.into_iter().map(|(reason, count)| format!("{count} tests ({})", first_line(reason))));
        if all.is_empty() { "nothing".to_owned() } else { all.join("; ") }
    }
}

/// `cargo` as it was called, run in `root`.
pub(crate) fn cargo(root: &Path, arguments: &str) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).args(arguments.split_whitespace());
    // Windows locks a running program, and this one is a product of the workspace that the steps build.
    if cfg!(windows) {
        command.env("CARGO_TARGET_DIR", root.join("target").join("steps"));
    }
    command
}

pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    println!("$ {}", told(command));
    let status = command.stdin(Stdio::null()).status()?;
    anyhow::ensure!(status.success(), "`{}` ended with {status}", told(command));
    Ok(())
}

pub(crate) fn told(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let arguments = command.get_args().map(|argument| argument.to_string_lossy().into_owned());
    [program].into_iter().chain(arguments).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_come_from_cargo_tests_lines() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.00s",
            "test result: FAILED. 10 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s",
            "test prints_test_result: ok. 7 passed ... ok",
        ] {
            tally.add_line(line);
        }
        assert_eq!(tally.to_string(), "13 passed, 2 failed, 1 skipped");
    }

    #[test]
    fn what_failed_or_was_left_out_is_told() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let log = folder.path().join("skips");
        let skips =
            "SKIPPED gpu::runs: no adapter\nSKIPPED gpu::runs: no adapter\nSKIPPED gpu::times: no adapter\n\nnoise\n";
        std::fs::write(&log, skips).expect("a log to read");
        let mut steps = Steps { tally: Tally { passed: 5, failed: 0, skipped: 0 }, ..Steps::default() };
        assert_eq!((steps.left_out().as_str(), steps.finish()), ("nothing", ExitCode::SUCCESS));
        steps.step("breaks", |_| -> anyhow::Result<()> { anyhow::bail!("on purpose") });
        steps.step("lacks", |_| Outcome::Skipped("no tool; run `get tool`\n  and more".into()));
        steps.read_skips(&log);
        assert_eq!(steps.tally.to_string(), "3 passed, 0 failed, 2 skipped", "a test that skips is moved once");
        assert_eq!(steps.left_out(), "lacks (no tool; run `get tool`); 2 tests (no adapter)");
        assert_eq!(steps.rows[0].outcome, Outcome::Failed("on purpose".into()));
        assert_eq!(steps.finish(), ExitCode::FAILURE);
        let error = steps.run_tests(&mut cargo(Path::new("."), "no-such-verb")).expect_err("cargo has no such verb");
        assert!(error.to_string().contains("no test had failed"), "{error}");
    }
}
