//! The end of every kernel: bias, residual and activation.

use pulp::{Scalar, Simd, WithSimd};

use crate::activation::Activation;
use crate::conv::Residual;
use crate::dtype::DType;

/// Bias, residual and activation as a kernel sees them.
#[derive(Clone, Copy)]
pub(crate) struct Finish<'a> {
    pub(crate) activation: Activation,
    pub(crate) bias: &'a [f32],
    pub(crate) slopes: &'a [f32],
    pub(crate) from: Residual,
    pub(crate) residual: &'a [f32],
    /// In which outputs are stored.
    pub(crate) stored: DType,
}

/// Which outputs are contiguous.
#[derive(Clone, Copy)]
pub(crate) enum SideBySide {
    /// One filter's, of neighbouring places.
    Places(usize),
    /// Those of the filters from this one on, of one place.
    Filters(usize),
}

impl Finish<'_> {
    /// Writes the output of filter `k` that lies at `at`.
    pub(super) fn write(&self, x: f32, k: usize, at: usize, dst: &mut [f32]) {
        let mut values = [x];
        self.finish(Scalar::new(), &mut values, SideBySide::Places(k), at, &dst[at..=at]);
        dst[at] = values[0];
    }

    /// From sums to outputs that lie side by side, the first of them at `at`; `stood` is what stands there.
    #[inline(always)]
    pub(crate) fn finish<S: Simd>(&self, simd: S, values: &mut [f32], of: SideBySide, at: usize, stood: &[f32]) {
        self.add_bias(values, of);
        self.add_residual(values, at, stood);
        self.activate(simd, values, of);
    }

    #[inline(always)]
    pub(crate) fn add_bias(&self, values: &mut [f32], of: SideBySide) {
        match of {
            _ if self.bias.is_empty() => {}
            SideBySide::Places(k) => {
                let bias = self.bias[k];
                values.iter_mut().for_each(|x| *x += bias);
            }
            SideBySide::Filters(first) => {
                let bias = &self.bias[first..][..values.len()];
                values.iter_mut().zip(bias).for_each(|(x, bias)| *x += bias);
            }
        }
    }

    #[inline(always)]
    pub(crate) fn add_residual(&self, values: &mut [f32], at: usize, stood: &[f32]) {
        match self.from {
            Residual::None => {}
            Residual::Tensor => {
                let residual = &self.residual[at..][..values.len()];
                values.iter_mut().zip(residual).for_each(|(x, r)| *x += r);
            }
            Residual::InPlace => values.iter_mut().zip(stood).for_each(|(x, r)| *x += self.stored.rounded(*r)),
        }
    }

    /// The activation, and the rounding to the type in which outputs are stored.
    #[inline(always)]
    pub(crate) fn activate<S: Simd>(&self, simd: S, values: &mut [f32], of: SideBySide) {
        match self.activation {
            Activation::None => {}
            // Nearly all networks have it, and it is short.
            Activation::Relu => Activation::Relu.apply_in_place(values, |_| 0.0),
            activation => simd.vectorize(Apply { activation, values: &mut *values, slopes: self.slopes, of }),
        }
        match self.stored {
            DType::F32 => {}
            stored => values.iter_mut().for_each(|x| *x = stored.rounded(*x)),
        }
    }
}

/// An activation as a function of its own, compiled once for each kind of registers, and not wherever outputs are written.
struct Apply<'a> {
    activation: Activation,
    values: &'a mut [f32],
    slopes: &'a [f32],
    of: SideBySide,
}

impl WithSimd for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { activation, values, slopes, of } = self;
        match of {
            _ if !activation.has_slopes() => activation.apply_in_place(values, |_| 0.0),
            SideBySide::Places(k) => activation.apply_in_place(values, |_| slopes[k]),
            SideBySide::Filters(first) => {
                let last = first + values.len() - 1;
                activation.apply_in_place(values, |i| slopes[last.min(first + i)]);
            }
        }
    }
}
