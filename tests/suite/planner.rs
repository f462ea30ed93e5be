//! Plans as values, with no device: what is chosen, what is refused and why, and that every dispatch of every plan
//! respects the device that it was made for.

use std::collections::HashSet;
use std::time::Instant;

use crate::support::data::Random;
use crate::support::{problems, profiles};
use winoconv::caps::{Caps, DeviceKind};
use winoconv::error::Error;
use winoconv::kernel::{Access, FusedParams, KernelSpec, Params, Reading};
use winoconv::plan::{
    Algorithm, Choice, Cut, Operand, Reason, Verdict, expected_error, expected_error_after_relu, legal_choices,
    register_limit,
};
use winoconv::winograd::{F, Nested};
use winoconv::{Activation, Border, Conv, Layout, Plan, Preferences, Problem, Tolerance};

fn any() -> Preferences {
    Preferences::new().tolerance(Tolerance::Any)
}

fn problem(conv: Conv, shape: [usize; 4]) -> Problem {
    conv.on(shape).unwrap_or_else(|error| panic!("{error}"))
}

/// The suite's problems and some of networks.
fn all_problems() -> Vec<Problem> {
    let mut all: Vec<_> = problems::all().into_iter().map(|entry| problem(entry.conv, entry.shape)).collect();
    for (n, c, k, size) in [(1, 64, 64, 56), (32, 3, 64, 224), (1, 512, 512, 7), (8, 256, 256, 28), (1, 16, 16, 1080)] {
        all.push(problem(Conv::new(c, k, [3, 3]).padding(1), [n, c, size, size]));
    }
    all
}

/// Everything that a device could refuse in a plan.
fn assert_respects(plan: &Plan) {
    let limits = &plan.caps().limits;
    let what = format!("{} by {} on {}", plan.problem(), plan.algorithm(), plan.caps());
    let problem = plan.problem();
    let bytes = |operand: &Operand| {
        let whole = plan.operand_len(operand.slot).unwrap_or_else(|| panic!("{what}: no such operand"));
        let len = operand.len.unwrap_or(whole - operand.first);
        assert!(operand.first + len <= whole, "{what}: {operand:?} of {whole}");
        4 * len as u64
    };
    assert!(plan.workspace_bytes() <= plan.preferences().workspace_limit, "{what}: over the workspace limit");
    for step in plan.dispatches().iter().chain(&plan.packing().dispatches(problem)) {
        let what = format!("{what}, {step}");
        let most = limits.max_compute_workgroups_per_dimension;
        assert!(step.grid().iter().all(|&size| 1 <= size && size <= most), "{what}: at most {most} workgroups");
        assert_eq!(step.kernel().check(limits), Ok(()), "{what}");
        assert!(step.kernel().workgroup_size() <= limits.max_compute_invocations_per_workgroup, "{what}");
        assert!(step.kernel().workgroup_bytes() <= limits.max_compute_workgroup_storage_size, "{what}");
        assert_eq!(step.params().len(), step.kernel().params().len(), "{what}: a word for each parameter");
        let bindings = step.kernel().bindings();
        assert_eq!(step.operands().len(), bindings.len(), "{what}: an operand for each binding");
        for (binding, operand) in bindings.iter().zip(step.operands()) {
            let size = bytes(operand);
            let bound = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
            assert!(size <= bound, "{what}: {} has {size} bytes, the bound is {bound}", binding.name);
            let twice = step.operands().iter().filter(|other| other.slot == operand.slot).count();
            assert!(binding.access == Access::Read || twice == 1, "{what}: {} is read and written", binding.name);
        }
    }
}

#[test]
fn every_step_of_every_plan_respects_the_device() {
    let (mut plans, mut refused) = (0, 0);
    for (i, caps) in profiles::all().into_iter().enumerate() {
        for (j, problem) in crate::support::some(all_problems(), i, 2).into_iter().enumerate() {
            for algorithm in Algorithm::all_for(&problem) {
                for preferences in crate::support::some(vec![any(), any().workspace_limit(100_000)], i + j, 2) {
                    match Plan::new(&problem, &caps, &preferences.algorithm(algorithm)) {
                        Ok(plan) => {
                            assert_respects(&plan);
                            plans += 1;
                        }
                        Err(Error::NoPlan(_)) => refused += 1,
                        Err(other) => panic!("{problem} by {algorithm} on {caps}: {other}"),
                    }
                }
            }
        }
    }
    assert!(plans > refused, "{plans} plans, {refused} refusals: the profiles leave too little to check");
}

/// What a tuner may run: each is a plan of its own, within every bound, and the planner's is among them.
#[test]
fn every_legal_choice_can_be_forced_and_the_planners_is_one() {
    let mut forced = 0;
    for caps in profiles::all() {
        for (c, k, shape) in [(64, 48, [2, 64, 30, 31]), (40, 8, [1, 40, 7, 9]), (512, 256, [1, 512, 14, 14])] {
            let problem = problem(Conv::new(c, k, [3, 3]).padding(1), shape);
            for preferences in [Preferences::new(), Preferences::new().workspace_limit(300_000)] {
                let legal = legal_choices(&problem, &caps, &preferences);
                assert!(legal.is_sorted_by_key(|legal| legal.estimate_ns), "{problem} on {caps}: by estimate");
                for entry in &legal {
                    let plan = Plan::new(&problem, &caps, &preferences.choice(entry.choice));
                    let plan = plan.unwrap_or_else(|error| panic!("{} on {caps}: {error}", entry.choice));
                    assert_eq!((plan.choice(), plan.workspace_bytes()), (entry.choice, entry.workspace_bytes));
                    assert_eq!(plan.candidates()[0].estimate_ns, Some(entry.estimate_ns), "{}", entry.choice);
                    assert_respects(&plan);
                    forced += 1;
                }
                let picked = Plan::new(&problem, &caps, &preferences).ok().map(|plan| plan.choice());
                let among = |choice| legal.iter().any(|legal| legal.choice == choice);
                assert!(picked.is_none_or(among), "{problem} on {caps}: {picked:?} is not among {}", legal.len());
                assert_eq!(picked.is_none(), legal.is_empty(), "{problem} on {caps}");
            }
        }
    }
    assert!(forced > 2000, "{forced} choices: the profiles leave too little to check");
}

#[test]
fn a_cut_that_does_not_suit_is_refused_with_its_reason() {
    let problem = problem(Conv::new(64, 64, [3, 3]).padding(1), [1, 64, 28, 28]);
    for (choice, reason) in [
        ("staged:f4x3@64x64x8_8x8/16", "split-K has more parts than there are channels"),
        ("staged:f4x3@64x60x8_8x4/1", "divide the workgroup's"),
        ("staged:f4x3@256x256x16_8x8/1", "bytes of workgroup memory"),
        ("fused:f4x3@32x16x16_16x8_4", "divide the workgroup's"),
    ] {
        let forced = any().choice(choice.parse().unwrap_or_else(|error| panic!("{error}")));
        let Err(Error::NoPlan(error)) = Plan::new(&problem, &Caps::webgpu_default(), &forced) else {
            panic!("{choice}: expected no plan")
        };
        assert!(error.to_string().contains(reason), "{choice}: expected '{reason}', got '{error}'");
    }
    // Parts need room for an M each.
    let cut = any().choice("staged:f4x3@64x64x8_8x8/2".parse().expect("a choice"));
    let plan = |limit| Plan::new(&problem, &Caps::webgpu_default(), &cut.workspace_limit(limit));
    let whole = plan(u64::MAX).expect("a plan").workspace_bytes();
    assert_eq!(plan(whole).expect("enough").workspace_bytes(), whole);
    let Err(Error::NoPlan(error)) = plan(whole - 1) else { panic!("one byte less: expected no plan") };
    assert!(error.to_string().contains(&format!("needs {whole} bytes of workspace")), "{error}");
}

#[test]
fn plans_are_values() {
    for caps in profiles::all() {
        let mut seen = HashSet::new();
        for problem in all_problems() {
            let Ok(plan) = Plan::new(&problem, &caps, &any()) else { continue };
            let again = Plan::new(&problem, &caps, &any()).unwrap_or_else(|error| panic!("{problem}: {error}"));
            assert_eq!(plan, again, "the same question, the same plan");
            assert_eq!(plan.to_string(), again.to_string(), "{problem}: printed");
            seen.insert(plan.clone());
            assert!(seen.contains(&again), "{problem}: equal plans hash alike");
            let other = Plan::new(&problem, &caps, &any().workspace_limit(1 << 40));
            assert_ne!(other.ok(), Some(plan), "{problem}: other preferences make another plan");
        }
    }
}

#[test]
fn a_plan_prints_every_candidate_with_its_verdict() {
    let problem = problem(Conv::new(64, 64, [3, 3]).padding(1), [1, 64, 56, 56]);
    let plan = Plan::new(&problem, &Caps::webgpu_default(), &Preferences::new()).expect("a plan");
    let text = plan.to_string();
    let all = Algorithm::all_for(&problem);
    assert_eq!(plan.candidates().len(), all.len(), "as many candidates as algorithms");
    for algorithm in all {
        let candidate = plan.candidates().iter().find(|c| c.algorithm == algorithm).expect("every algorithm is judged");
        let line = text.lines().find(|line| line.trim_start().starts_with(&format!("{algorithm} ")));
        let line = line.unwrap_or_else(|| panic!("{algorithm} is not in\n{text}"));
        assert!(line.contains(&candidate.verdict.to_string()), "the verdict on {algorithm} is not in: {line}");
    }
    for step in plan.dispatches() {
        let mut after = text.lines().skip_while(|line| !line.contains(&step.to_string())).skip(1);
        let work = after.next().unwrap_or_default();
        for what in ["flop, ", " through storage", &format!(" {} registers", step.kernel().registers())] {
            assert!(work.contains(what), "{what} of {} is not in: {work}", step.kernel());
        }
    }
    let chosen = plan.candidates().iter().filter(|c| c.verdict == Verdict::Chosen);
    assert_eq!(
        chosen.map(|c| c.algorithm).collect::<Vec<_>>(),
        [plan.algorithm()],
        "one is chosen, and it is the plan"
    );
}

#[test]
fn a_forced_algorithm_that_cannot_run_is_an_error_with_its_reason() {
    let winograd = Algorithm::Staged(Nested::square(F::new(2, 3)));
    let conv = Conv::new(4, 4, [3, 3]).padding(1);
    for (conv, algorithm, reason) in [
        (conv.stride([2, 2]), winograd, "the transform is for another filter size"),
        (conv.stride([1, 2]).dilation([1, 2]), winograd, "Winograd needs stride 1 or dilation 1"),
        (Conv::new(4, 4, [5, 5]), winograd, "the transform is for another filter size"),
        (conv, Algorithm::Depthwise, "depthwise needs one channel per group"),
        (conv, Algorithm::Staged(Nested::square(F::new(14, 3))), "no transform of this size exists"),
        (conv, Algorithm::Staged(Nested::square(F::new(6, 3))), "the tolerance allows"),
    ] {
        let problem = problem(conv, [1, 4, 12, 12]);
        let result = Plan::new(&problem, &Caps::cpu(), &Preferences::new().algorithm(algorithm));
        let Err(Error::NoPlan(error)) = result else {
            panic!("{problem} by {algorithm}: expected no plan, got {:?}", result.map(|plan| plan.algorithm()))
        };
        let rejected = error.rejected.iter().find(|(name, _)| *name == algorithm.to_string());
        let why = rejected.map_or("nothing", |(_, why)| why.as_str());
        assert!(why.contains(reason), "{problem} by {algorithm}: expected '{reason}', got '{why}'");
        assert!(error.asked.contains("forced"), "{}", error.asked);
        let others = error.rejected.iter().filter(|(name, _)| *name != algorithm.to_string());
        for (name, why) in others {
            assert_eq!(why, "another algorithm was forced", "{name}");
        }
    }
}

#[test]
fn the_tolerance_is_respected() {
    for (i, caps) in profiles::all().into_iter().enumerate() {
        for problem in crate::support::some(all_problems(), i, 3) {
            for tolerance in [Tolerance::default(), Tolerance::TimesDirect(1.0), Tolerance::RelativeL2(3e-7)] {
                let errors = |choice| {
                    [expected_error(&problem, choice, &caps), expected_error_after_relu(&problem, choice, &caps)]
                };
                let is_within = |choice: Choice| {
                    let allowed = errors(Algorithm::Direct.into()).map(|error| tolerance.allowed(error));
                    errors(choice).iter().zip(allowed).all(|(error, allowed)| *error <= allowed)
                };
                // Where the product is cut, sums are shorter: by some cut at least.
                let can_be_within = |algorithm| {
                    // On the CPU the same is true of what is not cut.
                    let mut cuts = Cut::all_for(algorithm).into_iter().chain([Cut::Only]);
                    cuts.any(|cut| is_within(Choice { algorithm, cut }))
                };
                let plan = Plan::new(&problem, &caps, &Preferences::new().tolerance(tolerance));
                if let Ok(plan) = plan {
                    assert!(is_within(plan.choice()), "{problem}: {} over {tolerance}", plan.choice());
                    for candidate in plan.candidates() {
                        let within = can_be_within(candidate.algorithm);
                        let out = matches!(candidate.verdict, Verdict::Rejected(Reason::Tolerance { .. }));
                        let other =
                            matches!(candidate.verdict, Verdict::Rejected(Reason::Inapplicable(_) | Reason::Limit(_)));
                        assert!(out || other || within, "{problem}, {candidate}: over the tolerance");
                        let whole = is_within(candidate.algorithm.into());
                        assert!(!out || !whole, "{problem}, {candidate}: within the tolerance");
                    }
                }
                let f6 = Algorithm::Staged(Nested::square(F::new(6, 3)));
                let plan = Plan::new(&problem, &caps, &Preferences::new());
                assert_ne!(plan.ok().map(|plan| plan.algorithm()), Some(f6), "{problem}: F(6,3) by default");
            }
        }
    }
    let large = problem(Conv::new(256, 256, [3, 3]).padding(1), [8, 256, 60, 60]);
    let f6 = Preferences::new().tolerance(Tolerance::Any).algorithm(Algorithm::Staged(Nested::square(F::new(6, 3))));
    let plan = Plan::new(&large, &Caps::webgpu_default(), &f6).expect("F(6,3) where any error will do");
    assert!(
        plan.expected_error() > 2.0 * expected_error(&large, Algorithm::Direct.into(), &Caps::webgpu_default()),
        "the worse one"
    );
}

/// F(4x4,3x3) has 2.03 to 2.55 times direct summation's error after a ReLU up to 256 channels, and less than twice on normal
/// data from 25 on.
#[test]
fn the_tolerance_holds_after_a_relu_too() {
    let nested = Nested::square(F::new(4, 3));
    let [fused, staged] = [Algorithm::Fused(nested), Algorithm::Staged(nested)];
    let direct = Algorithm::Direct.into();
    let gpu = profiles::named("rtx-2060");
    let host = Caps::cpu();
    for (channels, size, caps, expected) in [
        (64, 56, &host, true),
        // The twin of the fused kernel rounds multiply-adds twice.
        (256, 56, &host, true),
        (128, 56, &gpu, true),
        (256, 56, &gpu, false),
        // 2.02 on an H100, where 56 x 56 has 1.93.
        (256, 28, &gpu, true),
    ] {
        let problem = problem(Conv::new(channels, 64, [3, 3]).padding(1), [1, channels, size, size]);
        let error = expected_error(&problem, fused.into(), caps);
        assert!(error < 2.0 * expected_error(&problem, direct, caps), "{channels}");
        let plan = Plan::new(&problem, caps, &Preferences::new()).expect("a plan");
        let candidate = plan.candidates().iter().find(|candidate| candidate.algorithm == fused).expect("judged");
        let is_out = matches!(candidate.verdict, Verdict::Rejected(Reason::Tolerance { after_relu: true, .. }));
        assert_eq!(is_out, expected, "{channels} channels: {candidate}");

        // Cut so that its sums are shorter, it may.
        let forced = Preferences::new().algorithm(staged);
        let plan = Plan::new(&problem, caps, &forced).expect("some cut has small enough errors");
        let errors = [plan.choice(), direct].map(|choice| expected_error_after_relu(&problem, choice, caps));
        assert!(errors[0] <= 2.0 * errors[1], "{channels}: {}", plan.choice());
        let whole = expected_error_after_relu(&problem, staged.into(), caps);
        // The CPU's kernel adds up short sums anyway.
        let has_short_sums = caps.kind == DeviceKind::Cpu;
        assert_eq!(whole > 2.0 * errors[1], expected && !has_short_sums, "{channels}: uncut");
    }
    // The shaders' twin, which a cut is of, has one sum where it is not cut.
    let sixty_four = problem(Conv::new(64, 64, [3, 3]).padding(1), [1, 64, 56, 56]);
    for (cut, is_in) in [("staged:f4x3@64x64x8_8x8/1", false), ("staged:f4x3@64x64x8_8x8/2", true)] {
        let choice: Choice = cut.parse().expect("a choice");
        let plan = Plan::new(&sixty_four, &host, &Preferences::new().choice(choice));
        assert_eq!(plan.is_ok(), is_in, "{cut}: {:?}", plan.err().map(|error| error.to_string()));
    }
    // Of one sum there is nothing to cut.
    let problem = problem(Conv::new(32, 64, [3, 3]).padding(1), [1, 32, 56, 56]);
    let error = Plan::new(&problem, &host, &Preferences::new().algorithm(staged)).expect_err("2.55 times");
    assert!(error.to_string().contains("after a ReLU"), "{error}");
}

/// From the smallest workspace that can do, and one byte less, to more than is needed.
#[test]
fn the_workspace_limit_is_a_ceiling() {
    let mut random = Random::new(3);
    let caps = Caps::webgpu_default();
    for _ in 0..300 {
        let [c, k] = [1 + random.below(80), 1 + random.below(80)];
        let shape = [1 + random.below(3), c, 3 + random.below(60), 3 + random.below(60)];
        let problem = problem(Conv::new(c, k, [3, 3]).padding(1), shape);
        let mut shipped = Algorithm::all_for(&problem);
        shipped.retain(|algorithm| algorithm.transform().is_some());
        let algorithm = shipped[random.below(shipped.len())];
        let nested = algorithm.transform().expect("Winograd");
        let plan = |limit| Plan::new(&problem, &caps, &any().algorithm(algorithm).workspace_limit(limit));
        // Rows of what lies between the steps.
        let rows = match algorithm {
            Algorithm::Staged(_) => c + k,
            Algorithm::FusedOutput(_) => c,
            _ => 0,
        };
        let column = 4 * (nested.products() * rows) as u64;
        let whole = plan(u64::MAX).unwrap_or_else(|error| panic!("{problem}: {error}")).workspace_bytes();
        let mut limits = vec![4 * column, 5 * column, 9 * column + 1, whole, whole + 1];
        limits.extend((0..4).map(|_| 4 * column + random.next() % whole.max(1)));
        for limit in limits {
            let plan = plan(limit).unwrap_or_else(|error| panic!("{problem}, limit {limit}: {error}"));
            assert!(plan.workspace_bytes() <= limit, "{problem}: {} over {limit}", plan.workspace_bytes());
            assert_respects(&plan);
        }
        if rows == 0 {
            assert_eq!(whole, 0, "{problem}, {algorithm}: one kernel has nothing between its steps");
            continue;
        }
        let Err(Error::NoPlan(error)) = plan(4 * column - 1) else { panic!("{problem}: less than one vector") };
        let why = &error.rejected.iter().find(|(name, _)| *name == algorithm.to_string()).expect("judged").1;
        let numbers = format!("needs {} bytes of workspace, the bound is {}", 4 * column, 4 * column - 1);
        assert!(why.contains(&numbers), "expected '{numbers}' in '{why}'");
    }
}

#[test]
fn what_does_not_fit_is_refused_with_the_numbers() {
    let caps = profiles::tiny_bindings();
    let problem = problem(Conv::new(8, 8, [3, 3]).padding(1), [1, 8, 64, 64]);
    let Err(Error::NoPlan(error)) = Plan::new(&problem, &caps, &any()) else { panic!("the input alone is too large") };
    assert_eq!(error.rejected.len(), Algorithm::all_for(&problem).len(), "each with its reason");
    let numbers = "the input needs 131072 bytes in one buffer, the bound is 98304";
    assert!(error.rejected.iter().all(|(_, why)| why == numbers), "{error}");
    let forced = Plan::new(&problem, &caps, &any().algorithm(Algorithm::Direct)).map(|plan| plan.algorithm());
    let Err(Error::NoPlan(error)) = forced else { panic!("the input alone is too large, got {forced:?}") };
    assert!(error.rejected.iter().any(|(name, why)| name == "direct" && why == numbers), "{error}");
}

/// More channels than a 32-bit index reaches once they are transformed, and all the memory in the world.
#[test]
fn enormous_channel_counts_are_refused_or_planned_but_never_panic() {
    let conv = Conv::new(12_000_000, 1, [3, 3]).padding(1);
    let problem = problem(conv, [1, 12_000_000, 4, 4]);
    for caps in profiles::all() {
        let plan = Plan::new(&problem, &caps, &any().workspace_limit(u64::MAX));
        if let Ok(plan) = plan {
            assert_respects(&plan);
        }
    }
}

#[test]
fn a_blocking_that_spills_is_not_chosen_and_runs_where_it_is_forced() {
    let caps = profiles::named("rtx-2060");
    let problem = problem(Conv::new(64, 64, [3, 3]).padding(1), [32, 64, 56, 56]);
    let mixed = Nested { rows: F::new(4, 3), cols: F::new(2, 3) };
    let preferences = any().algorithm(Algorithm::Fused(mixed));
    let plan = |preferences| Plan::new(&problem, &caps, preferences).unwrap_or_else(|error| panic!("{error}"));
    let spills = |plan: &Plan| {
        let kernel = plan.kernels()[0];
        kernel.registers() > register_limit(caps.kind, kernel.workgroup_size()).expect("known for this kind")
    };
    let chosen = plan(&preferences);
    let forced = plan(&preferences.cut(Cut::Fused("64x32x8_8x8_2".parse().expect("a blocking"))));
    assert!(!spills(&chosen), "{chosen}");
    assert!(spills(&forced), "{forced}");
    // Its registers alone are held against it.
    let estimate = |plan: &Plan| plan.candidates()[0].estimate_ns.expect("an estimate");
    assert!(estimate(&forced) < estimate(&chosen), "{forced}{chosen}");
}

/// There a barrier is a switch of coroutines, and a load from workgroup memory costs what one from memory costs: the kernel
/// without either in its loop took 0.5 to 0.8 of the staged multiply's time.
#[test]
fn a_software_adapter_multiplies_without_barriers() {
    let caps = profiles::with("like lavapipe", DeviceKind::SoftwareGpu, Caps::webgpu_default().limits);
    for (channels, size) in [(64, 56), (128, 28), (256, 14), (512, 7)] {
        let conv = Conv::new(channels, channels, [3, 3]).padding(1);
        let plan = Plan::new(&problem(conv, [1, channels, size, size]), &caps, &Preferences::new()).expect("a plan");
        assert!(matches!(plan.algorithm(), Algorithm::FusedOutput(_)), "{plan}");
    }
}

/// One position is one of 64 invocations of `direct`, all of which compute: on lavapipe 1280 channels to 1000 filters took 1,344 ms by
/// `direct` and 32 by `dot`.
#[test]
fn a_linear_layer_of_one_row_is_a_dot_product() {
    for caps in [profiles::named("lavapipe"), profiles::named("h100")] {
        for (channels, filters) in [(1280, 1000), (960, 240), (120, 480)] {
            let plan = Plan::new(
                &problem(Conv::new(channels, filters, [1, 1]), [1, channels, 1, 1]),
                &caps,
                &Preferences::new(),
            );
            assert_eq!(plan.expect("legal").algorithm(), Algorithm::Dot, "{channels} to {filters} on {caps}");
        }
    }
}

#[test]
fn an_empty_batch_has_no_steps() {
    for caps in profiles::all() {
        let conv = Conv::new(3, 4, [3, 3]).padding(1).bias(true).activation(Activation::Gelu);
        let problem = problem(conv, [0, 3, 8, 8]);
        for algorithm in Algorithm::all_for(&problem) {
            let plan = Plan::new(&problem, &caps, &any().algorithm(algorithm));
            let plan = plan.unwrap_or_else(|error| panic!("{algorithm} on {caps}: {error}"));
            assert_eq!(
                (plan.dispatches().len(), plan.workspace_bytes()),
                (0, 0),
                "{algorithm} on {caps}: nothing to do"
            );
            assert!(plan.to_string().contains("the output is empty"), "{plan}");
        }
    }
}

fn inlined(f: F) -> [Algorithm; 2] {
    [Reading::PerOutput, Reading::PerNonzero].map(|reading| Algorithm::Inlined(Nested::square(f), reading))
}

/// The exhibit is no candidate and in no plan, whatever the device, the tolerance and the workspace, unless it is forced.
#[test]
fn the_exhibit_is_never_chosen() {
    let is_exhibit = |algorithm: &Algorithm| matches!(algorithm, Algorithm::Inlined(..));
    let tolerances = [Tolerance::default(), Tolerance::Any, Tolerance::RelativeL2(1e-4)];
    let mut plans = 0;
    for (i, problem) in all_problems().into_iter().enumerate() {
        assert!(!Algorithm::all_for(&problem).iter().any(is_exhibit), "{problem}: in the list of algorithms");
        for (j, caps) in profiles::all().into_iter().enumerate() {
            for tolerance in crate::support::some(tolerances.to_vec(), i + j, 3) {
                for limit in crate::support::some(vec![0, 1 << 20, u64::MAX], j, 3) {
                    let preferences = Preferences::new().tolerance(tolerance).workspace_limit(limit);
                    let Ok(plan) = Plan::new(&problem, &caps, &preferences) else { continue };
                    let exhibit = plan.candidates().iter().find(|candidate| is_exhibit(&candidate.algorithm));
                    assert_eq!(exhibit, None, "{problem} on {caps}: a candidate");
                    let kernels = plan.kernels();
                    let exhibit = kernels.iter().find(|kernel| matches!(kernel, KernelSpec::WinogradInlined(_)));
                    assert_eq!(exhibit, None, "{problem} on {caps}: in the plan");
                    plans += 1;
                }
            }
        }
    }
    assert!(plans > 1000, "{plans} plans: the profiles leave too little to check");
}

#[test]
fn the_exhibit_runs_where_it_is_forced_and_respects_the_device() {
    let (mut plans, mut refused) = (0, 0);
    for problem in all_problems().into_iter().filter(|problem| problem.conv().kernel == [3, 3]) {
        let strided = problem.conv().stride != [1, 1] || problem.conv().dilation != [1, 1];
        for caps in profiles::all() {
            for (algorithm, limit) in
                [F::new(2, 3), F::new(4, 3)].into_iter().flat_map(inlined).flat_map(|a| [(a, 100_000), (a, 1 << 30)])
            {
                match Plan::new(&problem, &caps, &any().algorithm(algorithm).workspace_limit(limit)) {
                    Ok(plan) => {
                        assert!(!strided, "{problem}: {algorithm} with a stride");
                        assert_eq!(plan.algorithm(), algorithm, "a forced algorithm is the plan's");
                        assert_respects(&plan);
                        plans += 1;
                    }
                    Err(Error::NoPlan(_)) => refused += 1,
                    Err(other) => panic!("{problem} by {algorithm} on {caps}: {other}"),
                }
            }
        }
    }
    assert!(plans > refused, "{plans} plans, {refused} refusals: the profiles leave too little to check");
}

#[test]
fn a_larger_exhibit_is_refused_with_the_numbers() {
    let problem = problem(Conv::new(4, 4, [3, 3]).padding(1), [1, 4, 12, 12]);
    for algorithm in inlined(F::new(6, 3)) {
        let Err(Error::NoPlan(error)) = Plan::new(&problem, &Caps::cpu(), &any().algorithm(algorithm)) else {
            panic!("{algorithm}: expected no plan")
        };
        let why = &error.rejected.iter().find(|(name, _)| *name == algorithm.to_string()).expect("judged").1;
        assert_eq!(why, "inlined F(6x6,3x3) needs 1444 products written out in one kernel, the bound is 324");
    }
}

/// Release builds plan in microseconds; here only what could be a search or a device is caught. The least of many, since
/// others use the machine too.
#[test]
fn planning_a_new_size_is_cheap() {
    let conv = Conv::new(64, 64, [3, 3]).padding(1);
    let plan = |size| Plan::new(&problem(conv, [1, 64, size, size]), &Caps::webgpu_default(), &Preferences::new());
    plan(8).expect("the transforms are computed once a process");
    let timed = |size| {
        let start = Instant::now();
        plan(size).expect("a plan");
        start.elapsed()
    };
    let least = (9..59).map(timed).min().expect("some");
    let bound = std::time::Duration::from_millis(if cfg!(debug_assertions) { 20 } else { 1 });
    println!("planning a new size takes {least:?}");
    assert!(least < bound, "planning takes {least:?}, the bound is {bound:?}");
}

/// For each step of a fused kernel: blocks of tiles, those that a workgroup walks, workgroups beside each other.
fn walks(plan: &Plan) -> Vec<[u32; 3]> {
    let walk = |step: &winoconv::plan::Dispatch| match &step.kernel() {
        KernelSpec::WinogradFused(kernel) => {
            let params = FusedParams::from_words(step.params());
            Some([params.tiles.div_ceil(kernel.blocking().tiles()), params.walk, step.grid()[0]])
        }
        _ => None,
    };
    plan.dispatches().iter().filter_map(walk).collect()
}

#[test]
fn workgroups_of_fused_kernels_walk_all_blocks() {
    let entry = problems::all().into_iter().find(|entry| entry.name == problems::BLOCKS_WALKED).expect("in the suite");
    let software = profiles::with("llvmpipe", DeviceKind::SoftwareGpu, Caps::webgpu_default().limits);
    let large = problem(Conv::new(64, 64, [3, 3]).padding(1), [8, 64, 224, 224]);
    let unknown = profiles::named("rtx-2060");
    let known = profiles::named("h100");
    // Whether some must walk several blocks, and in some of those the last workgroup fewer.
    for (problem, caps, most) in [
        (problem(entry.conv, entry.shape), software, true),
        (large, known.clone(), true),
        (problem(Conv::new(64, 64, [3, 3]).padding(1), [1, 64, 112, 112]), unknown, false),
        (problem(Conv::new(8, 8, [3, 3]).padding(1), [1, 8, 32, 32]), known, false),
    ] {
        let [mut several, mut fewer] = [0, 0];
        for algorithm in Algorithm::all_for(&problem) {
            let Ok(plan) = Plan::new(&problem, &caps, &any().algorithm(algorithm)) else { continue };
            for [blocks, walk, workgroups] in walks(&plan) {
                assert_eq!(
                    workgroups,
                    blocks.div_ceil(walk),
                    "{algorithm} on {caps}: each block is walked, none twice"
                );
                several += u32::from(walk > 1);
                fewer += u32::from(walk > 1 && !blocks.is_multiple_of(walk));
            }
        }
        assert_eq!(several > 0, most, "{problem} on {caps}: {several} kernels walk several blocks");
        assert_eq!(fewer > 0, most, "{problem} on {caps}: {fewer} last workgroups walk fewer");
    }
}

/// Patches are for the filters that there is a text for; all others are computed in strips.
#[test]
fn depthwise_takes_patches_where_there_is_a_text() {
    let forced = Preferences::new().algorithm(Algorithm::Depthwise);
    let cut = |conv: Conv| {
        let plan = Plan::new(&problem(conv.groups(144), [1, 144, 56, 56]), &Caps::webgpu_default(), &forced);
        plan.expect("depthwise").choice().cut
    };
    let three = Conv::new(144, 144, [3, 3]).padding(1);
    for conv in [three, three.stride(2), three.layout(Layout::ChannelsLast), Conv::new(144, 288, [5, 5]).padding(2)] {
        assert!(matches!(cut(conv), Cut::Patch(_)), "{conv:?}: {}", cut(conv));
    }
    for conv in [three.dilation(2), three.stride([2, 1]), three.border(Border::Reflect), Conv::new(144, 144, [3, 5])] {
        assert_eq!(cut(conv), Cut::Only, "{conv:?}");
    }
}
