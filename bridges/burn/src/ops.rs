//! The convolution and its gradients as operations of burn's backends: by winoconv on [`CubeBackend`], lazily on
//! `Fusion<CubeBackend>`, and through [`autodiff`](crate::autodiff) on `Autodiff`.

use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, backend_extension};
use burn::tensor::Shape;
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::conv::{ConvStrategy, conv_data_backward, conv_forward, conv_weight_backward};
use burn_cubecl::tensor::CubeTensor;
use winoconv::Operation;

use crate::device::{Operands, run};
use crate::geometry::Geometry;

/// Why burn's own convolution cannot fail where it is the last resort.
const LAST_RESORT: &str = "burn runs every convolution whose sizes fit";

/// A convolution. [`conv2d`](crate::conv2d) is what applications call.
#[backend_extension(Cube, Fusion, Autodiff)]
pub(crate) trait ConvOps: Backend {
    /// The output.
    #[fusion(dtype = input, shape = Shape::from(geometry.output()))]
    fn winoconv_forward(input: FloatTensor<Self>, weight: FloatTensor<Self>, geometry: Geometry) -> FloatTensor<Self>;

    /// The output, with a bias.
    #[fusion(dtype = input, shape = Shape::from(geometry.output()))]
    fn winoconv_forward_biased(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        geometry: Geometry,
    ) -> FloatTensor<Self>;
}

/// The gradients of a convolution. Burn differentiates once, so there are none of these.
#[backend_extension(Cube, Fusion)]
pub(crate) trait GradientOps: Backend {
    /// The gradient of the input, from that of the output.
    #[fusion(dtype = gradient, shape = Shape::from(geometry.input))]
    fn winoconv_input_gradient(
        gradient: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        geometry: Geometry,
    ) -> FloatTensor<Self>;

    /// The gradient of the weights, from that of the output.
    #[fusion(dtype = gradient, shape = Shape::from(geometry.weight))]
    fn winoconv_weight_gradient(
        input: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        geometry: Geometry,
    ) -> FloatTensor<Self>;

    /// The gradient of the bias, from that of the output.
    #[fusion(dtype = gradient, shape = Shape::from([geometry.weight[0]]))]
    fn winoconv_bias_gradient(gradient: FloatTensor<Self>, geometry: Geometry) -> FloatTensor<Self>;
}

impl ConvOps for CubeBackend {
    fn winoconv_forward(input: FloatTensor<Self>, weight: FloatTensor<Self>, geometry: Geometry) -> FloatTensor<Self> {
        forward(input, weight, None, geometry)
    }

    fn winoconv_forward_biased(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        geometry: Geometry,
    ) -> FloatTensor<Self> {
        forward(input, weight, Some(bias), geometry)
    }
}

fn forward(input: CubeTensor, weight: CubeTensor, bias: Option<CubeTensor>, geometry: Geometry) -> CubeTensor {
    let operands = Operands { source: input.clone(), factor: Some(weight.clone()), bias: bias.clone() };
    run(Operation::Forward, &geometry, operands).unwrap_or_else(|| {
        conv_forward(input, weight, bias, geometry.options, ConvStrategy::default()).expect(LAST_RESORT)
    })
}

impl GradientOps for CubeBackend {
    fn winoconv_input_gradient(
        gradient: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        geometry: Geometry,
    ) -> FloatTensor<Self> {
        let operands = Operands { source: gradient.clone(), factor: Some(weight.clone()), bias: None };
        run(Operation::InputGradient, &geometry, operands).unwrap_or_else(|| {
            let Geometry { input, options, .. } = geometry;
            conv_data_backward(gradient, weight, input.into(), options, ConvStrategy::default()).expect(LAST_RESORT)
        })
    }

    fn winoconv_weight_gradient(
        input: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        geometry: Geometry,
    ) -> FloatTensor<Self> {
        let operands = Operands { source: input.clone(), factor: Some(gradient.clone()), bias: None };
        run(Operation::WeightGradient, &geometry, operands).unwrap_or_else(|| {
            let Geometry { weight, options, .. } = geometry;
            conv_weight_backward(input, gradient, weight.into(), options, ConvStrategy::default()).expect(LAST_RESORT)
        })
    }

    fn winoconv_bias_gradient(gradient: FloatTensor<Self>, geometry: Geometry) -> FloatTensor<Self> {
        let operands = Operands { source: gradient.clone(), factor: None, bias: None };
        run(Operation::BiasGradient, &geometry, operands).unwrap_or_else(|| {
            let sums = [0, 2, 3].into_iter().fold(gradient, Self::float_sum_dim);
            Self::float_reshape(sums, Shape::from([geometry.weight[0]]))
        })
    }
}
