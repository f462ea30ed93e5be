//! Generated code has no control flow.

use naga::{Block, Statement};

use super::rule::{Lint, functions};
use crate::kernel::KernelSpec;
use crate::wgsl::checked::Checked;

pub(super) const LINT: Lint = Lint {
    name: "straight_line",
    explanation: "A generated leaf has no loop, branch, barrier or early return: what a reader must follow stands in \
                  the shader files.",
    check,
};

fn check(_: &KernelSpec, checked: &Checked) -> Vec<String> {
    let leaves = functions(&checked.module).filter(|(name, _)| checked.source.leaves.contains(name));
    let bent = leaves.filter(|(_, function)| !is_straight(&function.body));
    bent.map(|(name, _)| format!("control flow in generated fn {name}")).collect()
}

fn is_straight(block: &Block) -> bool {
    let last = block.len().saturating_sub(1);
    block.iter().enumerate().all(|(i, statement)| match statement {
        Statement::Emit(_) | Statement::Store { .. } | Statement::Call { .. } => true,
        // naga closes every function with one.
        Statement::Return { value: None } => i == last,
        _ => false,
    })
}
