//! Problems drawn at random for a kernel: of the sizes, strides, layouts and views that its algorithm takes, around the
//! numbers of its blocking, on devices with few bytes to bind and few workgroups too. Whether the planner then uses the
//! kernel is for the planner to say; most draws do.

use winoconv::caps::{Caps, DeviceKind};
use winoconv::kernel::{Epilogue, Fusion, KernelSpec, Storage};
use winoconv::plan::{Choice, Cut, Plan};
use winoconv::winograd::{F, Nested};
use winoconv::{
    Activation, Algorithm, Border, Conv, DType, Layout, Operation, Padding, Preferences, Problem, Residual, Shape,
    Spatial, Tolerance,
};

use crate::support::data::Random;
use crate::support::strategies::part;

/// Draws for one plan, before its kernel counts as one that no plan has.
const TRIES: usize = 400;
/// Products of a problem, so that a software adapter is done with it in milliseconds.
const MOST_PRODUCTS: f64 = 4e6;

/// A plan that has the kernel in its run or in its packing.
pub(crate) fn plan_with(kernel: &KernelSpec, caps: &Caps, random: &mut Random) -> Option<Plan> {
    (0..TRIES).find_map(|_| {
        let (problem, caps, preferences) = draw(kernel, caps, random)?;
        if problem.direct_flops() > 2.0 * MOST_PRODUCTS {
            return None;
        }
        let plan = Plan::new(&problem, &caps, &preferences).ok()?;
        let packing = plan.packing().dispatches(&problem);
        plan.dispatches().iter().chain(&packing).any(|step| step.kernel() == *kernel).then_some(plan)
    })
}

/// A problem, a device and preferences.
fn draw(kernel: &KernelSpec, caps: &Caps, random: &mut Random) -> Option<(Problem, Caps, Preferences)> {
    let choice = choice(kernel, random);
    let preferences = Preferences::new().tolerance(Tolerance::Any).algorithm(choice.0);
    let preferences = choice.1.map_or(preferences, |cut| preferences.cut(cut));
    let (caps, preferences) = device(kernel, caps, preferences, random)?;
    Some((problem(kernel, choice.0, random)?, caps, preferences))
}

/// The algorithm that has the kernel, and its cut, where the kernel is of one cut alone.
fn choice(kernel: &KernelSpec, random: &mut Random) -> (Algorithm, Option<Cut>) {
    let parse = |label: String| {
        let choice: Choice = label.parse().unwrap_or_else(|error| panic!("{label}: {error}"));
        (choice.algorithm, Some(choice.cut))
    };
    match kernel {
        KernelSpec::ImplicitGemm(gemm) => {
            parse(format!("implicit_gemm@{}{}", gemm.blocking(), ["", "/2", "/4"][random.below(3)]))
        }
        KernelSpec::ImplicitGemmUnits(gemm) => parse(format!("implicit_gemm@{}/1", gemm.blocking())),
        KernelSpec::FilterRows(_) => parse("implicit_gemm@64x64x32_32x32_m1/1".to_owned()),
        KernelSpec::SumParts(_) => parse(format!("implicit_gemm@16x16x8_4x4/{}", [2, 4, 8][random.below(3)])),
        KernelSpec::Dot(_) => (Algorithm::Dot, None),
        KernelSpec::Depthwise(_) => (Algorithm::Depthwise, Some(Cut::Only)),
        KernelSpec::DepthwisePatch(kernel) => (Algorithm::Depthwise, Some(Cut::Patch(kernel.blocking()))),
        KernelSpec::WinogradFilter(kernel) => (Algorithm::Staged(kernel.algorithm()), None),
        KernelSpec::WinogradInput(kernel) => (Algorithm::Staged(kernel.algorithm()), None),
        KernelSpec::WinogradOutput(kernel) => (Algorithm::Staged(kernel.algorithm()), None),
        KernelSpec::WinogradMultiply(kernel) => {
            let f = [F::new(2, 3), F::new(4, 3), F::new(3, 2)][random.below(3)];
            let parts = [1, 2, 4][random.below(3)];
            parse(format!("{}@{}/{parts}", Algorithm::Staged(Nested::square(f)).label(), kernel.blocking()))
        }
        KernelSpec::WinogradMultiplyUnits(kernel) => {
            let f = [F::new(2, 3), F::new(4, 3)][random.below(2)];
            let parts = [1, 2, 4][random.below(3)];
            parse(format!("{}@{}/{parts}", Algorithm::Staged(Nested::square(f)).label(), kernel.blocking()))
        }
        KernelSpec::WinogradFused(kernel) => {
            let algorithm = match kernel.fusion() {
                Fusion::Output => Algorithm::FusedOutput(kernel.algorithm()),
                Fusion::Input => Algorithm::Fused(kernel.algorithm()),
                Fusion::Filter => Algorithm::FusedFilter(kernel.algorithm()),
            };
            (algorithm, Some(Cut::Fused(kernel.blocking())))
        }
        KernelSpec::WinogradInlined(kernel) => (Algorithm::Inlined(kernel.algorithm(), kernel.reading()), None),
        _ => (Algorithm::Direct, None),
    }
}

/// A device that stores tensors as the kernel has them; one in two binds few bytes, cuts its work into chunks or has few
/// workgroups.
fn device(
    kernel: &KernelSpec,
    caps: &Caps,
    preferences: Preferences,
    random: &mut Random,
) -> Option<(Caps, Preferences)> {
    let mut caps = caps.clone();
    match kernel.storage() {
        Storage::F16 if !caps.f16 => return None,
        // The kernel that reads the rows needs them.
        _ if matches!(kernel, KernelSpec::FilterRows(_)) && !caps.f16 => return None,
        Storage::Packed if !matches!(kernel, KernelSpec::FilterRows(_)) => caps.f16 = false,
        _ => {}
    }
    // The grid has the emulation alone.
    caps.matrix_units = false;
    // Where there are few units, a workgroup of the fused kernels walks several blocks.
    if matches!(kernel, KernelSpec::WinogradFused(_)) && random.below(2) == 0 {
        caps.kind = DeviceKind::SoftwareGpu;
    }
    let limits = &mut caps.limits;
    let adds = adds(kernel);
    Some(match random.below(if adds { 3 } else { 6 }) {
        0 => {
            limits.max_storage_buffer_binding_size = (1024 + 4 * random.below(4096)) as u64;
            (caps, preferences)
        }
        1 => (caps, preferences.workspace_limit((2048 + random.below(100_000)) as u64)),
        2 if !adds => {
            limits.max_compute_workgroups_per_dimension = 1 + u32::try_from(random.below(60)).ok()?;
            (caps, preferences)
        }
        _ => (caps, preferences),
    })
}

/// Sizes along one dimension.
#[derive(Debug, Clone, Copy)]
struct Axis {
    kernel: usize,
    stride: usize,
    dilation: usize,
    before: usize,
    after: usize,
    input: usize,
}

fn problem(kernel: &KernelSpec, algorithm: Algorithm, random: &mut Random) -> Option<Problem> {
    let epilogue = kernel.epilogue().unwrap_or(Epilogue::NONE);
    let border = kernel.border().unwrap_or(Border::Zero);
    let operation = operation(kernel, epilogue, random);
    let axes = axes(kernel, algorithm, operation, border, random);
    let [c, k] = channels(kernel, random);
    let groups = match kernel {
        KernelSpec::Depthwise(_) | KernelSpec::DepthwisePatch(_) => 1 + random.below(5),
        _ => 1 + random.below(8) / 5,
    };
    let spatial = |of: fn(&Axis) -> usize| Spatial::from_slice(&axes.iter().map(of).collect::<Vec<_>>());
    let mut conv = Conv::new(groups * c, groups * k, spatial(|axis| axis.kernel)?)
        .groups(groups)
        .stride(spatial(|axis| axis.stride)?)
        .dilation(spatial(|axis| axis.dilation)?)
        .padding(Padding::sides(spatial(|axis| axis.before)?, spatial(|axis| axis.after)?))
        .border(border)
        .bias(epilogue.bias)
        .residual(if operation == Operation::Forward { epilogue.residual } else { Residual::None })
        .activation(activation(applied(kernel, epilogue)))
        .dtype(if kernel.storage() == Storage::F32 { DType::F32 } else { DType::F16 })
        .layout(layout(random))
        .weights_layout(layout(random));
    if operation == Operation::Forward && border == Border::Zero && random.below(6) == 0 {
        conv = conv.transposed(0);
    }
    let n = 1 + random.below(5) / 2;
    let mut problem = conv.on(Shape::new(n, groups * c, spatial(|axis| axis.input)?)).ok()?;
    // Where halves are packed in the end, a residual in place is another tensor; in f32 it is what the result holds.
    if kernel.storage() == Storage::Packed && conv.residual == Residual::InPlace {
        problem = problem.with_result_type(DType::F32).ok()?;
    }
    if random.below(4) == 0 {
        problem = problem.with_input_view(part(&problem.of_input().shape, conv.layout)).ok()?;
    }
    if random.below(4) == 0 {
        problem = problem.with_output_view(part(&problem.of_output().shape, conv.layout)).ok()?;
    }
    match operation {
        Operation::InputGradient => problem.input_gradient().ok(),
        Operation::WeightGradient => problem.weight_gradient().ok(),
        Operation::ActivationGradient => problem.activation_gradient().ok(),
        Operation::BiasGradient => problem.bias_gradient().ok(),
        Operation::SlopeGradient => problem.slope_gradient().ok(),
        _ => Some(problem),
    }
}

/// The name of the activation that a kernel applies, or is the gradient of.
fn applied(kernel: &KernelSpec, epilogue: Epilogue) -> &'static str {
    let name = kernel.name();
    match kernel {
        KernelSpec::ActivationGradient(_) => {
            // `activation_gradient_f32_leaky_relu`
            let storage = kernel.storage().name();
            let own = name.strip_prefix("activation_gradient_").and_then(|rest| rest.strip_prefix(storage));
            let own = own.and_then(|rest| rest.strip_prefix('_'));
            activation(own.expect("an activation's name")).name()
        }
        KernelSpec::ChannelSums(_) if name.ends_with("_negative") => Activation::PRelu.name(),
        _ => epilogue.activation,
    }
}

/// Whether it is the multiply that adds to earlier products.
fn adds(kernel: &KernelSpec) -> bool {
    kernel.kernel() == "winograd_multiply" && kernel.name().ends_with("_adds")
}

/// Forward, or a gradient where the kernel has no end.
fn operation(kernel: &KernelSpec, epilogue: Epilogue, random: &mut Random) -> Operation {
    match kernel {
        KernelSpec::ActivationGradient(_) => return Operation::ActivationGradient,
        KernelSpec::ChannelSums(_) if kernel.name().ends_with("_negative") => return Operation::SlopeGradient,
        KernelSpec::ChannelSums(_) => return Operation::BiasGradient,
        _ => {}
    }
    if epilogue != Epilogue::NONE {
        return Operation::Forward;
    }
    if adds(kernel) {
        return Operation::WeightGradient;
    }
    match random.below(6) {
        0 => Operation::InputGradient,
        1 | 2 => Operation::WeightGradient,
        _ => Operation::Forward,
    }
}

/// What the dimensions must be like.
#[derive(Debug, Clone, Copy)]
struct Rules {
    /// Whether outputs or taps may lie apart although there is a transform.
    apart: bool,
    /// Whether taps lie as far apart as outputs, or must not.
    moves: Option<bool>,
    border: Border,
    weights: bool,
}

fn axes(
    kernel: &KernelSpec,
    algorithm: Algorithm,
    operation: Operation,
    border: Border,
    random: &mut Random,
) -> Vec<Axis> {
    let weights = operation == Operation::WeightGradient;
    // A transform has so many taps, or, in the gradient of weights, so many outputs.
    let size = |f: F| usize::from(if weights { f.m() } else { f.r() });
    let sizes = algorithm.transform().map(|nested| [size(nested.rows), size(nested.cols)]);
    let staged = matches!(algorithm, Algorithm::Staged(_));
    let moves = match kernel {
        KernelSpec::Depthwise(_) => Some(kernel.name().contains("_moves")),
        _ => None,
    };
    let rules = Rules { apart: staged && random.below(3) > 0, moves, border, weights };
    let far = [1, 5, 12, 40][random.below(4)];
    if let KernelSpec::DepthwisePatch(patch) = kernel {
        let [taps, stride] = [patch.taps(), patch.stride()].map(|number| number as usize);
        return (0..2).map(|_| placed(taps, stride, 1, far, border, random)).collect();
    }
    let mut axes = match sizes {
        // A filter of one row in one dimension or two.
        Some([1, cols]) if random.below(2) == 0 => vec![axis(Some(cols), far, rules, random)],
        Some([rows, cols]) => vec![axis(Some(rows), far, rules, random), axis(Some(cols), far, rules, random)],
        None => (0..1 + random.below(3)).map(|_| axis(None, far, rules, random)).collect(),
    };
    if staged && axes.len() == 2 && random.below(3) == 0 {
        axes.insert(0, axis(None, 4, rules, random));
    }
    axes
}

fn axis(size: Option<usize>, far: usize, rules: Rules, random: &mut Random) -> Axis {
    const KERNELS: [usize; 8] = [1, 1, 2, 3, 3, 4, 5, 7];
    let step = |random: &mut Random| [1, 1, 1, 2, 2, 3][random.below(6)];
    let (stride, mut dilation, kernel) = match size {
        None => (step(random), step(random), KERNELS[random.below(KERNELS.len())]),
        Some(size) => {
            let stride = if rules.apart && random.below(2) == 0 { step(random) } else { 1 };
            let dilation = if rules.apart && stride == 1 && !rules.weights { step(random) } else { 1 };
            (stride, dilation, (size * stride).saturating_sub(random.below(stride)).max(1))
        }
    };
    if rules.moves == Some(true) {
        dilation = stride;
    }
    placed(kernel, stride, dilation, far, rules.border, random)
}

/// Padding and input for a filter along one dimension.
fn placed(kernel: usize, stride: usize, dilation: usize, far: usize, border: Border, random: &mut Random) -> Axis {
    let span = dilation * (kernel - 1) + 1;
    let [before, after] = [random.below(span / 2 + 2), random.below(span / 2 + 2)];
    // Values for a border that is made of them.
    let least = if border == Border::Zero { 1 } else { before.max(after) + 1 };
    let input = span.saturating_sub(before + after).max(least) + random.below(far);
    Axis { kernel, stride, dilation, before, after, input }
}

/// Channels and filters of a group, around the numbers of the kernel's blocking.
fn channels(kernel: &KernelSpec, random: &mut Random) -> [usize; 2] {
    const FEW: [usize; 8] = [1, 1, 2, 3, 4, 5, 7, 9];
    let around = |block: u32, random: &mut Random| {
        let block = block as usize;
        match random.below(6) {
            0 | 1 => FEW[random.below(FEW.len())],
            2 => block,
            3 => block.saturating_sub(1).max(1),
            4 => block + 1,
            _ => 2 * block + 1,
        }
    };
    match kernel {
        KernelSpec::Depthwise(_) | KernelSpec::DepthwisePatch(_) => [1, 1 + random.below(3)],
        KernelSpec::Direct(direct) => {
            let k = match direct.filters() {
                1 => 1,
                4 => 2 + random.below(6),
                _ => 8 + random.below(12),
            };
            [around(3, random), k]
        }
        KernelSpec::Dot(_) => [around(kernel.workgroup_size(), random), around(4, random)],
        KernelSpec::ImplicitGemm(gemm) => {
            let b = gemm.blocking();
            [around(b.channels(), random), around(b.filters(), random)]
        }
        KernelSpec::ImplicitGemmUnits(gemm) => {
            let b = gemm.blocking();
            [around(b.channels() / 4, random) * 8, around(b.filters(), random)]
        }
        KernelSpec::FilterRows(_) => [around(3, random) * 8, around(4, random)],
        KernelSpec::WinogradMultiply(multiply) => {
            let b = multiply.blocking();
            [around(2 * b.channels() * b.slices(), random), around(b.filters(), random)]
        }
        KernelSpec::WinogradMultiplyUnits(multiply) => {
            let b = multiply.blocking();
            [around(2 * b.channels(), random), around(b.filters(), random)]
        }
        KernelSpec::WinogradFused(fused) => {
            [around(fused.channels(), random), around(fused.blocking().filters(), random)]
        }
        _ => [around(3, random), around(4, random)],
    }
}

fn layout(random: &mut Random) -> Layout {
    if random.below(4) == 0 { Layout::ChannelsLast } else { Layout::ChannelsFirst }
}

fn activation(name: &str) -> Activation {
    Activation::from_name(name).unwrap_or_else(|| panic!("no activation {name}"))
}
