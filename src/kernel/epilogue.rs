//! The end of every kernel that writes the output: bias, residual and activation.

use super::cost::Counts;
use super::{Binding, Storage};
use crate::activation::Activation;
use crate::conv::{Conv, Residual};

/// Which bias, which residual and which activation; the activation's numbers are parameters, not part of the variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epilogue {
    /// Whether a bias is added.
    pub bias: bool,
    /// Whether a residual is, and from where.
    pub residual: Residual,
    /// The activation's name, see [`Activation::name`].
    pub activation: &'static str,
}

impl Epilogue {
    /// Number of the bias's binding in every kernel.
    pub const BIAS: u32 = 4;
    /// Number of the slopes' binding in every kernel.
    pub const SLOPES: u32 = 5;
    /// Number of the residual's binding in every kernel.
    pub const RESIDUAL: u32 = 6;
    /// Nothing at all.
    pub const NONE: Self = Self { bias: false, residual: Residual::None, activation: Activation::None.name() };

    /// Without and with the operands of an epilogue.
    pub(super) fn ends() -> [Self; 2] {
        let ends = [(false, Activation::None), (true, Activation::PRelu)];
        ends.map(|(bias, activation)| Self { bias, activation: activation.name(), ..Self::NONE })
    }

    /// Those, and each residual.
    pub(super) fn ends_and_residuals() -> [Self; 4] {
        let [without, with] = Self::ends();
        let [tensor, in_place] = Self::residuals();
        [without, with, tensor, in_place]
    }

    fn residuals() -> [Self; 2] {
        [Residual::Tensor, Residual::InPlace].map(|residual| Self { residual, ..Self::NONE })
    }

    /// Each bias with each activation, and each residual.
    pub(super) fn variants() -> impl Iterator<Item = Self> {
        let of = |bias| Activation::ALL.map(|activation| Self { bias, activation: activation.name(), ..Self::NONE });
        [of(false), of(true)].into_iter().flatten().chain(Self::residuals())
    }

    /// What `conv` asks for.
    pub const fn of(conv: &Conv) -> Self {
        Self { bias: conv.bias, residual: conv.residual, activation: conv.activation.name() }
    }

    /// Whether the slopes are an operand.
    pub fn has_slopes(self) -> bool {
        Activation::from_name(self.activation).is_some_and(Activation::has_slopes)
    }

    pub(super) fn bindings(self) -> impl Iterator<Item = Binding> {
        let bias = self.bias.then_some(Binding::read(Self::BIAS, "bias"));
        let slopes = self.has_slopes().then_some(Binding::read(Self::SLOPES, "slopes"));
        let residual = (self.residual == Residual::Tensor).then_some(Binding::read(Self::RESIDUAL, "residual"));
        bias.into_iter().chain(slopes).chain(residual)
    }

    /// How the residual is stored where tensors are stored so.
    fn residual_storage(self, storage: Storage) -> Storage {
        if self.residual == Residual::InPlace { storage.of_output() } else { storage }
    }

    /// What an output takes before it is written, and its store.
    pub(super) fn counts(self, storage: Storage) -> Counts {
        let [multiply_adds, operations] = Activation::from_name(self.activation).map_or([0; 2], Activation::counts);
        let residual = usize::from(self.residual != Residual::None);
        let operands = usize::from(self.bias) + usize::from(self.has_slopes());
        Counts::sums(multiply_adds)
            + Counts::arithmetic(operations + usize::from(self.bias) + residual)
            + Counts::load(operands, 1)
            + Counts::load_stored(residual, self.residual_storage(storage))
            + Counts::store_output(storage)
    }

    /// The end of a variant's name: nothing, `_bias`, `_relu`, `_bias_relu`, `_residual`, ...
    pub(super) fn suffix(self) -> String {
        let bias = if self.bias { "_bias" } else { "" };
        let residual = match self.residual {
            Residual::None => "",
            Residual::Tensor => "_residual",
            Residual::InPlace => "_added",
        };
        match self.activation {
            "none" => format!("{bias}{residual}"),
            activation => format!("{bias}{residual}_{activation}"),
        }
    }
}
