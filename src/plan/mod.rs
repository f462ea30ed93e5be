//! The planner. From a problem, a device's capabilities and the caller's preferences it makes a
//! [`Plan`]: a pure value that says what will run, on which device, and why each other candidate was rejected.

mod build;
mod choose;
mod cpu;
mod device;
#[cfg(feature = "serde")]
mod document;
mod explain;
mod model;
pub mod wisdom;

#[cfg(feature = "internals")]
pub use self::{
    build::{Dispatch, Operand, Packing, Sizes, Slot},
    choose::{Distrust, Ignored, Legal, candidate_set, legal_choices},
    cpu::CpuStep,
    model::register_limit,
};
#[cfg(not(feature = "internals"))]
pub(crate) use self::{
    build::{Dispatch, Operand, Packing, Sizes, Slot},
    choose::{Distrust, Ignored, Legal, candidate_set, legal_choices},
    cpu::CpuStep,
    model::register_limit,
};
pub(crate) use build::Windows;
pub(crate) use choose::check_forced;
pub use choose::{Algorithm, Candidate, Choice, Cut, Origin, Preferences, Reason, Tolerance, Verdict};
pub(crate) use cpu::{
    Block, BlockSizes, ChunkRows, CpuKernel, GradientBlock, GradientCut, LANES, LAST_CACHE, PANEL, Patch, SUM, Strip,
    TileBlock, of_lanes,
};
#[cfg(feature = "gpu")]
pub(crate) use device::is_known;
#[cfg(feature = "serde")]
pub use document::Document;
pub use wisdom::Wisdom;

use self::build::{Built, summed};
use self::choose::Errors;
use crate::caps::{Caps, DeviceKind};
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::kernel::{Counts, KernelSpec};
use crate::problem::{Operation, Problem};
use crate::winograd::{self, WinogradError};

/// What will be run, and why. A value: it compares, hashes and prints, and no device was touched to make it. Nobody but the
/// planner makes or changes one: kernels stay within their buffers because of the numbers in it.
///
/// ```compile_fail,E0616
/// # use winoconv::{Conv, Plan, Preferences, caps::Caps};
/// let problem = Conv::new(8, 8, [3, 3]).on([1, 8, 32, 32])?;
/// let mut plan = Plan::new(&problem, &Caps::webgpu_default(), &Preferences::new())?;
/// plan.dispatches.clear();
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
    /// The dispatches of a run, in order.
    pub(crate) dispatches: Vec<Dispatch>,
    /// What the CPU's kernels run instead.
    pub(crate) cpu_steps: Vec<CpuStep>,
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
        let mut judgement = choose::judge(problem, caps, preferences);
        let origin = choose::follow(wisdom, problem, caps, preferences, &mut judgement);
        let choose::Judgement { candidates, chosen } = judgement;
        let (Some(Candidate { algorithm, .. }), Some(built)) = (candidates.first(), chosen) else {
            return Err(choose::no_plan(problem, caps, preferences, &candidates).into());
        };
        let (algorithm, Built { packing, cut, dispatches, cpu_steps, workspace }) = (*algorithm, built);
        Ok(Self {
            problem: *problem,
            algorithm,
            cut,
            origin,
            packing,
            dispatches,
            cpu_steps,
            workspace,
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

    /// The dispatches of a run, in order. None if the output is empty, or if the CPU's kernels run instead.
    pub fn dispatches(&self) -> &[Dispatch] {
        &self.dispatches
    }

    /// What the CPU's kernels run, in order. None if the output is empty, or if there are dispatches, which on the CPU are
    /// run by the shaders' twins.
    pub fn cpu_steps(&self) -> &[CpuStep] {
        &self.cpu_steps
    }

    /// Dispatches or steps of the CPU's kernels: how many calls a run makes.
    pub const fn step_count(&self) -> usize {
        self.dispatches.len() + self.cpu_steps.len()
    }

    /// The tensors that its steps use, each once.
    pub(crate) fn slots(&self) -> Vec<Slot> {
        let of_dispatches = self.dispatches.iter().flat_map(|dispatch| &dispatch.operands).map(|operand| operand.slot);
        let of_cpu = self.cpu_steps.iter().flat_map(|step| cpu::slots(step, &self.problem.conv));
        // All of it: a kernel of the CPU's takes as many buffers as its plan has.
        let workspace = (0..=u8::MAX).zip(&self.workspace).map(|(index, _)| Slot::Workspace(index));
        let mut slots = Vec::new();
        for slot in of_dispatches.chain(of_cpu).chain(workspace) {
            if !slots.contains(&slot) {
                slots.push(slot);
            }
        }
        slots
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
            of_caller => build::tensor_len(&self.problem, of_caller),
        })
    }

    /// How an operand's elements are stored.
    pub const fn operand_type(&self, slot: Slot) -> DType {
        match slot {
            Slot::Input | Slot::Weights | Slot::Residual => self.problem.conv.dtype,
            Slot::Output => self.problem.result_type,
            Slot::Packed | Slot::Bias | Slot::Slopes | Slot::Workspace(_) => DType::F32,
        }
    }

    /// Why the shaders' twins compute it, one element after the other and on one thread, if they do so on the CPU: because
    /// there is no kernel for it yet, or because of what was forced. Never because of the workspace or the threads.
    pub fn twins(&self) -> Option<&'static str> {
        if self.caps.kind != DeviceKind::Cpu || self.dispatches.is_empty() {
            return None;
        }
        Some(match self.problem.operation {
            _ if cpu::takes(&self.problem, self.algorithm, &self.caps) => "a blocking was forced",
            Operation::WeightGradient if !cpu::multiplies_rows(&self.problem) => {
                "the CPU has no fast kernel for gradients of weights that reach so far"
            }
            _ if self.problem.operation.is_of_end() => {
                "the CPU has no fast kernels for gradients of bias, activation and slopes"
            }
            _ => "the CPU has no fast kernel for the forced algorithm",
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
        build::workspace_bytes(&self.workspace)
    }

    /// Bytes of the packed weights; 0 if they are used as given.
    pub fn packed_bytes(&self) -> u64 {
        DType::F32.bytes(self.packing.len(&self.problem))
    }

    /// The distinct kernels of its dispatches, in order of first use.
    pub fn kernels(&self) -> Vec<KernelSpec> {
        let mut kernels = Vec::new();
        for dispatch in &self.dispatches {
            if !kernels.contains(&dispatch.kernel) {
                kernels.push(dispatch.kernel);
            }
        }
        kernels
    }

    /// The names of the distinct kernels of a run, the CPU's own included, in order of first use.
    pub fn kernel_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.kernels().iter().map(KernelSpec::name).collect();
        for name in self.cpu_steps.iter().map(CpuStep::name) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// What a kernel does in a run, over all its dispatches, as if every workgroup were full and inside the image:
    /// counted, not measured. Barriers are those of one block in each dispatch.
    ///
    /// # Errors
    /// If the kernel's algorithm has no transforms.
    pub fn counts(&self, kernel: &KernelSpec) -> Result<Counts> {
        let failed = |error: WinogradError| Error::Kernel { kernel: kernel.name(), message: error.to_string() };
        let cost = kernel.cost().map_err(failed)?;
        let dispatches = self.dispatches.iter().filter(|dispatch| dispatch.kernel == *kernel);
        let of = |dispatch: &Dispatch| {
            let one = cost.of_workgroup(kernel.sum(&dispatch.params));
            Counts { barriers: one.barriers, ..one * dispatch.blocks() }
        };
        Ok(dispatches.map(of).sum())
    }

    /// Expected relative L2 error on normally distributed data.
    pub fn expected_error(&self) -> f64 {
        expected_error(&self.problem, self.choice(), &self.caps)
    }
}

/// The most roundings of f32 between an input or a weight and an output: the k of the rigorous bound, see
/// [`winograd::error_bound::gamma`].
pub fn roundings(problem: &Problem, choice: impl Into<Choice>) -> u32 {
    let channels = |nested| summed(problem, nested);
    let Choice { algorithm, cut } = choice.into();
    match (algorithm, algorithm.transform()) {
        // Each product and each addition of the longest path.
        (_, None) => u32::try_from(problem.terms()).unwrap_or(u32::MAX).saturating_add(1),
        (Algorithm::Inlined(..), Some(nested)) => winograd::error_bound::roundings(nested, channels(nested))
            .saturating_add(winograd::error_bound::kronecker_roundings(nested)),
        (_, Some(nested)) => match cut.halves() {
            Some(halves) => winograd::error_bound::roundings_by_units(nested, channels(nested), halves),
            None => winograd::error_bound::roundings(nested, channels(nested)),
        },
    }
}

/// Expected relative L2 error of a choice on a problem, on normally distributed data, operands taken as they are stored: of
/// its arithmetic in f32, and of rounding the outputs where they are stored in less. It depends on how the work is cut:
/// shorter sums round less. The CPU's kernels keep them short.
pub fn expected_error(problem: &Problem, choice: Choice, caps: &Caps) -> f64 {
    let errors = Errors::on(problem, caps);
    errors.normal(choice).hypot(errors.stored())
}

/// The same on what a ReLU leaves of such data, where it matters how often kernels round.
pub fn expected_error_after_relu(problem: &Problem, choice: Choice, caps: &Caps) -> f64 {
    let errors = Errors::on(problem, caps);
    errors.after_relu(choice).hypot(errors.stored())
}
