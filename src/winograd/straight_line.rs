//! A matrix-vector product as a short straight-line program with shared sub-expressions: the only
//! form in which the transforms reach a kernel or the CPU, so that operation counts, rounding
//! bounds and results all speak of the same sequence of operations. `common_terms` finds the
//! program; here it is a value that can be checked, counted and run.

use super::{Coefficient, Lane, Matrix, Rational, WinogradError, common_terms};

/// An operand.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Value {
    /// Entry i of the input vector.
    Input(usize),
    /// Result of operation i.
    Temp(usize),
}

/// One operation. `MulAdd` and `MulSub` are one fused multiply-add where the device has it.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// `x + y`.
    Add(Value, Value),
    /// `x - y`.
    Sub(Value, Value),
    /// `c * x`.
    Scale(Rational, Value),
    /// `c * x + y`.
    MulAdd(Rational, Value, Value),
    /// `c * x - y`.
    MulSub(Rational, Value, Value),
}

impl Op {
    /// The coefficient, if there is one, and the operands.
    #[must_use]
    pub const fn parts(self) -> (Option<Rational>, Value, Option<Value>) {
        match self {
            Self::Add(x, y) | Self::Sub(x, y) => (None, x, Some(y)),
            Self::Scale(c, x) => (Some(c), x, None),
            Self::MulAdd(c, x, y) | Self::MulSub(c, x, y) => (Some(c), x, Some(y)),
        }
    }
}

/// A straight-line program: it reads inputs, runs its operations in order (each may use inputs and
/// earlier results), and names which values are the outputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    inputs: usize,
    ops: Vec<Op>,
    outputs: Vec<Value>,
    /// The coefficient of each operation, rounded once and for all; 1 where the operation has none.
    coefficients: Vec<Coefficient>,
    /// Of each operation, the first output that its result is.
    homes: Vec<Option<usize>>,
}

impl Program {
    /// A program from its parts.
    ///
    /// # Errors
    /// An operand or output names an input that is not there, or a result that is not there yet.
    pub fn new(inputs: usize, ops: Vec<Op>, outputs: Vec<Value>) -> Result<Self, WinogradError> {
        let check = |value: Value, done: usize| match value {
            Value::Input(i) if i >= inputs => {
                Err(WinogradError::SizeMismatch { what: "inputs of a program, above", expected: i, found: inputs })
            }
            Value::Temp(i) if i >= done => {
                Err(WinogradError::SizeMismatch { what: "earlier results, above", expected: i, found: done })
            }
            Value::Input(_) | Value::Temp(_) => Ok(()),
        };
        for (i, op) in ops.iter().enumerate() {
            let (_, x, y) = op.parts();
            check(x, i)?;
            y.map_or(Ok(()), |y| check(y, i))?;
        }
        outputs.iter().try_for_each(|&value| check(value, ops.len()))?;
        let coefficients = ops.iter().map(|op| op.parts().0.unwrap_or(Rational::ONE).into()).collect();
        let home = |op| outputs.iter().position(|&value| value == Value::Temp(op));
        let homes = (0..ops.len()).map(home).collect();
        Ok(Self { inputs, ops, outputs, coefficients, homes })
    }

    /// A short program for `matrix * x`. The same matrix always gives the same program.
    ///
    /// # Errors
    /// A ratio of two entries overflows.
    pub fn from_matrix(matrix: &Matrix) -> Result<Self, WinogradError> {
        let program = common_terms::shortest_program(matrix)?;
        debug_assert!(program.to_matrix().map_or(true, |found| found == *matrix), "the program is not its matrix");
        Ok(program)
    }

    /// Number of inputs.
    #[must_use]
    pub const fn inputs(&self) -> usize {
        self.inputs
    }

    /// The operations in order; `Value::Temp(i)` is the result of `ops()[i]`.
    #[must_use]
    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// The coefficient of each operation; 1 where it has none.
    pub(crate) fn coefficients(&self) -> &[Coefficient] {
        &self.coefficients
    }

    /// The first output that the result of an operation is, if it is one.
    pub(crate) fn output_of(&self, op: usize) -> Option<usize> {
        self.homes[op]
    }

    /// Where the outputs are.
    #[must_use]
    pub fn outputs(&self) -> &[Value] {
        &self.outputs
    }

    /// Number of additions, subtractions and fused multiply-adds.
    #[must_use]
    pub fn adds_and_fmas(&self) -> usize {
        self.ops.len() - self.scales()
    }

    /// Number of multiplications that no addition follows directly.
    #[must_use]
    pub fn scales(&self) -> usize {
        self.ops.iter().filter(|op| matches!(op, Op::Scale(..))).count()
    }

    /// Number of multiplications, fused or not.
    #[must_use]
    pub fn multiplications(&self) -> usize {
        self.ops.iter().filter(|op| op.parts().0.is_some()).count()
    }

    /// Runs the program. `scratch` must hold [`Program::ops`]`.len()` values or more; what it holds
    /// is overwritten.
    ///
    /// # Errors
    /// `inputs` or `outputs` is of another length than the program's, or `scratch` is too short.
    /// Nothing is written.
    pub fn eval<T: Lane>(&self, inputs: &[T], scratch: &mut [T], outputs: &mut [T]) -> Result<(), WinogradError> {
        let check = |what, expected, found, fits| {
            if fits { Ok(()) } else { Err(WinogradError::SizeMismatch { what, expected, found }) }
        };
        check("inputs of a program", self.inputs, inputs.len(), inputs.len() == self.inputs)?;
        check("scratch of a program, at least", self.ops.len(), scratch.len(), scratch.len() >= self.ops.len())?;
        let wanted = self.outputs.len();
        check("outputs of a program", wanted, outputs.len(), outputs.len() == wanted)?;
        let read = |scratch: &[T], value| match value {
            Value::Input(i) => inputs[i],
            Value::Temp(i) => scratch[i],
        };
        for (i, (op, c)) in self.ops.iter().zip(&self.coefficients).enumerate() {
            scratch[i] = match *op {
                Op::Add(x, y) => read(scratch, x).add(read(scratch, y)),
                Op::Sub(x, y) => read(scratch, x).sub(read(scratch, y)),
                Op::Scale(_, x) => read(scratch, x).scale(c),
                Op::MulAdd(_, x, y) => read(scratch, x).scale_add(c, read(scratch, y)),
                Op::MulSub(_, x, y) => read(scratch, x).scale_sub(c, read(scratch, y)),
            };
        }
        for (output, &value) in outputs.iter_mut().zip(&self.outputs) {
            *output = read(scratch, value);
        }
        Ok(())
    }

    /// The matrix that the program computes, exactly.
    ///
    /// # Errors
    /// An entry overflows, or the program has no inputs or no outputs.
    pub fn to_matrix(&self) -> Result<Matrix, WinogradError> {
        self.linear_forms(|c| c)
    }

    /// The matrix that the program would compute if every coefficient and every subtraction were
    /// positive. It is at least the absolute value of the program's matrix, entry by entry, and
    /// larger where terms cancel on the way; a rounding error made on the way is multiplied by this
    /// matrix and not by the smaller one.
    ///
    /// # Errors
    /// As [`Program::to_matrix`].
    pub fn abs_matrix(&self) -> Result<Matrix, WinogradError> {
        self.linear_forms(Rational::abs)
    }

    /// Each output as a row of coefficients of the inputs, every factor (also the -1 of a
    /// subtraction) being passed through `sign`.
    fn linear_forms(&self, sign: impl Fn(Rational) -> Rational) -> Result<Matrix, WinogradError> {
        let unit = |i: usize| {
            let mut form = vec![Rational::ZERO; self.inputs];
            form[i] = Rational::ONE;
            form
        };
        let mut forms: Vec<Vec<Rational>> = Vec::with_capacity(self.ops.len());
        for op in &self.ops {
            let (c, x, y) = op.parts();
            let y_factor = match op {
                Op::Sub(..) | Op::MulSub(..) => Rational::MINUS_ONE,
                Op::Add(..) | Op::Scale(..) | Op::MulAdd(..) => Rational::ONE,
            };
            let read = |value| match value {
                Value::Input(i) => unit(i),
                Value::Temp(i) => forms[i].clone(),
            };
            let mut form = read(x);
            let c = sign(c.unwrap_or(Rational::ONE));
            for entry in &mut form {
                *entry = entry.try_mul(c)?;
            }
            if let Some(y) = y {
                for (entry, term) in form.iter_mut().zip(read(y)) {
                    *entry = entry.try_add(term.try_mul(sign(y_factor))?)?;
                }
            }
            forms.push(form);
        }
        let row = |value: &Value| match *value {
            Value::Input(i) => unit(i),
            Value::Temp(i) => forms[i].clone(),
        };
        Matrix::from_rows(&self.outputs.iter().map(row).collect::<Vec<_>>())
    }

    /// The largest number of `f32` roundings between an input and an output, whether or not the
    /// device fuses: an addition rounds once, a multiplication once (not at all by a power of two),
    /// a coefficient that no `f32` holds once more. So every computed output is `sum over paths of
    /// (product of factors) * input * prod (1 + delta_i)` with at most so many `delta_i` of at most
    /// one unit roundoff each (Higham 2002, section 3.1), barring underflow.
    #[must_use]
    pub fn depth(&self) -> u32 {
        let mut depths: Vec<u32> = Vec::with_capacity(self.ops.len());
        let at = |depths: &[u32], value| match value {
            Value::Input(_) => 0,
            Value::Temp(i) => depths[i],
        };
        for op in &self.ops {
            let (c, x, y) = op.parts();
            let product = at(&depths, x) + c.map_or(0, multiplication_roundings);
            depths.push(y.map_or(product, |y| 1 + product.max(at(&depths, y))));
        }
        self.outputs.iter().map(|&value| at(&depths, value)).max().unwrap_or(0)
    }
}

fn multiplication_roundings(c: Rational) -> u32 {
    u32::from(!c.is_power_of_two()) + u32::from(!c.fits_f32())
}

#[cfg(test)]
mod tests {
    use super::*;
    use Value::{Input, Temp};

    fn half() -> Rational {
        Rational::new(1, 2).unwrap()
    }

    /// `y0 = (x0 - x1) / 2 - x2`, `y1 = (x0 - x1) + x1`.
    fn example() -> Program {
        let ops = vec![Op::Sub(Input(0), Input(1)), Op::MulSub(half(), Temp(0), Input(2)), Op::Add(Temp(0), Input(1))];
        Program::new(3, ops, vec![Temp(1), Temp(2)]).unwrap()
    }

    #[test]
    fn evaluates_on_numbers_and_lanes() {
        let (mut scratch, mut out) = ([0.0_f32; 5], [0.0; 2]);
        example().eval(&[5.0, 1.0, 3.0], &mut scratch, &mut out).unwrap();
        assert_eq!(out.map(f32::to_bits), [-1.0_f32, 5.0].map(f32::to_bits));
        let (mut scratch, mut out) = ([[0.0_f64; 2]; 3], [[0.0; 2]; 2]);
        example().eval(&[[5.0, 2.0], [1.0, 0.0], [3.0, 1.0]], &mut scratch, &mut out).unwrap();
        assert_eq!(out, [[-1.0, 0.0], [5.0, 2.0]]);
    }

    #[test]
    fn matrices_show_cancellation() {
        let program = example();
        assert_eq!(program.to_matrix().unwrap().to_string(), "1/2  -1/2  -1\n  1     0   0");
        assert_eq!(program.abs_matrix().unwrap().to_string(), "1/2  1/2  1\n  1    2  0");
        assert_eq!((program.adds_and_fmas(), program.scales(), program.multiplications()), (3, 0, 1));
    }

    #[test]
    fn depth_counts_roundings() {
        assert_eq!(example().depth(), 2);
        let third = Rational::new(1, 3).unwrap();
        let scaled = |c| Program::new(1, vec![Op::Scale(c, Input(0))], vec![Temp(0)]).unwrap().depth();
        assert_eq!((scaled(half()), scaled(Rational::from(3)), scaled(third)), (0, 1, 2));
        let fma = Op::MulAdd(third, Input(0), Input(1));
        assert_eq!(Program::new(2, vec![fma], vec![Temp(0)]).unwrap().depth(), 3);
        assert_eq!(Program::new(1, vec![], vec![Input(0)]).unwrap().depth(), 0);
    }

    #[test]
    fn bad_parts_and_sizes_are_errors() {
        assert!(Program::new(1, vec![], vec![Input(1)]).is_err());
        assert!(Program::new(1, vec![Op::Scale(half(), Temp(0))], vec![]).is_err());
        assert!(Program::new(1, vec![], vec![]).unwrap().to_matrix().is_err());
        let mut out = [0.0_f32; 2];
        assert!(example().eval(&[1.0; 2], &mut [0.0; 3], &mut out).is_err());
        assert!(example().eval(&[1.0; 3], &mut [0.0; 2], &mut out).is_err());
        assert!(example().eval(&[1.0; 3], &mut [0.0; 3], &mut out[..1]).is_err());
    }
}
