//! The sizes of a convolution, from burn's terms to winoconv's.

use std::fmt;

use burn::tensor::ops::ConvOptions;
use winoconv::{Conv, Operation, Padding, Problem};

/// Everything that a convolution depends on, except for the values.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Geometry {
    /// `[N, C, H, W]`
    pub input: [usize; 4],
    /// `[K, C / groups, R, S]`
    pub weight: [usize; 4],
    /// Whether a bias of K elements is added.
    pub bias: bool,
    /// Stride, padding, dilation and groups.
    pub options: ConvOptions<2>,
}

impl Geometry {
    /// `[N, K, P, Q]`. 0 where the filter reaches beyond the padded input.
    pub fn output(&self) -> [usize; 4] {
        let ConvOptions { stride, padding, dilation, .. } = &self.options;
        let size = |i: usize| {
            let padded = self.input[2 + i] + padding[i].0 + padding[i].1;
            let reach = dilation[i] * self.weight[2 + i].saturating_sub(1) + 1;
            padded.checked_sub(reach).map_or(0, |rest| rest / stride[i] + 1)
        };
        [self.input[0], self.weight[0], size(0), size(1)]
    }

    /// The shape of what an operation computes: the output, or the tensor that the gradient is of.
    pub(crate) fn result(&self, operation: Operation) -> Vec<usize> {
        match operation {
            Operation::InputGradient => self.input.to_vec(),
            Operation::WeightGradient => self.weight.to_vec(),
            Operation::BiasGradient => vec![self.weight[0]],
            _ => self.output().to_vec(),
        }
    }

    /// What winoconv has to plan.
    pub(crate) fn problem(&self, operation: Operation) -> winoconv::Result<Problem> {
        let ConvOptions { stride, padding: [rows, columns], dilation, groups } = self.options.clone();
        let [filters, _, r, s] = self.weight;
        let conv = Conv::new(self.input[1], filters, [r, s])
            .stride(stride)
            .dilation(dilation)
            .groups(groups)
            .padding(Padding::Explicit { before: [rows.0, columns.0].into(), after: [rows.1, columns.1].into() })
            .bias(self.bias);
        let forward = conv.on(self.input)?;
        match operation {
            Operation::InputGradient => forward.input_gradient(),
            Operation::WeightGradient => forward.weight_gradient(),
            Operation::BiasGradient => forward.bias_gradient(),
            _ => Ok(forward),
        }
    }
}

impl fmt::Display for Geometry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ConvOptions { stride, padding, dilation, groups } = &self.options;
        write!(f, "{:?} * {:?}", self.input, self.weight)?;
        write!(f, " stride {stride:?} padding {padding:?} dilation {dilation:?} groups {groups}")?;
        f.write_str(if self.bias { " with bias" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::Geometry;
    use burn::tensor::ops::ConvOptions;
    use winoconv::Operation;

    /// Under fusion burn trusts the shape that is computed here, so it must be the one that winoconv computes.
    #[test]
    fn outputs_have_the_size_that_winoconv_computes() {
        let sizes =
            [([1, 1], [0, 0], [1, 1]), ([2, 2], [1, 1], [1, 1]), ([2, 1], [3, 0], [2, 1]), ([3, 2], [2, 1], [1, 3])];
        for (stride, padding, dilation) in sizes {
            let options = ConvOptions::new(stride, padding, dilation, 1);
            let geometry = Geometry { input: [2, 3, 17, 14], weight: [5, 3, 3, 2], bias: false, options };
            let problem = geometry.problem(Operation::Forward).unwrap();
            assert_eq!(problem.output_shape(), geometry.output(), "{geometry}");
        }
    }
}
