//! The backward pass: which gradients are computed, and what is kept for them.

use burn::backend::Autodiff;
use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, NodeGuard, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;

use crate::geometry::Geometry;
use crate::ops::{ConvOps, GradientOps};

/// What the backward pass needs: the input, the weights, and the sizes.
type State = (NodeId, NodeId, Geometry);

/// A convolution of N differentiable tensors: input, weights and, if there are three, a bias.
#[derive(Debug)]
struct Convolution;

impl<B: GradientOps, const N: usize> Backward<B, N> for Convolution {
    type State = State;

    fn backward(self, ops: Ops<State, N>, gradients: &mut Gradients, checkpointer: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        let (input, weight, geometry) = ops.state;
        // Both are taken in any case: the checkpointer counts.
        let input = checkpointer.retrieve_node_output::<FloatTensor<B>>(input);
        let weight = checkpointer.retrieve_node_output::<FloatTensor<B>>(weight);
        let parent = |i: usize| ops.parents.get(i).and_then(Option::as_ref);
        if let Some(node) = parent(0) {
            let of_input = B::winoconv_input_gradient(gradient.clone(), weight, geometry.clone());
            gradients.register::<B>(node.id, of_input);
        }
        if let Some(node) = parent(1) {
            let of_weight = B::winoconv_weight_gradient(input, gradient.clone(), geometry.clone());
            gradients.register::<B>(node.id, of_weight);
        }
        if let Some(node) = parent(2) {
            gradients.register::<B>(node.id, B::winoconv_bias_gradient(gradient, geometry));
        }
    }
}

impl<B: ConvOps + GradientOps, C: CheckpointStrategy> ConvOps for Autodiff<B, C> {
    fn winoconv_forward(input: FloatTensor<Self>, weight: FloatTensor<Self>, geometry: Geometry) -> FloatTensor<Self> {
        let of = geometry.clone();
        let nodes = [input.node(), weight.node()];
        tracked::<B, C, 2>(nodes, input, weight, geometry, |input, weight| B::winoconv_forward(input, weight, of))
    }

    fn winoconv_forward_biased(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        geometry: Geometry,
    ) -> FloatTensor<Self> {
        let of = geometry.clone();
        let nodes = [input.node(), weight.node(), bias.node()];
        tracked::<B, C, 3>(nodes, input, weight, geometry, |input, weight| {
            B::winoconv_forward_biased(input, weight, bias.into_primitive(), of)
        })
    }
}

/// Runs the forward pass and, where a gradient is wanted, keeps what the backward pass reads.
fn tracked<B: ConvOps + GradientOps, C: CheckpointStrategy, const N: usize>(
    nodes: [NodeGuard; N],
    input: FloatTensor<Autodiff<B, C>>,
    weight: FloatTensor<Autodiff<B, C>>,
    geometry: Geometry,
    forward: impl FnOnce(FloatTensor<B>, FloatTensor<B>) -> FloatTensor<B>,
) -> FloatTensor<Autodiff<B, C>> {
    match Backward::<B, N>::prepare::<C>(Convolution, nodes).compute_bound().stateful() {
        OpsKind::Tracked(mut prep) => {
            let state = (prep.checkpoint(&input), prep.checkpoint(&weight), geometry);
            prep.finish(state, forward(input.into_primitive(), weight.into_primitive()))
        }
        OpsKind::UnTracked(prep) => prep.finish(forward(input.into_primitive(), weight.into_primitive())),
    }
}
