//! Random operands of a plan, and what must come out.

use winoconv::Residual;
use winoconv::cpu::error_bound;
use winoconv::plan::{Plan, Slot};

use crate::random::data::{self, Case};

/// What stands in an output before the run, where it is not a residual: no sum comes near it, every type has it, and between
/// elements it stays.
const UNWRITTEN: f32 = -10_000.0;

pub(crate) struct Data {
    case: Case,
    output: Vec<f32>,
    pub(crate) expected: Vec<f32>,
    /// How far each element of the output may be from that; 0 where nothing is written.
    pub(crate) bound: Vec<f32>,
}

impl Data {
    pub(crate) fn new(plan: &Plan) -> anyhow::Result<Self> {
        let problem = *plan.problem();
        let case = Case::new(problem, data::Data::Normal, 0xE4);
        let in_place = problem.conv().residual == Residual::InPlace;
        let output = if in_place { case.residual.clone() } else { vec![UNWRITTEN; problem.output_len()] };
        let (mut expected, mut bound) = (output.clone(), vec![0.0; output.len()]);
        let reference = case.reference();
        let exact = reference.all();
        for (index, (exact, bound_of)) in exact.iter().zip(error_bound(&reference, plan.algorithm())?).enumerate() {
            let at = reference.position(index);
            expected[at] = *exact as f32;
            // What rounding the expected value takes is added, and the sum rounded up.
            bound[at] = ((bound_of + (exact - f64::from(expected[at])).abs()) as f32).next_up();
        }
        Ok(Self { case, output, expected, bound })
    }

    pub(crate) fn operand(&self, slot: Slot) -> Option<&[f32]> {
        match slot {
            Slot::Input => Some(&self.case.input),
            Slot::Weights => Some(&self.case.weights),
            Slot::Bias => Some(&self.case.bias),
            Slot::Slopes => Some(&self.case.slopes),
            Slot::Residual => Some(&self.case.residual),
            Slot::Output => Some(&self.output),
            _ => None,
        }
    }
}
