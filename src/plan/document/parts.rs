//! The parts of a document. A `Form` is a type of another room as it is written: serde holds its fields and variants
//! against those of the type itself, so that whoever adds one there is told to add it here.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::values::{cut, gemm, label, optional_spatial, shape, spatial, text};
use super::{each, same};
use crate::activation::{Activation, for_each_activation};
use crate::caps::{Caps, DeviceKind, Limits};
use crate::conv::{Conv, Residual};
use crate::dtype::DType;
use crate::error::{DocumentError, Result};
use crate::kernel::{Access, FusedBlocking, KernelSpec, MultiplyCut, PatchBlocking, UnitCut};
use crate::layout::{Layout, View};
use crate::padding::{Border, Padding};
use crate::plan::{Algorithm, CpuStep, Cut, Dispatch, Operand, Plan, Preferences, Tolerance};
use crate::problem::{Operation, Problem};
use crate::spatial::{MAX_RANK, Shape, Spatial};

/// What a problem is made from. Its output's size and the like follow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProblemPart {
    #[serde(with = "OperationForm")]
    operation: Operation,
    #[serde(with = "shape")]
    input: Shape,
    #[serde(with = "ConvForm")]
    conv: Conv,
    #[serde(with = "ViewForm")]
    input_view: View,
    #[serde(with = "ViewForm")]
    output_view: View,
    #[serde(with = "DTypeForm")]
    result_type: DType,
}

impl ProblemPart {
    pub(super) fn of(problem: &Problem) -> Self {
        Self {
            operation: problem.operation,
            input: problem.of_input().shape,
            conv: problem.conv,
            input_view: problem.input_view,
            output_view: problem.output_view,
            result_type: problem.result_type,
        }
    }

    /// The problem, checked.
    pub(super) fn problem(&self) -> Result<Problem> {
        let forward = self.conv.on(self.input)?;
        let problem = forward.of_operation(self.operation)?;
        // A gradient has neither bias nor residual, and few an activation.
        same("problem.conv", &problem.conv, &self.conv)?;
        problem.with_views(self.input_view, self.output_view)?.with_result_type(self.result_type)
    }
}

/// A kernel as those who bind and dispatch see it: not its text, which follows from what it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KernelPart {
    name: String,
    /// Name and type of each word of its parameters, which are binding 0.
    params: Vec<String>,
    bindings: Vec<BindingPart>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BindingPart {
    index: u32,
    name: String,
    access: String,
}

impl KernelPart {
    pub(super) fn of(kernel: &KernelSpec) -> Self {
        let access = |access| match access {
            Access::Read => "read",
            Access::Write => "read_write",
        };
        let bindings = kernel.bindings().into_iter().map(|binding| BindingPart {
            index: binding.index,
            name: binding.name.to_owned(),
            access: access(binding.access).to_owned(),
        });
        Self {
            name: kernel.name(),
            params: kernel.params().iter().map(|(name, kind)| format!("{name}: {kind}")).collect(),
            bindings: bindings.collect(),
        }
    }

    pub(super) fn compare(&self, got: &Self, at: &str) -> Result<(), DocumentError> {
        same(&format!("{at}.name"), &self.name, &got.name)?;
        let param = |expected: &String, got: &String, at: &str| same(at, expected, got);
        each(&format!("{at}.params"), &self.params, &got.params, param)?;
        let binding = |expected: &BindingPart, got: &BindingPart, at: &str| same(at, expected, got);
        each(&format!("{at}.bindings"), &self.bindings, &got.bindings, binding)
    }
}

/// A dispatch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DispatchPart {
    kernel: String,
    grid: [u32; 3],
    params: Vec<u32>,
    operands: Vec<OperandPart>,
}

/// What is bound, in elements.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OperandPart {
    slot: String,
    first: usize,
    len: usize,
}

impl OperandPart {
    fn of(operand: Operand, plan: &Plan) -> Self {
        let whole = plan.operand_len(operand.slot).unwrap_or(0);
        let len = operand.len.unwrap_or(whole.saturating_sub(operand.first));
        Self { slot: operand.slot.to_string(), first: operand.first, len }
    }
}

impl DispatchPart {
    pub(super) fn of(step: &Dispatch, plan: &Plan) -> Self {
        let operands = step.operands.iter().map(|&operand| OperandPart::of(operand, plan));
        Self { kernel: step.kernel.name(), grid: step.grid, params: step.params.clone(), operands: operands.collect() }
    }

    pub(super) fn compare(&self, got: &Self, at: &str) -> Result<(), DocumentError> {
        same(&format!("{at}.kernel"), &self.kernel, &got.kernel)?;
        same(&format!("{at}.grid"), &self.grid, &got.grid)?;
        let word = |expected: &u32, got: &u32, at: &str| same(at, expected, got);
        each(&format!("{at}.params"), &self.params, &got.params, word)?;
        each(&format!("{at}.operands"), &self.operands, &got.operands, |expected, got, at| {
            same(&format!("{at}.slot"), &expected.slot, &got.slot)?;
            same(&format!("{at}.first"), &expected.first, &got.first)?;
            same(&format!("{at}.len"), &expected.len, &got.len)
        })
    }
}

/// A step of the CPU's kernels, with its part of the packed weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CpuStepPart {
    kernel: String,
    threads: usize,
    packed: OperandPart,
}

impl CpuStepPart {
    pub(super) fn of(step: &CpuStep, plan: &Plan) -> Self {
        Self { kernel: step.name(), threads: step.threads(), packed: OperandPart::of(step.packed, plan) }
    }

    pub(super) fn compare(&self, got: &Self, at: &str) -> Result<(), DocumentError> {
        same(&format!("{at}.kernel"), &self.kernel, &got.kernel)?;
        same(&format!("{at}.threads"), &self.threads, &got.threads)?;
        same(&format!("{at}.packed"), &self.packed, &got.packed)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Operation", rename_all = "snake_case")]
enum OperationForm {
    Forward,
    InputGradient,
    WeightGradient,
    ActivationGradient,
    BiasGradient,
    SlopeGradient,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "View", deny_unknown_fields)]
struct ViewForm {
    offset: usize,
    n: usize,
    c: usize,
    dhw: [usize; MAX_RANK],
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Conv", deny_unknown_fields)]
struct ConvForm {
    channels: usize,
    filters: usize,
    #[serde(with = "spatial")]
    kernel: Spatial,
    #[serde(with = "spatial")]
    stride: Spatial,
    #[serde(with = "spatial")]
    dilation: Spatial,
    #[serde(with = "PaddingForm")]
    padding: Padding,
    #[serde(with = "BorderForm")]
    border: Border,
    groups: usize,
    #[serde(with = "optional_spatial")]
    transposed: Option<Spatial>,
    bias: bool,
    #[serde(with = "ResidualForm")]
    residual: Residual,
    #[serde(with = "ActivationForm")]
    activation: Activation,
    #[serde(with = "LayoutForm")]
    layout: Layout,
    #[serde(with = "LayoutForm")]
    weights_layout: Layout,
    #[serde(with = "DTypeForm")]
    dtype: DType,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Padding", rename_all = "snake_case", deny_unknown_fields)]
enum PaddingForm {
    Explicit {
        #[serde(with = "spatial")]
        before: Spatial,
        #[serde(with = "spatial")]
        after: Spatial,
    },
    SameUpper,
    SameLower,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Border", rename_all = "snake_case")]
enum BorderForm {
    Zero,
    Reflect,
    Replicate,
    Circular,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Residual", rename_all = "snake_case")]
enum ResidualForm {
    None,
    Tensor,
    InPlace,
}

macro_rules! activation_form {
    ($($variant:ident $name:ident $({ $($argument:ident),+ })?;)+) => {
        /// An activation, by its name.
        #[derive(Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(non_camel_case_types, reason = "names as they are written")]
        enum ActivationForm {
            $($name $({ $(#[serde(with = "text")] $argument: f32),+ })?,)+
        }

        impl ActivationForm {
            fn serialize<S: Serializer>(activation: &Activation, serializer: S) -> Result<S::Ok, S::Error> {
                let form = match *activation {
                    $(Activation::$variant $({ $($argument),+ })? => Self::$name $({ $($argument),+ })?,)+
                };
                Serialize::serialize(&form, serializer)
            }

            fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Activation, D::Error> {
                Ok(match <Self as Deserialize>::deserialize(deserializer)? {
                    $(Self::$name $({ $($argument),+ })? => Activation::$variant $({ $($argument),+ })?,)+
                })
            }
        }
    };
}

for_each_activation!(activation_form);

#[derive(Serialize, Deserialize)]
#[serde(remote = "Layout", rename_all = "snake_case")]
enum LayoutForm {
    ChannelsFirst,
    ChannelsLast,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "DType", rename_all = "snake_case")]
enum DTypeForm {
    F32,
    F16,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Caps", deny_unknown_fields)]
pub(super) struct CapsForm {
    name: String,
    backend: String,
    driver: String,
    #[serde(with = "DeviceKindForm")]
    kind: DeviceKind,
    #[serde(with = "LimitsForm")]
    limits: Limits,
    timestamps: bool,
    f16: bool,
    /// Left out where there are none: most devices, and plans of earlier versions.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    matrix_units: bool,
    threads: usize,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "DeviceKind", rename_all = "snake_case")]
enum DeviceKindForm {
    DiscreteGpu,
    IntegratedGpu,
    VirtualGpu,
    SoftwareGpu,
    OtherGpu,
    Cpu,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Limits", deny_unknown_fields)]
struct LimitsForm {
    max_compute_workgroup_storage_size: u32,
    max_compute_invocations_per_workgroup: u32,
    max_compute_workgroup_size: [u32; 3],
    max_compute_workgroups_per_dimension: u32,
    max_storage_buffers_per_shader_stage: u32,
    max_storage_buffer_binding_size: u64,
    max_buffer_size: u64,
    min_storage_buffer_offset_alignment: u32,
    min_uniform_buffer_offset_alignment: u32,
    max_accumulators_per_invocation: u32,
    max_operations_per_loop: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Preferences", deny_unknown_fields)]
pub(super) struct PreferencesForm {
    #[serde(with = "ToleranceForm")]
    tolerance: Tolerance,
    workspace_limit: u64,
    #[serde(with = "label")]
    algorithm: Option<Algorithm>,
    #[serde(with = "cut")]
    cut: Option<Cut>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Tolerance", rename_all = "snake_case")]
enum ToleranceForm {
    TimesDirect(#[serde(with = "text")] f64),
    #[serde(rename = "relative_l2")]
    RelativeL2(#[serde(with = "text")] f64),
    Any,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Cut", rename_all = "snake_case")]
pub(super) enum CutForm {
    Only,
    Gemm(#[serde(with = "gemm")] MultiplyCut),
    Patch(#[serde(with = "text")] PatchBlocking),
    Multiply(#[serde(with = "text")] MultiplyCut),
    Units(#[serde(with = "text")] UnitCut),
    Fused(#[serde(with = "text")] FusedBlocking),
}
