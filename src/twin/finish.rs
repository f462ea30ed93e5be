//! The end of every kernel: bias, residual and activation.

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
        self.finish(&mut values, SideBySide::Places(k), at, &dst[at..=at]);
        dst[at] = values[0];
    }

    /// From sums to outputs that lie side by side, the first of them at `at`; `stood` is what stands there.
    #[expect(clippy::cast_possible_truncation, reason = "rounding to the output's type")]
    #[inline(always)]
    pub(crate) fn finish(&self, values: &mut [f32], of: SideBySide, at: usize, stood: &[f32]) {
        match of {
            _ if self.bias.is_empty() => {}
            SideBySide::Places(k) => {
                let bias = self.bias[k];
                values.iter_mut().for_each(|x| *x += bias);
            }
            SideBySide::Filters(first) => values.iter_mut().zip(&self.bias[first..]).for_each(|(x, bias)| *x += bias),
        }
        match self.from {
            Residual::None => {}
            Residual::Tensor => values.iter_mut().zip(&self.residual[at..]).for_each(|(x, r)| *x += r),
            Residual::InPlace => values.iter_mut().zip(stood).for_each(|(x, r)| *x += self.stored.rounded(*r)),
        }
        match self.activation {
            Activation::None => {}
            // Not `f32::max`, which makes a number of a NaN.
            Activation::Relu => values.iter_mut().for_each(|x| *x = if *x < 0.0 { 0.0 } else { *x }),
            other => {
                for (i, x) in values.iter_mut().enumerate() {
                    let filter = match of {
                        SideBySide::Places(k) => k,
                        SideBySide::Filters(first) => first + i,
                    };
                    let slope = self.slopes.get(filter).copied().unwrap_or(0.0).into();
                    *x = other.apply((*x).into(), slope) as f32;
                }
            }
        }
        if self.stored != DType::F32 {
            values.iter_mut().for_each(|x| *x = self.stored.rounded(*x));
        }
    }
}
