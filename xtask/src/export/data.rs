//! Random operands of a plan, and what must come out.

use winoconv::cpu::{Reference, error_bound};
use winoconv::plan::{Plan, Slot};
use winoconv::{DType, Residual};

use crate::bench::data::Normal;

/// What stands in an output before the run, where it is not a residual: no sum comes near it, every type has it, and between
/// elements it stays.
const UNWRITTEN: f32 = -10_000.0;

/// The operands, in the order of memory.
pub(crate) struct Data {
    input: Vec<f32>,
    weights: Vec<f32>,
    bias: Vec<f32>,
    slopes: Vec<f32>,
    residual: Vec<f32>,
    /// The output before the run.
    output: Vec<f32>,
    /// The output after it, from sums in f64.
    pub(crate) expected: Vec<f32>,
    /// How far each element of the output may be from that; 0 where nothing is written.
    pub(crate) bound: Vec<f32>,
}

impl Data {
    /// Data for a plan, the same at every call.
    pub(crate) fn new(plan: &Plan) -> anyhow::Result<Self> {
        let problem = plan.problem();
        let conv = &problem.conv();
        let mut normal = Normal::new(0xE4);
        let mut values = |len: usize, scale: f32, dtype: DType| -> Vec<f32> {
            (0..len).map(|_| dtype.rounded(normal.next() * scale)).collect()
        };
        let input = values(problem.input_len(), 1.0, conv.dtype);
        let weights = values(problem.weights_len(), 1.0 / (problem.terms().max(1) as f32).sqrt(), conv.dtype);
        let bias = values(if conv.bias { conv.filters } else { 0 }, 1.0, DType::F32);
        let slopes = values(if conv.activation.has_slopes() { conv.filters } else { 0 }, 0.5, DType::F32);
        let residual = values(if conv.residual == Residual::None { 0 } else { problem.output_len() }, 1.0, conv.dtype);
        let mut output = vec![UNWRITTEN; problem.output_len()];
        if conv.residual == Residual::InPlace {
            output.copy_from_slice(&residual);
        }
        let (mut expected, mut bound) = (output.clone(), vec![0.0; output.len()]);
        let reference =
            Reference { problem, input: &input, weights: &weights, bias: &bias, slopes: &slopes, residual: &residual };
        let exact = reference.all();
        for (index, (exact, bound_of)) in exact.iter().zip(error_bound(&reference, plan.algorithm())?).enumerate() {
            let at = reference.position(index);
            expected[at] = *exact as f32;
            // What rounding the expected value takes is added, and the sum rounded up.
            bound[at] = ((bound_of + (exact - f64::from(expected[at])).abs()) as f32).next_up();
        }
        Ok(Self { input, weights, bias, slopes, residual, output, expected, bound })
    }

    /// What an operand holds before the run; nothing for what steps write first.
    pub(crate) fn operand(&self, slot: Slot) -> Option<&[f32]> {
        match slot {
            Slot::Input => Some(&self.input),
            Slot::Weights => Some(&self.weights),
            Slot::Bias => Some(&self.bias),
            Slot::Slopes => Some(&self.slopes),
            Slot::Residual => Some(&self.residual),
            Slot::Output => Some(&self.output),
            _ => None,
        }
    }
}
