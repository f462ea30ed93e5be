//! A kernel compiled for a device, with its explicit bind group layout.

use std::time::Duration;

use super::fault::scoped;
use super::trusted::{self, ShaderChecks};
use crate::caps::Caps;
use crate::error::Result;
use crate::kernel::{Access, KernelSpec, Variant};
use crate::wgsl::{self, ENTRY_POINT};

/// How long a kernel took to become a pipeline.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CompileTime {
    /// Writing the text, naga's parsing and validation, our lints.
    pub check: Duration,
    /// The device: naga's translation and the driver's compiler.
    pub device: Duration,
}

impl CompileTime {
    /// Both.
    pub fn total(&self) -> Duration {
        self.check + self.device
    }
}

/// A compiled kernel.
#[derive(Debug)]
pub struct Pipeline {
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) layout: wgpu::BindGroupLayout,
    variant: Variant,
    time: CompileTime,
}

impl Pipeline {
    /// Checks the kernel and compiles it. On the web, where there is no clock here, times are zero.
    pub(super) async fn create(
        device: &wgpu::Device,
        variant: &Variant,
        caps: &Caps,
        checks: ShaderChecks,
        cache: Option<&wgpu::PipelineCache>,
    ) -> Result<Self> {
        let clock = Clock::start();
        let checked = wgsl::check_variant(variant, &caps.limits)?;
        let check = clock.elapsed();
        let name = variant.name();
        let clock = Clock::start();
        let (pipeline, layout) = scoped(device, &format!("compiling {name}"), || {
            let module = trusted::module(device, &checked, checks);
            let layout = bind_group_layout(device, variant, &name);
            let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some(&name),
                bind_group_layouts: &[Some(&layout)],
                immediate_size: 0,
            });
            let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(&name),
                layout: Some(&pipeline_layout),
                module: &module,
                entry_point: Some(ENTRY_POINT),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants: &[],
                    // Our kernels write workgroup memory before they read it.
                    zero_initialize_workgroup_memory: checks == ShaderChecks::Checked,
                },
                cache,
            });
            (pipeline, layout)
        })
        .await?;
        Ok(Self { pipeline, layout, variant: *variant, time: CompileTime { check, device: clock.elapsed() } })
    }

    /// The kernel.
    pub const fn spec(&self) -> &KernelSpec {
        &self.variant.kernel
    }

    /// The kernel with how its tensors are bound.
    pub(super) const fn variant(&self) -> &Variant {
        &self.variant
    }

    /// How long compiling took.
    pub const fn compile_time(&self) -> CompileTime {
        self.time
    }
}

fn bind_group_layout(device: &wgpu::Device, variant: &Variant, name: &str) -> wgpu::BindGroupLayout {
    let entry = |binding, ty| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
        count: None,
    };
    let params = entry(0, wgpu::BufferBindingType::Uniform);
    let storage = variant.kernel.bindings().into_iter().map(|binding| {
        let read_only = variant.buffers.access(&binding) == Access::Read;
        entry(binding.index, wgpu::BufferBindingType::Storage { read_only })
    });
    let entries: Vec<_> = [params].into_iter().chain(storage).collect();
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some(name), entries: &entries })
}

/// A clock that stands still where there is none.
struct Clock {
    #[cfg(not(target_arch = "wasm32"))]
    start: std::time::Instant,
}

impl Clock {
    fn start() -> Self {
        Self {
            #[cfg(not(target_arch = "wasm32"))]
            start: std::time::Instant::now(),
        }
    }

    fn elapsed(&self) -> Duration {
        #[cfg(not(target_arch = "wasm32"))]
        return self.start.elapsed();
        #[cfg(target_arch = "wasm32")]
        return Duration::ZERO;
    }
}
