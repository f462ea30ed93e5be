//! Every algorithm that could compute a problem, judged: chosen, slower, or out for a reason.

use std::fmt;

use super::algorithm::is_depthwise;
use super::expected_errors::Errors;
use super::windows::Windows;
use super::{
    Algorithm, Choice, Cut, Distrust, Ignored, Origin, Preferences, Sizes, Wisdom, heuristics, host_estimate,
    host_steps, steps, summed,
};
use crate::caps::{Caps, DeviceKind};
use crate::correlation::Correlation;
use crate::error::LimitError;
use crate::kernel::{Epilogue, ImplicitGemm, Storage, WinogradFused};
use crate::problem::{Operation, Problem};

/// An algorithm and the verdict on it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The verdict.
    pub verdict: Verdict,
    /// The planner's estimate of a run, in nanoseconds, where it got as far.
    pub estimate_ns: Option<u64>,
    /// Bytes of workspace, where it got as far.
    pub workspace_bytes: Option<u64>,
}

/// A choice that a device can run within the preferences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Legal {
    /// The algorithm and its cut.
    pub choice: Choice,
    /// The planner's estimate of a run, in nanoseconds.
    pub estimate_ns: u64,
    /// Bytes of workspace.
    pub workspace_bytes: u64,
}

/// What became of a candidate.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// It is the plan.
    Chosen,
    /// It could run, and is expected to be slower than the chosen one.
    Slower,
    /// It could run, and is expected to be as fast as the chosen one, which wisdom says is the fastest.
    Overruled,
    /// It cannot run, or may not.
    Rejected(Reason),
}

/// Why a candidate is out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Its expected error is above the tolerance: parts in 10^12 of the result.
    Tolerance {
        /// Whether it is so only on data as a ReLU leaves them.
        after_relu: bool,
        /// What it is expected to have, in units of 1e-12.
        expected: u64,
        /// What the tolerance allows, in units of 1e-12.
        allowed: u64,
    },
    /// It needs more than the device or the caller has.
    Limit(LimitError),
    /// It does not compute this kind of convolution.
    Inapplicable(&'static str),
    /// Another algorithm was demanded.
    NotDemanded,
}

impl From<LimitError> for Reason {
    fn from(error: LimitError) -> Self {
        Self::Limit(error)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chosen => f.write_str("chosen"),
            Self::Slower => f.write_str("slower by estimate"),
            Self::Overruled => f.write_str("overruled by wisdom"),
            Self::Rejected(reason) => write!(f, "{reason}"),
        }
    }
}

impl fmt::Display for Reason {
    #[expect(clippy::cast_precision_loss, reason = "printed with two digits")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tolerance { after_relu, expected, allowed } => {
                let [expected, allowed] = [expected, allowed].map(|&x| x as f64 * 1e-12);
                let data = if *after_relu { " after a ReLU" } else { "" };
                write!(f, "expected error{data} {expected:.1e}, the tolerance allows {allowed:.1e}")
            }
            Self::Limit(error) => f.write_str(&error.fact()),
            Self::Inapplicable(why) => f.write_str(why),
            Self::NotDemanded => f.write_str("another algorithm was demanded"),
        }
    }
}

/// Every choice that `caps` can run within `preferences`, where the planner looks at one cut of each algorithm only: the
/// one with the least estimate first. Of the processor, whose twins walk no blocks, one cut of each algorithm is listed.
pub fn legal_choices(problem: &Problem, caps: &Caps, preferences: &Preferences) -> Vec<Legal> {
    let mut legal = Vec::new();
    for algorithm in considered(problem, caps, preferences) {
        let planned = (caps.kind == DeviceKind::HostCpu)
            .then(|| steps::build(problem, algorithm, caps, preferences).ok().map(|built| vec![built.cut]))
            .flatten();
        for cut in preferences.cut.map(|cut| vec![cut]).or(planned).unwrap_or_else(|| Cut::all_for(algorithm)) {
            let forced = Preferences { cut: Some(cut), ..*preferences };
            if let Ok((estimate_ns, workspace_bytes)) = judge_one(problem, algorithm, caps, &forced) {
                legal.push(Legal { choice: Choice { algorithm, cut }, estimate_ns, workspace_bytes });
            }
        }
    }
    legal.sort_by_key(|legal| legal.estimate_ns);
    legal
}

/// The algorithms to judge: all, and an exhibit that is demanded.
fn considered(problem: &Problem, caps: &Caps, preferences: &Preferences) -> Vec<Algorithm> {
    let mut all = match caps.kind {
        DeviceKind::HostCpu => Algorithm::all_for_processors(problem),
        _ => Algorithm::all_for(problem),
    };
    if let Some(forced) = preferences.algorithm
        && !all.contains(&forced)
    {
        all.push(forced);
    }
    all
}

/// Judges every candidate; the chosen one, if there is one, comes first, then the slower ones in order, then
/// the rejected.
pub(super) fn judge(problem: &Problem, caps: &Caps, preferences: &Preferences) -> Vec<Candidate> {
    let mut legal = Vec::new();
    let mut rejected = Vec::new();
    for algorithm in considered(problem, caps, preferences) {
        match judge_one(problem, algorithm, caps, preferences) {
            Ok((estimate_ns, bytes)) => legal.push(Candidate {
                algorithm,
                verdict: Verdict::Slower,
                estimate_ns: Some(estimate_ns),
                workspace_bytes: Some(bytes),
            }),
            Err(reason) => rejected.push(Candidate {
                algorithm,
                verdict: Verdict::Rejected(reason),
                estimate_ns: None,
                workspace_bytes: None,
            }),
        }
    }
    // A stable sort: equal estimates leave the simpler algorithm in front.
    legal.sort_by_key(|candidate| candidate.estimate_ns);
    if let Some(first) = legal.first_mut() {
        first.verdict = Verdict::Chosen;
    }
    legal.extend(rejected);
    legal
}

/// Puts what wisdom says is the fastest in front of the candidates as they were judged, if it may be followed. The second
/// value is the cut that the chosen algorithm must have, where that is not its planner's.
pub(super) fn follow(
    wisdom: &Wisdom,
    problem: &Problem,
    caps: &Caps,
    preferences: &Preferences,
    candidates: &mut Vec<Candidate>,
) -> (Origin, Option<Cut>) {
    if preferences.algorithm.is_some() || preferences.cut.is_some() {
        return (Origin::Demand, preferences.cut);
    }
    let Some(entry) = wisdom.get(problem, caps, preferences) else {
        return (Origin::Estimate { ignored: None }, None);
    };
    let Choice { algorithm, cut } = entry.choice;
    let judged = match entry.outdated() {
        Some(outdated) => Err(Distrust::Outdated(outdated)),
        None => judge_one(problem, algorithm, caps, &preferences.cut(cut)).map_err(Distrust::Rejected),
    };
    let (estimate_ns, bytes) = match judged {
        Ok(judged) => judged,
        Err(why) => return (Origin::Estimate { ignored: Some(Ignored { choice: entry.choice, why }) }, None),
    };
    candidates.retain(|candidate| candidate.algorithm != algorithm);
    for candidate in &mut *candidates {
        if candidate.estimate_ns.is_some_and(|other| other <= estimate_ns) {
            candidate.verdict = Verdict::Overruled;
        } else if candidate.verdict == Verdict::Chosen {
            candidate.verdict = Verdict::Slower;
        }
    }
    let (estimate_ns, workspace_bytes) = (Some(estimate_ns), Some(bytes));
    candidates.insert(0, Candidate { algorithm, verdict: Verdict::Chosen, estimate_ns, workspace_bytes });
    (Origin::Wisdom { time_ns: entry.time_ns, driver: entry.driver.clone() }, Some(cut))
}

/// The estimate of a run in nanoseconds and the bytes of workspace, or why a candidate is out.
pub(super) fn judge_one(
    problem: &Problem,
    algorithm: Algorithm,
    caps: &Caps,
    preferences: &Preferences,
) -> Result<(u64, u64), Reason> {
    if preferences.algorithm.is_some_and(|forced| forced != algorithm) {
        return Err(Reason::NotDemanded);
    }
    if problem.operation.is_of_end() && algorithm != Algorithm::Direct {
        return Err(Reason::Inapplicable("a gradient of bias, activation or slopes is computed by direct alone"));
    }
    if let Some(transform) = algorithm.transform() {
        let windows = Windows::of_problem(problem).map_err(Reason::Inapplicable)?;
        if windows.in_blocks() && !matches!(algorithm, Algorithm::Staged(_)) {
            return Err(Reason::Inapplicable(
                "of Winograd's kernels, the staged ones alone compute a gradient of weights",
            ));
        }
        if !windows.sizes().fit(transform) {
            return Err(Reason::Inapplicable(match windows.sizes() {
                Sizes::Taps(_) => "its filter has another size",
                Sizes::Outputs(_) => "it has another number of outputs than the weights",
            }));
        }
        if transform.rows.programs().is_err() || transform.cols.programs().is_err() {
            return Err(Reason::Inapplicable("there are no transforms of these sizes"));
        }
    }
    if algorithm == Algorithm::Depthwise && !is_depthwise(problem) {
        return Err(Reason::Inapplicable("it sums over more than taps: channels of a group, or images"));
    }
    if let (Some(_), Some(transform)) = (algorithm.fusion(), algorithm.transform())
        && !WinogradFused::holds(transform)
    {
        return Err(Reason::Inapplicable("a tile has more values than one invocation can hold"));
    }
    match preferences.cut {
        // The processor's kernels cut their work themselves.
        Some(Cut::Only) if host_steps::take(problem, algorithm, caps) => {}
        Some(cut) => {
            suits(problem, algorithm, cut, Storage::of(problem, caps)).map_err(Reason::Inapplicable)?;
        }
        None => {}
    }
    let built = steps::build(problem, algorithm, caps, preferences)?;
    Errors::on(problem, caps).within(Choice { algorithm, cut: built.cut }, preferences.tolerance)?;
    let is_twin = caps.kind == DeviceKind::HostCpu && !host_steps::take(problem, algorithm, caps);
    let has_kernels = problem.operation != Operation::WeightGradient && !problem.operation.is_of_end();
    if is_twin && preferences.is_open() && has_kernels {
        return Err(Reason::Inapplicable("the CPU has no kernel for it: its twin runs where it is demanded"));
    }
    let bytes = built.workspace.iter().map(|&len| 4 * len as u64).sum();
    let estimate_ns = if caps.kind == DeviceKind::HostCpu && caps.threads != host_estimate::NOMINAL_THREADS {
        // A choice is the same for any number of threads: it is estimated for one number, whatever there are.
        let nominal = Caps { threads: host_estimate::NOMINAL_THREADS, ..caps.clone() };
        let built = steps::build(problem, algorithm, &nominal, preferences)?;
        heuristics::estimate_ns(problem, &built.steps, algorithm, &nominal)
    } else {
        heuristics::estimate_ns(problem, &built.steps, algorithm, caps)
    };
    Ok((estimate_ns, bytes))
}

/// Whether an algorithm's work can be cut so.
fn suits(problem: &Problem, algorithm: Algorithm, cut: Cut, storage: Storage) -> Result<(), &'static str> {
    const NUMBERS: &str = "the blocking's numbers do not divide each other, or keep too many sums";
    match (algorithm, algorithm.fusion(), algorithm.transform(), cut) {
        (_, Some(fusion), Some(algorithm), Cut::Fused(blocking)) => {
            let epilogue = Epilogue::of(&problem.conv);
            let kernel = WinogradFused { algorithm, fusion, blocking, storage, epilogue };
            if kernel.is_legal() { Ok(()) } else { Err(NUMBERS) }
        }
        (Algorithm::Staged(nested), _, _, Cut::Multiply(cut)) => match cut.blocking.is_legal() {
            false => Err(NUMBERS),
            true if cut.is_even(summed(problem, nested)) => Ok(()),
            true => Err("a part would have no channels"),
        },
        (Algorithm::ImplicitGemm, _, _, Cut::Gemm(blocking)) => {
            let epilogue = Epilogue::of(&problem.conv);
            let of = |of: &Correlation| ImplicitGemm { blocking, border: of.border, storage, epilogue };
            if problem.correlations().iter().map(of).all(|kernel| kernel.is_legal()) { Ok(()) } else { Err(NUMBERS) }
        }
        (Algorithm::Direct | Algorithm::Depthwise | Algorithm::Inlined(..), _, _, Cut::Only) => Ok(()),
        _ => Err("its work is not cut so"),
    }
}
