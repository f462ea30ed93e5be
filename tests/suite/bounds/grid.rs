//! Which kernels are run: all of the grid, or some that together have every constant of it; and the dispatches of plans that
//! have them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use winoconv::caps::Caps;
use winoconv::kernel::{Epilogue, Fusion, KernelSpec, Storage};
use winoconv::plan::Plan;
use winoconv::wgsl::source;
use winoconv::winograd::{F, Nested};
use winoconv::{Layout, Operation, Placed, View};

use super::dispatch::{Dispatch, dispatches};

/// What there is to do with one kernel: its dispatches, each with what it belongs to.
pub(crate) type Task = (KernelSpec, Vec<(Dispatch, Arc<str>)>);

/// The grid's kernels that a device can run with one buffer more than they have.
pub(crate) fn runnable(caps: &Caps) -> Vec<KernelSpec> {
    let fits = |kernel: &KernelSpec| {
        let buffers = kernel.bindings().len() + 1;
        kernel.check(&caps.limits).is_ok()
            && buffers <= caps.limits.max_storage_buffers_per_shader_stage as usize
            && (caps.f16 || kernel.storage() != Storage::F16)
    };
    KernelSpec::all().into_iter().filter(fits).collect()
}

/// What a kernel's text is made of: each constant and part by its name. A transform is one of its own, or, in `kinds`, one of
/// the square ones, of those of one row or column, or of those that mix two.
pub(crate) fn features(kernel: &KernelSpec, kinds: bool) -> Vec<String> {
    let transform = |nested: Nested| match nested {
        _ if !kinds => nested.label(),
        Nested { rows, cols } if rows == cols => "square".to_owned(),
        Nested { rows, .. } if rows == F::new(1, 1) => "row".to_owned(),
        Nested { cols, .. } if cols == F::new(1, 1) => "column".to_owned(),
        _ => "mixed".to_owned(),
    };
    let mut features = vec![kernel.storage().name().to_owned()];
    match kernel {
        KernelSpec::Direct(direct) => features.push(format!("{} filters", direct.filters())),
        KernelSpec::Dot(dot) => features.push(format!("{}x{}", dot.positions(), kernel.workgroup_size())),
        KernelSpec::Depthwise(_) => features.push(format!("moves {}", kernel.name().contains("_moves"))),
        KernelSpec::DepthwisePatch(patch) => {
            let order = format!("by channels {}", patch.by_channels());
            features.extend([patch.blocking().to_string(), format!("{} taps", patch.taps())]);
            features.extend([format!("stride {}", patch.stride()), order]);
        }
        KernelSpec::ImplicitGemm(gemm) => features.push(gemm.blocking().to_string()),
        KernelSpec::ImplicitGemmUnits(gemm) => {
            features.extend([gemm.blocking().to_string(), format!("together {}", kernel.name().contains("_together"))]);
        }
        KernelSpec::WinogradFilter(filter) => features.push(transform(filter.algorithm())),
        KernelSpec::WinogradInput(input) => features.push(transform(input.algorithm())),
        KernelSpec::WinogradOutput(output) => features.push(transform(output.algorithm())),
        KernelSpec::WinogradMultiply(multiply) => {
            features.extend([multiply.blocking().to_string(), format!("adds {}", kernel.name().ends_with("_adds"))]);
        }
        KernelSpec::WinogradMultiplyUnits(multiply) => features.push(multiply.blocking().to_string()),
        KernelSpec::WinogradFused(fused) => {
            let fusion = match fused.fusion() {
                Fusion::Output => "output",
                Fusion::Input => "input",
                Fusion::Filter => "filter",
            };
            let own = [transform(fused.algorithm()), fused.blocking().to_string(), kernel.storage().name().to_owned()];
            features.extend(own.map(|part| format!("{fusion} {part}")));
            features.push(format!("{fusion}, at once {}", fused.finishes_at_once()));
        }
        KernelSpec::WinogradInlined(inlined) => features.push(format!("{:?}", inlined.reading())),
        KernelSpec::ActivationGradient(_) | KernelSpec::ChannelSums(_) => features.push(kernel.name()),
        _ => {}
    }
    features.extend(kernel.border().map(|border| format!("border {border}")));
    if let Some(Epilogue { bias, residual, activation }) = kernel.epilogue() {
        features.extend([format!("bias {bias}"), format!("residual {}", residual.name()), activation.to_owned()]);
    }
    // The same part in another kernel is another thing.
    features.into_iter().map(|feature| format!("{} {feature}", kernel.kernel())).collect()
}

/// Kernels that have every feature of `all` among them, each chosen for the shortest text that has it.
pub(crate) fn sample(all: &[KernelSpec]) -> Vec<KernelSpec> {
    let mut by_size: Vec<&KernelSpec> = all.iter().collect();
    by_size.sort_by_cached_key(|kernel| source(kernel).map_or(0, |source| source.text.len()));
    let mut seen = HashSet::new();
    let mut sample = Vec::new();
    // Those that have several new ones first.
    for least in [3, 2, 1] {
        for kernel in &by_size {
            let new = features(kernel, true).into_iter().filter(|feature| !seen.contains(feature));
            let new: Vec<String> = new.collect();
            if new.len() >= least {
                seen.extend(new);
                sample.push(**kernel);
            }
        }
    }
    sample
}

/// The dispatches of many plans, by kernel, each once.
#[derive(Default)]
pub(crate) struct Work {
    by_kernel: HashMap<KernelSpec, HashMap<Dispatch, Arc<str>>>,
    /// How many plans are special, and how.
    pub(crate) kinds: BTreeMap<&'static str, usize>,
}

impl Work {
    /// Adds those of a plan that `wanted` kernels have.
    pub(crate) fn add(&mut self, plan: &Plan, caps: &Caps, apart: usize, wanted: &HashSet<KernelSpec>) {
        let what: Arc<str> = format!("{}, {}", plan.problem(), plan.choice()).into();
        let mut all = dispatches(plan, caps.limits.min_storage_buffer_offset_alignment.into(), apart);
        all.retain(|dispatch| wanted.contains(&dispatch.kernel));
        if !all.is_empty() {
            for (kind, is_so) in kinds(plan, &all) {
                *self.kinds.entry(kind).or_default() += usize::from(is_so);
            }
        }
        for dispatch in all {
            self.by_kernel.entry(dispatch.kernel).or_default().entry(dispatch).or_insert_with(|| what.clone());
        }
    }

    /// The dispatches of each kernel, with what they belong to: at most so many of one, in an order that does not depend on
    /// hashes.
    pub(crate) fn into_tasks(self, most: usize) -> Vec<Task> {
        let mut tasks: Vec<Task> = self
            .by_kernel
            .into_iter()
            .map(|(kernel, dispatches)| {
                let mut list: Vec<_> = dispatches.into_iter().collect();
                list.sort_by(|(a, _), (b, _)| (&a.params, a.grid).cmp(&(&b.params, b.grid)));
                // Spread over all of them.
                let step = list.len().div_ceil(most);
                (kernel, list.into_iter().step_by(step).collect())
            })
            .collect();
        tasks.sort_by_cached_key(|(kernel, _)| kernel.name());
        tasks
    }
}

/// What is special about a plan and these dispatches of it.
fn kinds(plan: &Plan, dispatches: &[Dispatch]) -> [(&'static str, bool); 17] {
    let (problem, conv) = (plan.problem(), plan.problem().conv());
    let dense = |placed: &Placed| placed.view == View::dense(placed.shape, conv.layout);
    let any = |is_so: fn(&Dispatch) -> bool| dispatches.iter().any(is_so);
    [
        ("input gradient", problem.operation() == Operation::InputGradient),
        ("weight gradient", problem.operation() == Operation::WeightGradient),
        ("transposed", conv.transposed.is_some()),
        ("1-D", conv.rank() == 1),
        ("2-D", conv.rank() == 2),
        ("3-D", conv.rank() == 3),
        ("groups", conv.groups > 1),
        ("stride", conv.stride.iter().any(|&stride| stride > 1)),
        ("dilation", conv.dilation.iter().any(|&dilation| dilation > 1)),
        ("channels last", conv.layout == Layout::ChannelsLast),
        ("views", !dense(&problem.of_input()) || !dense(&problem.of_output())),
        ("f16", any(|dispatch| dispatch.kernel.storage() == Storage::F16)),
        ("packed halves", any(|dispatch| dispatch.kernel.storage() == Storage::Packed)),
        (
            "bound in parts",
            plan.dispatches().iter().flat_map(winoconv::plan::Dispatch::operands).any(|operand| operand.len.is_some()),
        ),
        ("chunks", any(|dispatch| dispatch.param("first") > Some(0))),
        (
            "split-K",
            any(|dispatch| dispatch.param("part_c") < dispatch.param("group_c") && dispatch.param("part_c").is_some()),
        ),
        ("walked blocks", any(|dispatch| dispatch.param("walk") > Some(1))),
    ]
}
