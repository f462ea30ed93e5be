//! The generated leaves: transforms from the exact matrices, and gathers and scatters with literal indices. No
//! control flow (but in the exhibit, see `inlined`), no computed index into registers: what loops would do is written out.

mod depthwise_patch;

use super::transforms::{filter_leaves, input_leaves, output_leaves};
use super::writer::{Leaves, lines, local_array};
use super::{dot, fragments, fused, implicit_gemm, inlined, register_tile};
use crate::kernel::{Direct, KernelSpec};
use crate::winograd::WinogradError;

pub(super) fn of(spec: &KernelSpec) -> Result<Leaves, WinogradError> {
    let mut leaves = Leaves::default();
    match spec {
        KernelSpec::Direct(direct) => direct_leaves(&mut leaves, direct),
        KernelSpec::DepthwisePatch(spec) => depthwise_patch::leaves(&mut leaves, spec),
        KernelSpec::Dot(spec) => dot::leaves(&mut leaves, spec),
        KernelSpec::ImplicitGemm(gemm) => implicit_gemm::leaves(&mut leaves, gemm.blocking),
        KernelSpec::ImplicitGemmUnits(gemm) => implicit_gemm::units::leaves(&mut leaves, gemm),
        KernelSpec::WinogradFilter(filter) => filter_leaves(&mut leaves, filter.algorithm)?,
        KernelSpec::WinogradInput(input) => input_leaves(&mut leaves, input.algorithm)?,
        KernelSpec::WinogradMultiply(multiply) => register_tile::leaves(&mut leaves, multiply.blocking),
        KernelSpec::WinogradMultiplyUnits(multiply) => fragments::leaves(&mut leaves, multiply.blocking),
        KernelSpec::WinogradFused(spec) => fused::leaves(&mut leaves, spec)?,
        KernelSpec::WinogradInlined(spec) => inlined::leaves(&mut leaves, spec)?,
        KernelSpec::WinogradOutput(output) => output_leaves(&mut leaves, output.algorithm)?,
        // The others are written out whole.
        _ => {}
    }
    Ok(leaves)
}

fn direct_leaves(leaves: &mut Leaves, direct: &Direct) {
    let count = direct.filters as usize;
    let filters = local_array("filters", "u32", count);
    let acc = local_array("acc", "f32", count);
    leaves.function(
        "choose_filters",
        "The filters of this invocation, none beyond `last`.",
        &format!("first: u32, last: u32, {filters}"),
        &lines(count, |i| format!("(*filters)[{i}] = min(first + {i}u, last);")),
    );
    leaves.function(
        "accumulate",
        "One tap of every filter.",
        &format!("x: f32, tap: u32, {filters}, {acc}"),
        &lines(count, |i| {
            format!("(*acc)[{i}] = fma(x, read_weight(tap + (*filters)[{i}] * params.weights_k), (*acc)[{i}]);")
        }),
    );
    let mut write = Vec::new();
    for i in 0..count {
        write.push(format!("let at{i} = at + (*filters)[{i}] * params.dst_k;"));
        write.push(format!("let y{i} = epilogue((*acc)[{i}], k + (*filters)[{i}], at{i});"));
    }
    write.extend((0..count).map(|i| format!("write_dst(at{i}, y{i});")));
    leaves.function(
        "write_outputs",
        "The outputs of the group's filters, the first of which is `k`th of all. All are made before\none is written: filters that stand twice are written twice, with the same value, also where a residual is in place.",
        &format!("at: u32, k: u32, {filters}, {acc}"),
        &write,
    );
}
