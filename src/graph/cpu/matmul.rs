//! Products of matrices: a row of the output is a sum of rows of the second matrix.

use super::rows::each_row;
use super::source::Source;
use crate::graph::MAX_DIMS;
use crate::graph::compile::Place;

pub(super) fn run(a: Source<'_>, b: Source<'_>, to: &Place, output: &mut [f32]) {
    let inner = a.place.dims[a.place.dims.rank() - 1];
    let strides_of = |of: &Source<'_>| {
        let rank = of.place.dims.rank();
        (of.place.strides[rank - 2], of.place.strides[rank - 1], rank - 2)
    };
    let ((row, along, a_axes), (down, across, b_axes)) = (strides_of(&a), strides_of(&b));
    each_row(to, output, |indices, out| {
        let (batch, m) = indices.split_at(indices.len() - 1);
        let start = |of: &Source<'_>, axes: usize| {
            let mut own = [0; MAX_DIMS];
            for (axis, index) in own[..axes].iter_mut().enumerate() {
                *index = if of.place.dims[axis] == 1 { 0 } else { batch[batch.len() - axes + axis] };
            }
            of.position(&own[..axes])
        };
        let a_start = start(&a, a_axes).wrapping_add_signed(row * m[0].cast_signed());
        let b_start = start(&b, b_axes);
        out.fill(0.0);
        for k in 0..inner {
            let factor = a.data[a_start.wrapping_add_signed(along * k.cast_signed())];
            let line = b_start.wrapping_add_signed(down * k.cast_signed());
            if across == 1 {
                let line = &b.data[line..line + out.len()];
                out.iter_mut().zip(line).for_each(|(sum, &x)| *sum = factor.mul_add(x, *sum));
            } else {
                let x = |i: usize| b.data[line.wrapping_add_signed(across * i.cast_signed())];
                out.iter_mut().enumerate().for_each(|(i, sum)| *sum = factor.mul_add(x(i), *sum));
            }
        }
    });
}
