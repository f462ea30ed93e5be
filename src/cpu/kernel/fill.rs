//! Outputs that no tap reaches, as a transposed convolution has with a stride beyond its filter: bias, residual and activation
//! alone.

use pulp::Simd;

use super::result::write_line;
use crate::correlation::Correlation;
use crate::cpu::threads::{Disjoint, Task, walk};
use crate::twin::Finish;

/// Outputs of a row that are written at a time.
const COLUMNS: usize = 64;

/// Outputs of which nothing is summed.
pub(super) struct Fill<'a> {
    of: Correlation,
    finish: Finish<'a>,
    result: Disjoint<'a>,
}

impl<'a> Fill<'a> {
    pub(super) fn new(of: Correlation, finish: Finish<'a>, output: &'a mut [f32]) -> Self {
        Self { of, finish, result: Disjoint::new(output) }
    }

    pub(super) fn run(&self, threads: usize) {
        walk(threads, self.of.n * self.of.filters() * self.of.out[0], 0, &mut [], self);
    }
}

impl Task for Fill<'_> {
    /// A plane of outputs of one filter and image.
    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, task: usize, _: &mut [f32]) {
        let of = &self.of;
        let ([planes, rows, columns], filters) = (of.out, of.filters());
        let (z, filter, n) = (task % planes, task / planes % filters, task / planes / filters);
        let place = [n, filter / of.group_k, filter % of.group_k];
        for y in 0..rows {
            for x in (0..columns).step_by(COLUMNS) {
                let mut values = [0.0; COLUMNS];
                let values = &mut values[..COLUMNS.min(columns - x)];
                // SAFETY: an output belongs to one plane, and so to one task.
                #[expect(unsafe_code, reason = "threads write to one tensor")]
                unsafe {
                    write_line(
                        simd,
                        &self.result,
                        &self.finish,
                        filter,
                        of.dst.at(place, [z, y, x]),
                        of.dst.dhw[2],
                        values,
                    );
                }
            }
        }
    }
}
