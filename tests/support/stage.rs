//! Bounds of single stages, from what the stage was given: `gamma(k) |L| |x| |R|^T` for the transforms, `gamma(C)
//! |u| |v|` for the product (Higham 2002, section 3.1). Two results in f32 are at most twice as far apart.

use winoconv::winograd::error_bound::{abs_transforms, gamma};
use winoconv::winograd::{F, Nested, Programs};

/// Which matrices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// `G`
    Filter,
    /// `B^T`
    Input,
    /// `A^T`
    Output,
}

/// One dimension of a transform: its matrix of absolute values, and the most roundings of a path through it.
struct Side {
    abs: Vec<f64>,
    rows: usize,
    cols: usize,
    roundings: u32,
}

impl Side {
    fn new(f: F, stage: Stage) -> Self {
        let abs = abs_transforms(f).unwrap_or_else(|error| panic!("{f:?}: {error}"));
        let programs = f.programs().unwrap_or_else(|error| panic!("{f:?}: {error}"));
        let Programs { input, filter, output } = &*programs;
        let (abs, program) = match stage {
            Stage::Filter => (abs.g, filter),
            Stage::Input => (abs.b_t, input),
            Stage::Output => (abs.a_t, output),
        };
        let cols = program.inputs();
        Self { rows: abs.len() / cols, abs, cols, roundings: program.depth() }
    }
}

/// A two-dimensional transform's bound.
pub(crate) struct TransformBound {
    down: Side,
    across: Side,
}

impl TransformBound {
    /// The bound of one stage of an algorithm.
    pub(crate) fn new(algorithm: Nested, stage: Stage) -> Self {
        Self { down: Side::new(algorithm.rows, stage), across: Side::new(algorithm.cols, stage) }
    }

    /// Values that go in.
    pub(crate) const fn inputs(&self) -> usize {
        self.down.cols * self.across.cols
    }

    /// The bound on each value that comes out of `x`, row by row, with `extra` more roundings afterwards.
    pub(crate) fn of(&self, x: &[f64], extra: u32) -> Vec<f64> {
        let Self { down, across } = self;
        assert_eq!(x.len(), self.inputs(), "a whole tile");
        let gamma = gamma(down.roundings + across.roundings + extra);
        let mut out = Vec::with_capacity(down.rows * across.rows);
        for i in 0..down.rows {
            for j in 0..across.rows {
                let term = |at: usize| {
                    let (r, s) = (at / across.cols, at % across.cols);
                    down.abs[i * down.cols + r] * x[at].abs() * across.abs[j * across.cols + s]
                };
                out.push(gamma * (0..x.len()).map(term).sum::<f64>());
            }
        }
        out
    }
}

/// The bound on a sum of products.
pub(crate) fn dot_bound(terms: impl Iterator<Item = (f32, f32)>) -> f64 {
    let (mut sum, mut count) = (0.0, 0);
    for (x, y) in terms {
        sum += (f64::from(x) * f64::from(y)).abs();
        count += 1;
    }
    gamma(count) * sum
}
