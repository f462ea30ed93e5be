//! Straight-line programs on rows of lanes: an operation at a time, each on as many places as there are.

use std::cell::Cell;

use pulp::Simd;

use super::transforms;
use crate::plan::LANES;
use crate::winograd::{F, Op, Program, Programs, Value};

/// A value of each of 16 rows.
pub(in crate::cpu) type Lanes = Cell<[f32; LANES]>;

/// Values of a transform at neighbouring places.
pub(in crate::cpu) trait Places<'a>: Copy {
    /// `N` values of each of `count` positions. Lengths are checked once, and not for each value.
    type Values<const N: usize>: Copy;

    fn values<const N: usize>(self, count: usize) -> Self::Values<N>;

    /// The values of a place.
    fn of_place<const N: usize>(values: &Self::Values<N>, place: usize) -> [&'a Lanes; N];

    /// The `i`-th value of all places.
    fn row(self, i: usize) -> Row<'a>;
}

/// Values in rows, `stride` apart: a row has the same value of all places.
#[derive(Clone, Copy)]
pub(in crate::cpu) struct Rows<'a> {
    pub(in crate::cpu) lanes: &'a [Lanes],
    pub(in crate::cpu) stride: usize,
}

impl<'a> Places<'a> for Rows<'a> {
    type Values<const N: usize> = [&'a [Lanes]; N];

    #[inline(always)]
    fn values<const N: usize>(self, count: usize) -> [&'a [Lanes]; N] {
        let mut rows = [self.lanes; N];
        for i in 0..N {
            rows[i] = &self.lanes[i * self.stride..][..count];
        }
        rows
    }

    #[inline(always)]
    fn of_place<const N: usize>(rows: &[&'a [Lanes]; N], place: usize) -> [&'a Lanes; N] {
        let mut values = [&rows[0][place]; N];
        for i in 0..N {
            values[i] = &rows[i][place];
        }
        values
    }

    fn row(self, i: usize) -> Row<'a> {
        Row { lanes: &self.lanes[i * self.stride..], step: 1 }
    }
}

/// Values one after the other, those of a place `step` behind those of the one before.
#[derive(Clone, Copy)]
pub(in crate::cpu) struct Runs<'a> {
    pub(in crate::cpu) lanes: &'a [Lanes],
    pub(in crate::cpu) step: usize,
}

impl<'a> Places<'a> for Runs<'a> {
    type Values<const N: usize> = Self;

    #[inline(always)]
    fn values<const N: usize>(self, _: usize) -> Self {
        self
    }

    #[inline(always)]
    fn of_place<const N: usize>(runs: &Self, place: usize) -> [&'a Lanes; N] {
        let run: &[Lanes; N] = runs.lanes[place * runs.step..].first_chunk().expect("a place has all values");
        run.each_ref()
    }

    fn row(self, i: usize) -> Row<'a> {
        Row { lanes: &self.lanes[i..], step: self.step }
    }
}

/// A value of places, `step` apart.
#[derive(Clone, Copy)]
pub(in crate::cpu) struct Row<'a> {
    lanes: &'a [Lanes],
    step: usize,
}

/// A slice as lanes that several names may have at a time.
pub(in crate::cpu) fn shared(lanes: &mut [[f32; LANES]]) -> &[Lanes] {
    Cell::from_mut(lanes).as_slice_of_cells()
}

/// Which of a transform's programs.
#[derive(Clone, Copy)]
pub(in crate::cpu) enum Which {
    Input,
    Output,
}

/// Transforms `count` places. `temps` has room for as many of each operation.
#[inline(always)]
pub(in crate::cpu) fn transform<'a, S: Simd>(
    simd: S,
    (f, programs, which): (F, &Programs, Which),
    count: usize,
    inputs: impl Places<'a>,
    temps: &'a [Lanes],
    outputs: impl Places<'a>,
) {
    if !transforms::run(simd, f, which, count, inputs, outputs) {
        let program = match which {
            Which::Input => &programs.input,
            Which::Output => &programs.output,
        };
        run(simd, program, count, inputs, temps, outputs);
    }
}

/// Runs `$transform`, which takes a register for each value, on `count` places. (As a function that takes it as one, the
/// compiler keeps it a call, and values go through memory.)
macro_rules! each_place {
    ($simd:ident, $count:ident, $inputs:ident: $input_count:literal, $outputs:ident: $output_count:literal, $transform:ident) => {{
        let inputs = $inputs.values::<$input_count>($count);
        let outputs = $outputs.values::<$output_count>($count);
        for place in 0..$count {
            let from = In::of_place(&inputs, place);
            let mut values = [[0.0; LANES]; $input_count];
            for i in 0..$input_count {
                values[i] = from[i].get();
            }
            let mut results = [[0.0; LANES]; $output_count];
            for register in 0..LANES / S::F32_LANES {
                let mut x = [$simd.splat_f32s(0.0); $input_count];
                for i in 0..$input_count {
                    x[i] = S::as_simd_f32s(&values[i]).0[register];
                }
                let y = $transform($simd, x);
                for i in 0..$output_count {
                    S::as_mut_simd_f32s(&mut results[i]).0[register] = y[i];
                }
            }
            let to = Out::of_place(&outputs, place);
            for i in 0..$output_count {
                to[i].set(results[i]);
            }
        }
    }};
}
pub(in crate::cpu) use each_place;

/// Runs a program operation by operation, each on all places.
#[inline(always)]
fn run<'a, S: Simd>(
    simd: S,
    program: &Program,
    count: usize,
    inputs: impl Places<'a>,
    temps: &'a [Lanes],
    outputs: impl Places<'a>,
) {
    let home = |op: usize| match program.output_of(op) {
        Some(output) => outputs.row(output),
        None => Row { lanes: &temps[op * count..(op + 1) * count], step: 1 },
    };
    let place = |value: Value| match value {
        Value::Input(i) => inputs.row(i),
        Value::Temp(op) => home(op),
    };
    for (i, (op, c)) in program.ops().iter().zip(program.coefficients()).enumerate() {
        let to = home(i);
        let c = simd.splat_f32s(c.f32);
        match *op {
            Op::Add(x, y) => pairs::<S>(count, to, place(x), place(y), |x, y| simd.add_f32s(x, y)),
            Op::Sub(x, y) => pairs::<S>(count, to, place(x), place(y), |x, y| simd.sub_f32s(x, y)),
            Op::Scale(_, x) => pairs::<S>(count, to, place(x), place(x), |x, _| simd.mul_f32s(c, x)),
            Op::MulAdd(_, x, y) => pairs::<S>(count, to, place(x), place(y), |x, y| simd.mul_add_e_f32s(c, x, y)),
            Op::MulSub(_, x, y) => {
                let minus = simd.neg_f32s(c);
                pairs::<S>(count, to, place(x), place(y), |x, y| simd.neg_f32s(simd.mul_add_e_f32s(minus, x, y)));
            }
        }
    }
    for (output, &value) in program.outputs().iter().enumerate() {
        // An input as it is, or a result that two outputs have.
        if !matches!(value, Value::Temp(op) if program.output_of(op) == Some(output)) {
            pairs::<S>(count, outputs.row(output), place(value), place(value), |x, _| x);
        }
    }
}

#[inline(always)]
fn pairs<S: Simd>(count: usize, to: Row<'_>, x: Row<'_>, y: Row<'_>, op: impl Fn(S::f32s, S::f32s) -> S::f32s) {
    if (to.step, x.step, y.step) == (1, 1, 1) {
        for ((to, x), y) in to.lanes[..count].iter().zip(&x.lanes[..count]).zip(&y.lanes[..count]) {
            one::<S>(to, x, y, &op);
        }
    } else {
        for i in 0..count {
            one::<S>(&to.lanes[i * to.step], &x.lanes[i * x.step], &y.lanes[i * y.step], &op);
        }
    }
}

#[inline(always)]
fn one<S: Simd>(to: &Lanes, x: &Lanes, y: &Lanes, op: impl Fn(S::f32s, S::f32s) -> S::f32s) {
    let (x, y, mut result) = (x.get(), y.get(), [0.0; LANES]);
    let ((x, _), (y, _)) = (S::as_simd_f32s(&x), S::as_simd_f32s(&y));
    for ((to, &x), &y) in S::as_mut_simd_f32s(&mut result).0.iter_mut().zip(x).zip(y) {
        *to = op(x, y);
    }
    to.set(result);
}
