//! One suite over every algorithm and device. Each problem of `crate::support::problems` is computed by every algorithm that
//! applies, on the CPU and on every GPU of the machine, and each output is held against the f64 reference within
//! the algorithm's rigorous bound.
//!
//! How the work is spread: a pipeline takes a software adapter as long to compile as a hundred small runs, so runs are
//! not spared and kernels are. Every job goes through every second entry point on every device, in turn the even and the odd
//! ones; `cargo xtask ci --full` takes all. Activations and channel counts, which do not concern the
//! algorithm's arithmetic, take `direct` and a few other algorithms, others for each problem.
//!
//! The exhibit `inlined`, which no plan has unless it is forced, has a suite of its own: see [`exhibits`].
#![cfg(feature = "gpu")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use crate::support::data::{Case, Data, assert_exact, assert_within};
use crate::support::entry::{EntryPoint, run_plan_on_cpu, run_plan_on_gpu};
use crate::support::gpus::{on_gpus, on_one_gpu};
use crate::support::problems::{self, Algorithms, Entry, forced};
use winoconv::caps::{Caps, DeviceKind, Limits};
use winoconv::error::{NoPlan, Remedy};
use winoconv::gpu::ShaderChecks;
use winoconv::kernel::Reading;
use winoconv::plan::{Reason, Verdict};
use winoconv::winograd::{F, Nested};
use winoconv::{Activation, Algorithm, Conv, Device, Error, Layer, Plan, Preferences, Problem, Tolerance};

/// A problem, one algorithm for it, and what is expected.
struct Job {
    what: String,
    algorithm: Algorithm,
    preferences: Preferences,
    case: usize,
    bound: Vec<f64>,
}

/// The whole suite, made ready: exact results and bounds once for all devices.
struct Suite {
    cases: Vec<(Case, Vec<f64>)>,
    jobs: Vec<Job>,
}

/// Every algorithm that the planner does not call inapplicable; any other refusal is a failure.
fn applicable(problem: &Problem) -> Vec<Algorithm> {
    let preferences = Preferences::new().tolerance(Tolerance::Any);
    let plan = problem.plan(&Device::cpu(), &preferences).unwrap_or_else(|error| panic!("{problem}: {error}"));
    let applies = |candidate: &winoconv::plan::Candidate| match &candidate.verdict {
        Verdict::Rejected(Reason::Inapplicable(_)) => false,
        Verdict::Chosen | Verdict::Slower => true,
        other => panic!("{problem}: {} is out: {other}", candidate.algorithm),
    };
    let mut all: Vec<_> = plan.candidates().iter().filter(|c| applies(c)).map(|c| c.algorithm).collect();
    all.sort();
    all
}

/// The algorithms of the suite for its `index`-th problem.
fn of_the_suite(index: usize, entry: &Entry, problem: &Problem) -> Vec<Algorithm> {
    let algorithms = applicable(problem);
    let Algorithms::Some(count) = entry.algorithms else { return algorithms };
    let others = algorithms.len() - 1;
    let picked = (0..count.min(others)).map(|i| algorithms[1 + (index * 5 + i * 4) % others]);
    let mut algorithms: Vec<_> = [Algorithm::Direct].into_iter().chain(picked).collect();
    algorithms.dedup();
    algorithms
}

/// One reading of the exhibit, for the problems that it is for. F(4x4,3x3) takes those without bias and activation: a
/// software adapter compiles each of its variants for 5 s (per output) or 20 s (per nonzero).
fn exhibits(m: u8, reading: Reading) -> impl Fn(usize, &Entry, &Problem) -> Vec<Algorithm> {
    move |_, entry, _| {
        let conv = &entry.conv;
        let plain = conv.activation == Activation::None && !conv.bias;
        let applies = conv.kernel == [3, 3] && conv.stride == [1, 1] && conv.dilation == [1, 1];
        let wanted = match m {
            2 => matches!(conv.activation, Activation::None | Activation::PRelu),
            _ => plain,
        };
        let inlined = Algorithm::Inlined(Nested::square(F::new(m, 3)), reading);
        (applies && wanted).then_some(inlined).into_iter().collect()
    }
}

/// Preferences under which `algorithm` works in several chunks, if it has a workspace at all.
fn chunked(problem: &Problem, algorithm: Algorithm) -> Preferences {
    // Shaders' dispatches: the CPU's kernels make their blocks smaller instead.
    let caps = Caps { kind: DeviceKind::OtherGpu, ..Caps::cpu() };
    let plan = |preferences: &Preferences| {
        Plan::new(problem, &caps, preferences).unwrap_or_else(|error| panic!("{problem}, {algorithm}: {error}"))
    };
    let whole = plan(&forced(algorithm));
    if whole.workspace_bytes() == 0 {
        return forced(algorithm);
    }
    let limited = forced(algorithm).workspace_limit(whole.workspace_bytes() / 3);
    let plan = plan(&limited);
    let chunks = plan.dispatches().len() / plan.kernels().len();
    assert!(chunks >= 3, "{problem}, {algorithm}: {chunks} chunks, expected at least 3");
    assert!(plan.workspace_bytes() <= limited.workspace_limit, "{problem}, {algorithm}: over the limit");
    limited
}

/// The same with the workspace that the refusal asks for.
fn raised(preferences: Preferences, error: &NoPlan) -> Preferences {
    let least = error.remedies.iter().find_map(|remedy| match remedy {
        Remedy::RaiseWorkspace { least } => Some(*least),
        _ => None,
    });
    preferences.workspace_limit(least.unwrap_or_else(|| panic!("{error}")))
}

impl Suite {
    /// That of all tests here.
    fn whole() -> &'static Self {
        static WHOLE: OnceLock<Suite> = OnceLock::new();
        WHOLE.get_or_init(|| Self::of(of_the_suite))
    }

    /// The suite's problems, each with the algorithms that `pick` gives it.
    fn of(pick: impl Fn(usize, &Entry, &Problem) -> Vec<Algorithm>) -> Self {
        let (mut cases, mut jobs) = (Vec::new(), Vec::new());
        for (index, entry) in problems::all().into_iter().enumerate() {
            let problem = entry.conv.on(entry.shape).unwrap_or_else(|error| panic!("{}: {error}", entry.name));
            let data = [Data::Normal, Data::Normal, Data::Wide, Data::Normal, Data::Cancelling][index % 5];
            let case = Case::new(problem, data, index as u64);
            let algorithms = pick(index, &entry, &problem);
            if algorithms.is_empty() {
                continue;
            }
            for algorithm in algorithms {
                let preferences = if entry.chunked { chunked(&problem, algorithm) } else { forced(algorithm) };
                let what = format!("{} ({problem}), {data:?}, {algorithm}", entry.name);
                jobs.push(Job { what, algorithm, preferences, case: cases.len(), bound: case.bound(algorithm) });
            }
            let exact = case.reference().all();
            cases.push((case, exact));
        }
        Self { cases, jobs }
    }

    fn layer(&self, job: &Job, device: &Device) -> Layer {
        let case = &self.cases[job.case].0;
        let preferences = match case.problem.plan(device, &job.preferences) {
            // The smallest blocks of the CPU's kernels may need more than a chunk of the shaders'.
            Err(Error::NoPlan(error)) if device.caps().kind == DeviceKind::Cpu => raised(job.preferences, &error),
            _ => job.preferences,
        };
        Layer::new_blocking(device, case.problem.conv(), case.operands(), preferences)
            .unwrap_or_else(|error| panic!("{}: {error}", job.what))
    }

    /// Runs one job through one entry point; the worst error in parts of its bound.
    fn run(&self, job: &Job, layer: &Layer, entry: EntryPoint, label: &str) -> f64 {
        let (case, exact) = &self.cases[job.case];
        let what = format!("{}, {entry:?} on {label}", job.what);
        let plan = layer.plan(case.problem.input_shape()).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(plan.algorithm(), job.algorithm, "{what}: a forced algorithm is the plan's");
        let got = entry.run(layer, case, &what);
        assert_within(&got, exact, &job.bound, &what)
    }

    /// All jobs on one device, through each of `entries`.
    fn run_all(&self, device: &Device, label: &str, entries: &[EntryPoint]) {
        self.run_some(device, label, entries, [0, 1]);
    }

    /// Every `step`-th job from `first` on, or all of them if that is asked for.
    fn run_some(&self, device: &Device, label: &str, entries: &[EntryPoint], [first, step]: [usize; 2]) {
        let mut worst = BTreeMap::new();
        let mut runs = 0;
        for (i, job) in crate::support::some(self.jobs.iter().enumerate().collect(), first, step) {
            let layer = self.layer(job, device);
            for entry in crate::support::some(entries.to_vec(), i, 2) {
                let ratio = self.run(job, &layer, entry, label);
                runs += 1;
                let worst = worst.entry(job.algorithm.label()).or_insert((0.0, String::new()));
                if ratio > worst.0 {
                    *worst = (ratio, job.what.clone());
                }
            }
        }
        println!("{label}: {runs} runs of {} jobs; worst error in parts of the bound:", self.jobs.len());
        for (algorithm, (ratio, what)) in worst {
            println!("  {algorithm:<24} {ratio:.3}  {what}");
        }
    }
}

#[test]
fn every_transform_has_a_problem() {
    let named = Suite::whole().jobs.iter().map(|job| job.algorithm.transform());
    let ran: BTreeSet<_> = named.flatten().flat_map(|nested| [nested.rows, nested.cols]).collect();
    let missing: Vec<_> = F::shipped().iter().filter(|f| !ran.contains(f)).collect();
    assert!(missing.is_empty(), "the table has no problem for {missing:?}");
}

#[test]
fn cpu_conforms() {
    Suite::whole().run_all(&Device::cpu(), "the host", &EntryPoint::HOST);
}

#[test]
fn gpus_conform() {
    on_gpus("gpus_conform", |gpu| {
        // Trusted shaders take the jobs that checked ones leave.
        let first = usize::from(gpu.context.checks() == ShaderChecks::Trusted);
        Suite::whole().run_some(&gpu.device(), &gpu.label, &EntryPoint::ALL, [first, 2]);
    });
}

#[test]
fn the_exhibit_conforms_on_the_cpu() {
    // What F(4x4,3x3) repeats takes a minute.
    for m in if crate::support::is_exhaustive() { vec![2, 4] } else { vec![2] } {
        for reading in [Reading::PerOutput, Reading::PerNonzero] {
            let suite = Suite::of(exhibits(m, reading));
            assert!(suite.jobs.len() > 20, "{} jobs for F({m},3), {reading:?}", suite.jobs.len());
            suite.run_some(&Device::cpu(), "the host", &EntryPoint::HOST, [0, 2]);
        }
    }
}

#[test]
fn the_exhibit_conforms_on_gpus() {
    // A software adapter compiles a variant of F(4x4,3x3) for 5 s.
    let few = [(2, Reading::PerOutput), (2, Reading::PerNonzero)];
    let all = [few[0], few[1], (4, Reading::PerOutput)];
    let some = if crate::support::is_exhaustive() { &all[..] } else { &few[..1] };
    let suites: Vec<_> = some.iter().map(|&(m, reading)| Suite::of(exhibits(m, reading))).collect();
    on_gpus("the_exhibit_conforms_on_gpus", |gpu| {
        suites.iter().for_each(|suite| suite.run_some(&gpu.device(), &gpu.label, &EntryPoint::ALL, [0, 2]));
    });
}

/// The largest of the exhibits on one device, for what it takes to compile: 20 s for each variant. `cargo xtask ci --full` has it.
#[test]
fn the_largest_exhibit_conforms_on_a_gpu() {
    if !crate::support::is_exhaustive() {
        let reason = format!("it compiles for minutes; {} asks for it", crate::support::EXHAUSTIVE);
        return crate::support::skipped("the_largest_exhibit_conforms_on_a_gpu", &reason);
    }
    let suite = OnceLock::new();
    on_one_gpu("the_largest_exhibit_conforms_on_a_gpu", |gpu| {
        let suite = suite.get_or_init(|| Suite::of(exhibits(4, Reading::PerNonzero)));
        suite.run_all(&gpu.device(), &gpu.label, &EntryPoint::ALL);
    });
}

/// Plans for a device with few workgroups and small bindings, run here: what real devices do only with images too large
/// for a test, `direct` in several dispatches and chunks cut by a device's bounds.
#[test]
fn plans_of_smaller_devices_run_here() {
    let problem = Conv::new(3, 5, [3, 3]).padding(1).bias(true).on([2, 3, 37, 29]);
    let problem = problem.unwrap_or_else(|error| panic!("{error}"));
    let case = Case::new(problem, Data::Normal, 21);
    let exact = case.reference().all();
    let base = Limits::WEBGPU_DEFAULT;
    let few = Limits { max_compute_workgroups_per_dimension: 16, ..base };
    let small = Limits { max_storage_buffer_binding_size: 48_000, ..base };
    let staged = Algorithm::Staged(Nested::square(F::new(2, 3)));
    let all = [(few, Algorithm::Direct, 3), (small, staged, 4)];
    let plans = all.map(|(limits, algorithm, parts)| {
        let caps = Caps { limits, ..Caps::webgpu_default() };
        let plan = Plan::new(&problem, &caps, &forced(algorithm)).unwrap_or_else(|error| panic!("{error}"));
        let got = plan.dispatches().len() / plan.kernels().len();
        assert!(got >= parts, "{algorithm}: {got} parts, expected at least {parts}");
        plan
    });
    for plan in &plans {
        let output = run_plan_on_cpu(plan, &case);
        assert_within(
            &output,
            &exact,
            &case.bound(plan.algorithm()),
            &format!("{} in parts on the host", plan.algorithm()),
        );
    }
    on_gpus("plans_of_smaller_devices_run_here", |gpu| {
        let context = &gpu.context;
        for plan in &plans {
            let what = format!("{} in parts on {}", plan.algorithm(), gpu.label);
            let got = run_plan_on_gpu(context, plan, &case).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_within(&got, &exact, &case.bound(plan.algorithm()), &what);
        }
    });
}

/// Small integers through transforms whose matrices are dyadic: every intermediate is exact, so is the result.
fn exact_jobs() -> Vec<(Case, Algorithm)> {
    let square = |f| Algorithm::Staged(Nested::square(f));
    let three = Conv::new(7, 6, [3, 3]).padding(1);
    let five = Conv::new(5, 4, [5, 5]).padding(2);
    let mut jobs = Vec::new();
    for (conv, algorithms) in [
        (three, vec![Algorithm::Direct, square(F::new(2, 3)), square(F::quadratic(4, 3))]),
        (three.bias(true).activation(Activation::Relu), vec![Algorithm::Direct, square(F::quadratic(4, 3))]),
        (three, vec![Algorithm::Inlined(Nested::square(F::new(2, 3)), Reading::PerOutput)]),
        (five, vec![Algorithm::Direct, square(F::quadratic(2, 5))]),
    ] {
        for (i, algorithm) in algorithms.into_iter().enumerate() {
            let problem = conv.on([2, conv.channels, 13, 10]).unwrap_or_else(|error| panic!("{error}"));
            jobs.push((Case::new(problem, Data::Integer, i as u64), algorithm));
        }
    }
    jobs
}

fn assert_exact_on(device: &Device, label: &str) {
    for (case, algorithm) in exact_jobs() {
        let what = format!("{}, {algorithm} on {label}", case.problem);
        let layer = Layer::new_blocking(device, case.problem.conv(), case.operands(), forced(algorithm));
        let layer = layer.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_exact(&EntryPoint::Dirty.run(&layer, &case, &what), &case.reference().all(), &what);
    }
}

#[test]
fn cpu_is_exact_on_small_integers() {
    assert_exact_on(&Device::cpu(), "the host");
}

#[test]
fn gpus_are_exact_on_small_integers() {
    on_gpus("gpus_are_exact_on_small_integers", |gpu| assert_exact_on(&gpu.device(), &gpu.label));
}
