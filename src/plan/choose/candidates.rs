//! Every algorithm that could compute a problem, judged: chosen, slower, or out for a reason.

use super::algorithm::{Algorithm, is_depthwise};
use super::choice::{Choice, Cut};
use super::expected_errors::Errors;
use super::origin::{Distrust, Ignored, Origin};
use super::preferences::Preferences;
use super::verdict::{Candidate, Legal, Reason, Verdict};
use crate::caps::{Caps, DeviceKind};
use crate::correlation::Correlation;
use crate::kernel::{DepthwisePatch, Epilogue, ImplicitGemm, ImplicitGemmUnits, Storage, WinogradFused};
use crate::plan::build::{Built, Sizes, Windows, build, summed};
use crate::plan::wisdom::Wisdom;
use crate::plan::{cpu, model};
use crate::problem::{Operation, Problem};

/// Every choice that `caps` can run within `preferences` (the planner considers one blocking of each algorithm), the
/// one with the least estimate first. Of the CPU, whose twins walk no blocks, one cut of each algorithm is listed.
pub fn legal_choices(problem: &Problem, caps: &Caps, preferences: &Preferences) -> Vec<Legal> {
    let mut legal = Vec::new();
    for algorithm in considered(problem, caps, preferences) {
        let planned = (caps.kind == DeviceKind::Cpu)
            .then(|| build(problem, algorithm, caps, preferences).ok().map(|built| vec![built.cut]))
            .flatten();
        for cut in preferences
            .cut
            .map(|cut| vec![cut])
            .or(planned)
            .unwrap_or_else(|| Cut::all_on(algorithm, caps.matrix_units))
        {
            let forced = Preferences { cut: Some(cut), ..*preferences };
            if let Ok(judged) = judge_one(problem, algorithm, caps, &forced) {
                let (estimate_ns, workspace_bytes) = (judged.estimate_ns, judged.built.workspace_bytes());
                legal.push(Legal { choice: Choice { algorithm, cut }, estimate_ns, workspace_bytes });
            }
        }
    }
    legal.sort_by_key(|legal| legal.estimate_ns);
    legal
}

/// The algorithms to judge: all, and an exhibit that is forced.
fn considered(problem: &Problem, caps: &Caps, preferences: &Preferences) -> Vec<Algorithm> {
    let mut all = match caps.kind {
        DeviceKind::Cpu => Algorithm::all_for_cpu(problem),
        _ => Algorithm::all_for(problem),
    };
    if let Some(forced) = preferences.algorithm
        && !all.contains(&forced)
    {
        all.push(forced);
    }
    all
}

/// A candidate that can run.
pub(in crate::plan) struct Judged {
    /// The estimate of a run, in nanoseconds.
    estimate_ns: u64,
    /// What it runs.
    built: Built,
}

impl Judged {
    fn candidate(&self, algorithm: Algorithm, verdict: Verdict) -> Candidate {
        let (estimate_ns, workspace_bytes) = (Some(self.estimate_ns), Some(self.built.workspace_bytes()));
        Candidate { algorithm, verdict, estimate_ns, workspace_bytes }
    }
}

/// Every candidate with the verdict on it, and what the chosen one runs.
pub(in crate::plan) struct Judgement {
    /// The chosen one, if there is one, comes first, then the slower ones in order, then the rejected.
    pub(in crate::plan) candidates: Vec<Candidate>,
    /// What the chosen one runs.
    pub(in crate::plan) chosen: Option<Built>,
}

/// Judges every candidate. Each is built once, and the fastest is kept as it was built.
pub(in crate::plan) fn judge(problem: &Problem, caps: &Caps, preferences: &Preferences) -> Judgement {
    let (mut legal, mut rejected) = (Vec::new(), Vec::new());
    let mut fastest: Option<Judged> = None;
    for algorithm in considered(problem, caps, preferences) {
        match judge_one(problem, algorithm, caps, preferences) {
            Ok(judged) => {
                legal.push(judged.candidate(algorithm, Verdict::Slower));
                if fastest.as_ref().is_none_or(|fastest| judged.estimate_ns < fastest.estimate_ns) {
                    fastest = Some(judged);
                }
            }
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
    Judgement { candidates: legal, chosen: fastest.map(|fastest| fastest.built) }
}

/// Puts what wisdom says is the fastest in front of the candidates as they were judged, if it may be followed.
pub(in crate::plan) fn follow(
    wisdom: &Wisdom,
    problem: &Problem,
    caps: &Caps,
    preferences: &Preferences,
    judgement: &mut Judgement,
) -> Origin {
    if preferences.algorithm.is_some() || preferences.cut.is_some() {
        return Origin::Demand;
    }
    let Some(entry) = wisdom.get(problem, caps, preferences) else {
        return Origin::Estimate { ignored: None };
    };
    // What was measured without matrix units says nothing of a plan with them that is estimated to be faster.
    let by_units = judgement.chosen.as_ref().is_some_and(|built| matches!(built.cut, Cut::Units(_)));
    let estimate = judgement.candidates.first().and_then(|candidate| candidate.estimate_ns);
    if by_units && !entry.device.matrix_units && estimate.is_some_and(|estimate| estimate < entry.time_ns) {
        return Origin::Estimate { ignored: None };
    }
    let Choice { algorithm, cut } = entry.choice;
    let judged = match entry.outdated() {
        Some(outdated) => Err(Distrust::Outdated(outdated)),
        None => judge_one(problem, algorithm, caps, &preferences.cut(cut)).map_err(Distrust::Rejected),
    };
    let judged = match judged {
        Ok(judged) => judged,
        Err(why) => return Origin::Estimate { ignored: Some(Ignored { choice: entry.choice, why }) },
    };
    let candidates = &mut judgement.candidates;
    candidates.retain(|candidate| candidate.algorithm != algorithm);
    for candidate in &mut *candidates {
        if candidate.estimate_ns.is_some_and(|other| other <= judged.estimate_ns) {
            candidate.verdict = Verdict::Overruled;
        } else if candidate.verdict == Verdict::Chosen {
            candidate.verdict = Verdict::Slower;
        }
    }
    candidates.insert(0, judged.candidate(algorithm, Verdict::Chosen));
    judgement.chosen = Some(judged.built);
    Origin::Wisdom { time_ns: entry.time_ns, driver: entry.driver.clone() }
}

/// The estimate of a candidate and what it runs, or why it is out.
pub(in crate::plan) fn judge_one(
    problem: &Problem,
    algorithm: Algorithm,
    caps: &Caps,
    preferences: &Preferences,
) -> Result<Judged, Reason> {
    if preferences.algorithm.is_some_and(|forced| forced != algorithm) {
        return Err(Reason::NotForced);
    }
    if problem.operation.is_of_end() && algorithm != Algorithm::Direct {
        return Err(Reason::Inapplicable("only direct computes the gradients of bias, activation and slopes"));
    }
    if let Some(transform) = algorithm.transform() {
        let windows = Windows::of_problem(problem).map_err(Reason::Inapplicable)?;
        if windows.in_blocks() && !matches!(algorithm, Algorithm::Staged(_)) {
            return Err(Reason::Inapplicable("fused kernels do not support the weight gradient"));
        }
        if !windows.sizes().fit(transform) {
            return Err(Reason::Inapplicable(match windows.sizes() {
                Sizes::Taps(_) => "the transform is for another filter size",
                Sizes::Outputs(_) => "the transform is for another size of the weight gradient",
            }));
        }
        if transform.rows.programs().is_err() || transform.cols.programs().is_err() {
            return Err(Reason::Inapplicable("no transform of this size exists"));
        }
    }
    if algorithm == Algorithm::Depthwise && !is_depthwise(problem) {
        return Err(Reason::Inapplicable("depthwise needs one channel per group, and no sum over images"));
    }
    if let (Some(_), Some(transform)) = (algorithm.fusion(), algorithm.transform())
        && !WinogradFused::holds(transform)
    {
        return Err(Reason::Inapplicable("a tile has more values than one invocation can hold"));
    }
    match preferences.cut {
        // The CPU's kernels cut their work themselves.
        Some(Cut::Only) if cpu::takes(problem, algorithm, caps) => {}
        Some(cut) => {
            suits(problem, algorithm, cut, Storage::of(problem, caps)).map_err(Reason::Inapplicable)?;
        }
        None => {}
    }
    let built = build(problem, algorithm, caps, preferences)?;
    Errors::on(problem, caps).within(Choice { algorithm, cut: built.cut }, preferences.tolerance)?;
    let is_twin = caps.kind == DeviceKind::Cpu && !cpu::takes(problem, algorithm, caps);
    let has_kernels = match problem.operation {
        Operation::WeightGradient => cpu::multiplies_rows(problem),
        other => !other.is_of_end(),
    };
    if is_twin && preferences.is_open() && has_kernels {
        return Err(Reason::Inapplicable("the CPU has no kernel for it: its twin runs where it is forced"));
    }
    let estimate_ns = match &built {
        Built { cpu_steps, .. } if cpu_steps.is_empty() => {
            model::estimate_ns(problem, &built.dispatches, algorithm, caps)
        }
        Built { cpu_steps, .. } if caps.threads == cpu::NOMINAL_THREADS => cpu::estimate_ns(cpu_steps, caps.threads),
        // A choice is the same for any number of threads: it is estimated for one number, whatever there are.
        _ => {
            let nominal = Caps { threads: cpu::NOMINAL_THREADS, ..caps.clone() };
            cpu::estimate_ns(&build(problem, algorithm, &nominal, preferences)?.cpu_steps, nominal.threads)
        }
    };
    Ok(Judged { estimate_ns, built })
}

/// Whether an algorithm's work can be cut so.
fn suits(problem: &Problem, algorithm: Algorithm, cut: Cut, storage: Storage) -> Result<(), &'static str> {
    const NUMBERS: &str = "an invocation's filters and tiles must be multiples of 4, divide the workgroup's, and make at most \
                           64 sums";
    const FRAGMENTS: &str = "a subgroup's filters, tiles and channels must be multiples of 16, divide the workgroup's, and make at \
                             most 2048 sums";
    match (algorithm, algorithm.fusion(), algorithm.transform(), cut) {
        (_, Some(fusion), Some(algorithm), Cut::Fused(blocking)) => {
            let epilogue = Epilogue::of(&problem.conv);
            let kernel = WinogradFused { algorithm, fusion, blocking, storage, epilogue };
            if kernel.is_legal() { Ok(()) } else { Err(NUMBERS) }
        }
        (Algorithm::Staged(nested), _, _, Cut::Multiply(cut)) => match cut.blocking.is_legal() {
            false => Err(NUMBERS),
            true if cut.is_even(summed(problem, nested)) => Ok(()),
            true => Err("split-K has more parts than there are channels"),
        },
        (Algorithm::Staged(nested), _, _, Cut::Units(cut)) => match cut.blocking.is_legal() {
            false => Err(FRAGMENTS),
            true if problem.operation == Operation::WeightGradient => {
                Err("matrix units do not support the weight gradient")
            }
            true if cut.is_even(summed(problem, nested)) => Ok(()),
            true => Err("split-K has more parts than there are channels"),
        },
        (Algorithm::ImplicitGemm, _, _, Cut::Gemm(cut)) => {
            let epilogue = Epilogue::of(&problem.conv);
            let of = |of: &Correlation| ImplicitGemm { blocking: cut.blocking, border: of.border, storage, epilogue };
            let correlations = problem.correlations();
            match correlations.iter().map(of).all(|kernel| kernel.is_legal()) {
                false => Err(NUMBERS),
                true if correlations.iter().all(|of| ImplicitGemm::is_even(&cut, of)) => Ok(()),
                true => Err("split-K has more parts than the sum has steps"),
            }
        }
        (Algorithm::ImplicitGemm, _, _, Cut::Units(cut)) => match ImplicitGemmUnits::is_cut(&cut.blocking) {
            false => Err(FRAGMENTS),
            true if cut.parts == 1 => Ok(()),
            true => Err("matrix units compute an implicit product in one part"),
        },
        (Algorithm::Depthwise, _, _, Cut::Patch(blocking)) => {
            let epilogue = Epilogue::of(&problem.conv);
            let has_text = |of: &Correlation| DepthwisePatch::of(of, blocking, epilogue, storage).is_some();
            match blocking.is_legal() {
                false => Err("there is no kernel for patches of this size"),
                true if problem.correlations().iter().all(has_text) => Ok(()),
                true => {
                    Err("patches need 3x3, 5x5 or 7x7 taps, stride 1 or 2, dilation 1, and zeros around the source")
                }
            }
        }
        (Algorithm::Direct | Algorithm::Dot | Algorithm::Depthwise | Algorithm::Inlined(..), _, _, Cut::Only) => Ok(()),
        _ => Err("this blocking is not supported by the algorithm"),
    }
}
