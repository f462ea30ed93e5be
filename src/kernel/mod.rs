//! Kernels as data: which kernel, with which constants, needing what. No text and no device here: `wgsl` writes
//! a spec, `cpu` runs it, and both take names, bindings and parameters from this floor.

mod cost;
mod depthwise;
mod direct;
mod epilogue;
mod footprint;
mod fused_cost;
mod host;
mod host_patch;
mod implicit_gemm;
mod pack_halves;
mod params;
mod storage;
mod variants;
mod winograd_filter;
mod winograd_fused;
mod winograd_inlined;
mod winograd_input;
mod winograd_multiply;
mod winograd_output;

use std::fmt;

pub use cost::{Accesses, Cost, Counts, Part, Region, Share, SumLength, Traffic, Turns};
pub use depthwise::Depthwise;
pub use direct::Direct;
pub use epilogue::Epilogue;
pub use host::{Host, HostBlock, HostKernel};
pub(crate) use host::{LANES, LAST_CACHE, PANEL, SUM};
pub(crate) use host_patch::{Block, SumPart};
pub use host_patch::{HostPatch, HostStrip};
pub use implicit_gemm::ImplicitGemm;
pub use pack_halves::PackHalves;
pub use params::{
    DirectParams, FilterParams, FusedParams, InputParams, MultiplyParams, OutputParams, PackParams, Params,
};
pub use storage::Storage;
pub use winograd_filter::WinogradFilter;
pub use winograd_fused::{FusedBlocking, Fusion, WinogradFused};
pub use winograd_inlined::{Reading, WinogradInlined};
pub use winograd_input::WinogradInput;
pub use winograd_multiply::{Blocking, MultiplyCut, WinogradMultiply};
pub use winograd_output::WinogradOutput;

use crate::caps::Limits;
use crate::error::{Error, LimitError, Resource, Result};
use crate::padding::Border;

/// Most accumulators that one invocation keeps on any device: 128 spilled to memory on an H100 and halved the speed or
/// worse. Apple's GPUs may keep as many, see [`Limits::APPLE_ACCUMULATORS`].
pub const MAX_ACCUMULATORS: u32 = 64;

/// Largest number in the text of a blocking: no device has more invocations in a workgroup, and products of a few such
/// numbers stay within 32 bits.
const MAX_BLOCK: u32 = 1024;

/// Whether the numbers of a blocking are within what kernels count with.
fn check_block(blocking: &impl fmt::Display, numbers: &[u32]) -> Result<()> {
    if numbers.iter().all(|number| (1..=MAX_BLOCK).contains(number)) {
        return Ok(());
    }
    let why = format!("expected each number from 1 to {MAX_BLOCK}");
    Err(Error::Unsupported { what: format!("blocking {blocking}"), why })
}

/// One variant of a kernel: everything that its text depends on, and nothing of the image's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KernelSpec {
    /// Direct convolution.
    Direct(Direct),
    /// Convolution as a product of matrices, without a column buffer.
    ImplicitGemm(ImplicitGemm),
    /// Convolution of groups of one channel.
    Depthwise(Depthwise),
    /// Filter transform, U = G g G^T.
    WinogradFilter(WinogradFilter),
    /// Input transform, V = B^T d B.
    WinogradInput(WinogradInput),
    /// Multiply, M = U^T V for each point.
    WinogradMultiply(WinogradMultiply),
    /// Multiply and output transform, and the input transform too where it is fused.
    WinogradFused(WinogradFused),
    /// Multiply and output transform as one unshared expression: an exhibit, never chosen.
    WinogradInlined(WinogradInlined),
    /// Output transform, Y = A^T M A, with bias and activation.
    WinogradOutput(WinogradOutput),
    /// Outputs in f32 to the halves of the output's words.
    PackHalves(PackHalves),
    /// One of the processor's own.
    Host(Host),
}

/// What a kernel may do with a binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Read only.
    Read,
    /// Written, whole or in part.
    Write,
}

/// A storage buffer of a kernel. Binding 0 is always the uniform `params`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Binding {
    /// Its number in group 0.
    pub index: u32,
    /// Its name in WGSL; `<name>_offset` in the parameters, where there, is its first element.
    pub name: &'static str,
    /// What is done with it.
    pub access: Access,
}

impl Binding {
    const fn read(index: u32, name: &'static str) -> Self {
        Self { index, name, access: Access::Read }
    }

    const fn write(index: u32, name: &'static str) -> Self {
        Self { index, name, access: Access::Write }
    }
}

/// A constant in a kernel's head.
pub type Constant = (&'static str, u32);

impl KernelSpec {
    /// The kernel's name: of its file in `shaders/kernel`, of its twin in `src/cpu`.
    pub const fn kernel(&self) -> &'static str {
        match self {
            Self::Direct(_) => "direct",
            Self::ImplicitGemm(_) => "implicit_gemm",
            Self::Depthwise(_) => "depthwise",
            Self::WinogradFilter(_) => "winograd_filter",
            Self::WinogradInput(_) => "winograd_input",
            Self::WinogradMultiply(_) => "winograd_multiply",
            Self::WinogradOutput(_) => "winograd_output",
            Self::WinogradFused(spec) => spec.kernel(),
            Self::WinogradInlined(_) => "winograd_inlined",
            Self::PackHalves(_) => "pack_halves",
            Self::Host(spec) => spec.kernel(),
        }
    }

    /// The variant's name, the same for pipelines, dumps, benchmarks and reports.
    pub fn name(&self) -> String {
        let variant = match self {
            Self::Direct(spec) => spec.variant(),
            Self::ImplicitGemm(spec) => spec.variant(),
            Self::Depthwise(spec) => spec.variant(),
            Self::WinogradFilter(spec) => spec.variant(),
            Self::WinogradInput(spec) => spec.variant(),
            Self::WinogradMultiply(spec) => spec.variant(),
            Self::WinogradOutput(spec) => spec.variant(),
            Self::WinogradFused(spec) => spec.variant(),
            Self::WinogradInlined(spec) => spec.variant(),
            Self::PackHalves(_) => Storage::F32.name().to_owned(),
            Self::Host(spec) => spec.variant(),
        };
        format!("{}_{variant}", self.kernel())
    }

    /// Storage buffers, in the order of a step's operands.
    pub fn bindings(&self) -> Vec<Binding> {
        match self {
            Self::Direct(spec) => spec.bindings(),
            Self::ImplicitGemm(spec) => spec.bindings(),
            Self::Depthwise(spec) => spec.bindings(),
            Self::WinogradFilter(spec) => spec.bindings(),
            Self::WinogradInput(spec) => spec.bindings(),
            Self::WinogradMultiply(spec) => spec.bindings(),
            Self::WinogradOutput(spec) => spec.bindings(),
            Self::WinogradFused(spec) => spec.bindings(),
            Self::WinogradInlined(spec) => spec.bindings(),
            Self::PackHalves(_) => PackHalves::bindings(),
            Self::Host(spec) => spec.bindings(),
        }
    }

    /// The uniform struct's fields.
    pub const fn params(&self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Direct(_) | Self::ImplicitGemm(_) | Self::Depthwise(_) | Self::Host(_) => DirectParams::FIELDS,
            Self::WinogradFilter(_) => FilterParams::FIELDS,
            Self::WinogradInput(_) => InputParams::FIELDS,
            Self::WinogradMultiply(_) => MultiplyParams::FIELDS,
            Self::WinogradOutput(_) => OutputParams::FIELDS,
            Self::WinogradFused(_) | Self::WinogradInlined(_) => FusedParams::FIELDS,
            Self::PackHalves(_) => PackParams::FIELDS,
        }
    }

    /// How the callers' tensors among its operands are stored.
    pub const fn storage(&self) -> Storage {
        match self {
            Self::Direct(spec) => spec.storage,
            Self::ImplicitGemm(spec) => spec.storage,
            Self::Depthwise(spec) => spec.storage,
            Self::WinogradFilter(spec) => spec.storage,
            Self::WinogradInput(spec) => spec.storage,
            Self::WinogradOutput(spec) => spec.storage,
            Self::WinogradFused(spec) => spec.storage,
            Self::PackHalves(_) => Storage::Packed,
            Self::Host(spec) => spec.storage,
            Self::WinogradMultiply(_) | Self::WinogradInlined(_) => Storage::F32,
        }
    }

    /// What lies around the source, where the kernel's loads depend on it.
    pub const fn border(&self) -> Option<Border> {
        match self {
            Self::Direct(spec) => Some(spec.border),
            Self::ImplicitGemm(spec) => Some(spec.border),
            Self::Depthwise(spec) => Some(spec.border),
            Self::WinogradInput(spec) => Some(spec.border),
            Self::Host(spec) => Some(spec.border),
            _ => None,
        }
    }

    /// Bias, residual and activation, where the kernel writes the output.
    pub const fn epilogue(&self) -> Option<Epilogue> {
        match self {
            Self::Direct(spec) => Some(spec.epilogue),
            Self::ImplicitGemm(spec) => Some(spec.epilogue),
            Self::Depthwise(spec) => Some(spec.epilogue),
            Self::WinogradOutput(spec) => Some(spec.epilogue),
            Self::WinogradFused(spec) => Some(spec.epilogue),
            Self::WinogradInlined(spec) => Some(spec.epilogue),
            Self::Host(spec) => Some(spec.epilogue),
            _ => None,
        }
    }

    /// The same kernel for tensors that are stored otherwise; `None` where there is none.
    #[must_use]
    pub fn stored_as(self, storage: Storage) -> Option<Self> {
        Some(match self {
            Self::Direct(spec) => Direct { storage, ..spec }.spec(),
            Self::Depthwise(spec) => Depthwise { storage, ..spec }.spec(),
            Self::ImplicitGemm(spec) => {
                let spec = ImplicitGemm { storage, ..spec };
                return spec.is_legal().then(|| spec.spec());
            }
            Self::WinogradFilter(spec) => WinogradFilter { storage, ..spec }.spec(),
            Self::WinogradInput(spec) => WinogradInput { storage, ..spec }.spec(),
            Self::WinogradOutput(spec) => WinogradOutput { storage, ..spec }.spec(),
            Self::WinogradFused(spec)
                if spec.fusion != Fusion::Filter || WinogradFused::takes_weights(spec.algorithm, storage) =>
            {
                WinogradFused { storage, ..spec }.spec()
            }
            _ => return None,
        })
    }

    /// Invocations of a workgroup.
    pub fn workgroup_size(&self) -> u32 {
        match self {
            Self::Direct(_) => Direct::WORKGROUP,
            Self::ImplicitGemm(spec) => spec.blocking.threads(),
            Self::Depthwise(_) => Depthwise::WORKGROUP,
            Self::WinogradFilter(_) => WinogradFilter::WORKGROUP,
            Self::WinogradInput(spec) => spec.workgroup_size(),
            Self::WinogradMultiply(spec) => spec.blocking.threads(),
            Self::WinogradOutput(spec) => spec.workgroup_size(),
            Self::WinogradFused(spec) => spec.workgroup_size(),
            Self::WinogradInlined(_) => WinogradInlined::WORKGROUP,
            Self::PackHalves(_) => PackHalves::WORKGROUP,
            Self::Host(_) => 1,
        }
    }

    /// Bytes of workgroup memory.
    pub fn workgroup_bytes(&self) -> u32 {
        match self {
            Self::Direct(_)
            | Self::Depthwise(_)
            | Self::WinogradFilter(_)
            | Self::WinogradInlined(_)
            | Self::PackHalves(_)
            | Self::Host(_) => 0,
            Self::ImplicitGemm(spec) => spec.workgroup_bytes(),
            Self::WinogradInput(spec) => spec.workgroup_bytes(),
            Self::WinogradMultiply(spec) => spec.blocking.workgroup_bytes(),
            Self::WinogradOutput(spec) => spec.workgroup_bytes(),
            Self::WinogradFused(spec) => spec.workgroup_bytes(),
        }
    }

    /// The head's constants, sorted by use: what sizes arrays, unrolls loops or shapes workgroups.
    pub fn constants(&self) -> Vec<Constant> {
        let mut constants = vec![("WORKGROUP", self.workgroup_size())];
        constants.extend(match self {
            Self::Direct(spec) => spec.constants(),
            Self::ImplicitGemm(spec) => spec.constants(),
            Self::Depthwise(_) => Vec::new(),
            Self::WinogradFilter(spec) => spec.constants(),
            Self::WinogradInput(spec) => spec.constants(),
            Self::WinogradMultiply(spec) => spec.constants(),
            Self::WinogradOutput(spec) => spec.constants(),
            Self::WinogradFused(spec) => spec.constants(),
            Self::WinogradInlined(spec) => spec.constants(),
            Self::PackHalves(_) | Self::Host(_) => Vec::new(),
        });
        constants
    }

    /// Whether a device can run this variant at all: the bounds that do not depend on sizes.
    ///
    /// # Errors
    /// The first bound that is exceeded, with the variant's name.
    pub fn check(&self, limits: &Limits) -> Result<(), LimitError> {
        let size = self.workgroup_size();
        let buffers = u32::try_from(self.bindings().len()).unwrap_or(u32::MAX);
        // Counted along the transforms: only where someone asks.
        let operations = if limits.max_operations_per_loop == u32::MAX { 0 } else { self.loop_operations() };
        let needs = [
            (Resource::WorkgroupBytes, self.workgroup_bytes(), limits.max_compute_workgroup_storage_size),
            (Resource::Invocations, size, limits.max_compute_invocations_per_workgroup),
            (Resource::WorkgroupSize, size, limits.max_compute_workgroup_size[0]),
            (Resource::StorageBuffers, buffers, limits.max_storage_buffers_per_shader_stage),
            (Resource::Accumulators, self.accumulators(), limits.max_accumulators_per_invocation),
            (Resource::LoopOperations, operations, limits.max_operations_per_loop),
        ];
        // Planning checks hundreds of variants: only one that is refused needs its name.
        match needs.into_iter().find(|(_, need, bound)| need > bound) {
            None => Ok(()),
            Some((resource, need, bound)) => {
                Err(LimitError { who: self.name(), resource, need: need.into(), bound: bound.into() })
            }
        }
    }
}

impl fmt::Display for KernelSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// A size as the 32-bit number that kernels take. Problems are checked to be within the index range.
pub(crate) fn word(size: usize) -> u32 {
    u32::try_from(size).expect("checked against the index range when the problem was made")
}

/// A step or an offset, which may be negative, as kernels take it: sums of such words wrap around to the right place.
pub(crate) fn wrapped(step: isize) -> u32 {
    let step = i32::try_from(step).expect("checked against the index range when the problem was made");
    step.cast_unsigned()
}
