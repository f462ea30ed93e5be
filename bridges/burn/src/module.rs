//! What applications call: the function, the module and its configuration, with burn's names.

use burn::backend::Dispatch;
use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::{Initializer, PaddingConfig2d, conv};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor};

use crate::geometry::Geometry;
use crate::ops::ConvOps;

/// A convolution, as `burn::tensor::module::conv2d` computes it, with its gradients on a device with autodiff.
///
/// The input is `[N, C, H, W]`, the weights `[K, C / groups, R, S]`, the bias `[K]`, the output `[N, K, P, Q]`. Tensors that are
/// contiguous are used where they lie; others are made contiguous first, as burn does. The output is contiguous.
///
/// # Panics
/// If the sizes do not fit, as burn's own panics; if the tensors are on another backend than burn's cubecl backend.
pub fn conv2d(
    input: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: impl Into<ConvOptions<2>>,
) -> Tensor<4> {
    let geometry =
        Geometry { input: input.dims(), weight: weight.dims(), bias: bias.is_some(), options: options.into() };
    let (channels, groups) = (geometry.input[1], geometry.options.groups);
    assert!(
        channels == geometry.weight[1] * groups && geometry.weight[0].is_multiple_of(groups),
        "expected {channels} input channels = groups * weight channels, and filters divisible by groups: {geometry}"
    );
    assert!(!geometry.output()[2..].contains(&0), "the filter reaches beyond the padded input: {geometry}");
    let (input, weight) = (input.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(match bias {
        Some(bias) => Dispatch::winoconv_forward_biased(input, weight, bias.into_dispatch(), geometry),
        None => Dispatch::winoconv_forward(input, weight, geometry),
    })
}

/// The configuration of a [`Conv2d`], with the fields and defaults of burn's.
#[derive(Config, Debug)]
pub struct Conv2dConfig {
    /// The number of input and output channels.
    pub channels: [usize; 2],
    /// The size of the filter.
    pub kernel_size: [usize; 2],
    /// The step between outputs.
    #[config(default = "[1, 1]")]
    pub stride: [usize; 2],
    /// The step between taps of the filter.
    #[config(default = "[1, 1]")]
    pub dilation: [usize; 2],
    /// Into how many independent convolutions the channels are divided.
    #[config(default = "1")]
    pub groups: usize,
    /// The padding.
    #[config(default = "PaddingConfig2d::Valid")]
    pub padding: PaddingConfig2d,
    /// Whether there is a bias.
    #[config(default = true)]
    pub bias: bool,
    /// How weights and bias are initialized.
    #[config(default = "Initializer::KaimingUniform{gain:1.0/3f64.sqrt(),fan_out_only:false}")]
    pub initializer: Initializer,
}

impl Conv2dConfig {
    /// A module with weights that are initialized as burn initializes its own.
    pub fn init(&self, device: &Device) -> Conv2d {
        let config = conv::Conv2dConfig::new(self.channels, self.kernel_size)
            .with_stride(self.stride)
            .with_dilation(self.dilation)
            .with_groups(self.groups)
            .with_padding(self.padding.clone())
            .with_bias(self.bias)
            .with_initializer(self.initializer.clone());
        config.init(device).into()
    }
}

/// A convolution with its weights: burn's module with another forward pass. The fields have the same names, so records of
/// either load into the other.
#[derive(Module, Debug)]
pub struct Conv2d {
    /// `[K, C / groups, R, S]`
    pub weight: Param<Tensor<4>>,
    /// `[K]`
    pub bias: Option<Param<Tensor<1>>>,
    /// The step between outputs.
    pub stride: [usize; 2],
    /// The size of the filter.
    pub kernel_size: [usize; 2],
    /// The step between taps of the filter.
    pub dilation: [usize; 2],
    /// Into how many independent convolutions the channels are divided.
    pub groups: usize,
    /// The padding.
    #[module(skip)]
    pub padding: PaddingConfig2d,
}

impl Conv2d {
    /// The convolution of `[N, C, H, W]`: see [`conv2d`].
    ///
    /// # Panics
    /// As [`conv2d`].
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = input.dims();
        let [rows, columns] = match self.padding {
            PaddingConfig2d::Valid => [(0, 0); 2],
            PaddingConfig2d::Explicit(top, left, bottom, right) => [(top, bottom), (left, right)],
            PaddingConfig2d::Same => [(0, height), (1, width)].map(|(i, size)| {
                let reach = (size.div_ceil(self.stride[i]).max(1) - 1) * self.stride[i] + self.kernel_size[i];
                let all = reach.saturating_sub(size);
                (all / 2, all - all / 2)
            }),
        };
        let options = ConvOptions::new_with_padding(self.stride, [rows, columns], self.dilation, self.groups);
        conv2d(input, self.weight.val(), self.bias.as_ref().map(Param::val), options)
    }
}

impl From<conv::Conv2d> for Conv2d {
    /// Takes burn's weights over.
    fn from(conv: conv::Conv2d) -> Self {
        let conv::Conv2d { weight, bias, stride, kernel_size, dilation, groups, padding } = conv;
        Self { weight, bias, stride, kernel_size, dilation, groups, padding }
    }
}
