//! Kernels as data: which kernel, with which constants, needing what. No text and no device here: `wgsl` writes
//! a spec, `twin` runs it, and both take names, bindings and parameters from this floor.

#[macro_use]
mod params;

mod activation_gradient;
mod buffers;
mod channel_sums;
mod cost;
mod depthwise;
mod depthwise_patch;
mod direct;
mod dot;
mod epilogue;
mod implicit_gemm;
mod pack_halves;
mod storage;
mod sum_parts;
mod winograd;

use std::fmt;

pub(crate) use self::implicit_gemm::{filter_row_words, row_eights};

pub use buffers::{Buffers, Variant};
pub use cost::{Accesses, Cost, Counts, Part, Region, Share, SumLength, Traffic, Turns};
pub use epilogue::Epilogue;
pub use params::Params;
pub use storage::Storage;

use crate::caps::Limits;
use crate::error::{Error, LimitError, Resource, Result};
use crate::padding::Border;
use crate::winograd::WinogradError;

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

/// Declares the kernels, each by the module and the struct of its spec, what else its module shows, and its files in
/// `shaders/kernel`.
macro_rules! kernels {
    // A macro within a macro has no dollar sign of its own: it is handed one.
    ($d:tt $($(#[$doc:meta])* $module:ident::{$name:ident $(, $more:ident)*}: $($file:literal),+;)*) => {
        $(pub use $module::$name; $(pub use $module::$more;)*)*

        /// One variant of a kernel: everything that its text depends on, and nothing of the image's size.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum KernelSpec { $($(#[$doc])* $name($name),)* }

        impl KernelSpec {
            /// The grid of variants that a planner can choose from: finite, since no image size is part of one. Tests and dumps
            /// walk it.
            pub fn all() -> Vec<Self> {
                [$(<$name as Kernel>::variants(),)*].concat()
            }

            /// What answers for it.
            fn answers(&self) -> &dyn Kernel {
                match self { $(Self::$name(spec) => spec,)* }
            }
        }

        /// Evaluates an expression with the spec of whichever kernel it is: for what other floors know of every kernel.
        macro_rules! with_spec {
            ($d kernel:expr, $d spec:ident => $d body:expr) => {
                match $d kernel { $($crate::kernel::KernelSpec::$name($d spec) => $d body,)* }
            };
        }
        pub(crate) use with_spec;

        /// Path and text of every kernel's file.
        macro_rules! kernel_files {
            () => {
                &[$($((
                    concat!("shaders/kernel/", $file, ".wgsl"),
                    include_str!(concat!("../../shaders/kernel/", $file, ".wgsl")),
                )),+),*]
            };
        }
        pub(crate) use kernel_files;
    };
}

kernels! { $
    /// Direct convolution.
    direct::{Direct, DirectParams}: "direct";
    /// Convolution as a product of matrices, without a column buffer.
    implicit_gemm::{ImplicitGemm}: "implicit_gemm";
    /// The same by matrix units, for tensors in f16.
    implicit_gemm::{ImplicitGemmUnits, Channels}: "implicit_gemm_units";
    /// Weights in the rows that this one reads.
    implicit_gemm::{FilterRows, FilterRowsParams}: "filter_rows";
    /// Each output as a dot product by a workgroup.
    dot::{Dot}: "dot";
    /// Outputs of sums that were walked in parts.
    sum_parts::{SumParts, SumPartsParams}: "sum_parts";
    /// Convolution of groups of one channel.
    depthwise::{Depthwise}: "depthwise";
    /// The same for common filters, a patch of outputs an invocation.
    depthwise_patch::{DepthwisePatch, PatchBlocking}: "depthwise_patch";
    /// Filter transform, U = G g G^T.
    winograd::{WinogradFilter, FilterParams}: "winograd_filter";
    /// Input transform, V = B^T d B.
    winograd::{WinogradInput, InputParams}: "winograd_input";
    /// Multiply, M = U^T V for each point.
    winograd::{WinogradMultiply, Blocking, MultiplyCut, MultiplyParams}: "winograd_multiply";
    /// The same by matrix units.
    winograd::{WinogradMultiplyUnits, UnitBlocking, UnitCut, MultiplyUnitsParams, Products, Fragments}: "winograd_multiply_units";
    /// Multiply and output transform, and the input transform too where it is fused.
    winograd::{WinogradFused, FusedBlocking, FusedParams, Fusion}: "winograd_fused", "winograd_fused_output";
    /// Multiply and output transform as one unshared expression: an exhibit, never chosen.
    winograd::{WinogradInlined, Reading}: "winograd_inlined";
    /// Output transform, Y = A^T M A, with bias and activation.
    winograd::{WinogradOutput, OutputParams}: "winograd_output";
    /// Outputs in f32 to the halves of the output's words.
    pack_halves::{PackHalves, PackParams}: "pack_halves";
    /// The gradient before an activation.
    activation_gradient::{ActivationGradient, ActivationParams}: "activation_gradient";
    /// For each channel a sum over images and places: the gradient of a bias or of a slope.
    channel_sums::{ChannelSums, ChannelParams, Term}: "channel_sums";
}

/// Everything that is asked of a kernel. Its file has the struct of its constants, this, and its uniform struct.
pub(crate) trait Kernel {
    /// The kernel's name: of its file in `shaders/kernel`, of its twin in `src/twin`.
    fn kernel(&self) -> &'static str;

    /// The variant's name behind the kernel's.
    fn variant(&self) -> String;

    /// Storage buffers, in the order of a dispatch's operands.
    fn bindings(&self) -> Vec<Binding>;

    /// The uniform struct's fields: name and WGSL type.
    fn params(&self) -> &'static [(&'static str, &'static str)];

    /// How the callers' tensors among its operands are stored.
    fn storage(&self) -> Storage {
        Storage::F32
    }

    /// The parts that fill the slots that only this kernel has: files of `shaders/part`, without `.wgsl`.
    fn own_parts(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether a source among its bindings is read element by element, by the part of its storage.
    fn reads_src(&self) -> bool {
        true
    }

    /// Whether the text has cooperative matrices of 16-bit floats, which few devices have.
    fn needs_units(&self) -> bool {
        false
    }

    /// What lies around the source, where the kernel's loads depend on it.
    fn border(&self) -> Option<Border> {
        None
    }

    /// Bias, residual and activation, where the kernel writes the output.
    fn epilogue(&self) -> Option<Epilogue> {
        None
    }

    /// The same kernel for tensors that are stored otherwise; `None` where there is none.
    fn stored_as(&self, _: Storage) -> Option<KernelSpec> {
        None
    }

    /// Invocations of a workgroup.
    fn workgroup_size(&self) -> u32;

    /// Bytes of workgroup memory.
    fn workgroup_bytes(&self) -> u32 {
        0
    }

    /// The constants that are its own, sorted by use: what sizes arrays, unrolls loops or shapes workgroups.
    fn constants(&self) -> Vec<Constant> {
        Vec::new()
    }

    /// Sums that an invocation keeps in registers while it walks the channels; 0 where it sums nothing.
    fn accumulators(&self) -> u32 {
        0
    }

    /// Scalar operations of the longest loop, see [`KernelSpec::loop_operations`].
    fn loop_operations(&self) -> u32 {
        LONGEST_OF_SHORT
    }

    /// How long the sums of a dispatch with these parameters are; nothing, where none is summed.
    fn sum(&self, _: &[u32]) -> SumLength {
        SumLength::default()
    }

    /// What it does, by regions of its text.
    fn regions(&self) -> Result<Vec<Region>, WinogradError>;

    /// 32-bit values that an invocation must have at the same time.
    fn values(&self) -> usize;

    /// The variants of the grid.
    fn variants() -> Vec<KernelSpec>
    where
        Self: Sized;
}

/// Operations of the longest loop of those kernels all of whose loops are short: of `winograd_inlined` for F(4x4,3x3).
const LONGEST_OF_SHORT: u32 = 480;

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
    /// The kernel's name: of its file in `shaders/kernel`, of its twin in `src/twin`.
    pub fn kernel(&self) -> &'static str {
        self.answers().kernel()
    }

    /// The variant's name, the same for pipelines, dumps, benchmarks and reports.
    pub fn name(&self) -> String {
        format!("{}_{}", self.kernel(), self.answers().variant())
    }

    /// Storage buffers, in the order of a dispatch's operands.
    pub fn bindings(&self) -> Vec<Binding> {
        self.answers().bindings()
    }

    /// The uniform struct's fields: name and WGSL type.
    pub fn params(&self) -> &'static [(&'static str, &'static str)] {
        self.answers().params()
    }

    /// How the callers' tensors among its operands are stored.
    pub fn storage(&self) -> Storage {
        self.answers().storage()
    }

    /// Whether a source among its bindings is read element by element, by the part of its storage.
    pub(crate) fn reads_src(&self) -> bool {
        self.answers().reads_src()
    }

    /// The same kernel for a source that begins at this element of its binding.
    pub(crate) fn beginning_at(self, first: u32) -> Self {
        match self {
            Self::ImplicitGemmUnits(kernel) => kernel.beginning_at(first).spec(),
            other => other,
        }
    }

    /// Whether the text has cooperative matrices of 16-bit floats. Such variants are not in [`Self::all`], see
    /// [`Self::all_for_units`].
    pub fn needs_units(&self) -> bool {
        self.answers().needs_units()
    }

    /// The variants for devices with matrix units: naga alone of all compilers takes their texts.
    pub fn all_for_units() -> Vec<Self> {
        let of_f32 = WinogradMultiplyUnits::variants_of(Fragments::Units);
        of_f32.into_iter().chain(ImplicitGemmUnits::variants_of(Fragments::Units)).collect()
    }

    /// What lies around the source, where the kernel's loads depend on it.
    pub fn border(&self) -> Option<Border> {
        self.answers().border()
    }

    /// Bias, residual and activation, where the kernel writes the output.
    pub fn epilogue(&self) -> Option<Epilogue> {
        self.answers().epilogue()
    }

    /// The same kernel for tensors that are stored otherwise; `None` where there is none.
    #[must_use]
    pub fn stored_as(self, storage: Storage) -> Option<Self> {
        self.answers().stored_as(storage)
    }

    /// The parts that fill the slots that only this kernel has.
    pub(crate) fn own_parts(&self) -> Vec<String> {
        self.answers().own_parts()
    }

    /// Invocations of a workgroup.
    pub fn workgroup_size(&self) -> u32 {
        self.answers().workgroup_size()
    }

    /// Bytes of workgroup memory.
    pub fn workgroup_bytes(&self) -> u32 {
        self.answers().workgroup_bytes()
    }

    /// The head's constants, sorted by use: what sizes arrays, unrolls loops or shapes workgroups.
    pub fn constants(&self) -> Vec<Constant> {
        let mut constants = vec![("WORKGROUP", self.workgroup_size())];
        constants.extend(self.answers().constants());
        constants
    }

    /// Sums that an invocation keeps in registers while it walks the channels; 0 where it sums nothing.
    pub fn accumulators(&self) -> u32 {
        self.answers().accumulators()
    }

    /// Scalar operations, as [`crate::wgsl::count`] counts them, of the longest body of a loop, calls included, the loops
    /// in it not: at least as many as there are, and exactly so many where they are near to what a cache may hold, but
    /// for `implicit_gemm`, where they may be a few less.
    pub fn loop_operations(&self) -> u32 {
        self.answers().loop_operations()
    }

    /// How long the sums of a dispatch with these parameters are; nothing, where none is summed.
    pub fn sum(&self, params: &[u32]) -> SumLength {
        self.answers().sum(params)
    }

    /// What the kernel does and needs.
    ///
    /// # Errors
    /// If its algorithm has no transforms.
    pub fn cost(&self) -> std::result::Result<Cost, WinogradError> {
        let regions = self.answers().regions()?;
        Ok(Cost { regions, registers: self.registers(), workgroup_bytes: self.workgroup_bytes() })
    }

    /// [`Cost::registers`] alone, which needs no transforms.
    pub fn registers(&self) -> u32 {
        word(self.answers().values()) + cost::ADDRESSES
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

/// The borders that are not zero.
fn borders() -> impl Iterator<Item = Border> {
    Border::ALL.into_iter().filter(|border| *border != Border::Zero)
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::winograd::{F, Nested};

    #[test]
    fn variants_have_names_of_their_own() {
        let all = KernelSpec::all();
        let names: HashSet<String> = all.iter().map(KernelSpec::name).collect();
        assert_eq!(names.len(), all.len(), "one name a variant");
    }

    #[test]
    fn every_variant_but_large_ones_is_legal_on_every_device() {
        for spec in KernelSpec::all() {
            let is_large = matches!(
                spec,
                KernelSpec::WinogradFused(_) | KernelSpec::WinogradMultiplyUnits(_) | KernelSpec::ImplicitGemmUnits(_)
            );
            let limits = if is_large { Limits::LARGEST } else { Limits::WEBGPU_DEFAULT };
            assert_eq!(spec.check(&limits), Ok(()), "{spec}");
        }
    }

    #[test]
    fn fused_kernels_fit_every_class_of_device() {
        let classes = [(16, 256), (32, 1024), (48, 1024)].map(|(kib, threads)| Limits {
            max_compute_workgroup_storage_size: kib << 10,
            max_compute_invocations_per_workgroup: threads,
            max_compute_workgroup_size: [threads, threads, 64],
            ..Limits::WEBGPU_DEFAULT
        });
        let fused = || WinogradFused::variants().into_iter();
        for fusion in [Fusion::Output, Fusion::Input, Fusion::Filter] {
            for f in F::shipped().iter().filter(|f| f.products() <= 9) {
                for limits in &classes {
                    let fits = |spec: &KernelSpec| match spec {
                        KernelSpec::WinogradFused(kernel) => {
                            let is_asked = kernel.fusion == fusion && kernel.algorithm == Nested::square(*f);
                            is_asked && spec.check(limits).is_ok()
                        }
                        _ => false,
                    };
                    assert!(fused().any(|spec| fits(&spec)), "{f} {fusion:?} has no blocking for {limits:?}");
                }
            }
        }
    }
}
