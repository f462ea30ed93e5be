//! A verb's steps: each runs under a heading and a clock whatever became of those before it, and the end shows them all.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How a step ended.
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

impl From<anyhow::Result<()>> for Outcome {
    fn from(result: anyhow::Result<()>) -> Self {
        match result {
            Ok(()) => Self::Passed,
            Err(error) => Self::Failed(format!("{error:#}")),
        }
    }
}

/// Tests as their runner counted them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

impl Tally {
    /// Adds `test result: ok. 3 passed; 0 failed; 1 ignored; ..`; any other line adds nothing.
    fn add_line(&mut self, line: &str) {
        let Some((_, counts)) = line.trim().strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) else {
            return;
        };
        for part in counts.split(';') {
            let mut words = part.split_whitespace();
            let (Some(number), Some(kind)) = (words.next().and_then(|word| word.parse::<usize>().ok()), words.next())
            else {
                continue;
            };
            match kind {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
    }

    /// Moves tests that said at run time that they could not run; their runner counted them as passed.
    fn skip(&mut self, count: usize) {
        let moved = count.min(self.passed);
        self.passed -= moved;
        self.skipped += moved;
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

/// The steps so far, and the tests that they ran.
#[derive(Default)]
pub(crate) struct Steps {
    rows: Vec<Row>,
    tally: Tally,
    /// What tests said they lacked, by test.
    skips: BTreeMap<String, String>,
}

impl Steps {
    /// Runs one step under its heading.
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
        let mut seen = Tally::default();
        let status = show_lines(command, |line| seen.add_line(line))?;
        self.tally.passed += seen.passed;
        self.tally.failed += seen.failed;
        self.tally.skipped += seen.skipped;
        if status.success() {
            Ok(())
        } else if seen.failed > 0 {
            anyhow::bail!("{} tests failed", seen.failed)
        } else {
            anyhow::bail!("{} ended with {status}, and no test had failed: it did not build, or died", told(command))
        }
    }

    /// Reads the log to which tests append `SKIPPED <test>: <reason>`.
    pub(crate) fn read_skips(&mut self, log: &Path) {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        for line in text.lines() {
            let Some(rest) = line.trim().strip_prefix("SKIPPED ") else {
                continue;
            };
            let (test, reason) = rest.split_once(": ").unwrap_or((rest, "no reason given"));
            // A test that says so twice is still one test.
            if self.skips.insert(test.to_owned(), reason.to_owned()).is_none() {
                self.tally.skip(1);
            }
        }
    }

    /// Prints the table of steps, and as the last line the counts of tests with all that was left out. The code is a failure
    /// when any step failed, a test or not.
    pub(crate) fn finish(&self) -> ExitCode {
        println!("\n== summary");
        let width = self.rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
        for row in &self.rows {
            println!("{:width$}  {:>7.1} s  {}", row.name, row.took.as_secs_f64(), row.outcome);
        }
        let seconds: f64 = self.rows.iter().map(|row| row.took.as_secs_f64()).sum();
        let failed = self.rows.iter().filter(|row| matches!(row.outcome, Outcome::Failed(_))).count();
        println!("{} steps in {:.1} minutes, {failed} of them failed", self.rows.len(), seconds / 60.0);
        println!("tests: {}; left out: {}", self.tally, self.left_out());
        if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    /// What did not run, each with the first line of its reason, which says how to get it.
    fn left_out(&self) -> String {
        let first_line = |reason: &str| reason.lines().next().unwrap_or_default().to_owned();
        let steps = self.rows.iter().filter_map(|row| match &row.outcome {
            Outcome::Skipped(reason) => Some(format!("{} ({})", row.name, first_line(reason))),
            _ => None,
        });
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for reason in self.skips.values() {
            *reasons.entry(reason).or_default() += 1;
        }
        let tests = reasons.into_iter().map(|(reason, count)| format!("{count} tests ({})", first_line(reason)));
        let all: Vec<_> = steps.chain(tests).collect();
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

/// Runs a command that speaks for itself.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    println!("$ {}", told(command));
    let status = command.stdin(Stdio::null()).status()?;
    anyhow::ensure!(status.success(), "`{}` ended with {status}", told(command));
    Ok(())
}

/// Runs a command, shows each line of its standard output and hands it to `each`.
fn show_lines(command: &mut Command, mut each: impl FnMut(&str)) -> anyhow::Result<ExitStatus> {
    println!("$ {}", told(command));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = String::from_utf8_lossy(&line?).into_owned();
            println!("{line}");
            each(&line);
        }
    }
    Ok(child.wait()?)
}

/// The command as one would type it.
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
        tally.add_line("running 3 tests");
        tally.add_line("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.00s");
        tally.add_line(
            "test result: FAILED. 10 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s",
        );
        tally.add_line("test prints_test_result: ok. 7 passed ... ok");
        assert_eq!(tally, Tally { passed: 13, failed: 2, skipped: 1 });
        assert_eq!(tally.to_string(), "13 passed, 2 failed, 1 skipped");
    }

    #[test]
    fn a_test_that_skips_is_moved_once() {
        let log = std::env::temp_dir().join(format!("winoconv-skips-{}", std::process::id()));
        std::fs::write(
            &log,
            "SKIPPED gpu::runs: no adapter\nSKIPPED gpu::runs: no adapter\nSKIPPED gpu::times: no adapter\n\nnoise\n",
        )
        .expect("a log to read");
        let mut steps = Steps { tally: Tally { passed: 5, failed: 0, skipped: 0 }, ..Steps::default() };
        steps.read_skips(&log);
        assert_eq!(steps.tally, Tally { passed: 3, failed: 0, skipped: 2 });
        steps.read_skips(&log);
        assert_eq!(steps.tally, Tally { passed: 3, failed: 0, skipped: 2 });
        assert_eq!(steps.skips["gpu::times"], "no adapter");
        std::fs::remove_file(&log).expect("clean up");
    }

    #[test]
    fn a_failed_step_is_told_and_does_not_stop_the_next() {
        let mut steps = Steps::default();
        steps.step("breaks", |_| -> anyhow::Result<()> { anyhow::bail!("on purpose") });
        let mut ran = false;
        steps.step("goes on", |_| {
            ran = true;
            Outcome::Passed
        });
        steps.step("lacks", |_| Outcome::Skipped("no tool".into()));
        assert!(ran);
        assert_eq!(steps.rows[0].outcome, Outcome::Failed("on purpose".into()));
        assert_eq!(steps.finish(), ExitCode::FAILURE);
    }

    #[test]
    fn the_last_line_names_what_was_left_out() {
        let mut steps = Steps::default();
        steps.step("fine", |_| Outcome::Passed);
        assert_eq!(steps.left_out(), "nothing");
        steps.step("lacks", |_| Outcome::Skipped("no tool; run `get tool`\n  and more".into()));
        for test in ["a", "b"] {
            steps.skips.insert(test.to_owned(), "no adapter".to_owned());
        }
        assert_eq!(steps.left_out(), "lacks (no tool; run `get tool`); 2 tests (no adapter)");
    }

    #[test]
    fn a_good_run_finishes_well_and_a_dead_runner_does_not() {
        let mut steps = Steps::default();
        steps.step("fine", |_| Outcome::Passed);
        assert_eq!(steps.finish(), ExitCode::SUCCESS);
        let mut command = cargo(Path::new("."), "no-such-verb");
        let error = steps.run_tests(&mut command).expect_err("cargo has no such verb");
        assert!(error.to_string().contains("no test had failed"), "{error}");
    }
}
