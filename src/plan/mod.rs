//! The only place that decides. From a problem, a device's capabilities and the caller's preferences comes a
//! [`Plan`]: a pure value that says what will run, on what, and why nothing else.

mod algorithm;
mod block_steps;
mod candidate_set;
mod candidates;
mod choice;
#[cfg(feature = "serde")]
mod document;
mod expected_errors;
mod explain;
mod fused_estimate;
mod gemm_estimate;
mod halves;
mod heuristics;
mod host_blocks;
mod host_estimate;
mod host_steps;
mod lanes;
mod multiply_cost;
mod origin;
mod pieces;
mod preferences;
mod refusal;
mod steps;
mod tensor_parts;
mod windows;
mod winograd_steps;
pub mod wisdom;

use std::fmt;

pub use algorithm::Algorithm;
pub use candidate_set::candidate_set;
pub use candidates::{Candidate, Legal, Reason, Verdict, legal_choices};
pub use choice::{Choice, Cut};
#[cfg(feature = "serde")]
pub use document::Document;
pub use fused_estimate::register_limit;
pub use origin::{Distrust, Ignored, Origin};
pub use preferences::{Preferences, Tolerance};
pub use wisdom::Wisdom;

use crate::caps::{Caps, DeviceKind, Limits};
use crate::dtype::DType;
use crate::error::{Error, LimitError, Resource, Result};
use crate::kernel::{Counts, KernelSpec};
use crate::problem::{Operation, Problem};
use crate::winograd::{self, Nested, WinogradError};

use self::expected_errors::Errors;
pub(crate) use self::host_blocks::{ChunkRows, HostBlocks, scratches};
pub(crate) use self::refusal::check_demand;
pub use self::windows::Sizes;
pub(crate) use self::windows::Windows;

/// An operand of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Slot {
    /// What is convolved: the input; for the gradient of the input, the output's gradient.
    Input,
    /// The weights as given; for the gradient of the weights, the output's gradient.
    Weights,
    /// The weights as packed, see [`Packing`].
    Packed,
    /// The bias, K elements.
    Bias,
    /// The slopes of PReLU, K elements.
    Slopes,
    /// The residual, which lies in memory as the output does.
    Residual,
    /// What is written: the output, or a gradient.
    Output,
    /// The workspace's buffer of this number.
    Workspace(u8),
}

/// What a binding of a step is: a slot's tensor, or a part of it where the whole is larger than a device can bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Operand {
    /// Which tensor.
    pub slot: Slot,
    /// The part's first element.
    pub first: usize,
    /// Its elements; all from the first one on, if `None`.
    pub len: Option<usize>,
}

impl From<Slot> for Operand {
    /// The whole tensor.
    fn from(slot: Slot) -> Self {
        Self { slot, first: 0, len: None }
    }
}

impl Slot {
    /// What its tensor is to a caller, for errors.
    pub(crate) const fn tensor_name(self, operation: Operation) -> &'static str {
        match self {
            Self::Input => operation.source_name(),
            Self::Weights if matches!(operation, Operation::WeightGradient) => "the output's gradient",
            Self::Weights => "the weights",
            Self::Packed => "the packed weights",
            Self::Bias => "the bias",
            Self::Slopes => "the slopes",
            Self::Residual => "the residual",
            Self::Output => "the output",
            Self::Workspace(_) => "a workspace buffer",
        }
    }
}

/// Its name, the same in documents and for those who run them: `input`, ..., `workspace0`.
impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Input => "input",
            Self::Weights => "weights",
            Self::Packed => "packed",
            Self::Bias => "bias",
            Self::Slopes => "slopes",
            Self::Residual => "residual",
            Self::Output => "output",
            Self::Workspace(index) => return write!(f, "workspace{index}"),
        })
    }
}

impl Operand {
    /// Which elements it is, of so many.
    pub fn range(self, all: usize) -> std::ops::Range<usize> {
        self.first..self.len.map_or(all, |len| self.first + len)
    }
}

/// One dispatch: a kernel, its grid, its parameters and its operands. Only the planner makes one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Step {
    /// The kernel.
    pub(crate) kernel: KernelSpec,
    /// Workgroups in x, y and z.
    pub(crate) grid: [u32; 3],
    /// The kernel's uniform struct, as words.
    pub(crate) params: Vec<u32>,
    /// What each of the kernel's bindings is, in their order.
    pub(crate) operands: Vec<Operand>,
}

impl Step {
    /// The kernel.
    pub const fn kernel(&self) -> KernelSpec {
        self.kernel
    }

    /// Workgroups in x, y and z.
    pub const fn grid(&self) -> [u32; 3] {
        self.grid
    }

    /// The kernel's uniform struct, as words; [`KernelSpec::params`] has their names.
    pub fn params(&self) -> &[u32] {
        &self.params
    }

    /// What each of the kernel's bindings is, in their order.
    pub fn operands(&self) -> &[Operand] {
        &self.operands
    }

    /// Whether a device dispatches such a grid.
    pub(crate) fn check_grid(&self, limits: &Limits) -> Result<(), LimitError> {
        let [x, y, z] = self.grid;
        let (need, bound) = (x.max(y).max(z).into(), limits.max_compute_workgroups_per_dimension.into());
        if need <= bound {
            return Ok(());
        }
        Err(LimitError { who: self.kernel.name(), resource: Resource::Workgroups, need, bound })
    }
}

/// The form in which an algorithm takes its weights. One packing serves every input size and blocking of a convolution and
/// operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Packing {
    /// As given.
    Given,
    /// Transformed: U of [`crate::layout::Planes`].
    Winograd(Nested),
    /// In panels of filters that the processor's registers take together, and transformed if there is a transform.
    Panels(Option<Nested>),
    /// In eights of filters, as the processor's direct sums take them.
    Eights,
}

impl Packing {
    /// Elements of the packed weights; 0 if they are used as given.
    pub fn len(self, problem: &Problem) -> usize {
        match (self, Windows::of_problem(problem)) {
            (Self::Winograd(nested), Ok(windows)) => windows.filter_planes(nested).len(),
            (Self::Panels(Some(nested)), Ok(windows)) => host_blocks::panels_len(&windows, nested),
            (Self::Panels(None) | Self::Eights, _) => self.parts_len(problem),
            _ => 0,
        }
    }

    /// Whether there is nothing to pack.
    pub fn is_given(self) -> bool {
        self == Self::Given
    }

    /// The dispatches that pack: from [`Slot::Weights`] to [`Slot::Packed`]. They depend on the problem's convolution and
    /// operation, not on its sizes. None on the processor, where [`crate::cpu::pack`] packs.
    pub fn steps(self, problem: &Problem) -> Vec<Step> {
        match (self, Windows::of_problem(problem)) {
            (Self::Winograd(nested), Ok(windows)) => vec![steps::filter(&windows, nested, problem.conv.dtype)],
            _ => Vec::new(),
        }
    }
}

/// What will be run, and why. A value: it compares, hashes and prints, and no device was touched to make it. Nobody but the
/// planner makes or changes one: kernels stay within their buffers because of the numbers in it.
///
/// ```compile_fail,E0616
/// # use winoconv::{Conv, Plan, Preferences, caps::Caps};
/// let problem = Conv::new(8, 8, [3, 3]).on([1, 8, 32, 32])?;
/// let mut plan = Plan::new(&problem, &Caps::webgpu_default(), &Preferences::new())?;
/// plan.steps.clear();
/// # Ok::<(), winoconv::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Plan {
    /// The problem it solves.
    pub(crate) problem: Problem,
    /// The algorithm.
    pub(crate) algorithm: Algorithm,
    /// How its work is cut.
    pub(crate) cut: Cut,
    /// Where that choice comes from.
    pub(crate) origin: Origin,
    /// The form in which it takes the weights.
    pub(crate) packing: Packing,
    /// The dispatches of a run, in order. Empty if the output is.
    pub(crate) steps: Vec<Step>,
    /// Elements of each workspace buffer.
    pub(crate) workspace: Vec<usize>,
    /// What was asked.
    pub(crate) preferences: Preferences,
    /// The device it was made for.
    pub(crate) caps: Caps,
    /// Every candidate with the verdict on it, the chosen one first.
    pub(crate) candidates: Vec<Candidate>,
}

impl Plan {
    /// Plans `problem` for a device with `caps`, by the planner's estimates alone.
    ///
    /// # Errors
    /// [`crate::error::NoPlan`] with the reasons, and with what would help, if no candidate is left; what
    /// [`Preferences::validate`] says.
    pub fn new(problem: &Problem, caps: &Caps, preferences: &Preferences) -> Result<Self> {
        Self::with_wisdom(problem, caps, preferences, &Wisdom::new())
    }

    /// As [`Self::new`]; where `wisdom` knows the device and the problem, and the preferences demand no algorithm and no
    /// cut, it takes what was measured to be fastest. That must pass the same checks as any candidate. Where it does
    /// not, or is outdated, the estimates decide, and [`Self::origin`] says why.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_wisdom(problem: &Problem, caps: &Caps, preferences: &Preferences, wisdom: &Wisdom) -> Result<Self> {
        preferences.validate()?;
        let mut candidates = candidates::judge(problem, caps, preferences);
        let (origin, cut) = candidates::follow(wisdom, problem, caps, preferences, &mut candidates);
        let Some(chosen) = candidates.first().filter(|c| c.verdict == Verdict::Chosen).map(|c| c.algorithm) else {
            return Err(refusal::no_plan(problem, caps, preferences, &candidates).into());
        };
        let built = steps::build(problem, chosen, caps, &Preferences { cut, ..*preferences })
            .map_err(|reason| refusal::refused(problem, chosen, &reason))?;
        Ok(Self {
            problem: *problem,
            algorithm: chosen,
            cut: built.cut,
            origin,
            packing: built.packing,
            steps: built.steps,
            workspace: built.workspace,
            preferences: *preferences,
            caps: caps.clone(),
            candidates,
        })
    }

    /// The problem it solves.
    pub const fn problem(&self) -> &Problem {
        &self.problem
    }

    /// The algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// How its work is cut.
    pub const fn cut(&self) -> Cut {
        self.cut
    }

    /// Where its choice comes from.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The form in which it takes the weights.
    pub const fn packing(&self) -> Packing {
        self.packing
    }

    /// The dispatches of a run, in order. None if the output is empty.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Elements of each workspace buffer.
    pub fn workspace(&self) -> &[usize] {
        &self.workspace
    }

    /// What was asked.
    pub const fn preferences(&self) -> &Preferences {
        &self.preferences
    }

    /// The device it was made for.
    pub const fn caps(&self) -> &Caps {
        &self.caps
    }

    /// Every candidate with the verdict on it, the chosen one first.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// Elements that an operand has in this plan's dispatches; `None` for a workspace buffer that it does not have.
    pub fn operand_len(&self, slot: Slot) -> Option<usize> {
        Some(match slot {
            Slot::Packed => self.packing.len(&self.problem),
            Slot::Workspace(index) => *self.workspace.get(usize::from(index))?,
            of_caller => steps::tensor_len(&self.problem, of_caller),
        })
    }

    /// How an operand's elements are stored.
    pub const fn operand_type(&self, slot: Slot) -> DType {
        match slot {
            Slot::Input | Slot::Weights | Slot::Residual | Slot::Output => self.problem.conv.dtype,
            Slot::Packed | Slot::Bias | Slot::Slopes | Slot::Workspace(_) => DType::F32,
        }
    }

    /// Why the shaders' twins compute it, one element after the other and on one thread, if they do so on the CPU: because
    /// there is no kernel for it yet, or because of what was demanded. Never because of the workspace or the threads.
    pub fn twins(&self) -> Option<&'static str> {
        let is_own = host_steps::take(&self.problem, self.algorithm, &self.caps);
        // Its own kernels cut their work themselves.
        let is_twin = !is_own || self.cut != Cut::Only;
        if self.caps.kind != DeviceKind::HostCpu || self.steps.is_empty() || !is_twin {
            return None;
        }
        Some(match self.problem.operation {
            _ if is_own => "a cut was demanded",
            Operation::WeightGradient => "the CPU has no kernels for the gradient of weights yet",
            _ => "the CPU has no kernel for this algorithm, which was demanded",
        })
    }

    /// Everything that was chosen.
    pub const fn choice(&self) -> Choice {
        Choice { algorithm: self.algorithm, cut: self.cut }
    }

    /// What packed weights depend on, for one convolution and its weights: plans with the same key share them.
    pub(crate) const fn packing_key(&self) -> (Operation, Packing) {
        (self.problem.operation, self.packing)
    }

    /// Bytes between input and output.
    pub fn workspace_bytes(&self) -> u64 {
        self.workspace.iter().map(|&len| 4 * len as u64).sum()
    }

    /// Bytes of the packed weights; 0 if they are used as given.
    pub fn packed_bytes(&self) -> u64 {
        4 * self.packing.len(&self.problem) as u64
    }

    /// The distinct kernels of a run, in order of first use.
    pub fn kernels(&self) -> Vec<KernelSpec> {
        let mut kernels = Vec::new();
        for step in &self.steps {
            if !kernels.contains(&step.kernel) {
                kernels.push(step.kernel);
            }
        }
        kernels
    }

    /// What a kernel does in a run, over all its dispatches, as if every workgroup were full and inside the image:
    /// counted, not measured. Barriers are those of one block in each dispatch.
    ///
    /// # Errors
    /// If the kernel's algorithm has no transforms.
    pub fn counts(&self, kernel: &KernelSpec) -> Result<Counts> {
        let failed = |error: WinogradError| Error::Kernel { kernel: kernel.name(), message: error.to_string() };
        let cost = kernel.cost().map_err(failed)?;
        let dispatches = self.steps.iter().filter(|step| step.kernel == *kernel);
        let of = |step: &Step| {
            let one = cost.of_workgroup(kernel.sum(&step.params));
            Counts { barriers: one.barriers, ..one * steps::blocks(step) }
        };
        Ok(dispatches.map(of).sum())
    }

    /// Expected relative L2 error on normally distributed data.
    pub fn expected_error(&self) -> f64 {
        expected_error(&self.problem, self.choice(), &self.caps)
    }
}

/// What Winograd sums over in each product: channels, and whatever else is a row of U and V.
fn summed(problem: &Problem, algorithm: Nested) -> usize {
    let windows = Windows::of_algorithm(problem, algorithm);
    windows.map_or_else(|_| problem.channels_per_group(), |windows| windows.group_rows())
}

/// The most roundings of f32 between an input or a weight and an output: the k of the rigorous bound, see
/// [`winograd::error_bound::gamma`].
pub fn roundings(problem: &Problem, algorithm: Algorithm) -> u32 {
    let channels = |nested| summed(problem, nested);
    match (algorithm, algorithm.transform()) {
        // Each product and each addition of the longest path.
        (_, None) => u32::try_from(problem.terms()).unwrap_or(u32::MAX).saturating_add(1),
        (Algorithm::Inlined(..), Some(nested)) => winograd::error_bound::roundings(nested, channels(nested))
            .saturating_add(winograd::error_bound::kronecker_roundings(nested)),
        (_, Some(nested)) => winograd::error_bound::roundings(nested, channels(nested)),
    }
}

/// Expected relative L2 error of a choice on a problem, on normally distributed data, operands taken as they are stored: of
/// its arithmetic in f32, and of rounding the outputs where they are stored in less. It depends on how the work is cut:
/// shorter sums round less. The processor's own kernels keep them short.
pub fn expected_error(problem: &Problem, choice: Choice, caps: &Caps) -> f64 {
    let errors = Errors::on(problem, caps);
    errors.normal(choice).hypot(errors.stored())
}

/// The same on what a ReLU leaves of such data, where it matters how often kernels round.
pub fn expected_error_after_relu(problem: &Problem, choice: Choice, caps: &Caps) -> f64 {
    let errors = Errors::on(problem, caps);
    errors.after_relu(choice).hypot(errors.stored())
}
