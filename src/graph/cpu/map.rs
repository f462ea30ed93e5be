//! Elementwise programs, a block of elements after the other: each instruction makes a block.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::rows::each_row;
use super::source::Sources;
use crate::activation::single;
use crate::cpu::with_registers;
use crate::graph::compile::Place;
use crate::graph::interpret;
use crate::graph::map::{Instruction, Map};
use crate::graph::{Binary, Dims, MAX_DIMS, Unary};

/// Elements of a block: all results of a program stay in the first cache.
const BLOCK: usize = 256;
/// Elements of a task of one long row.
const TASK: usize = 1 << 14;

pub(super) fn run(map: &Map, inputs: &[Place], sources: &Sources<'_>, to: &Place, output: &mut [f32]) {
    let (mut to, mut inputs) = coalesced(to, inputs);
    // Elements of an output's row lie side by side. Where they did not, the last axis had one element, and was dropped.
    if to.strides[to.dims.rank() - 1] != 1 {
        [&mut to].into_iter().chain(&mut inputs).for_each(with_last_axis);
    }
    let last = to.dims.rank() - 1;
    let row_of = |starts: &[usize], row: &mut [f32]| {
        let rows: Vec<Row<'_>> = sources
            .iter()
            .zip(&inputs)
            .zip(starts)
            .map(|((data, place), &start)| Row { data, start, step: place.strides[last] })
            .collect();
        with_registers(Compute { map, rows: &rows, output: row });
    };
    if last == 0 {
        // One long row.
        let row = &mut output[to.offset..to.offset + to.dims[0]];
        row.par_chunks_mut(TASK).enumerate().for_each(|(task, part)| {
            let starts = inputs.iter().map(|place| start(place, &[task * TASK])).collect::<Vec<_>>();
            row_of(&starts, part);
        });
        return;
    }
    each_row(&to, output, |indices, row| {
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

/// A row of a tensor.
struct Row<'a> {
    data: &'a [f32],
    start: usize,
    step: isize,
}

impl Row<'_> {
    fn load(&self, first: usize, into: &mut [f32]) {
        let at = |i: usize| self.start.wrapping_add_signed(self.step * (first + i).cast_signed());
        match self.step {
            1 => into.copy_from_slice(&self.data[at(0)..at(0) + into.len()]),
            0 => into.fill(self.data[self.start]),
            _ => into.iter_mut().enumerate().for_each(|(i, x)| *x = self.data[at(i)]),
        }
    }
}

/// A program for the elements of a row.
struct Compute<'a> {
    map: &'a Map,
    rows: &'a [Row<'a>],
    output: &'a mut [f32],
}

impl WithSimd for Compute<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { map, rows, output } = self;
        if map.is_copy() {
            return rows[0].load(0, output);
        }
        // The last instruction's results are the output's.
        let Some((last, code)) = map.code.split_last() else { return };
        // Rows may be short.
        let len = output.len().min(BLOCK);
        let mut results = vec![0.0; code.len() * len];
        for (block, part) in output.chunks_mut(BLOCK).enumerate() {
            let count = part.len();
            for (at, instruction) in code.iter().enumerate() {
                let (before, rest) = results.split_at_mut(at * len);
                let result = |of: usize| &before[of * len..][..count];
                instruct(map, rows, *instruction, block * BLOCK, result, &mut rest[..count]);
            }
            instruct(map, rows, *last, block * BLOCK, |of| &results[of * len..][..count], part);
        }
    }
}

/// What an instruction makes of results before it, for elements of a row from the `first` on.
#[inline(always)]
fn instruct<'r>(
    map: &Map,
    rows: &[Row<'_>],
    instruction: Instruction,
    first: usize,
    result: impl Fn(usize) -> &'r [f32],
    into: &mut [f32],
) {
    match instruction {
        Instruction::Load(i) => rows[i].load(first, into),
        Instruction::Number(i) => into.fill(map.numbers[i]),
        Instruction::Unary(function, a) => unary(function, result(a), into),
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
fn unary(function: Unary, a: &[f32], into: &mut [f32]) {
    match function {
        Unary::Neg => each(a, into, |x| -x),
        Unary::Abs => each(a, into, f32::abs),
        Unary::Exp => each(a, into, single::exp),
        Unary::Log => each(a, into, f32::ln),
        Unary::Sqrt => each(a, into, f32::sqrt),
        Unary::Reciprocal => each(a, into, |x| 1.0 / x),
        Unary::Floor => each(a, into, f32::floor),
        Unary::Ceil => each(a, into, f32::ceil),
        Unary::Erf => each(a, into, single::erf),
        Unary::Activate(activation) => {
            into.copy_from_slice(&a[..into.len()]);
            activation.apply_in_place(into, |_| 0.0);
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
