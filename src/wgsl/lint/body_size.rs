//! Loop bodies stay small.

use super::rule::Lint;
use crate::caps::Limits;
use crate::kernel::KernelSpec;
use crate::wgsl::checked::Checked;
use crate::wgsl::count;

/// What the smallest instruction cache holds that is known.
const MAX_OPERATIONS: usize = Limits::APPLE_LOOP_OPERATIONS as usize;

pub(super) const LINT: Lint = Lint {
    name: "body_size",
    explanation: "No innermost loop, calls included, has more than about 1,000 scalar operations: it would fall out of the \
                  instruction cache of small GPUs at every turn.",
    check,
};

fn check(_: &KernelSpec, checked: &Checked) -> Vec<String> {
    let entries = count::entry_points(checked);
    let loops = entries.iter().flat_map(|entry| entry.loops.iter().flat_map(count::Body::walk));
    let long = loops.filter(|body| body.loops.is_empty() && body.operations > MAX_OPERATIONS);
    long.map(|body| {
        format!("{} operations in a loop of fn {}, at most {MAX_OPERATIONS}", body.operations, body.function)
    })
    .collect()
}
