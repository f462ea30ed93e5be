//! Shaders of networks, compiled with run-time checks and kept like the pipelines of kernels. The kernels of plans are trusted
//! because of what is known of them; of these texts nothing is taken for granted.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use crate::kernel::Buffers;
use crate::wgsl::{self, ENTRY_POINT};

/// A compute shader as text: binding 0 is a uniform of words, then come the buffers that are read, then the one that is written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Shader {
    /// For labels and errors.
    pub(crate) name: String,
    pub(crate) text: String,
    /// How many buffers are read.
    pub(crate) reads: u32,
    /// How the text binds them.
    pub(crate) buffers: Buffers,
}

impl Shader {
    /// The same for tensors of which one is written and others lie in its buffer.
    pub(in crate::gpu) fn with_shared_buffers(&self) -> Self {
        Self { text: wgsl::with_shared_buffers(&self.text), buffers: Buffers::Shared, ..self.clone() }
    }
}

/// A compiled shader.
#[derive(Debug)]
pub(in crate::gpu) struct Compiled {
    pub(in crate::gpu) pipeline: wgpu::ComputePipeline,
    pub(in crate::gpu) layout: wgpu::BindGroupLayout,
}

/// What is compiled, by text.
#[derive(Debug)]
pub(in crate::gpu) struct Shaders(Mutex<LruCache<Shader, Arc<Compiled>>>);

impl Shaders {
    pub(in crate::gpu) fn new() -> Self {
        Self(Mutex::new(LruCache::unbounded()))
    }

    fn kept(&self) -> MutexGuard<'_, LruCache<Shader, Arc<Compiled>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::gpu) fn find(&self, shader: &Shader) -> Option<Arc<Compiled>> {
        self.kept().get(shader).cloned()
    }

    /// Keeps one, and no more than so many: the least recently used goes first.
    pub(in crate::gpu) fn keep(&self, shader: &Shader, compiled: Arc<Compiled>, capacity: usize) {
        let mut kept = self.kept();
        kept.put(shader.clone(), compiled);
        while kept.len() > capacity {
            kept.pop_lru();
        }
    }
}

pub(in crate::gpu) fn compile(device: &wgpu::Device, cache: Option<&wgpu::PipelineCache>, shader: &Shader) -> Compiled {
    let label = Some(shader.name.as_str());
    let source = wgpu::ShaderSource::Wgsl(shader.text.as_str().into());
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor { label, source });
    let entry = |binding, ty| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
        count: None,
    };
    let mut entries = vec![entry(0, wgpu::BufferBindingType::Uniform)];
    entries.extend((0..=shader.reads).map(|i| {
        let read_only = shader.buffers == Buffers::Separate && i < shader.reads;
        let ty = wgpu::BufferBindingType::Storage { read_only };
        entry(i + 1, ty)
    }));
    let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label, entries: &entries });
    let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label,
        bind_group_layouts: &[Some(&layout)],
        immediate_size: 0,
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label,
        layout: Some(&pipeline_layout),
        module: &module,
        entry_point: Some(ENTRY_POINT),
        compilation_options: wgpu::PipelineCompilationOptions::default(),
        cache,
    });
    Compiled { pipeline, layout }
}
