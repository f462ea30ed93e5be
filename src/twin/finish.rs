//! The end of every kernel: bias, residual and activation.

use pulp::{Scalar, Simd, WithSimd};

use crate::activation::{Activation, fuses};
use crate::conv::Residual;
use crate::dtype::DType;
use crate::plan::LANES;

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
    /// Those of the filters from this one on: of one place, or of several, [`LANES`] for each.
    Filters(usize),
}

impl Finish<'_> {
    /// Writes the output of filter `k` that lies at `at`.
    pub(super) fn write(&self, x: f32, k: usize, at: usize, dst: &mut [f32]) {
        let mut values = [x];
        self.finish(Scalar::new(), &mut values, k, at, &dst[at..=at]);
        dst[at] = values[0];
    }

    /// From sums of filter `k` to outputs that lie side by side, the first of them at `at`; `stood` is what stands there.
    #[inline(always)]
    pub(crate) fn finish<S: Simd>(&self, simd: S, values: &mut [f32], k: usize, at: usize, stood: &[f32]) {
        self.add_bias(values, k);
        self.add_residual(values, at, stood);
        self.activate(simd, values, SideBySide::Places(k));
    }

    #[inline(always)]
    pub(crate) fn add_bias(&self, values: &mut [f32], k: usize) {
        if let Some(bias) = self.bias.get(k) {
            values.iter_mut().for_each(|x| *x += bias);
        }
    }

    /// What is added to so many filters from the first one on, and anything to other lanes; nothing, if there is none.
    #[inline(always)]
    pub(crate) fn lanes_of_bias(&self, first: usize, count: usize) -> Option<[f32; LANES]> {
        let of_filters = self.bias.get(first..first + count)?;
        let mut bias = [0.0; LANES];
        bias[..count].copy_from_slice(of_filters);
        Some(bias)
    }

    /// The residual of so many filters of a place, at most 16, and zeros in other lanes; none, if there is none. `stood` is what
    /// stands where their outputs will.
    #[inline(always)]
    pub(crate) fn lanes_of_residual(&self, at: usize, stood: &[f32]) -> Option<[f32; LANES]> {
        match self.from {
            Residual::None => None,
            Residual::Tensor => Some(lanes_of(&self.residual[at..][..stood.len()])),
            Residual::InPlace => Some(lanes_of(stood).map(|x| self.stored.rounded(x))),
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
            Activation::Relu => Activation::Relu.apply_in_place::<false>(values, |_| 0.0),
            activation => simd.vectorize(Apply { activation, values: &mut *values, slopes: self.slopes, of }),
        }
        match self.stored {
            DType::F32 => {}
            stored => values.iter_mut().for_each(|x| *x = stored.rounded(*x)),
        }
    }
}

/// At most 16 elements, and zeros behind them. A full block is a case of its own, so that its size is known at compile time.
#[inline(always)]
fn lanes_of(elements: &[f32]) -> [f32; LANES] {
    elements.first_chunk().copied().unwrap_or_else(|| {
        let mut lanes = [0.0; LANES];
        lanes[..elements.len()].copy_from_slice(elements);
        lanes
    })
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
        // Constants: of two calls one is compiled.
        if fuses::<S>() { self.apply::<true>() } else { self.apply::<false>() }
    }
}

impl Apply<'_> {
    #[inline(always)]
    fn apply<const FUSED: bool>(self) {
        let Self { activation, values, slopes, of } = self;
        match of {
            _ if !activation.has_slopes() => activation.apply_in_place::<FUSED>(values, |_| 0.0),
            SideBySide::Places(k) => activation.apply_in_place::<FUSED>(values, |_| slopes[k]),
            SideBySide::Filters(first) => {
                let slopes: [f32; LANES] = std::array::from_fn(|i| slopes.get(first + i).copied().unwrap_or(0.0));
                activation.apply_in_place::<FUSED>(values, |i| slopes[i % LANES]);
            }
        }
    }
}
