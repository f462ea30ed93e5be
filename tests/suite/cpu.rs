//! The CPU runs plans of every sort: its own, and through the kernels' twins those of a GPU. The problems are small enough for
//! Miri, under which `cargo xtask ci --full` runs the first test; the values are held against the reference, within its bound.

use std::sync::OnceLock;

use crate::support::data::{Case, Data, assert_expected, expected};
use crate::support::problems::forced;
use pollster::block_on;
use winoconv::caps::{Caps, DeviceKind};
use winoconv::plan::Wisdom;
use winoconv::{
    Activation, Algorithm, Border, Conv, DType, Device, Layout, Padding, Plan, Problem, Residual, View, Workspace, cpu,
};

/// A problem of each sort, with an edge: several images, ragged tiles, blocks of channels that end in the middle.
fn problems() -> Vec<Problem> {
    let three = |c, k| Conv::new(c, k, [3, 3]).padding(1);
    let mut all = vec![
        three(2, 3).bias(true).activation(Activation::Relu).on([2, 2, 5, 6]),
        three(3, 17).activation(Activation::PRelu).layout(Layout::ChannelsLast).on([1, 3, 4, 5]),
        three(2, 3).residual(Residual::Tensor).activation(Activation::Silu).on([1, 2, 4, 3]),
        three(2, 2).residual(Residual::InPlace).bias(true).on([1, 2, 4, 5]),
        three(4, 6).groups(2).weights_layout(Layout::ChannelsLast).on([1, 4, 4, 5]),
        three(3, 6).groups(3).bias(true).on([2, 3, 5, 4]),
        three(3, 3).groups(3).bias(true).layout(Layout::ChannelsLast).residual(Residual::Tensor).on([2, 3, 5, 4]),
        three(2, 3).stride(2).on([2, 2, 7, 6]),
        Conv::new(2, 3, [3, 3]).dilation(2).padding(2).border(Border::Reflect).on([1, 2, 5, 6]),
        Conv::new(2, 3, [3, 2]).stride([2, 1]).padding(Padding::sides([1, 0], [0, 2])).on([1, 2, 6, 4]),
        Conv::new(2, 3, [4, 4]).transposed(1).stride(2).padding(1).bias(true).on([2, 2, 3, 2]),
        Conv::new(3, 5, [1, 1]).bias(true).on([3, 3, 3, 4]),
        Conv::new(2, 3, [3]).padding(1).on([2, 2, 9]),
        Conv::new(2, 2, [3, 3, 3]).padding(1).on([1, 2, 3, 4, 3]),
        three(2, 3).dtype(DType::F16).bias(true).activation(Activation::Gelu).on([2, 2, 5, 4]),
        three(2, 3).dtype(DType::F16).residual(Residual::Tensor).layout(Layout::ChannelsLast).on([1, 2, 3, 4]),
        three(2, 3).on([0, 2, 4, 4]),
    ];
    for conv in [three(2, 3), three(2, 3).stride(2), three(2, 2).groups(2).dtype(DType::F16)] {
        let forward = conv.on([2, 2, 5, 6]);
        all.push(forward.clone().and_then(|problem| problem.input_gradient()));
        all.push(forward.and_then(|problem| problem.weight_gradient()));
    }
    let slice = View::channels([2, 2, 5, 6].into(), Layout::ChannelsFirst, 1, 4);
    let parts = three(2, 2).on([2, 2, 5, 6]).and_then(|problem| {
        let slice = slice?;
        problem.with_input_view(slice)?.with_output_view(slice)
    });
    all.push(parts);
    all.into_iter().map(|problem| problem.expect("legal")).collect()
}

/// One of each family of algorithms, from the `first` on.
fn algorithms(first: usize) -> impl Iterator<Item = Algorithm> {
    const LABELS: [&str; 10] = [
        "direct",
        "implicit_gemm",
        "depthwise",
        "staged:f2x3",
        "staged:f4x3",
        "staged:f1x1_f2x3",
        "fused:f2x3",
        "fused_filter:f2x3",
        "fused_output:f2x3",
        "inlined:f2x3",
    ];
    // Under Miri those alone that run in the CPU's own kernels, and one twin.
    let labels = &LABELS[..if cfg!(miri) { 4 } else { LABELS.len() }];
    labels.iter().cycle().skip(first % labels.len()).take(labels.len()).map(|label| label.parse().expect("a label"))
}

/// Of all algorithms that may run. Miri takes seconds for each, and so one for each problem.
const MOST: usize = if cfg!(miri) { 1 } else { usize::MAX };

/// Three threads, whatever the machine has.
fn pool() -> &'static rayon::ThreadPool {
    static POOL: OnceLock<rayon::ThreadPool> = OnceLock::new();
    POOL.get_or_init(|| rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("threads"))
}

/// Through a layer, as an application runs it, twice in one workspace.
#[test]
fn layers_of_every_sort() {
    let device = pool().install(Device::cpu);
    assert_eq!(device.caps().threads, 3);
    let mut ran = 0;
    for (i, problem) in problems().into_iter().enumerate() {
        let case = Case::new(problem, Data::Normal, 7);
        let expected = expected(&case);
        // An algorithm that takes no input of the convolution is refused here, one that does not take this one then.
        let layers =
            algorithms(i).filter_map(|algorithm| Some((algorithm, case.layer(&device, forced(algorithm)).ok()?)));
        for (algorithm, layer) in layers.filter(|(_, layer)| layer.plan_for(&problem).is_ok()).take(MOST) {
            let mut workspace = Workspace::new();
            for run in 0..if cfg!(miri) { 1 } else { 2 } {
                let mut output = case.before();
                let run_it = || block_on(layer.run_problem(&problem, case.inputs(), &mut output, &mut workspace));
                let account = pool().install(run_it);
                account.unwrap_or_else(|error| panic!("{problem}, {algorithm}: {error}"));
                let what = format!("{problem}, {algorithm}, run {run}");
                assert_expected(&case, &output, &expected, algorithm, &what);
            }
            ran += 1;
        }
    }
    assert!(ran > if cfg!(miri) { 15 } else { 40 }, "{ran} layers");
}

/// A GPU's plans, with tensors that are bound in parts as well: the twins, step by step.
#[test]
fn twins_of_every_sort() {
    let whole = Caps::webgpu_default();
    let mut parts = Caps { kind: DeviceKind::OtherGpu, ..whole.clone() };
    parts.limits.max_storage_buffer_binding_size = 256;
    parts.limits.max_compute_workgroups_per_dimension = 4;
    let mut ran = 0;
    for (i, problem) in problems().into_iter().enumerate() {
        // Miri takes seconds to plan: each problem for one of the devices.
        let devices = if cfg!(miri) { vec![[&whole, &parts][i % 2]] } else { vec![&whole, &parts] };
        let case = Case::new(problem, Data::Normal, 8);
        let expected = expected(&case);
        let all = devices.iter().flat_map(|caps| algorithms(i).map(move |algorithm| (caps, algorithm)));
        let plans = all.filter_map(|(caps, algorithm)| {
            let plan = Plan::new(&problem, caps, &forced(algorithm)).ok()?;
            Some((caps, algorithm, plan))
        });
        for (caps, algorithm, plan) in plans.take(MOST) {
            let what =
                format!("{problem}, {}, bindings of {}", plan.choice(), caps.limits.max_storage_buffer_binding_size);
            assert_expected(&case, &run(&plan, &case), &expected, algorithm, &what);
            ran += 1;
        }
    }
    assert!(ran > if cfg!(miri) { 15 } else { 40 }, "{ran} plans");
}

/// Runs a plan on memory that holds nothing of use.
fn run(plan: &Plan, case: &Case) -> Vec<f32> {
    let packed = cpu::pack(plan, &case.weights).expect("weights of the plan");
    let Case { input, weights, bias, slopes, residual, .. } = case;
    let operands = cpu::Operands { input, weights, packed: &packed, bias, slopes, residual };
    let mut workspace: Vec<_> = plan.workspace().iter().map(|&len| vec![f32::NAN; len]).collect();
    let mut output = case.before();
    cpu::run(plan, &operands, &mut workspace, &mut output).expect("lengths of the plan");
    output
}

/// What is written of plans and of measurements reads back.
#[test]
fn texts_of_every_sort() {
    let wisdom = Wisdom::shipped().to_string();
    let few: String = wisdom.lines().step_by(if cfg!(miri) { 200 } else { 1 }).flat_map(|line| [line, "\n"]).collect();
    let read = Wisdom::parse(&few).expect("it was written here");
    assert_eq!(Wisdom::parse(&read.to_string()).as_ref(), Ok(&read));
    assert!(Wisdom::parse(&few[..few.len() / 2]).is_err(), "a line that is cut off");
    #[cfg(feature = "serde")]
    for problem in problems().into_iter().step_by(if cfg!(miri) { 6 } else { 1 }) {
        let plan = Plan::new(&problem, &Caps::cpu(), &forced(Algorithm::Direct)).expect("legal");
        let text = serde_json::to_string(&plan).expect("JSON has a form for every plan");
        assert_eq!(serde_json::from_str::<Plan>(&text).expect("it was written here"), plan);
        assert!(serde_json::from_str::<Plan>(&text[..text.len() / 2]).is_err(), "the half of a document");
    }
}
