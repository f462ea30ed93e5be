//! A two-dimensional transform on [`LANES`] tiles side by side: columns first, then rows, as the shaders do it.

use std::sync::Arc;

use crate::winograd::{F, Lane, Nested, Program, Programs};

/// Tiles that go through a transform together: one or two vector registers on every CPU.
pub(crate) const LANES: usize = 16;

/// One value of each of the tiles.
pub(crate) type Lanes<T> = [T; LANES];

/// Which of the three transforms.
#[derive(Clone, Copy)]
enum Which {
    Filter,
    Input,
    Output,
}

/// A transform with the room it works in.
pub(crate) struct Transform2d<T> {
    down: Arc<Programs>,
    across: Arc<Programs>,
    which: Which,
    input: Vec<Lanes<T>>,
    half: Vec<Lanes<T>>,
    column: Vec<Lanes<T>>,
    scratch: Vec<Lanes<T>>,
    output: Vec<Lanes<T>>,
}

impl<T: Lane + Default> Transform2d<T> {
    pub(crate) fn filter(algorithm: Nested) -> Self {
        Self::new(algorithm, Which::Filter)
    }

    pub(crate) fn input_tiles(algorithm: Nested) -> Self {
        Self::new(algorithm, Which::Input)
    }

    pub(crate) fn output_tiles(algorithm: Nested) -> Self {
        Self::new(algorithm, Which::Output)
    }

    fn new(algorithm: Nested, which: Which) -> Self {
        let programs = |f: F| f.programs().expect("the planner rejects algorithms without transforms");
        let (down, across) = (programs(algorithm.rows), programs(algorithm.cols));
        let zero = [T::default(); LANES];
        let (d, a) = (select(&down, which), select(&across, which));
        let (in_h, out_h, in_w, out_w) = (d.inputs(), d.outputs().len(), a.inputs(), a.outputs().len());
        let scratch = d.ops().len().max(a.ops().len());
        Self {
            input: vec![zero; in_h * in_w],
            half: vec![zero; out_h * in_w],
            column: vec![zero; in_h.max(out_h)],
            scratch: vec![zero; scratch],
            output: vec![zero; out_h * out_w],
            down,
            across,
            which,
        }
    }

    /// The tile to transform, row by row.
    pub(crate) fn input(&mut self) -> &mut [Lanes<T>] {
        &mut self.input
    }

    /// The transformed tile, row by row.
    pub(crate) fn output(&self) -> &[Lanes<T>] {
        &self.output
    }

    /// Transforms the input into the output.
    pub(crate) fn run(&mut self) {
        let (down, across) = (select(&self.down, self.which), select(&self.across, self.which));
        let (in_h, in_w) = (down.inputs(), across.inputs());
        let (out_h, out_w) = (down.outputs().len(), across.outputs().len());
        let fits = "the buffers were made for these programs";
        let mut result = vec![[T::default(); LANES]; out_h];
        for j in 0..in_w {
            for i in 0..in_h {
                self.column[i] = self.input[i * in_w + j];
            }
            down.eval(&self.column[..in_h], &mut self.scratch, &mut result).expect(fits);
            for (i, value) in result.iter().enumerate() {
                self.half[i * in_w + j] = *value;
            }
        }
        for i in 0..out_h {
            let row = &self.half[i * in_w..(i + 1) * in_w];
            across.eval(row, &mut self.scratch, &mut self.output[i * out_w..(i + 1) * out_w]).expect(fits);
        }
    }
}

fn select(programs: &Programs, which: Which) -> &Program {
    match which {
        Which::Filter => &programs.filter,
        Which::Input => &programs.input,
        Which::Output => &programs.output,
    }
}
