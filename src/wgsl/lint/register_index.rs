//! Registers are indexed by literals.

use naga::{AddressSpace, Expression};

use super::rule::{Lint, functions};
use crate::kernel::KernelSpec;
use crate::wgsl::checked::Checked;

pub(super) const LINT: Lint = Lint {
    name: "register_index",
    explanation: "No computed index into a function's own arrays: registers cannot be indexed at run time, so the \
                  array would move to memory, and naga would clamp each index.",
    check,
};

fn check(_: &KernelSpec, checked: &Checked) -> Vec<String> {
    let mut findings = Vec::new();
    for (name, function) in functions(&checked.module) {
        for (_, expression) in function.expressions.iter() {
            let Expression::Access { base, .. } = *expression else { continue };
            if in_registers(&checked.module, function, base) {
                findings.push(format!("computed index into a local array in fn {name}"));
            }
        }
    }
    findings
}

/// Whether an expression is, or points to, a value of the function itself.
fn in_registers(module: &naga::Module, function: &naga::Function, base: naga::Handle<Expression>) -> bool {
    match function.expressions[base] {
        Expression::LocalVariable(_) => true,
        Expression::FunctionArgument(index) => {
            let inner = &module.types[function.arguments[index as usize].ty].inner;
            inner.pointer_space().is_none_or(|space| matches!(space, AddressSpace::Function | AddressSpace::Private))
        }
        Expression::GlobalVariable(handle) => module.global_variables[handle].space == AddressSpace::Private,
        Expression::Access { base, .. } | Expression::AccessIndex { base, .. } => in_registers(module, function, base),
        // A loaded or computed array is a value: indexing it spills it first.
        _ => true,
    }
}
