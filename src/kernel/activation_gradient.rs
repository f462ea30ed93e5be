//! `activation_gradient`: the gradient before an activation.

use super::cost::{Counts, Part, Region, Share, Turns};
use super::{Binding, Epilogue, Kernel, KernelSpec, Storage};
use crate::activation::Activation;
use crate::winograd::WinogradError;

/// One invocation for each element of memory: see `shaders/kernel/activation_gradient.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ActivationGradient {
    /// The activation's name, see [`Activation::name`].
    pub(crate) activation: &'static str,
    /// How all three tensors are stored.
    pub(crate) storage: Storage,
}

impl ActivationGradient {
    /// Elements of a workgroup.
    pub const WORKGROUP: u32 = 64;

    /// The kernel of an activation.
    pub const fn new(activation: Activation, storage: Storage) -> Self {
        Self { activation: activation.name(), storage }
    }

    /// The variant as a kernel.
    pub const fn spec(self) -> KernelSpec {
        KernelSpec::ActivationGradient(self)
    }

    /// Whether the slopes are an operand.
    pub(crate) fn has_slopes(&self) -> bool {
        Activation::from_name(self.activation).is_some_and(Activation::has_slopes)
    }
}

impl Kernel for ActivationGradient {
    fn kernel(&self) -> &'static str {
        "activation_gradient"
    }

    fn variant(&self) -> String {
        format!("{}_{}", self.storage.name(), self.activation)
    }

    fn bindings(&self) -> Vec<Binding> {
        let own = [Binding::read(1, "src"), Binding::read(2, "weights"), Binding::write(3, "dst")];
        let slopes = self.has_slopes().then_some(Binding::read(Epilogue::SLOPES, "slopes"));
        own.into_iter().chain(slopes).collect()
    }

    fn own_parts(&self) -> Vec<String> {
        ["is_element", "keep_nan"]
            .map(str::to_owned)
            .into_iter()
            .chain([format!("derivative_{}", self.activation)])
            .collect()
    }

    fn params(&self) -> &'static [(&'static str, &'static str)] {
        ActivationParams::FIELDS
    }

    fn storage(&self) -> Storage {
        self.storage
    }

    fn workgroup_size(&self) -> u32 {
        Self::WORKGROUP
    }

    fn regions(&self) -> Result<Vec<Region>, WinogradError> {
        let [multiply_adds, operations] =
            Activation::from_name(self.activation).map_or([0; 2], Activation::gradient_counts);
        let counts = Counts::sums(multiply_adds)
            + Counts::arithmetic(operations)
            + Counts::load_stored(2, self.storage)
            + Counts::load(usize::from(self.has_slopes()), 1)
            + Counts::store_output(self.storage);
        Ok(vec![Region::new(Part::Once, [Share { counts, invocations: Self::WORKGROUP, turns: Turns::Fixed(1) }])])
    }

    fn values(&self) -> usize {
        // What was kept, a gradient and a channel.
        3
    }

    fn variants() -> Vec<KernelSpec> {
        let of = |activation| Storage::ALL.map(|storage| Self::new(activation, storage).spec());
        Activation::ALL.into_iter().flat_map(of).collect()
    }
}

params! {
    /// Parameters of `activation_gradient`. The tensors' dimensions are sorted as those of [`super::PackParams`].
    ActivationParams {
        /// First element of memory of this dispatch, counted from the tensors' first.
        first: u32,
        /// Elements of this dispatch.
        count: u32,
        /// Elements along a dimension.
        size_0: u32,
        /// Elements along a dimension.
        size_1: u32,
        /// Elements along a dimension.
        size_2: u32,
        /// Elements along a dimension.
        size_3: u32,
        /// Elements along a dimension.
        size_4: u32,
        /// From one of them to the next.
        step_0: u32,
        /// From one of them to the next.
        step_1: u32,
        /// From one of them to the next.
        step_2: u32,
        /// From one of them to the next.
        step_3: u32,
        /// From one of them to the next.
        step_4: u32,
        /// 1 if the dimension is the channels', else 0.
        k_0: u32,
        /// 1 if the dimension is the channels', else 0.
        k_1: u32,
        /// 1 if the dimension is the channels', else 0.
        k_2: u32,
        /// 1 if the dimension is the channels', else 0.
        k_3: u32,
        /// 1 if the dimension is the channels', else 0.
        k_4: u32,
        /// This dispatch's first kept value.
        src_offset: u32,
        /// This dispatch's first gradient.
        weights_offset: u32,
        /// This dispatch's first result.
        dst_offset: u32,
        /// First slope.
        slopes_offset: u32,
        /// The activation's first number.
        act_a: f32,
        /// The activation's second number.
        act_b: f32,
    }
}
