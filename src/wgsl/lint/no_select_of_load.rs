//! `select` does not guard a load.

use naga::Expression;

use super::rule::{Lint, functions};
use crate::kernel::KernelSpec;
use crate::wgsl::checked::Checked;

pub(super) const LINT: Lint = Lint {
    name: "no_select_of_load",
    explanation: "No select between a value and a load: both sides are evaluated, so the load still happens out of \
                  range. Use `if`, or clamp the index.",
    check,
};

fn check(_: &KernelSpec, checked: &Checked) -> Vec<String> {
    let mut findings = Vec::new();
    for (name, function) in functions(&checked.module) {
        for (_, expression) in function.expressions.iter() {
            let Expression::Select { accept, reject, .. } = *expression else { continue };
            let loads = |handle| match function.expressions[handle] {
                Expression::Load { pointer } => is_computed(function, pointer),
                _ => false,
            };
            if loads(accept) || loads(reject) {
                findings.push(format!("select of a load in fn {name}"));
            }
        }
    }
    findings
}

/// Whether a pointer is reached by a computed index: others cannot be out of range.
fn is_computed(function: &naga::Function, pointer: naga::Handle<Expression>) -> bool {
    match function.expressions[pointer] {
        Expression::Access { .. } => true,
        Expression::AccessIndex { base, .. } => is_computed(function, base),
        _ => false,
    }
}
