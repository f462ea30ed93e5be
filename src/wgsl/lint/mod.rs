//! Lints on the validated module: what naga accepts and we do not. Each says what it wants and why, and has tests
//! of what it accepts and what it rejects.

mod bindings;
mod body_size;
mod bounded_loops;
mod no_select_of_load;
mod register_index;
mod resources;
mod rule;
mod straight_line;
#[cfg(test)]
mod tests;

pub use rule::Lint;

use super::checked::Checked;
use crate::kernel::KernelSpec;

/// All rules.
pub const LINTS: &[Lint] = &[
    bindings::LINT,
    resources::LINT,
    register_index::LINT,
    straight_line::LINT,
    no_select_of_load::LINT,
    body_size::LINT,
    bounded_loops::LINT,
];

/// What a kernel is excused from, with the reason: the kernel, the lint.
const EXCEPTIONS: &[(&str, &str, &str)] = &[(
    "winograd_inlined",
    "straight_line",
    "an exhibit, kept to show what repeating a reduce comes to: its generated leaf is the repeated reduce",
)];

fn is_excused(spec: &KernelSpec, lint: &Lint) -> bool {
    EXCEPTIONS.iter().any(|&(kernel, name, _)| (kernel, name) == (spec.kernel(), lint.name))
}

/// Every finding of every lint, as `lint: finding`.
pub fn run(spec: &KernelSpec, checked: &Checked) -> Vec<String> {
    let findings = |lint: &'static Lint| {
        (lint.check)(spec, checked).into_iter().map(move |finding| format!("{}: {finding}", lint.name))
    };
    LINTS.iter().filter(|lint| !is_excused(spec, lint)).flat_map(findings).collect()
}
