//! Results on the CPU do not depend on the number of threads: neither the choice of a plan, nor a bit.

use crate::support::data::{Case, Data, Random};
use pollster::block_on;
use winoconv::caps::Caps;
use winoconv::{Conv, DType, Device, Plan, Preferences, Problem, Shape, Workspace};

const THREADS: [usize; 7] = [1, 2, 3, 8, 16, 64, 192];

fn on(conv: Conv, shape: impl Into<Shape>) -> Problem {
    conv.on(shape).unwrap_or_else(|error| panic!("{error}"))
}

fn plan(problem: &Problem, threads: usize, preferences: &Preferences) -> Plan {
    let caps = Caps { threads, ..Caps::cpu() };
    Plan::new(problem, &caps, preferences).unwrap_or_else(|error| panic!("{problem}, {threads} threads: {error:#}"))
}

/// Shapes of networks and others, from a few outputs to many.
fn problems() -> Vec<Problem> {
    let mut all = vec![
        on(Conv::new(16, 16, [3, 3]).padding(1), [1, 16, 32, 32]),
        on(Conv::new(256, 8, [7, 7, 7]).stride(2).padding(3), [1, 256, 7, 7, 112]),
        on(Conv::new(512, 512, [3, 3]).stride(2).padding(1), [8, 512, 112, 112]),
        on(Conv::new(960, 960, [3, 3]).groups(960).padding(1), [1, 960, 7, 7]),
        on(Conv::new(64, 64, [1, 1]), [1, 64, 56, 56]),
        on(Conv::new(16, 1, [1024]).transposed(0).stride(256), [1, 16, 340]),
    ];
    let mut random = Random::new(11);
    for _ in 0..60 {
        let [c, k] = [1 << random.below(9), 1 << random.below(9)];
        let (size, kernel) = (4 << random.below(6), [1, 3, 5][random.below(3)]);
        let conv = Conv::new(c, k, [kernel, kernel]).padding(kernel / 2).stride(1 + random.below(2));
        let dtype = if random.below(4) == 0 { DType::F16 } else { DType::F32 };
        all.push(on(conv.dtype(dtype), [1 + random.below(3), c, size, size + random.below(5)]));
    }
    all
}

#[test]
fn the_choice_does_not_depend_on_threads() {
    for problem in problems() {
        for limit in [Preferences::DEFAULT_WORKSPACE, 1 << 20] {
            let preferences = Preferences::new().workspace_limit(limit);
            let plans = THREADS.map(|threads| plan(&problem, threads, &preferences));
            for (threads, plan) in THREADS.iter().zip(&plans) {
                let what = format!("{problem}, {threads} threads, {limit} bytes");
                assert_eq!((plan.choice(), plan.packing()), (plans[0].choice(), plans[0].packing()), "{what}");
                assert_eq!(plan.twins(), None, "{what}");
                assert!(plan.workspace_bytes() <= limit, "{what}: {} bytes", plan.workspace_bytes());
            }
        }
    }
}

/// The slowest that more threads may be, by the planner's own estimate of the steps that it takes: never a twin of one thread.
#[test]
fn more_threads_do_not_take_a_twin() {
    for problem in problems() {
        let [one, many] = [1, 192].map(|threads| plan(&problem, threads, &Preferences::new()));
        let kernels = |plan: &Plan| plan.kernels().iter().map(winoconv::kernel::KernelSpec::kernel).collect::<Vec<_>>();
        assert_eq!(kernels(&one), kernels(&many), "{problem}");
    }
}

#[test]
fn bits_do_not_depend_on_threads() {
    let small = [
        on(Conv::new(16, 16, [3, 3]).padding(1), [1, 16, 32, 32]),
        on(Conv::new(48, 40, [3, 3]).padding(1).stride(2), [2, 48, 21, 23]),
        on(Conv::new(24, 40, [1, 1]).bias(true), [3, 24, 19, 11]),
        on(Conv::new(33, 33, [5, 5]).groups(33).padding(2), [1, 33, 18, 40]),
        on(Conv::new(12, 5, [3, 3, 3]).padding(1), [1, 12, 5, 9, 30]),
        on(Conv::new(4, 3, [64]).transposed(0).stride(16), [2, 4, 50]),
        on(Conv::new(20, 40, [3, 3]).padding(1).dtype(DType::F16), [1, 20, 24, 24]),
        on(Conv::new(20, 24, [3, 3]).padding(1).stride(2), [1, 20, 24, 24]).input_gradient().expect("legal"),
    ];
    let pools = [1, 2, 3, 8].map(|threads| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap_or_else(|error| panic!("{error}"))
    });
    for problem in small {
        // The last one has no room for one thread's patch, and sums in parts.
        for limit in [Preferences::DEFAULT_WORKSPACE, 60_000, 9_000] {
            let case = Case::new(problem, Data::Normal, 3);
            let preferences = Preferences::new().workspace_limit(limit);
            let run = |pool: &rayon::ThreadPool| {
                pool.install(|| {
                    let layer = case.layer(&Device::cpu(), preferences).unwrap_or_else(|error| panic!("{error}"));
                    let mut output = vec![0.0; problem.output_len()];
                    let mut workspace = Workspace::new();
                    let run = layer.run_problem(&problem, case.inputs(), &mut output, &mut workspace);
                    block_on(run).unwrap_or_else(|error| panic!("{problem}, {limit} bytes: {error}"));
                    output.into_iter().map(f32::to_bits).collect::<Vec<u32>>()
                })
            };
            let outputs: Vec<_> = pools.iter().map(run).collect();
            assert!(outputs.iter().all(|output| *output == outputs[0]), "{problem}, {limit} bytes");
        }
    }
}
