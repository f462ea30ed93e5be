//! Random problems with operands and exact results, as the library's tests have them.

use anyhow::{Context as _, ensure};
use winoconv::cpu::{Sample, error_bound_at};
use winoconv::{Layer, Workspace};

use self::data::Case;

#[path = "../../tests/support/data.rs"]
#[allow(dead_code, reason = "shared with the tests, which use all of it")]
pub(crate) mod data;
#[path = "../../tests/support/strategies.rs"]
#[allow(dead_code, reason = "shared with the tests, which use all of it")]
pub(crate) mod strategies;

/// Runs a case through a layer, and compares so many outputs with the exact result, within their bounds.
pub(crate) fn run(case: &Case, layer: &Layer, workspace: &mut Workspace, samples: usize) -> anyhow::Result<()> {
    let (problem, reference, device) = (case.problem, case.reference(), layer.device().caps());
    let mut output = case.before();
    let run = layer.run_problem(&problem, case.inputs(), &mut output, workspace);
    pollster::block_on(run).with_context(|| format!("{problem} on {device}"))?;
    let algorithm = layer.plan_for(&problem)?.algorithm();
    let exact = reference.sample(samples);
    let indices: Vec<usize> = exact.iter().map(|sample| sample.index).collect();
    for (Sample { index, position, value }, bound) in exact.iter().zip(error_bound_at(&reference, algorithm, &indices)?)
    {
        let found = output[*position];
        let is_right = (f64::from(found) - value).abs() <= bound;
        ensure!(
            is_right,
            "{problem}, {algorithm} on {device}: output {index} is {found}, expected {value} within {bound:e}"
        );
    }
    Ok(())
}
