//! Elementwise functions of several tensors as small programs: what chains of unary and binary nodes become. A kernel computes
//! one for each element of its output.

use super::op::{Binary, Unary};

/// An instruction. Operands are the results of earlier ones, by position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Instruction {
    /// An element of a tensor.
    Load(usize),
    /// A number, by its position among the program's.
    Number(usize),
    /// A function of one result.
    Unary(Unary, usize),
    /// A function of two.
    Binary(Binary, usize, usize),
    /// The second where the first is not 0, else the third.
    Where(usize, usize, usize),
}

impl Instruction {
    fn moved(self, by: usize, loads: impl Fn(usize) -> usize, numbers: usize) -> Self {
        match self {
            Self::Load(tensor) => Self::Load(loads(tensor)),
            Self::Number(number) => Self::Number(number + numbers),
            Self::Unary(function, a) => Self::Unary(function, a + by),
            Self::Binary(function, a, b) => Self::Binary(function, a + by, b + by),
            Self::Where(a, b, c) => Self::Where(a + by, b + by, c + by),
        }
    }
}

/// A program: its last instruction is its result.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Map {
    pub(crate) code: Vec<Instruction>,
    pub(crate) numbers: Vec<f32>,
}

/// Most instructions of a program: longer chains are cut, so that compiling stays quick.
const MAX_CODE: usize = 48;

impl Map {
    /// One element of one tensor, as it is.
    pub(crate) fn load() -> Self {
        Self { code: vec![Instruction::Load(0)], numbers: Vec::new() }
    }

    /// One element of one tensor times a number.
    pub(crate) fn scaled(by: f32) -> Self {
        let code = vec![Instruction::Load(0), Instruction::Number(0), Instruction::Binary(Binary::Mul, 0, 1)];
        Self { code, numbers: vec![by] }
    }

    /// A number.
    pub(crate) fn number(number: f32) -> Self {
        Self { code: vec![Instruction::Number(0)], numbers: vec![number] }
    }

    /// Programs one after the other in one, each with the positions of its tensors among all; and where their results are.
    pub(crate) fn together(parts: &[(&Self, Vec<usize>)]) -> (Self, Vec<usize>) {
        let mut all = Self { code: Vec::new(), numbers: Vec::new() };
        let mut results = Vec::with_capacity(parts.len());
        for (part, tensors) in parts {
            let (by, numbers) = (all.code.len(), all.numbers.len());
            all.code.extend(part.code.iter().map(|instruction| instruction.moved(by, |i| tensors[i], numbers)));
            all.numbers.extend(&part.numbers);
            results.push(all.code.len() - 1);
        }
        (all, results)
    }

    pub(crate) fn then(mut self, last: Instruction) -> Self {
        self.code.push(last);
        self
    }

    pub(crate) fn is_long(&self) -> bool {
        self.code.len() > MAX_CODE
    }

    /// Whether it only copies.
    pub(crate) fn is_copy(&self) -> bool {
        self.code == [Instruction::Load(0)]
    }
}
