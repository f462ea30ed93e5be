//! The one unsafe call of the GPU side: shader modules without the checks that naga otherwise writes into them.

use std::borrow::Cow;

use crate::wgsl::Checked;

/// Whether a shader checks itself while it runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum ShaderChecks {
    /// The kernels as they are. They keep within bounds by construction: every index into a buffer is guarded or
    /// clamped in the shader by the parameters, every loop ends after a number of turns that the parameters give, and
    /// parameters, grids and the lengths of bindings are a plan's own. Tests compare every index of every kernel with its
    /// array's bounds. A browser does its own checks in either case.
    #[default]
    Trusted,
    /// Every index is clamped and every loop counted, whatever the kernel already guarantees. On an H100 that costs 5 to
    /// 20% in the mean.
    Checked,
}

/// The module of a checked kernel.
pub(super) fn module(device: &wgpu::Device, checked: &Checked, checks: ShaderChecks) -> wgpu::ShaderModule {
    // A browser takes text; elsewhere the module that was validated is handed on as it is.
    #[cfg(target_arch = "wasm32")]
    let source = wgpu::ShaderSource::Wgsl(Cow::Borrowed(checked.source.text.as_str()));
    #[cfg(not(target_arch = "wasm32"))]
    let source = wgpu::ShaderSource::Naga(Cow::Owned(checked.module.clone()));
    let descriptor = wgpu::ShaderModuleDescriptor { label: Some(&checked.source.name), source };
    match checks {
        ShaderChecks::Checked => device.create_shader_module(descriptor),
        ShaderChecks::Trusted => trusted(device, descriptor),
    }
}

#[expect(unsafe_code, reason = "the only way to have a module without run-time checks")]
fn trusted(device: &wgpu::Device, descriptor: wgpu::ShaderModuleDescriptor<'_>) -> wgpu::ShaderModule {
    // SAFETY: the module must not access memory out of bounds nor loop forever. It is one of our kernels, written from
    // a spec by `wgsl` and passed by `wgsl::check`:
    // - each index into a buffer or into workgroup memory is guarded or clamped by the parameters. The test class
    //   `tests/suite/bounds` holds this: it runs every kernel with each index compared with its array's bounds on the device;
    // - an index may be the sum of terms that wrap around 2^32 (coordinates before the source, negative steps); what is
    //   compared with the bounds, there and here, is the sum that reaches the array;
    // - each loop counts up by a constant to a bound that is fixed while it runs, or divides its counter by a constant
    //   down to 0: the lint `bounded_loops`.
    // What is dispatched with it comes from `Bound` alone, since nothing else has a pipeline's handle or its bind group
    // layout:
    // - steps, so parameters and grids, are the planner's, for a problem whose sizes were checked: nobody else can make or
    //   change a plan, a step or a problem;
    // - each binding is exactly as long as the plan's operand, and at most 2^32 elements with what lies before it;
    // - parameters lie in a buffer that only `Bound` has, without a usage that would let anyone write it;
    // - bindings of a buffer that is read and written do not overlap (`tensors::range`), and what the kernels read from buffers
    //   is only ever added and multiplied, never an index or a count: foreign or stale contents change values and nothing else;
    // - workgroup memory is written before it is read; buffers are zeroed by wgpu before their first use.
    // The tests run every kernel with checks and without, with guard words around each output.
    unsafe { device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked()) }
}
