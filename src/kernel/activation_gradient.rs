//! `activation_gradient`: the gradient before an activation.

use super::cost::{Counts, Part, Region, Share, Turns};
use super::{Binding, Epilogue, KernelSpec, Storage};
use crate::activation::Activation;

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

    pub(super) fn variant(&self) -> String {
        format!("{}_{}", self.storage.name(), self.activation)
    }

    /// Whether the slopes are an operand.
    pub(crate) fn has_slopes(&self) -> bool {
        Activation::from_name(self.activation).is_some_and(Activation::has_slopes)
    }

    pub(super) fn bindings(&self) -> Vec<Binding> {
        let own = [Binding::read(1, "src"), Binding::read(2, "weights"), Binding::write(3, "dst")];
        let slopes = self.has_slopes().then_some(Binding::read(Epilogue::SLOPES, "slopes"));
        own.into_iter().chain(slopes).collect()
    }

    pub(super) fn regions(&self) -> Vec<Region> {
        let [multiply_adds, operations] =
            Activation::from_name(self.activation).map_or([0; 2], Activation::gradient_counts);
        let counts = Counts::sums(multiply_adds)
            + Counts::arithmetic(operations)
            + Counts::load_stored(2, self.storage)
            + Counts::load(usize::from(self.has_slopes()), 1)
            + Counts::store_output(self.storage);
        vec![Region::new(Part::Once, [Share { counts, invocations: Self::WORKGROUP, turns: Turns::Fixed(1) }])]
    }
}
