//! One dimension of a convolution on its input: how large the output is, and what is padded.

use crate::conv::Conv;
use crate::error::{Error, Result, ShapeError};
use crate::padding::{Border, Padding};
use crate::spatial::MAX_RANK;

/// Names of the dimensions, for errors.
pub(super) const AXES: [&str; MAX_RANK] = ["depth", "height", "width"];

/// One dimension of a convolution on its input.
pub(super) struct Axis {
    name: &'static str,
    size: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    /// Padding before and after, where it is given.
    explicit: Option<[usize; 2]>,
    upper: bool,
    transposed: Option<usize>,
    border: Border,
}

impl Axis {
    pub(super) fn of(conv: &Conv, i: usize, size: usize) -> Self {
        let explicit = match conv.padding {
            Padding::Explicit { before, after } => Some([before[i], after[i]]),
            _ => None,
        };
        Self {
            name: AXES[MAX_RANK - conv.rank() + i],
            size,
            kernel: conv.kernel[i],
            stride: conv.stride[i],
            dilation: conv.dilation[i],
            explicit,
            upper: conv.padding == Padding::SameUpper,
            transposed: conv.transposed.map(|extra| extra[i]),
            border: conv.border,
        }
    }

    /// Size of the output, and padding before the first element.
    pub(super) fn output(&self) -> Result<(usize, usize)> {
        let Self { name, size, kernel, stride, dilation, explicit, .. } = *self;
        if size == 0 {
            return Err(ShapeError::Empty { axis: name }.into());
        }
        let numbers = || {
            let padding = explicit.map_or("same".to_owned(), |[before, after]| format!("{before} and {after}"));
            format!("{size} elements, padding {padding}, kernel {kernel}, stride {stride}, dilation {dilation}")
        };
        let overflow = || Error::from(ShapeError::Overflow { what: "the padded input", numbers: numbers() });
        let span = (kernel - 1).checked_mul(dilation).and_then(|x| x.checked_add(1)).ok_or_else(overflow)?;
        if let Some(extra) = self.transposed {
            let spread = (size - 1).checked_mul(stride).and_then(|x| x.checked_add(span));
            let whole = spread.and_then(|x| x.checked_add(extra)).ok_or_else(overflow)?;
            let Some([before, after]) = explicit else {
                let out = size.checked_mul(stride).ok_or_else(overflow)?;
                return Ok((out, self.half(whole.saturating_sub(out))));
            };
            let cut = before.checked_add(after).ok_or_else(overflow)?;
            if cut >= whole {
                return Err(ShapeError::CutOff { axis: name, cut, whole }.into());
            }
            return Ok((whole - cut, before));
        }
        let Some([before, after]) = explicit else {
            let out = size.div_ceil(stride);
            let needed = (out - 1).checked_mul(stride).and_then(|x| x.checked_add(span)).ok_or_else(overflow)?;
            let total = needed.saturating_sub(size);
            let before = self.half(total);
            self.check_border(before.max(total - before))?;
            return Ok((out, before));
        };
        self.check_border(before.max(after))?;
        let padded = size.checked_add(before).and_then(|x| x.checked_add(after)).ok_or_else(overflow)?;
        if span > padded {
            return Err(ShapeError::FilterTooLarge { axis: name, span, padded }.into());
        }
        Ok(((padded - span) / stride + 1, before))
    }

    /// What comes before, of a padding that is shared out.
    const fn half(&self, total: usize) -> usize {
        if self.upper { total / 2 } else { total.div_ceil(2) }
    }

    fn check_border(&self, got: usize) -> Result<()> {
        let bound = self.border.most(self.size);
        if got <= bound {
            return Ok(());
        }
        Err(ShapeError::BorderTooWide { axis: self.name, border: self.border.name(), got, bound }.into())
    }
}
