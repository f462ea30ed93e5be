//! The contest with devices that lie: a rig whose times are given, whose results can be spoilt.

use std::time::Duration;

use super::cpu_rig::{CpuRig, OnCpu};
use super::data::Data;
use super::rig::Rig;
use super::truth::Truth;
use super::{Fate, Fault, LeftOut, Options, Tuning, hold};
use crate::caps::DeviceKind;
use crate::conv::Conv;
use crate::device::Device;
use crate::error::{DeviceError, Error, Result};
use crate::plan::{Choice, Plan, Preferences, Tolerance, legal_choices};
use crate::problem::Problem;

/// The CPU's results, spoilt for one choice, and times by a list: the n-th legal choice takes `times(n)`.
struct Liar<'a> {
    cpu: CpuRig<'a>,
    choices: Vec<Choice>,
    times: fn(usize) -> u64,
    spoilt: Option<(Choice, Spoil)>,
    /// Choices that were timed.
    timed: Vec<Choice>,
}

#[derive(Clone, Copy)]
enum Spoil {
    /// The last output is not written.
    Unwritten,
    /// All are off by a thousandth.
    Off,
    /// It does not run at all.
    Fails,
}

impl Rig for Liar<'_> {
    type Ready = (OnCpu, Choice);

    async fn compile(&mut self, _: &[&Plan]) {}

    async fn prepare(&mut self, plan: &Plan) -> Result<Self::Ready> {
        if let Some((choice, Spoil::Fails)) = self.spoilt
            && choice == plan.choice()
        {
            let [during, message] = ["compiling", "no"].map(ToOwned::to_owned);
            return Err(DeviceError::Internal { during, message }.into());
        }
        Ok((self.cpu.prepare(plan).await?, plan.choice()))
    }

    async fn output(&mut self, (ready, choice): &Self::Ready) -> Result<Vec<f32>> {
        let mut output = self.cpu.output(ready).await?;
        match self.spoilt.filter(|(spoilt, _)| spoilt == choice) {
            Some((_, Spoil::Unwritten)) => output.last_mut().into_iter().for_each(|last| *last = f32::NAN),
            Some((_, Spoil::Off)) => output.iter_mut().for_each(|x| *x *= 1.001),
            _ => {}
        }
        Ok(output)
    }

    async fn time(&mut self, (_, choice): &Self::Ready, runs: u32) -> Result<Duration> {
        self.timed.push(*choice);
        let at = self.choices.iter().position(|other| other == choice).unwrap_or(usize::MAX);
        Ok(Duration::from_micros((self.times)(at)) * runs)
    }
}

fn problem() -> Problem {
    Conv::new(6, 5, [3, 3]).padding(1).on([1, 6, 13, 14]).expect("legal")
}

fn preferences() -> Preferences {
    Preferences::new().tolerance(Tolerance::RelativeL2(1e-6))
}

/// The choices, by estimate, and what came out.
fn contest(
    times: fn(usize) -> u64,
    spoilt: Option<(usize, Spoil)>,
    options: &Options,
) -> (Vec<Choice>, Vec<Choice>, Tuning) {
    let (problem, device, preferences) = (problem(), Device::cpu(), preferences());
    let data = Data::new(&problem);
    let truth = Truth::new(&problem, &data);
    let legal = legal_choices(&problem, device.caps(), &preferences);
    let choices: Vec<Choice> = legal.iter().map(|legal| legal.choice).collect();
    let spoilt = spoilt.map(|(at, spoil)| (choices[at], spoil));
    let cpu = CpuRig::new(&problem, &data, truth.windows());
    let mut liar = Liar { cpu, choices: choices.clone(), times, spoilt, timed: Vec::new() };
    let held = hold(&mut liar, &truth, &device, &problem, &preferences, options);
    let tuning = pollster::block_on(held).unwrap_or_else(|error| panic!("{error}"));
    (choices, liar.timed, tuning)
}

/// The fourth by estimate is the fastest.
fn fourth(at: usize) -> u64 {
    if at == 3 { 100 } else { 120 + 40 * at as u64 }
}

#[test]
fn the_fastest_wins_and_the_pick_is_marked() {
    let (choices, _, tuning) = contest(fourth, None, &Options::new());
    assert_eq!(tuning.fastest().map(|trial| trial.choice), Some(choices[3]), "{tuning}");
    let pick = Plan::new(&problem(), Device::cpu().caps(), &preferences()).expect("a plan").choice();
    assert_eq!(tuning.trials.iter().filter(|trial| trial.pick).map(|trial| trial.choice).collect::<Vec<_>>(), [pick]);
    assert_eq!(
        (tuning.trials.len(), tuning.verified()),
        (choices.len(), choices.len()),
        "all, each verified: {tuning}"
    );
    let at = choices.iter().position(|&choice| choice == pick).expect("legal");
    let ratio = tuning.ratio().expect("both are timed");
    assert!((ratio - fourth(at) as f64 / 100.0).abs() < 1e-9, "{ratio}");
    assert!(tuning.pick().is_some_and(|pick| pick.rounds == super::ROUNDS), "to the end: {tuning}");
    let entry = tuning.entry().expect("a winner");
    assert_eq!((entry.choice, entry.time_ns), (choices[3], 100_000));
    let slowest = tuning.trials.iter().max_by_key(|trial| trial.time).expect("some");
    assert!(slowest.fate == Fate::Slower && slowest.rounds < 3, "{tuning}");
}

/// Whatever is wrong with it: it is told, it is not timed, and the next one wins.
#[test]
fn a_wrong_candidate_never_wins_and_is_told() {
    for (spoil, words) in
        [(Spoil::Unwritten, "was not written"), (Spoil::Off, "WRONG: "), (Spoil::Fails, "FAILED: device error")]
    {
        let (choices, timed, tuning) = contest(fourth, Some((3, spoil)), &Options::new());
        assert!(!timed.contains(&choices[3]), "{tuning}");
        assert_eq!(tuning.fastest().map(|trial| trial.choice), Some(choices[0]), "{tuning}");
        let defects: Vec<_> = tuning.defects().map(|trial| trial.choice).collect();
        assert_eq!(defects, [choices[3]], "{tuning}");
        assert!(tuning.to_string().contains(words), "{tuning}");
        assert_ne!(tuning.entry().map(|entry| entry.choice), Some(choices[3]));
    }
    let (choices, _, tuning) = contest(fourth, Some((3, Spoil::Unwritten)), &Options::new());
    let last = problem().output_len() - 1;
    let fate = tuning.trials.iter().find(|trial| trial.choice == choices[3]).map(|trial| &trial.fate);
    assert_eq!(fate, Some(&Fate::Wrong(Fault::Unwritten { index: last })));
}

/// With the pick itself wrong there is no ratio, and still a winner.
#[test]
fn a_wrong_pick_is_no_baseline() {
    let device = Device::cpu();
    let pick = Plan::new(&problem(), device.caps(), &preferences()).expect("a plan").choice();
    let legal = legal_choices(&problem(), device.caps(), &preferences());
    let at = legal.iter().position(|legal| legal.choice == pick).expect("legal");
    let (_, _, tuning) = contest(fourth, Some((at, Spoil::Off)), &Options::new());
    assert_eq!(tuning.ratio(), None, "{tuning}");
    assert!(tuning.fastest().is_some_and(|trial| !trial.pick), "{tuning}");
}

#[test]
fn what_is_left_out_is_counted() {
    let (choices, timed, tuning) = contest(fourth, None, &Options::new().within(1.0));
    let far = |trial: &&super::Trial| trial.fate == Fate::LeftOut(LeftOut::Estimate);
    assert_eq!(tuning.trials.iter().filter(far).count(), tuning.left_out());
    assert_eq!(tuning.left_out() + tuning.verified(), choices.len(), "{tuning}");
    assert!(tuning.left_out() > 0 && tuning.pick().is_some_and(|pick| pick.errors.is_some()), "{tuning}");
    assert!(tuning.trials.iter().filter(far).all(|trial| !timed.contains(&trial.choice)), "{tuning}");
    // No time at all: the first batch, one round.
    let (_, _, tuning) = contest(fourth, None, &Options::new().budget(Duration::ZERO));
    assert!(tuning.pick().is_some_and(|pick| pick.rounds == 1), "{tuning}");
    let budget = tuning.trials.iter().filter(|trial| trial.fate == Fate::LeftOut(LeftOut::Budget)).count();
    assert_eq!(budget, tuning.trials.len().saturating_sub(super::BATCH), "{tuning}");
}

/// A run that writes nothing shows nothing, though a whole one was before it in the same memory.
#[test]
fn what_an_earlier_candidate_wrote_does_not_count() {
    let problem = problem();
    let data = Data::new(&problem);
    let truth = Truth::new(&problem, &data);
    let mut rig = CpuRig::new(&problem, &data, truth.windows());
    let winograd = Preferences::new().tolerance(Tolerance::Any).algorithm("staged:f2x3".parse().expect("an algorithm"));
    let whole = Plan::new(&problem, Device::cpu().caps(), &winograd).expect("a plan");
    let mut check = |plan: &Plan| {
        let output = pollster::block_on(async {
            let ready = rig.prepare(plan).await?;
            rig.output(&ready).await
        });
        truth.check(plan, &output.unwrap_or_else(|error| panic!("{error}")))
    };
    assert!(check(&whole).is_ok());
    for missing in 0..whole.dispatches.len() {
        let mut part = whole.clone();
        part.dispatches.remove(missing);
        assert!(matches!(check(&part), Err(Fault::Unwritten { .. })), "without {}", whole.dispatches[missing]);
    }
}

#[test]
fn an_empty_output_is_refused() {
    let problem = Conv::new(2, 2, [3, 3]).on([0, 2, 5, 5]).expect("legal");
    let device = Device::cpu();
    assert_eq!(device.caps().kind, DeviceKind::Cpu);
    let result = super::tune_blocking(&device, &problem, &Preferences::new(), &Options::new());
    assert!(matches!(result, Err(Error::Shape(_))), "{result:?}");
}
