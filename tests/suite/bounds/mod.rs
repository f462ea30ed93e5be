//! Every index of every kernel, compared with its array's bounds on a device: what kernels may do without run-time checks
//! rests on this. How indices are compared is in [`instrument`], what is run in [`grid`] and [`draw`].
#![cfg(feature = "gpu")]

mod device;
mod dispatch;
pub(crate) mod draw;
pub(crate) mod grid;
mod instrument;
use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use proptest::strategy::{Just, Strategy, ValueTree};
use proptest::test_runner::{Config, RngSeed, TestRunner};

use crate::support::data::Random;
use crate::support::gpus::{Gpu, on_one_gpu};
use crate::support::problems::forced;
use crate::support::strategies::{Space, problems};
use device::{Checker, finding};
use dispatch::{Dispatch, dispatches};
use draw::plan_with;
use grid::{Task, Work, features, runnable, sample};
use instrument::{Depth, instrument};
use winoconv::caps::Caps;
use winoconv::gpu::Context;
use winoconv::kernel::{KernelSpec, PackHalves};
use winoconv::plan::{Choice, Cut};
use winoconv::wgsl::{Source, source};
use winoconv::{Activation, Algorithm, Conv, Plan, Preferences, Problem, Tolerance};

/// Kernels of which all variants are run, however long that takes, by a part of their names; `all`: `WINOCONV_BOUNDS`.
fn wanted() -> Option<String> {
    std::env::var("WINOCONV_BOUNDS").ok().filter(|wanted| !wanted.is_empty())
}

/// How much is run.
struct Extent {
    /// Plans drawn for each kernel.
    plans: usize,
    /// Dispatches of one kernel at most.
    dispatches: usize,
    /// Problems of the whole space.
    problems: usize,
}

const SAMPLE: Extent = Extent { plans: 6, dispatches: 32, problems: 60 };
const ALL: Extent = Extent { plans: 8, dispatches: 64, problems: 600 };

impl Counted {
    fn add(&mut self, other: Self) {
        self.kernels += other.kernels;
        self.dispatches += other.dispatches;
        self.sites += other.sites;
        self.accesses += other.accesses;
        self.findings.extend(other.findings);
        self.slowest = other.slowest.max(std::mem::take(&mut self.slowest));
    }
}

fn text(kernel: &KernelSpec) -> Source {
    source(kernel).unwrap_or_else(|error| panic!("{error}"))
}

/// What many dispatches came to.
#[derive(Default)]
struct Counted {
    kernels: usize,
    dispatches: usize,
    /// Index expressions in the texts.
    sites: usize,
    /// Accesses by them.
    accesses: u64,
    findings: Vec<String>,
    /// What a device took longest for.
    slowest: (Duration, String),
}

/// Compiles and runs each kernel, several at a time.
fn run(context: &Context, tasks: &[Task]) -> Counted {
    let counted = Mutex::new(Counted::default());
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let own = run_kernel(context, task, &text(&task.0)).unwrap_or_else(|error| panic!("{error}"));
                    counted.lock().unwrap_or_else(PoisonError::into_inner).add(own);
                }
            });
        }
    });
    counted.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// The furthest indices first; where one is out of bounds, the same dispatches once more with each access compared.
fn run_kernel(context: &Context, (kernel, list): &Task, source: &Source) -> Result<Counted, String> {
    let start = Instant::now();
    let dispatches: Vec<Dispatch> = list.iter().map(|(dispatch, _)| dispatch.clone()).collect();
    let checker = Checker::new(context, *kernel, source, Depth::Furthest)?;
    let tallies = checker.run(&dispatches)?;
    let mut counted = Counted { kernels: 1, dispatches: list.len(), sites: checker.sites(), ..Counted::default() };
    counted.accesses = tallies.iter().flatten().map(|tally| u64::from(tally.seen)).sum();
    if tallies.iter().flatten().any(|tally| tally.out > 0) {
        let tallies = Checker::new(context, *kernel, source, Depth::Each)?.run(&dispatches)?;
        let each = list.iter().zip(&tallies);
        counted.findings.extend(each.filter_map(|((dispatch, what), tallies)| finding(dispatch, tallies, what)));
    }
    counted.slowest = (start.elapsed(), kernel.name());
    Ok(counted)
}

/// Problems of the whole space, the same in each run.
fn space(count: usize) -> Vec<Problem> {
    const SPACE: Space = Space { kernels: &[1, 2, 3, 4, 5, 7], extra: 9, everything: true };
    let config = Config { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let strategy = problems(SPACE, Just(Activation::None));
    (0..count).map(|_| strategy.new_tree(&mut runner).expect("a problem").current()).collect()
}

#[test]
fn every_index_of_every_kernel_is_within_its_array() {
    on_one_gpu("every_index_of_every_kernel_is_within_its_array", |gpu| check_grid(gpu, wanted().as_deref()));
}

fn check_grid(gpu: &Gpu, part: Option<&str>) {
    let start = Instant::now();
    let (context, caps) = (&gpu.context, gpu.context.caps());
    let (extent, kinds) = if part.is_some() { (ALL, false) } else { (SAMPLE, true) };
    let mut all = runnable(caps);
    let part = part.filter(|part| *part != "all");
    all.retain(|kernel| part.is_none_or(|part| kernel.name().contains(part)));
    assert!(!all.is_empty(), "no kernel is named {part:?} (WINOCONV_BOUNDS)");
    let kernels = if kinds { sample(&all) } else { all.clone() };
    let wanted: HashSet<KernelSpec> = kernels.iter().copied().collect();
    let mut work = Work::default();
    let mut unreached = Vec::new();
    for (seed, kernel) in kernels.iter().enumerate() {
        let mut random = Random::new(seed as u64);
        // It has no variants, and the more ways that halves lie in words.
        let plans = if *kernel == PackHalves.spec() { 20 * extent.plans } else { extent.plans };
        for round in 0..plans {
            match plan_with(kernel, caps, &mut random) {
                Some(plan) => work.add(&plan, caps, 1 + 2 * (seed + round), &wanted),
                None => unreached.push(kernel.name()),
            }
        }
    }
    for (seed, problem) in space(extent.problems).iter().enumerate() {
        let own = Caps { f16: caps.f16 && seed % 2 == 0, ..caps.clone() };
        for algorithm in Algorithm::all_for(problem) {
            if let Ok(plan) = Plan::new(problem, &own, &forced(algorithm)) {
                work.add(&plan, caps, 1 + 2 * seed, &wanted);
            }
        }
    }
    unreached.dedup();
    assert!(unreached.is_empty(), "{} kernels are in no plan: {}", unreached.len(), unreached.join(", "));
    let planned = start.elapsed();
    let special = std::mem::take(&mut work.kinds);
    let tasks = work.into_tasks(extent.dispatches);
    let counted = run(context, &tasks);
    let of = |kernels: &[KernelSpec]| {
        kernels.iter().flat_map(|kernel| features(kernel, kinds)).collect::<BTreeSet<String>>()
    };
    let ran: Vec<KernelSpec> = tasks.iter().map(|(kernel, _)| *kernel).collect();
    println!(
        "{}: {} dispatches of {} kernels ({} of the grid's {}, {} of its {} features): {} accesses by {} indices in {:.1?}, \
         of which {planned:.1?} planning; slowest {} {:.1?}",
        gpu.label,
        counted.dispatches,
        counted.kernels,
        ran.iter().filter(|kernel| all.contains(kernel)).count(),
        KernelSpec::all().len(),
        of(&ran).len(),
        of(&KernelSpec::all()).len(),
        counted.accesses,
        counted.sites,
        start.elapsed(),
        counted.slowest.1,
        counted.slowest.0,
    );
    let plans = special.iter().map(|(kind, plans)| format!("{kind} {plans}")).collect::<Vec<_>>().join(", ");
    println!("plans with {plans}");
    assert!(part.is_some() || special.values().all(|&plans| plans > 0), "a kind of plan was not drawn: {plans}");
    let missing: Vec<String> = of(&all).difference(&of(&ran)).cloned().collect();
    assert!(missing.is_empty(), "not run: {}", missing.join(", "));
    let few = counted.findings.iter().take(10).cloned().collect::<Vec<_>>().join("\n  ");
    assert!(
        counted.findings.is_empty(),
        "{} of {} dispatches are out of bounds:\n  {few}",
        counted.findings.len(),
        counted.dispatches
    );
}

/// A problem's dispatches by one choice: those of one kernel, if it is named, with its text altered.
fn check_problem(
    context: &Context,
    problem: &Problem,
    choice: &str,
    kernel: Option<&str>,
    alter: impl Fn(&mut Source),
) -> Counted {
    let caps = context.caps();
    let choice: Choice = choice.parse().unwrap_or_else(|error| panic!("{error}"));
    let preferences = Preferences::new().tolerance(Tolerance::Any).algorithm(choice.algorithm);
    // Without a blocking in the label it is the planner's, but for `depthwise`, which then has none.
    let planned = choice.cut == Cut::Only && choice.algorithm != Algorithm::Depthwise;
    let preferences = if planned { preferences } else { preferences.cut(choice.cut) };
    let plan = Plan::new(problem, caps, &preferences).unwrap_or_else(|error| panic!("{problem}: {error}"));
    let all = dispatches(&plan, caps.limits.min_storage_buffer_offset_alignment.into(), 3);
    let kernels = all.iter().map(|dispatch| dispatch.kernel);
    let kernels = kernels.filter(|own| kernel.is_none_or(|kernel| own.kernel() == kernel)).collect();
    let mut work = Work::default();
    work.add(&plan, caps, 3, &kernels);
    let mut counted = Counted::default();
    for task in work.into_tasks(usize::MAX) {
        let mut source = text(&task.0);
        alter(&mut source);
        counted.add(run_kernel(context, &task, &source).unwrap_or_else(|error| panic!("{error}")));
    }
    counted
}

/// The last workgroup has invocations without an output, and what they read must be there all the same.
#[test]
fn spare_invocations_read_nothing_past_the_source() {
    on_one_gpu("spare_invocations_read_nothing_past_the_source", |gpu| {
        let problems = [
            Conv::new(1, 1, [1, 1]).on([1, 1, 2, 2]).expect("legal"),
            Conv::new(64, 8, [7, 7]).on([1, 64, 7, 7]).expect("legal"),
        ];
        let mut findings = Vec::new();
        for problem in problems {
            for choice in ["direct", "implicit_gemm@16x16x8_4x4"] {
                findings.extend(check_problem(&gpu.context, &problem, choice, None, |_| ()).findings);
            }
        }
        assert!(findings.is_empty(), "{}", findings.join("\n"));
    });
}

/// A guard that is taken out of a kernel, and what is then indexed out of bounds.
struct Flaw {
    choice: &'static str,
    kernel: &'static str,
    from: &'static str,
    to: &'static str,
    variable: &'static str,
}

const FLAWS: [Flaw; 15] = {
    const fn flaw(
        choice: &'static str,
        kernel: &'static str,
        from: &'static str,
        to: &'static str,
        variable: &'static str,
    ) -> Flaw {
        Flaw { choice, kernel, from, to, variable }
    }
    const STAGED: &str = "staged:f2x3@16x16x16_4x4/1";
    const FUSED: &str = "fused:f2x3@8x4x8_4x4_2";
    [
        flaw("direct", "direct", "min(index, params.end - 1u)", "index", "src"),
        flaw("depthwise", "depthwise", "if (column < params.out_w)", "if (true)", "dst"),
        flaw("depthwise@1x4", "depthwise_patch", "min(at, size - 1u)", "at", "src"),
        flaw("depthwise@1x4", "depthwise_patch", "row < params.out_h && column < params.out_w", "true", "dst"),
        flaw("implicit_gemm@16x16x8_4x4", "implicit_gemm", "min(index, params.end - 1u)", "index", "src"),
        flaw("implicit_gemm@16x16x8_4x4", "implicit_gemm", "min(k + 3u, last)", "(k + 3u)", "weights"),
        flaw("implicit_gemm@16x16x8_4x4", "implicit_gemm", "2u * STEP_U", "STEP_U", "u_step"),
        flaw(STAGED, "winograd_filter", "if (k >= params.group_k)", "if (false)", "u"),
        flaw(STAGED, "winograd_input", "min(first + t, params.tiles - 1u)", "(first + t)", "src"),
        flaw(STAGED, "winograd_input", "&& first + t < params.tiles", "", "v"),
        flaw(STAGED, "winograd_input", "write_half(column *", "write_half(2u * column *", "half_done"),
        flaw(STAGED, "winograd_multiply", "min(t, params.t_stride / 4u - 1u)", "t", "v"),
        flaw(STAGED, "winograd_output", "if (x < params.q)", "if (true)", "dst"),
        flaw(FUSED, "winograd_fused", "if (x < params.q)", "if (true)", "dst"),
        flaw(FUSED, "winograd_fused", "t / 4u, t % 4u, d", "t / 4u, t % 8u + 1u, d", "vectors of pool"),
    ]
};

/// An index that is out of bounds is told, with its variable and its place: each flaw alone in a kernel that has none
/// without it.
#[test]
fn a_guard_that_is_missing_is_found() {
    on_one_gpu("a_guard_that_is_missing_is_found", |gpu| {
        let conv = Conv::new(5, 10, [3, 3]).padding(1);
        for Flaw { choice, kernel, from, to, variable } in FLAWS {
            let conv = if kernel.starts_with("depthwise") { conv.groups(5) } else { conv };
            let problem = conv.on([1, 5, 9, 7]).expect("legal");
            let plant = |source: &mut Source| {
                assert!(source.text.contains(from), "{kernel} has no {from}");
                source.text = source.text.replace(from, to);
            };
            let Counted { findings, .. } = check_problem(&gpu.context, &problem, choice, Some(kernel), plant);
            let expected = format!("accesses to {variable} are out of");
            assert!(
                findings.iter().any(|finding| finding.contains(&expected) && finding.contains("first at ")),
                "{kernel} without {from}, expected {variable} to be told: {findings:?}"
            );
        }
    });
}

/// What the rewriting does not know is an error, not an access that nobody sees.
#[test]
fn an_access_in_another_form_is_refused() {
    let kernel = KernelSpec::all().into_iter().find(|kernel| kernel.name() == "direct_f32_k1").expect("in the grid");
    for (to, expected) in [
        ("(*&src)[at]", "an index into no global"),
        ("src[at] + array<f32, 2>(0.0, 1.0)[at]", "an index into no global"),
        ("src[at] + vec2<f32>(0.0, 1.0)[at]", "an index into no global"),
    ] {
        let mut source = text(&kernel);
        source.text = source.text.replace("src[at]", to);
        let error = instrument(&source, Depth::Furthest).expect_err(to);
        assert!(error.contains(expected), "{to}: {error}");
    }
}
