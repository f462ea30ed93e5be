//! Elementwise programs, a block of elements after the other: each instruction makes a block.

use pulp::{Simd, WithSimd};

use super::rows::each_row;
use super::source::Sources;
use crate::activation::{fuses, single};
use crate::cpu::{copy, each_chunk, with_registers};
use crate::graph::compile::Place;
use crate::graph::interpret;
use crate::graph::map::{Instruction, Map};
use crate::graph::{Binary, Dims, MAX_DIMS, Unary};

/// Elements of a block: all results of a program stay in the first cache.
const BLOCK: usize = 256;
/// Elements of a task of one long row.
const TASK: usize = 1 << 14;
/// A row's length where there is but one.
const ONE_ROW: usize = usize::MAX;

pub(super) fn run(map: &Map, inputs: &[Place], sources: &Sources<'_>, to: &Place, output: &mut [f32]) {
    let (mut to, mut inputs) = coalesced(to, inputs);
    // Elements of an output's row lie side by side. Where they did not, the last axis had one element, and was dropped.
    if to.strides[to.dims.rank() - 1] != 1 {
        [&mut to].into_iter().chain(&mut inputs).for_each(with_last_axis);
    }
    let last = to.dims.rank() - 1;
    // Rows shorter than a task, without gaps between them, are one row in the output, and some steps apart in what is read.
    let joins = last > 0 && to.dims[last] < TASK && to.strides[last - 1] == to.dims[last].cast_signed();
    let len = if joins { to.dims[last] } else { ONE_ROW };
    let row_of = |starts: &[usize], row: &mut [f32]| {
        let rows: Vec<Row<'_>> = sources
            .iter()
            .zip(&inputs)
            .zip(starts)
            .map(|((data, place), &start)| Row {
                data,
                start,
                step: place.strides[last],
                next: if joins { place.strides[last - 1] } else { 0 },
            })
            .collect();
        with_registers(Compute { map, rows: &rows, len, output: row });
    };
    let mut walked = to;
    if joins {
        walked.dims = Dims::from_slice(&[&to.dims[..last - 1], &[to.dims[last - 1] * len]].concat()).unwrap_or(to.dims);
        walked.strides[last - 1] = 1;
    }
    let inner = walked.dims.rank() - 1;
    if inner == 0 {
        // One long row, in parts of whole rows.
        let task = if joins { TASK.div_ceil(len) * len } else { TASK };
        let row = &mut output[to.offset..to.offset + walked.dims[0]];
        each_chunk(row, task, |i, part| {
            let first = if joins { i * task / len } else { i * task };
            row_of(&inputs.iter().map(|place| start(place, &[first])).collect::<Vec<_>>(), part);
        });
        return;
    }
    each_row(&walked, output, |indices, row| {
        let starts: Vec<usize> = inputs.iter().map(|place| start(place, indices)).collect();
        row_of(&starts, row);
    });
}

fn start(place: &Place, indices: &[usize]) -> usize {
    let steps = indices.iter().zip(place.strides).map(|(&index, step)| step * index.cast_signed());
    place.offset.wrapping_add_signed(steps.sum())
}

/// One more axis, of one element.
fn with_last_axis(place: &mut Place) {
    if let Some(dims) = Dims::from_slice(&[&place.dims[..], &[1]].concat()) {
        place.strides[place.dims.rank()] = 1;
        place.dims = dims;
    }
}

/// The same tensors with as few axes as they can be walked by, at least one: axes of one element are dropped, and neighbours
/// joined where that is one walk in all tensors.
pub(in crate::graph) fn coalesced(to: &Place, inputs: &[Place]) -> (Place, Vec<Place>) {
    let mut all: Vec<Place> = [*to].into_iter().chain(inputs.iter().copied()).collect();
    let mut sizes: Vec<usize> = Vec::new();
    let mut strides: Vec<Vec<isize>> = vec![Vec::new(); all.len()];
    for axis in (0..to.dims.rank()).filter(|&axis| to.dims[axis] != 1) {
        let size = to.dims[axis];
        let joins = all
            .iter()
            .zip(&strides)
            .all(|(place, own)| own.last().is_some_and(|&outer| outer == place.strides[axis] * size.cast_signed()));
        match sizes.last_mut().filter(|_| joins) {
            Some(outer) => *outer *= size,
            None => sizes.push(size),
        }
        for (place, own) in all.iter().zip(&mut strides) {
            if joins {
                own.pop();
            }
            own.push(place.strides[axis]);
        }
    }
    if sizes.is_empty() {
        sizes.push(1);
        strides.iter_mut().for_each(|own| own.push(1));
    }
    for (place, own) in all.iter_mut().zip(&strides) {
        place.dims = Dims::from_slice(&sizes).unwrap_or(place.dims);
        place.strides = [0; MAX_DIMS];
        place.strides[..own.len()].copy_from_slice(own);
    }
    let inputs = all.split_off(1);
    (all[0], inputs)
}

/// A row of a tensor, or several.
struct Row<'a> {
    data: &'a [f32],
    start: usize,
    step: isize,
    /// From a row's first element to the next row's.
    next: isize,
}

impl Row<'_> {
    /// Reads elements of rows of `len`, from the `first` of the first row on.
    #[inline(always)]
    fn load(&self, first: usize, len: usize, mut into: &mut [f32]) {
        if len == ONE_ROW || self.next == self.step * len.cast_signed() {
            return self.load_one(self.start.wrapping_add_signed(self.step * first.cast_signed()), into);
        }
        let (mut row, mut skipped) = (first / len, first % len);
        while !into.is_empty() {
            let (of_row, rest) = into.split_at_mut(into.len().min(len - skipped));
            let from = self.next * row.cast_signed() + self.step * skipped.cast_signed();
            self.load_one(self.start.wrapping_add_signed(from), of_row);
            (row, skipped, into) = (row + 1, 0, rest);
        }
    }

    #[inline(always)]
    fn load_one(&self, start: usize, into: &mut [f32]) {
        match self.step {
            1 => copy(&self.data[start..start + into.len()], into),
            0 => into.fill(self.data[start]),
            step => {
                let at = |i: usize| start.wrapping_add_signed(step * i.cast_signed());
                into.iter_mut().enumerate().for_each(|(i, x)| *x = self.data[at(i)]);
            }
        }
    }
}

/// A program for the elements of a row.
struct Compute<'a> {
    map: &'a Map,
    rows: &'a [Row<'a>],
    /// Elements of a row, if there are several; else [`ONE_ROW`].
    len: usize,
    output: &'a mut [f32],
}

impl WithSimd for Compute<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        if fuses::<S>() { self.run::<true>() } else { self.run::<false>() }
    }
}

impl Compute<'_> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let Self { map, rows, len, output } = self;
        if map.is_copy() {
            return rows[0].load(0, len, output);
        }
        // The last instruction's results are the output's.
        let Some((last, code)) = map.code.split_last() else { return };
        let block = BLOCK.min(output.len());
        let mut results = vec![0.0; code.len() * block];
        for (i, part) in output.chunks_mut(block).enumerate() {
            let (first, count) = ((i * block, len), part.len());
            for (at, instruction) in code.iter().enumerate() {
                let (before, rest) = results.split_at_mut(at * block);
                let result = |of: usize| &before[of * block..][..count];
                instruct::<FUSED>(map, rows, *instruction, first, result, &mut rest[..count]);
            }
            instruct::<FUSED>(map, rows, *last, first, |of| &results[of * block..][..count], part);
        }
    }
}

/// What an instruction makes of results before it, for elements from the `first` on of rows of so many.
#[inline(always)]
fn instruct<'r, const FUSED: bool>(
    map: &Map,
    rows: &[Row<'_>],
    instruction: Instruction,
    (first, len): (usize, usize),
    result: impl Fn(usize) -> &'r [f32],
    into: &mut [f32],
) {
    match instruction {
        Instruction::Load(i) => rows[i].load(first, len, into),
        Instruction::Number(i) => into.fill(map.numbers[i]),
        Instruction::Unary(function, a) => unary::<FUSED>(function, result(a), into),
        Instruction::Binary(function, a, b) => binary(function, result(a), result(b), into),
        Instruction::Where(a, b, c) => {
            let (a, b, c) = (result(a), result(b), result(c));
            for (i, x) in into.iter_mut().enumerate() {
                *x = if a[i] == 0.0 { c[i] } else { b[i] };
            }
        }
    }
}

#[inline(always)]
fn each(a: &[f32], into: &mut [f32], f: impl Fn(f32) -> f32) {
    into.iter_mut().zip(a).for_each(|(x, &a)| *x = f(a));
}

#[inline(always)]
fn unary<const FUSED: bool>(function: Unary, a: &[f32], into: &mut [f32]) {
    match function {
        Unary::Neg => each(a, into, |x| -x),
        Unary::Abs => each(a, into, f32::abs),
        Unary::Exp => each(a, into, single::exp::<FUSED>),
        Unary::Log => each(a, into, f32::ln),
        Unary::Sqrt => each(a, into, f32::sqrt),
        Unary::Reciprocal => each(a, into, |x| 1.0 / x),
        Unary::Floor => each(a, into, f32::floor),
        Unary::Ceil => each(a, into, f32::ceil),
        Unary::Erf => each(a, into, single::erf::<FUSED>),
        Unary::Activate(activation) => {
            into.copy_from_slice(&a[..into.len()]);
            activation.apply_in_place::<FUSED>(into, |_| 0.0);
        }
        #[expect(clippy::cast_possible_truncation, reason = "the rounding")]
        other => each(a, into, |x| interpret::unary(other, f64::from(x)) as f32),
    }
}

#[inline(always)]
fn both(a: &[f32], b: &[f32], into: &mut [f32], f: impl Fn(f32, f32) -> f32) {
    into.iter_mut().zip(a).zip(b).for_each(|((x, &a), &b)| *x = f(a, b));
}

#[inline(always)]
fn binary(function: Binary, a: &[f32], b: &[f32], into: &mut [f32]) {
    let truth = |is: bool| if is { 1.0 } else { 0.0 };
    match function {
        Binary::Add => both(a, b, into, |a, b| a + b),
        Binary::Sub => both(a, b, into, |a, b| a - b),
        Binary::Mul => both(a, b, into, |a, b| a * b),
        Binary::Div => both(a, b, into, |a, b| a / b),
        Binary::Pow => both(a, b, into, f32::powf),
        Binary::Min => both(a, b, into, |a, b| if a < b || a.is_nan() { a } else { b }),
        Binary::Max => both(a, b, into, |a, b| if a > b || a.is_nan() { a } else { b }),
        Binary::PRelu => both(a, b, into, |a, b| if a > 0.0 { a } else { a * b }),
        Binary::Greater => both(a, b, into, |a, b| truth(a > b)),
        Binary::GreaterEqual => both(a, b, into, |a, b| truth(a >= b)),
        Binary::Less => both(a, b, into, |a, b| truth(a < b)),
        Binary::LessEqual => both(a, b, into, |a, b| truth(a <= b)),
        Binary::Equal => both(a, b, into, |a, b| truth(a == b)),
    }
}
