//! The processor's own steps: one for each correlation, computed from its sizes by kernels that cut their work themselves.

use super::host_blocks::HostBlocks;
use super::steps::{Built, direct_params, epilogue_operands, factors};
use super::windows::Windows;
use super::{Cut, Operand, Packing, Preferences, Reason, Slot, Step, host_estimate};
use crate::caps::Caps;
use crate::correlation::Correlation;
use crate::error::{LimitError, Resource};
use crate::kernel::{DirectParams, Epilogue, Host, HostKernel, Params as _, Storage, word};
use crate::problem::Problem;
use crate::winograd::Nested;

/// Winograd, transforms and multiply block by block.
pub(super) fn winograd(
    problem: &Problem,
    algorithm: Nested,
    storage: Storage,
    caps: &Caps,
    preferences: &Preferences,
) -> Result<Built, Reason> {
    let windows = Windows::of_problem(problem).map_err(Reason::Inapplicable)?;
    let packing = Packing::Panels(algorithm);
    if windows.of.is_empty() {
        return Ok(Built { packing, cut: Cut::Only, steps: Vec::new(), workspace: Vec::new() });
    }
    let lens = |block| HostBlocks::new(&windows, algorithm, block).workspace(caps.threads);
    let fits = |lens: &[usize]| 4 * lens.iter().sum::<usize>() as u64 <= preferences.workspace_limit;
    let block = host_estimate::block(&windows, algorithm, |block| fits(&lens(block)));
    let workspace = lens(block);
    let need = 4 * workspace.iter().sum::<usize>() as u64;
    LimitError::check(&format!("staged {algorithm}"), Resource::WorkspaceBytes, need, preferences.workspace_limit)?;
    let step = step(problem, &windows.of, HostKernel::Winograd { algorithm, block }, Slot::Packed, storage);
    Ok(Built { packing, cut: Cut::Only, steps: vec![step], workspace })
}

fn step(problem: &Problem, of: &Correlation, kernel: HostKernel, weights: Slot, storage: Storage) -> Step {
    let conv = &problem.conv;
    let [source, _] = factors(of);
    let output = Operand::from(Slot::Output);
    let params = DirectParams { end: word(of.n * of.out_len()), k_group: word(of.group_k), ..direct_params(of, conv) };
    Step {
        kernel: Host { kernel, border: of.border, storage, epilogue: Epilogue::of(conv) }.spec(),
        grid: [1; 3],
        params: params.words(),
        operands: [source.into(), weights.into(), output].into_iter().chain(epilogue_operands(conv, output)).collect(),
    }
}
