//! The one unsafe call of the GPU side: shader modules without the checks that naga otherwise writes into them.

use std::borrow::Cow;

use crate::wgsl::Checked;

/// Whether a shader checks itself while it runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum ShaderChecks {
    /// Every index is clamped and every loop counted, whatever the kernel already guarantees.
    #[default]
    Checked,
    /// The kernels as they are. They keep within bounds by construction: every index into a buffer is guarded or
    /// clamped in the shader, binding sizes are those of the plan, and every loop ends after a number of turns that
    /// the plan's parameters give. A browser does its own checks in either case.
    Trusted,
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
    // a spec by `wgsl` and passed by `wgsl::check`; see `ShaderChecks::Trusted` for why those keep within bounds. The
    // tests run every kernel with checks and without, with guard words around each output.
    unsafe { device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked()) }
}
