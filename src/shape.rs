//! What a convolution is: [`Conv`] describes the operator, [`Problem`] is a `Conv` on an input of a
//! known size, checked. Letters as in cuDNN: input `N C H W`, `K` filters of `R S`, output `P Q`.

use std::fmt;

use crate::activation::Activation;
use crate::error::{Error, LimitError, Resource, Result, ShapeError};

/// Rows and columns added around the input, of zeros.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Padding {
    /// Rows above.
    pub top: usize,
    /// Rows below.
    pub bottom: usize,
    /// Columns to the left.
    pub left: usize,
    /// Columns to the right.
    pub right: usize,
}

impl Padding {
    /// The same on all four sides.
    pub const fn all(size: usize) -> Self {
        Self { top: size, bottom: size, left: size, right: size }
    }
}

impl From<usize> for Padding {
    fn from(size: usize) -> Self {
        Self::all(size)
    }
}

/// A 2-D convolution (cross-correlation, as everywhere in deep learning) in NCHW, without its input's size:
///
/// `out[n,k,p,q] = act(bias[k] + sum over c,r,s of in[n, c, p*stride + r*dilation - pad, ...] * weights[k,c,r,s])`
///
/// Weights are `[K, C / groups, R, S]`; output channel `k` reads the input channels of group `k / (K / groups)`.
///
/// ```
/// use winoconv::{Activation, Conv};
/// let conv = Conv::new(64, 128, [3, 3]).padding(1).bias(true).activation(Activation::Relu);
/// let problem = conv.on([1, 64, 56, 56])?;
/// assert_eq!(problem.output_shape(), [1, 128, 56, 56]);
/// # Ok::<(), winoconv::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Conv {
    /// Input channels, C.
    pub channels: usize,
    /// Filters, K.
    pub filters: usize,
    /// Filter size, R and S.
    pub kernel: [usize; 2],
    /// Step between outputs, in height and width.
    pub stride: [usize; 2],
    /// Step between filter taps, in height and width.
    pub dilation: [usize; 2],
    /// Zeros around the input.
    pub padding: Padding,
    /// Groups: input and output channels are divided into this many independent convolutions.
    pub groups: usize,
    /// Whether a bias of K elements is added.
    pub bias: bool,
    /// What is applied after the bias.
    pub activation: Activation,
}

impl Conv {
    /// A convolution of `channels` to `filters` with a filter of `kernel`; stride and dilation 1, no padding,
    /// one group, no bias, no activation.
    pub const fn new(channels: usize, filters: usize, kernel: [usize; 2]) -> Self {
        Self {
            channels,
            filters,
            kernel,
            stride: [1, 1],
            dilation: [1, 1],
            padding: Padding::all(0),
            groups: 1,
            bias: false,
            activation: Activation::None,
        }
    }

    /// Sets the padding: one number for all sides, or a [`Padding`].
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Padding>) -> Self {
        self.padding = padding.into();
        self
    }

    /// Sets the stride in height and width.
    #[must_use]
    pub const fn stride(mut self, stride: [usize; 2]) -> Self {
        self.stride = stride;
        self
    }

    /// Sets the dilation in height and width.
    #[must_use]
    pub const fn dilation(mut self, dilation: [usize; 2]) -> Self {
        self.dilation = dilation;
        self
    }

    /// Sets the number of groups.
    #[must_use]
    pub const fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    /// Whether there is a bias.
    #[must_use]
    pub const fn bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// Sets the activation.
    #[must_use]
    pub const fn activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// Elements of the weights, `K * C / groups * R * S`.
    pub const fn weights_len(&self) -> usize {
        self.filters * (self.channels / self.groups) * self.kernel[0] * self.kernel[1]
    }

    /// Checks everything that does not depend on the input's size.
    ///
    /// # Errors
    /// [`ShapeError`] with the numbers.
    pub fn validate(&self) -> Result<()> {
        let sizes = [
            ("channels", self.channels),
            ("filters", self.filters),
            ("kernel height", self.kernel[0]),
            ("kernel width", self.kernel[1]),
            ("stride in height", self.stride[0]),
            ("stride in width", self.stride[1]),
            ("dilation in height", self.dilation[0]),
            ("dilation in width", self.dilation[1]),
            ("groups", self.groups),
        ];
        if let Some(&(what, _)) = sizes.iter().find(|(_, size)| *size == 0) {
            return Err(ShapeError::Zero { what }.into());
        }
        for (what, got) in [("channels", self.channels), ("filters", self.filters)] {
            if got % self.groups != 0 {
                return Err(ShapeError::Groups { what, got, groups: self.groups }.into());
            }
        }
        self.activation.validate()?;
        let [r, s] = self.kernel;
        product("the weights' size", &[self.filters, self.channels / self.groups, r, s])?;
        Ok(())
    }

    /// This convolution on an input of `[N, C, H, W]`.
    ///
    /// # Errors
    /// [`ShapeError`] where the two do not fit, [`LimitError`] where a tensor has more elements than a 32-bit
    /// index reaches.
    pub fn on(&self, input: [usize; 4]) -> Result<Problem> {
        self.validate()?;
        let [n, c, h, w] = input;
        if c != self.channels {
            return Err(ShapeError::Channels { expected: self.channels, got: c }.into());
        }
        for (what, size) in [("input height", h), ("input width", w)] {
            if size == 0 {
                return Err(ShapeError::Zero { what }.into());
            }
        }
        let pad = self.padding;
        let p = output_size("height", h, [pad.top, pad.bottom], self.kernel[0], self.stride[0], self.dilation[0])?;
        let q = output_size("width", w, [pad.left, pad.right], self.kernel[1], self.stride[1], self.dilation[1])?;
        let problem = Problem { conv: *self, n, h, w, p, q };
        for (what, len) in [
            ("the input", product("the input's size", &[n, c, h, w])?),
            ("the weights", self.weights_len()),
            ("the output", product("the output's size", &[n, self.filters, p, q])?),
            // Coordinates inside the padded input are 32-bit as well.
            ("the padded height", h + pad.top + pad.bottom),
            ("the padded width", w + pad.left + pad.right),
        ] {
            LimitError::check(what, Resource::IndexRange, len as u64, u64::from(u32::MAX >> 1))?;
        }
        Ok(problem)
    }
}

/// A convolution on an input of a known size; every field is consistent, see [`Conv::on`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Problem {
    /// The operator.
    pub conv: Conv,
    /// Batch.
    pub n: usize,
    /// Input height.
    pub h: usize,
    /// Input width.
    pub w: usize,
    /// Output height.
    pub p: usize,
    /// Output width.
    pub q: usize,
}

impl Problem {
    /// Whether it is what [`Conv::on`] makes of its convolution and input, whatever was done to its fields since.
    ///
    /// # Errors
    /// As [`Conv::on`]; [`ShapeError::OutputSize`].
    pub fn validate(&self) -> Result<()> {
        let made = self.conv.on(self.input_shape())?;
        let [expected, got] = [&made, self].map(|problem| [problem.p, problem.q]);
        if expected == got { Ok(()) } else { Err(ShapeError::OutputSize { expected, got }.into()) }
    }

    /// `[N, C, H, W]`
    pub const fn input_shape(&self) -> [usize; 4] {
        [self.n, self.conv.channels, self.h, self.w]
    }

    /// `[N, K, P, Q]`
    pub const fn output_shape(&self) -> [usize; 4] {
        [self.n, self.conv.filters, self.p, self.q]
    }

    /// Elements of the input.
    pub const fn input_len(&self) -> usize {
        self.n * self.conv.channels * self.h * self.w
    }

    /// Elements of the output.
    pub const fn output_len(&self) -> usize {
        self.n * self.conv.filters * self.p * self.q
    }

    /// Input channels that one output value reads, `C / groups`.
    pub const fn channels_per_group(&self) -> usize {
        self.conv.channels / self.conv.groups
    }

    /// Filters of one group, `K / groups`.
    pub const fn filters_per_group(&self) -> usize {
        self.conv.filters / self.conv.groups
    }

    /// Products summed into one output value, `C / groups * R * S`.
    pub const fn terms(&self) -> usize {
        self.channels_per_group() * self.conv.kernel[0] * self.conv.kernel[1]
    }

    /// Products of a value inside the image in one output value, on average: at the borders of small images
    /// [`Self::terms`] are fewer, and a sum of fewer terms rounds less.
    pub fn mean_terms(&self) -> usize {
        let Conv { kernel: [r, s], stride, dilation, padding, .. } = self.conv;
        let outputs = (self.p * self.q) as u128;
        if outputs == 0 {
            return self.terms();
        }
        let rows = inside([self.h, self.p, r], stride[0], dilation[0], padding.top);
        let columns = inside([self.w, self.q, s], stride[1], dilation[1], padding.left);
        let terms = (self.channels_per_group() as u128 * rows * columns + outputs / 2) / outputs;
        usize::try_from(terms).unwrap_or(usize::MAX).max(1)
    }

    /// Floating-point operations of direct convolution, `2 N K P Q C R S / groups`: what effective FLOP/s count.
    #[expect(clippy::cast_precision_loss, reason = "a count for rates")]
    pub fn direct_flops(&self) -> f64 {
        2.0 * self.output_len() as f64 * self.terms() as f64
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Conv { channels, filters, kernel: [r, s], stride, dilation, padding, groups, bias, activation } = self.conv;
        write!(f, "{}x{channels}x{}x{} -> {filters}, {r}x{s}", self.n, self.h, self.w)?;
        if stride != [1, 1] {
            write!(f, ", stride {}x{}", stride[0], stride[1])?;
        }
        if dilation != [1, 1] {
            write!(f, ", dilation {}x{}", dilation[0], dilation[1])?;
        }
        let Padding { top, bottom, left, right } = padding;
        if padding == Padding::all(top) {
            write!(f, ", padding {top}")?;
        } else {
            write!(f, ", padding top {top} bottom {bottom} left {left} right {right}")?;
        }
        if groups != 1 {
            write!(f, ", {groups} groups")?;
        }
        if bias {
            f.write_str(", bias")?;
        }
        if activation != Activation::None {
            write!(f, ", {activation}")?;
        }
        Ok(())
    }
}

fn output_size(
    axis: &'static str,
    size: usize,
    pad: [usize; 2],
    kernel: usize,
    stride: usize,
    dilation: usize,
) -> Result<usize> {
    let numbers = || format!("{size} + {} + {}, kernel {kernel}, dilation {dilation}", pad[0], pad[1]);
    let overflow = || Error::from(ShapeError::Overflow { what: "the padded input", numbers: numbers() });
    let padded = size.checked_add(pad[0]).and_then(|x| x.checked_add(pad[1])).ok_or_else(overflow)?;
    let span = (kernel - 1).checked_mul(dilation).and_then(|x| x.checked_add(1)).ok_or_else(overflow)?;
    if span > padded {
        return Err(ShapeError::FilterTooLarge { axis, span, padded }.into());
    }
    Ok((padded - span) / stride + 1)
}

fn product(what: &'static str, factors: &[usize]) -> Result<usize> {
    factors.iter().try_fold(1usize, |acc, &x| acc.checked_mul(x)).ok_or_else(|| {
        let numbers = factors.iter().map(ToString::to_string).collect::<Vec<_>>().join(" * ");
        ShapeError::Overflow { what, numbers }.into()
    })
}

/// Pairs of an output and a tap that is inside the image, along one dimension.
fn inside([size, outputs, taps]: [usize; 3], stride: usize, dilation: usize, before: usize) -> u128 {
    let of_tap = |tap: usize| {
        let at = tap * dilation;
        // The first output that is not before the image, and the first one past it.
        let first = before.saturating_sub(at).div_ceil(stride);
        let past = (size + before).saturating_sub(at).div_ceil(stride);
        past.min(outputs).saturating_sub(first) as u128
    };
    (0..taps).map(of_tap).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_terms_are_those_inside_the_image() {
        let cases = [
            (Conv::new(4, 2, [3, 3]).padding(1), [1, 4, 14, 9]),
            (Conv::new(6, 4, [3, 5]).groups(2).stride([2, 3]).dilation([2, 1]).padding(4), [2, 6, 7, 11]),
            (Conv::new(2, 2, [3, 3]).padding(Padding { top: 5, bottom: 0, left: 0, right: 7 }), [1, 2, 3, 4]),
            (Conv::new(3, 2, [3, 3]), [1, 3, 8, 8]),
        ];
        for (conv, shape) in cases {
            let problem = conv.on(shape).expect("legal");
            let mut inside = 0;
            for (p, q, r, s) in (0..problem.p).flat_map(|p| {
                (0..problem.q).flat_map(move |q| {
                    (0..conv.kernel[0]).flat_map(move |r| (0..conv.kernel[1]).map(move |s| (p, q, r, s)))
                })
            }) {
                let y = (p * conv.stride[0] + r * conv.dilation[0]).wrapping_sub(conv.padding.top);
                let x = (q * conv.stride[1] + s * conv.dilation[1]).wrapping_sub(conv.padding.left);
                inside += usize::from(y < problem.h && x < problem.w);
            }
            let outputs = problem.p * problem.q;
            let expected = (problem.channels_per_group() * inside + outputs / 2) / outputs;
            assert_eq!(problem.mean_terms(), expected.max(1), "{problem}");
        }
    }

    #[test]
    fn output_sizes_are_pytorchs() {
        // (size, kernel, stride, dilation, padding) -> size, by PyTorch's formula.
        for (h, k, s, d, p, out) in
            [(32, 3, 1, 1, 1, 32), (7, 3, 2, 1, 0, 3), (7, 3, 2, 1, 1, 4), (10, 3, 1, 2, 0, 6), (5, 5, 3, 1, 2, 2)]
        {
            let conv = Conv::new(1, 1, [k, k]).stride([s, s]).dilation([d, d]).padding(p);
            let problem = conv.on([1, 1, h, h]).expect("legal");
            assert_eq!(problem.output_shape(), [1, 1, out, out], "{problem}");
        }
    }

    #[test]
    fn empty_batches_are_legal() {
        let problem = Conv::new(3, 4, [3, 3]).on([0, 3, 8, 8]).expect("legal");
        assert_eq!((problem.input_len(), problem.output_len()), (0, 0), "nothing to do");
    }

    #[test]
    fn refusals_name_both_numbers() {
        let message = |conv: Conv, input| conv.on(input).expect_err("refused").to_string();
        let base = Conv::new(4, 6, [3, 3]);
        assert_eq!(message(base, [1, 5, 8, 8]), "the input has 5 channels, the convolution expects 4");
        assert_eq!(message(base.groups(3), [1, 4, 8, 8]), "channels is 4, expected a multiple of groups = 3");
        assert_eq!(message(base.groups(4), [1, 4, 8, 8]), "filters is 6, expected a multiple of groups = 4");
        assert_eq!(message(base, [1, 4, 2, 8]), "the filter spans 3 in height, the padded input only 2");
        assert_eq!(message(base.stride([1, 0]), [1, 4, 8, 8]), "stride in width is 0, expected at least 1");
        assert_eq!(message(base, [1, 4, 0, 8]), "input height is 0, expected at least 1");
        assert_eq!(
            message(base, [1 << 20, 4, 1 << 10, 1 << 10]),
            "the input needs 4398046511104 elements within the reach of a 32-bit index, the bound is 2147483647"
        );
        assert!(message(base, [usize::MAX, 4, 8, 8]).contains("overflows"), "no wrap-around");
    }
}
