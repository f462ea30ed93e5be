//! The tuner: every choice that may run is verified against the f64 reference, then timed against the others in rounds,
//! until those that are clearly slower are out. What it finds is an entry of [`Wisdom`](crate::plan::Wisdom).

mod clock;
mod contest;
mod cpu_rig;
mod data;
#[cfg(feature = "gpu")]
mod gpu_rig;
mod report;
mod rig;
#[cfg(test)]
mod tests;
mod truth;

use std::time::Duration;

#[cfg(feature = "internals")]
pub use self::{
    report::LeftOut,
    truth::{Errors, Fault},
};
#[cfg(not(feature = "internals"))]
#[allow(unused_imports, reason = "public with the feature `internals`")]
pub(crate) use self::{
    report::LeftOut,
    truth::{Errors, Fault},
};
pub use report::{Fate, Trial, Tuning};

use crate::device::Device;
use crate::error::{Error, Result, ShapeError};
use crate::plan::{Legal, Plan, Preferences, legal_choices};
use crate::problem::Problem;
use clock::Clock;
use contest::Contest;
use cpu_rig::CpuRig;
use data::Data;
use rig::Rig;
use truth::Truth;

/// How much time tuning a problem may take, and what is tried.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// From the first kernel compiled to the last time taken. Candidates that are not ready by half of it are left out,
    /// the worst by estimate first. What is under way is finished, and of each candidate that is ready one time is
    /// taken, so that a budget which is too small is exceeded, not wasted. Where there is no clock (in a browser) only
    /// the time on the device counts.
    pub budget: Duration,
    /// Only candidates whose estimate is at most so many times the least.
    pub within: f64,
    /// How long the device is kept busy before times count: an H100 that waited runs at a quarter of its speed for the
    /// first tenths of a second. A processor needs none.
    pub warm_up: Duration,
}

impl Options {
    /// Ten seconds, every candidate.
    pub const fn new() -> Self {
        Self { budget: Duration::from_secs(10), within: f64::INFINITY, warm_up: Duration::from_millis(300) }
    }

    /// Sets the budget.
    #[must_use]
    pub const fn budget(mut self, budget: Duration) -> Self {
        self.budget = budget;
        self
    }

    /// Sets how far an estimate may be from the least one.
    #[must_use]
    pub const fn within(mut self, factor: f64) -> Self {
        self.within = factor;
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

/// The part of the budget in which candidates are made ready.
const PREPARING: f64 = 0.5;
/// Candidates whose kernels are compiled before the clock is looked at.
const BATCH: usize = 16;
/// Runs between two timestamps, at most.
const RUNS: u32 = 10;
/// A pass gets fewer runs if it would take longer than this.
const PASS: Duration = Duration::from_millis(10);
/// Rounds, at most.
const ROUNDS: u32 = 9;

/// Finds the fastest choice for `problem` on `device` within `preferences`. The planner's own choice by estimate is
/// always among the measured; the device's wisdom is not asked.
///
/// # Errors
/// No candidate within the preferences; an empty output; a device that is lost or lacks memory for the tensors. A
/// candidate that fails by itself, or is wrong, is told in the result.
pub async fn tune(device: &Device, problem: &Problem, preferences: &Preferences, options: &Options) -> Result<Tuning> {
    if problem.output_len() == 0 {
        return Err(ShapeError::Zero { what: "the number of outputs" }.into());
    }
    let data = Data::new(problem);
    let truth = Truth::new(problem, &data);
    #[cfg(feature = "gpu")]
    if let Some(context) = device.context() {
        if cfg!(target_arch = "wasm32") && !context.caps().timestamps {
            return Err(no_clock(device));
        }
        let mut rig = gpu_rig::GpuRig::new(context, problem, &data, truth.windows()).await?;
        return hold(&mut rig, &truth, device, problem, preferences, options).await;
    }
    if cfg!(target_arch = "wasm32") {
        return Err(no_clock(device));
    }
    hold(&mut CpuRig::new(problem, &data, truth.windows()), &truth, device, problem, preferences, options).await
}

/// [`tune`], blocking.
///
/// # Errors
/// As there.
#[cfg(not(target_arch = "wasm32"))]
pub fn tune_blocking(
    device: &Device,
    problem: &Problem,
    preferences: &Preferences,
    options: &Options,
) -> Result<Tuning> {
    pollster::block_on(tune(device, problem, preferences, options))
}

fn no_clock(device: &Device) -> Error {
    Error::Unsupported { what: format!("tuning for {}", device.caps()), why: "there is no clock".to_owned() }
}

/// A candidate that is verified and can be timed.
struct Ready<T> {
    trial: usize,
    ready: T,
    runs: u32,
}

/// The whole contest on a rig.
async fn hold<R: Rig>(
    rig: &mut R,
    truth: &Truth<'_>,
    device: &Device,
    problem: &Problem,
    preferences: &Preferences,
    options: &Options,
) -> Result<Tuning> {
    let mut clock = Clock::start();
    let caps = device.caps();
    let pick = Plan::new(problem, caps, preferences)?.choice();
    let legal = legal_choices(problem, caps, preferences);
    let mut trials = trials(&legal, pick, options.within);
    let plans = trials.iter().map(|trial| Plan::new(problem, caps, &preferences.choice(trial.choice)));
    let plans: Vec<Plan> = plans.collect::<Result<_>>()?;

    let mut ready = Vec::new();
    let wanted: Vec<usize> = (0..trials.len()).filter(|&i| trials[i].fate == Fate::Close).collect();
    for batch in wanted.chunks(BATCH) {
        // The planner's own stands in front.
        if batch[0] > 0 && clock.elapsed() > options.budget.mul_f64(PREPARING) {
            batch.iter().for_each(|&i| trials[i].fate = Fate::LeftOut(LeftOut::Budget));
            continue;
        }
        let batch_plans: Vec<&Plan> = batch.iter().map(|&i| &plans[i]).collect();
        rig.compile(&batch_plans).await;
        for &i in batch {
            match prepare(rig, truth, &plans[i], &mut trials[i]).await? {
                Some(prepared) => ready.push(Ready { trial: i, ready: prepared, runs: 1 }),
                None => continue,
            }
        }
    }

    let begin = clock.elapsed();
    let mut contest = Contest::new(ready.iter().map(|ready| ready.trial == 0));
    // Twice: for the number of runs, then, when the device is warm, to compare.
    look(rig, &mut clock, &mut ready, &mut contest).await?;
    while !caps.is_software() && !ready.is_empty() && clock.elapsed() < begin + options.warm_up {
        for ready in &ready {
            clock.add(rig.time(&ready.ready, ready.runs).await?);
        }
    }
    if !caps.is_software() {
        look(rig, &mut clock, &mut ready, &mut contest).await?;
    }
    for round in 0..ROUNDS {
        if round > 0 && (clock.elapsed() > options.budget || contest.left() < 2) {
            break;
        }
        for seat in contest.seats() {
            let Ready { ready, runs, .. } = &ready[seat];
            let time = rig.time(ready, *runs).await?;
            clock.add(time);
            contest.record(seat, time / *runs);
        }
        contest.close_round();
    }
    let fastest = contest.fastest();
    for (seat, ready) in ready.iter().enumerate() {
        let trial = &mut trials[ready.trial];
        trial.time = contest.time(seat);
        trial.rounds = contest.rounds(seat);
        if Some(seat) == fastest {
            trial.fate = Fate::Fastest;
        } else if !contest.is_in(seat) {
            trial.fate = Fate::Slower;
        }
    }
    Ok(Tuning { problem: *problem, device: caps.clone(), preferences: *preferences, trials, elapsed: clock.elapsed() })
}

/// The candidates, the planner's own in front and the others by estimate; what is too far by estimate is out.
fn trials(legal: &[Legal], pick: crate::plan::Choice, within: f64) -> Vec<Trial> {
    #[expect(clippy::cast_precision_loss, reason = "nanoseconds of a run")]
    let ratio = |entry: &Legal| entry.estimate_ns as f64 / (legal[0].estimate_ns.max(1)) as f64;
    let trial = |entry: &Legal| Trial {
        choice: entry.choice,
        pick: entry.choice == pick,
        estimate_ns: entry.estimate_ns,
        errors: None,
        time: None,
        rounds: 0,
        fate: if entry.choice == pick || ratio(entry) <= within {
            Fate::Close
        } else {
            Fate::LeftOut(LeftOut::Estimate)
        },
    };
    let mut trials: Vec<Trial> = legal.iter().map(trial).collect();
    trials.sort_by_key(|trial| !trial.pick);
    trials
}

/// Makes a candidate ready and runs it once: on poisoned memory, against the reference. `None` if it is out, with the
/// reason in its trial.
async fn prepare<R: Rig>(rig: &mut R, truth: &Truth<'_>, plan: &Plan, trial: &mut Trial) -> Result<Option<R::Ready>> {
    let ran = async {
        let ready = rig.prepare(plan).await?;
        let output = rig.output(&ready).await?;
        Ok((ready, output))
    };
    match ran.await {
        Err(error @ Error::Device(crate::error::DeviceError::Lost { .. })) => Err(error),
        Err(error) => {
            trial.fate = Fate::Failed(error);
            Ok(None)
        }
        Ok((ready, output)) => match truth.check(plan, &output) {
            Ok(errors) => {
                trial.errors = Some(errors);
                Ok(Some(ready))
            }
            Err(fault) => {
                trial.fate = Fate::Wrong(fault);
                Ok(None)
            }
        },
    }
}

/// One run of each.
async fn look<R: Rig>(
    rig: &mut R,
    clock: &mut Clock,
    ready: &mut [Ready<R::Ready>],
    contest: &mut Contest,
) -> Result<()> {
    for (seat, ready) in ready.iter_mut().enumerate() {
        let once = rig.time(&ready.ready, 1).await?;
        clock.add(once);
        ready.runs = runs(once);
        contest.look(seat, once);
    }
    Ok(())
}

/// Runs of a pass, if one takes so long.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and RUNS")]
fn runs(once: Duration) -> u32 {
    (PASS.as_secs_f64() / once.as_secs_f64().max(1e-9)).clamp(1.0, f64::from(RUNS)) as u32
}
