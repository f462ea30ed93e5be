//! The processor as a device: it runs any plan, step by step, with a twin of each kernel over slices. Twins have the
//! names, operands and parameters of the shaders, and exist to be compared with them.

mod depthwise;
mod direct;
mod error_bound;
mod host;
mod implicit_gemm;
mod pack_halves;
mod reference;
mod transform;
mod winograd_filter;
mod winograd_fused;
mod winograd_fused_output;
mod winograd_inlined;
mod winograd_input;
mod winograd_multiply;
mod winograd_output;

pub use error_bound::{error_bound, error_bound_at};
#[doc(hidden)]
pub use host::{multiply_alone, peak_flops};
pub use reference::{Reference, Sample};

use crate::activation::Activation;
use crate::conv::Residual;
use crate::correlation::Correlation;
use crate::dtype::DType;
use crate::error::{Result, ShapeError};
use crate::kernel::{
    DirectParams, Epilogue, FilterParams, FusedParams, Fusion, InputParams, KernelSpec, MultiplyParams, OutputParams,
    PackParams, Params, Storage,
};
use crate::plan::{Operand, Packing, Plan, Slot, Step, Windows};

/// The tensors of a run, by slot. What a plan does not use may stay empty. Those that are stored as f16 hold values that it
/// has, see [`DType::rounded`].
#[derive(Debug, Default)]
pub struct Operands<'a> {
    /// [`Slot::Input`]
    pub input: &'a [f32],
    /// [`Slot::Weights`]
    pub weights: &'a [f32],
    /// [`Slot::Packed`]
    pub packed: &'a [f32],
    /// [`Slot::Bias`]
    pub bias: &'a [f32],
    /// [`Slot::Slopes`]
    pub slopes: &'a [f32],
    /// [`Slot::Residual`]
    pub residual: &'a [f32],
}

impl<'a> Operands<'a> {
    fn read(&self, operand: Operand) -> &'a [f32] {
        self.slot(operand.slot).map_or(&[], |whole| &whole[operand.range(whole.len())])
    }

    fn slot(&self, slot: Slot) -> Option<&'a [f32]> {
        Some(match slot {
            Slot::Input => self.input,
            Slot::Weights => self.weights,
            Slot::Packed => self.packed,
            Slot::Bias => self.bias,
            Slot::Slopes => self.slopes,
            Slot::Residual => self.residual,
            Slot::Output | Slot::Workspace(_) => return None,
        })
    }
}

/// Bias, residual and activation as a kernel sees them.
#[derive(Clone, Copy)]
pub(crate) struct Finish<'a> {
    activation: Activation,
    bias: &'a [f32],
    slopes: &'a [f32],
    from: Residual,
    residual: &'a [f32],
    /// In which outputs are stored.
    stored: DType,
}

/// Whose outputs lie side by side.
#[derive(Clone, Copy)]
enum SideBySide {
    /// One filter's, of neighbouring places.
    Places(usize),
    /// Those of the filters from this one on, of one place.
    Filters(usize),
}

impl Finish<'_> {
    /// Writes the output of filter `k` that lies at `at`.
    fn write(&self, x: f32, k: usize, at: usize, dst: &mut [f32]) {
        let mut values = [x];
        self.finish(&mut values, SideBySide::Places(k), at, &dst[at..=at]);
        dst[at] = values[0];
    }

    /// From sums to outputs that lie side by side, the first of them at `at`; `stood` is what stands there.
    #[expect(clippy::cast_possible_truncation, reason = "rounding to the output's type")]
    #[inline(always)]
    fn finish(&self, values: &mut [f32], of: SideBySide, at: usize, stood: &[f32]) {
        match of {
            _ if self.bias.is_empty() => {}
            SideBySide::Places(k) => {
                let bias = self.bias[k];
                values.iter_mut().for_each(|x| *x += bias);
            }
            SideBySide::Filters(first) => values.iter_mut().zip(&self.bias[first..]).for_each(|(x, bias)| *x += bias),
        }
        match self.from {
            Residual::None => {}
            Residual::Tensor => values.iter_mut().zip(&self.residual[at..]).for_each(|(x, r)| *x += r),
            Residual::InPlace => values.iter_mut().zip(stood).for_each(|(x, r)| *x += self.stored.rounded(*r)),
        }
        match self.activation {
            Activation::None => {}
            Activation::Relu => values.iter_mut().for_each(|x| *x = x.max(0.0)),
            other => {
                for (i, x) in values.iter_mut().enumerate() {
                    let filter = match of {
                        SideBySide::Places(k) => k,
                        SideBySide::Filters(first) => first + i,
                    };
                    let slope = self.slopes.get(filter).copied().unwrap_or(0.0).into();
                    *x = other.apply((*x).into(), slope) as f32;
                }
            }
        }
        if self.stored != DType::F32 {
            values.iter_mut().for_each(|x| *x = self.stored.rounded(*x));
        }
    }
}

/// A step or an offset from the word that kernels take.
fn step(word: u32) -> isize {
    word.cast_signed() as isize
}

/// Packs weights as a plan's packing says. Empty if they are used as given.
///
/// # Errors
/// [`ShapeError::Length`] if they are not as many as the convolution has.
pub fn pack(plan: &Plan, weights: &[f32]) -> Result<Vec<f32>> {
    if plan.packing.is_given() {
        return Ok(Vec::new());
    }
    ShapeError::check_len("the weights", plan.problem.of_weights().len(), weights.len())?;
    Ok(packed(plan, weights))
}

/// As [`pack`], of weights whose length was checked.
pub(crate) fn packed(plan: &Plan, weights: &[f32]) -> Vec<f32> {
    let mut packed = vec![0.0; plan.packing.len(&plan.problem)];
    match (plan.packing, Windows::of_problem(&plan.problem)) {
        (Packing::Panels(Some(nested)), Ok(windows)) => host::pack_winograd(&windows, nested, weights, &mut packed),
        (Packing::Panels(None), _) => pack_each(plan, &mut packed, |of, part| host::pack_gemm(of, weights, part)),
        (Packing::Eights, _) => pack_each(plan, &mut packed, |of, part| host::pack_direct(of, weights, part)),
        _ => {}
    }
    for step in plan.packing.steps(&plan.problem) {
        if let KernelSpec::WinogradFilter(spec) = step.kernel {
            winograd_filter::run(&spec, &FilterParams::from_words(&step.params), weights, &mut packed);
        }
    }
    packed
}

/// Packs the weights of each of a plan's correlations, one after the other.
fn pack_each(plan: &Plan, mut rest: &mut [f32], pack: impl Fn(&Correlation, &mut [f32])) {
    for of in Correlation::all_weights(&plan.problem) {
        let (part, others) = rest.split_at_mut(plan.packing.part_len(&of));
        pack(&of, part);
        rest = others;
    }
}

/// Runs a plan's steps. `workspace` are the plan's buffers, whatever they hold; longer ones are welcome.
///
/// # Errors
/// [`ShapeError::Length`] for a tensor that the plan uses and that has not as many elements as it says
/// ([`Plan::operand_len`]), and for a workspace buffer that has fewer.
pub fn run(plan: &Plan, operands: &Operands<'_>, workspace: &mut [Vec<f32>], output: &mut [f32]) -> Result<()> {
    check_operands(plan, operands, workspace, output)?;
    for step in &plan.steps {
        take_step(step, plan.problem.conv.activation, operands, workspace, output);
    }
    Ok(())
}

/// Runs one step of a plan, by its position: to look at what each leaves. A position beyond the last one runs nothing.
///
/// # Errors
/// As [`run`].
pub fn run_step(
    plan: &Plan,
    index: usize,
    operands: &Operands<'_>,
    workspace: &mut [Vec<f32>],
    output: &mut [f32],
) -> Result<()> {
    check_operands(plan, operands, workspace, output)?;
    if let Some(step) = plan.steps.get(index) {
        take_step(step, plan.problem.conv.activation, operands, workspace, output);
    }
    Ok(())
}

/// Whether the tensors that a plan's steps use are as long as it says.
fn check_operands(plan: &Plan, operands: &Operands<'_>, workspace: &[Vec<f32>], output: &[f32]) -> Result<()> {
    for slot in plan.steps.iter().flat_map(|step| &step.operands).map(|operand| operand.slot) {
        let expected = plan.operand_len(slot).unwrap_or(0);
        let got = match slot {
            Slot::Output => output.len(),
            // Longer ones are welcome.
            Slot::Workspace(index) => workspace.get(usize::from(index)).map_or(0, |buffer| buffer.len().min(expected)),
            of_caller => operands.slot(of_caller).map_or(0, <[f32]>::len),
        };
        ShapeError::check_len(slot.tensor_name(plan.problem.operation), expected, got)?;
    }
    Ok(())
}

/// Runs a step of a plan whose tensors were checked.
fn take_step(
    step: &Step,
    activation: Activation,
    operands: &Operands<'_>,
    workspace: &mut [Vec<f32>],
    output: &mut [f32],
) {
    let bound = |name| step.kernel.bindings().iter().position(|b| b.name == name).map(|at| step.operands[at]);
    let residual = bound("residual");
    // What stands in an output that is made elsewhere.
    let stood: Vec<f32> = match residual {
        Some(Operand { slot: Slot::Output, .. }) => output.iter().map(|&x| DType::F16.rounded(x)).collect(),
        _ => Vec::new(),
    };
    let residual = residual.map_or(&[][..], |operand| match operand.slot {
        Slot::Output => &stood[operand.range(stood.len())],
        _ => operands.read(operand),
    });
    // What is made elsewhere may be a part of the output, whose place in a residual is another one.
    let offset =
        |name| step.kernel.params().iter().position(|(field, _)| *field == name).map_or(0, |at| step.params[at]);
    let apart = offset("residual_offset").wrapping_sub(offset("dst_offset"));
    let residual = residual.get(apart as usize..).unwrap_or_default();
    match bound("dst") {
        Some(place @ Operand { slot: Slot::Workspace(index), .. }) => {
            let mut held = std::mem::take(&mut workspace[usize::from(index)]);
            let range = place.range(held.len());
            run_kernel(step, activation, operands, residual, workspace, &mut held[range]);
            workspace[usize::from(index)] = held;
        }
        place => {
            let range = place.map_or(0..output.len(), |place| place.range(output.len()));
            run_kernel(step, activation, operands, residual, workspace, &mut output[range]);
        }
    }
}

fn run_kernel(
    step: &Step,
    activation: Activation,
    operands: &Operands<'_>,
    residual: &[f32],
    workspace: &mut [Vec<f32>],
    output: &mut [f32],
) {
    let epilogue = step.kernel.epilogue().unwrap_or(Epilogue::NONE);
    let of = |slot| step.operands.iter().copied().find(|operand| operand.slot == slot);
    let finish = Finish {
        // Where later steps add to the outputs, the last one has the activation.
        activation: if epilogue.activation == activation.name() { activation } else { Activation::None },
        // All of it, whatever part a GPU would bind: filters are counted from the first one.
        bias: of(Slot::Bias).map_or(&[], |_| operands.bias),
        slopes: operands.slopes,
        from: epilogue.residual,
        residual,
        stored: if step.kernel.storage() == Storage::F16 { DType::F16 } else { DType::F32 },
    };
    match step.kernel {
        KernelSpec::Direct(spec) => {
            let params = DirectParams::from_words(&step.params);
            let [src, weights] = [0, 1].map(|i| operands.read(step.operands[i]));
            direct::run(&spec, &params, src, weights, output, finish);
        }
        KernelSpec::ImplicitGemm(spec) => {
            let params = DirectParams::from_words(&step.params);
            let [src, weights] = [0, 1].map(|i| operands.read(step.operands[i]));
            implicit_gemm::run(&spec, &params, src, weights, output, finish);
        }
        KernelSpec::Depthwise(spec) => {
            let params = DirectParams::from_words(&step.params);
            let [src, weights] = [0, 1].map(|i| operands.read(step.operands[i]));
            depthwise::run(&spec, &params, src, weights, output, finish);
        }
        KernelSpec::Host(spec) => {
            let of = DirectParams::from_words(&step.params).correlation(spec.border);
            let [src, weights] = [0, 1].map(|i| operands.read(step.operands[i]));
            host::run(&spec, of, src, weights, finish, workspace, output);
        }
        KernelSpec::WinogradFilter(spec) => {
            // What packs weights beforehand runs in `pack`.
            if let [weights, Operand { slot: Slot::Workspace(index), .. }] = step.operands[..] {
                let params = FilterParams::from_words(&step.params);
                winograd_filter::run(&spec, &params, operands.read(weights), &mut workspace[usize::from(index)]);
            }
        }
        KernelSpec::WinogradInput(spec) => {
            let params = InputParams::from_words(&step.params);
            let rows = step.grid[1] as usize;
            winograd_input::run(&spec, &params, rows, operands.read(step.operands[0]), &mut workspace[0]);
        }
        KernelSpec::WinogradMultiply(spec) => {
            let params = MultiplyParams::from_words(&step.params);
            let (v, rest) = workspace.split_at_mut(1);
            let (m, made) = rest.split_at_mut(1);
            let u = match (step.operands[0], made.first()) {
                (Operand { slot: Slot::Workspace(_), .. }, Some(u)) => u.as_slice(),
                (packed, _) => operands.read(packed),
            };
            winograd_multiply::run(
                Some(&spec.blocking),
                spec.adds,
                &params,
                step.grid[2] as usize,
                u,
                &v[0],
                &mut m[0],
            );
        }
        KernelSpec::WinogradFused(spec) => {
            let params = FusedParams::from_words(&step.params);
            match spec.fusion {
                Fusion::Input | Fusion::Filter => {
                    let [src, filters] = [0, 1].map(|i| operands.read(step.operands[i]));
                    winograd_fused::run(&spec, &params, src, filters, output, finish);
                }
                Fusion::Output => {
                    winograd_fused_output::run(&spec, &params, &workspace[0], operands.packed, output, finish);
                }
            }
        }
        KernelSpec::WinogradInlined(spec) => {
            let params = FusedParams::from_words(&step.params);
            winograd_inlined::run(&spec, &params, &workspace[0], operands.packed, output, finish);
        }
        KernelSpec::WinogradOutput(spec) => {
            let params = OutputParams::from_words(&step.params);
            winograd_output::run(&spec, &params, step.grid[1] as usize, &workspace[1], output, finish);
        }
        KernelSpec::PackHalves(_) => {
            if let [values @ Operand { slot: Slot::Workspace(index), .. }, halves] = step.operands[..] {
                let held = &workspace[usize::from(index)];
                let (values, halves) = (&held[values.range(held.len())], halves.range(output.len()));
                let params = PackParams::from_words(&step.params);
                pack_halves::run(&params, step.grid[0], values, &mut output[halves]);
            }
        }
    }
}
