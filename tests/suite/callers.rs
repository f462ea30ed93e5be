//! What threads share: one layer, one device, one pool, from several callers at once. `cargo xtask ci --full` runs this file
//! under ThreadSanitizer, and what needs no GPU under Miri.

use std::sync::Barrier;

use crate::support::data::{Case, Data, assert_expected, expected};
use crate::support::problems::forced;
use pollster::block_on;
use winoconv::{Conv, Device, Inputs, Layer, Plan, Preferences, Workspace, cpu};

/// Callers at once.
const CALLERS: usize = 3;

fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads")
}

/// Every size has the same weights: they are the layer's.
fn case([n, h, w]: [usize; 3], conv: Conv) -> Case {
    let of = |n, h, w| Case::new(conv.on([n, conv.channels, h, w]).expect("legal"), Data::Normal, 11);
    Case { weights: of(1, 5, 6).weights, ..of(n, h, w) }
}

/// Sizes that callers ask for: each in another order, so that some find what others make.
fn sizes() -> Vec<[usize; 3]> {
    let all = [[1, 5, 6], [2, 4, 7], [1, 9, 3], [1, 6, 6], [2, 8, 5]];
    all[..if cfg!(miri) { 2 } else { all.len() }].to_vec()
}

/// Miri takes minutes to judge every algorithm.
fn preferences() -> Preferences {
    if cfg!(miri) { forced("staged:f2x3".parse().expect("a label")) } else { Preferences::new() }
}

fn layer(device: &Device, conv: Conv) -> Layer {
    let case = case([1, 5, 6], conv);
    Layer::new_blocking(device, conv, case.operands(), preferences()).expect("legal operands")
}

/// The same problem solved by one caller alone has the same bits.
fn callers_share(layer: &Layer, run: impl Fn(&Layer, &Case) -> Vec<f32> + Sync) {
    let cases: Vec<Case> = sizes().into_iter().map(|size| case(size, *layer.conv())).collect();
    let together = Barrier::new(CALLERS);
    let all: Vec<Vec<Vec<f32>>> = std::thread::scope(|scope| {
        let call = |caller: usize| {
            together.wait();
            let mut found = vec![Vec::new(); cases.len()];
            for i in 0..cases.len() {
                let i = (i + caller) % cases.len();
                found[i] = run(layer, &cases[i]);
            }
            found
        };
        let callers: Vec<_> = (0..CALLERS).map(|caller| scope.spawn(move || call(caller))).collect();
        callers.into_iter().map(|caller| caller.join().expect("no panic")).collect()
    });
    for (i, case) in cases.iter().enumerate() {
        let plan = layer.plan_for(&case.problem).expect("it ran");
        assert_expected(case, &all[0][i], &expected(case), plan.algorithm(), &case.problem.to_string());
        assert!(all.iter().all(|found| found[i] == all[0][i]), "{}: other bits", case.problem);
    }
}

fn run(layer: &Layer, case: &Case) -> Vec<f32> {
    layer.run_blocking(case.problem.input_shape(), &case.input).expect("runs").data
}

fn convs() -> Vec<Conv> {
    let three = Conv::new(if cfg!(miri) { 2 } else { 5 }, 18, [3, 3]).padding(1);
    let all = [three, Conv::new(5, 18, [1, 1]), three.stride(2), Conv::new(4, 4, [3, 3]).groups(4).padding(1)];
    all[..if cfg!(miri) { 1 } else { all.len() }].to_vec()
}

#[test]
fn callers_share_a_layer_and_a_pool() {
    let pool = pool(2);
    let device = pool.install(Device::cpu);
    for conv in convs() {
        callers_share(&layer(&device, conv), |layer, case| pool.install(|| run(layer, case)));
    }
}

#[test]
fn callers_share_a_layer_in_pools_of_their_own() {
    let device = pool(2).install(Device::cpu);
    for conv in convs() {
        callers_share(&layer(&device, conv), |layer, case| pool(2).install(|| run(layer, case)));
    }
}

#[test]
fn callers_share_a_plan_and_its_operands() {
    let pool = pool(3);
    let device = pool.install(Device::cpu);
    let case = case([2, 7, 6], convs()[0]);
    let plan: Plan = case.problem.plan(&device, &preferences()).expect("a plan");
    let packed = cpu::pack(&plan, &case.weights).expect("weights of the plan");
    let run = || {
        let Case { input, weights, bias, slopes, residual, .. } = &case;
        let operands = cpu::Operands { input, weights, packed: &packed, bias, slopes, residual };
        let mut workspace: Vec<_> = plan.workspace().iter().map(|&len| vec![f32::NAN; len]).collect();
        let mut output = case.before();
        pool.install(|| cpu::run(&plan, &operands, &mut workspace, &mut output)).expect("lengths of the plan");
        output
    };
    let all: Vec<_> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(run)).collect();
        callers.into_iter().map(|caller| caller.join().expect("no panic")).collect()
    });
    assert_expected(&case, &all[0], &expected(&case), plan.algorithm(), "a shared plan");
    assert!(all.iter().all(|output| *output == all[0]), "other bits");
}

/// A future that is polled once and dropped leaves the layer as it was.
#[test]
fn a_dropped_run_leaves_no_trace() {
    let device = pool(2).install(Device::cpu);
    let layer = layer(&device, convs()[0]);
    let case = case([1, 5, 6], *layer.conv());
    let mut workspace = Workspace::new();
    let mut output = case.before();
    drop(layer.run_with_workspace(case.problem.input_shape(), Inputs::new(&case.input), &mut output, &mut workspace));
    block_on(layer.run_with_workspace(
        case.problem.input_shape(),
        Inputs::new(&case.input),
        &mut output,
        &mut workspace,
    ))
    .expect("runs");
    assert_eq!(output, run(&layer, &case));
}

#[cfg(feature = "gpu")]
mod on_gpus {
    use std::pin::pin;
    use std::task::{Context as Task, Waker};

    use super::*;
    use crate::support::gpus::{Gpu, on_one_gpu};
    use winoconv::gpu::ContextOptions;

    /// A device of its own, on which nothing is compiled.
    fn open(gpu: &Gpu) -> Device {
        gpu.another(ContextOptions::default()).into()
    }

    #[test]
    fn callers_share_a_layer() {
        on_one_gpu("callers_share_a_layer", |gpu| {
            let device = open(gpu);
            for conv in convs() {
                callers_share(&layer(&device, conv), run);
            }
        });
    }

    /// Each compiles what its own layer needs, and finds what another compiled.
    #[test]
    fn callers_share_a_device() {
        on_one_gpu("callers_share_a_device", |gpu| {
            let device = open(gpu);
            std::thread::scope(|scope| {
                for caller in 0..CALLERS {
                    let device = &device;
                    scope.spawn(move || {
                        let convs = convs();
                        for i in 0..convs.len() {
                            let case = case([1, 6, 7], convs[(i + caller) % convs.len()]);
                            let layer = layer(device, case.problem.conv());
                            let plan = layer.plan_for(&case.problem).expect("a plan");
                            let found = layer.run_blocking(case.problem.input_shape(), &case.input).expect("runs");
                            let what = case.problem.to_string();
                            assert_expected(&case, &found.data, &expected(&case), plan.algorithm(), &what);
                        }
                    });
                }
            });
        });
    }

    /// Half a run: its future is polled once and dropped, while others run to their end.
    #[test]
    fn dropped_runs_disturb_nobody() {
        on_one_gpu("dropped_runs_disturb_nobody", |gpu| {
            let device = open(gpu);
            let layer = layer(&device, convs()[0]);
            callers_share(&layer, |layer, case| {
                {
                    let half = pin!(layer.run(case.problem.input_shape(), &case.input));
                    // Whether it was done at once does not matter.
                    let _ = half.poll(&mut Task::from_waker(Waker::noop()));
                }
                run(layer, case)
            });
        });
    }
}
