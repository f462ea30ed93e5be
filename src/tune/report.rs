//! What tuning found out, of every candidate.

use std::fmt;
use std::time::Duration;

use super::truth::{Errors, Fault};
use crate::caps::Caps;
use crate::error::Error;
use crate::plan::wisdom::Entry;
use crate::plan::{Choice, Preferences};
use crate::problem::Problem;

/// A candidate and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// The algorithm and its cut.
    pub choice: Choice,
    /// Whether it is what the planner takes by its estimates.
    pub pick: bool,
    /// The planner's estimate, in nanoseconds.
    pub estimate_ns: u64,
    /// How far its result is from the reference, where it is verified.
    pub errors: Option<Errors>,
    /// The median of its times in the rounds, or the time of its one run; of a run, on the device.
    pub time: Option<Duration>,
    /// Rounds that it was in.
    pub rounds: u32,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a candidate.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Fate {
    /// Verified, and the fastest.
    Fastest,
    /// Verified, and in the contest to the end.
    Close,
    /// Verified, and clearly slower.
    Slower,
    /// Its result is wrong: a defect of its kernels or of the driver. It can win nothing.
    Wrong(Fault),
    /// It did not compile or run.
    Failed(Error),
    /// It was not tried.
    LeftOut(LeftOut),
}

/// Why a candidate was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftOut {
    /// Its estimate is too far from the least one.
    Estimate,
    /// The time was up.
    Budget,
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fastest => f.write_str("fastest"),
            Self::Close => f.write_str("close"),
            Self::Slower => f.write_str("slower"),
            Self::Wrong(fault) => write!(f, "WRONG: {fault}"),
            Self::Failed(error) => write!(f, "FAILED: {error}"),
            Self::LeftOut(LeftOut::Estimate) => f.write_str("left out: too slow by estimate"),
            Self::LeftOut(LeftOut::Budget) => f.write_str("left out: no time"),
        }
    }
}

/// What tuning a problem found out.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Tuning {
    /// The problem.
    pub problem: Problem,
    /// The device.
    pub device: Caps,
    /// Within what it was solved.
    pub preferences: Preferences,
    /// Every candidate: the planner's pick first, then by estimate.
    pub trials: Vec<Trial>,
    /// The time that it took.
    pub elapsed: Duration,
}

impl Tuning {
    /// The fastest of the verified, if any is.
    pub fn fastest(&self) -> Option<&Trial> {
        self.trials.iter().find(|trial| trial.fate == Fate::Fastest)
    }

    /// What the planner takes by its estimates.
    pub fn pick(&self) -> Option<&Trial> {
        self.trials.iter().find(|trial| trial.pick)
    }

    /// The pick's time in times of the fastest, if both are verified.
    pub fn ratio(&self) -> Option<f64> {
        let fastest = self.fastest()?.time?;
        self.pick().filter(|pick| pick.errors.is_some())?.time.map(|time| time.as_secs_f64() / fastest.as_secs_f64())
    }

    /// Candidates that are verified.
    pub fn verified(&self) -> usize {
        self.trials.iter().filter(|trial| trial.errors.is_some()).count()
    }

    /// Candidates that were not tried.
    pub fn left_out(&self) -> usize {
        self.trials.iter().filter(|trial| matches!(trial.fate, Fate::LeftOut(_))).count()
    }

    /// Candidates that are wrong or failed: each of them is a defect.
    pub fn defects(&self) -> impl Iterator<Item = &Trial> {
        self.trials.iter().filter(|trial| matches!(trial.fate, Fate::Wrong(_) | Fate::Failed(_)))
    }

    /// The fastest as wisdom.
    pub fn entry(&self) -> Option<Entry> {
        let fastest = self.fastest()?;
        let time_ns = u64::try_from(fastest.time?.as_nanos()).unwrap_or(u64::MAX);
        Some(Entry::new(&self.problem, &self.device, &self.preferences, fastest.choice, time_ns))
    }
}

impl fmt::Display for Tuning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} on {}", self.problem, self.device)?;
        let (verified, all, left_out) = (self.verified(), self.trials.len(), self.left_out());
        let seconds = self.elapsed.as_secs_f64();
        writeln!(f, "  {all} candidates, {verified} verified, {left_out} left out, in {seconds:.1} s")?;
        for trial in self.defects() {
            writeln!(f, "  {trial}")?;
        }
        let mut timed: Vec<&Trial> = self.trials.iter().filter(|trial| trial.time.is_some()).collect();
        timed.sort_by_key(|trial| trial.time);
        timed.into_iter().try_for_each(|trial| writeln!(f, "  {trial}"))
    }
}

impl fmt::Display for Trial {
    #[expect(clippy::cast_precision_loss, reason = "printed with one decimal")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.time.map_or_else(|| "-".to_owned(), |time| format!("{:.1}", time.as_secs_f64() * 1e6));
        let estimate = self.estimate_ns as f64 / 1e3;
        let mark = if self.pick { "*" } else { " " };
        let label = self.choice.to_string();
        write!(f, "{mark} {label:<36} {micros:>10} us, estimate {estimate:>8.1}, {} rounds, {}", self.rounds, self.fate)
    }
}
