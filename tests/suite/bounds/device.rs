//! Runs instrumented kernels on a device and reads what they counted.

use pollster::block_on;
use winoconv::gpu::Context;
use winoconv::kernel::{Access, KernelSpec};
use winoconv::wgpu;
use winoconv::wgsl::{ENTRY_POINT, Source};

use super::dispatch::{Dispatch, Window};
use super::instrument::{Depth, Extent, Instrumented, TALLY_BINDING, TALLY_WORDS, instrument};

/// What a dispatch did with one variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tally {
    /// The variable.
    pub(crate) name: String,
    /// Accesses by a computed index.
    pub(crate) seen: u32,
    /// Those that were out of bounds; of [`Depth::Furthest`], invocations that made some.
    pub(crate) out: u32,
    /// The furthest index.
    pub(crate) furthest: u32,
    /// The bounds.
    pub(crate) bounds: [u32; 2],
    /// Where the first one that was out of bounds stands; of [`Depth::Each`] alone.
    pub(crate) place: String,
}

/// A kernel ready to be run.
pub(crate) struct Checker<'a> {
    context: &'a Context,
    kernel: KernelSpec,
    instrumented: Instrumented,
    pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
}

impl<'a> Checker<'a> {
    /// Compiles a kernel's text, which a test may have altered.
    ///
    /// # Errors
    /// What the rewriting or the device says.
    pub(crate) fn new(context: &'a Context, kernel: KernelSpec, source: &Source, depth: Depth) -> Result<Self, String> {
        let instrumented = instrument(source, depth).map_err(|error| format!("{kernel}: {error}"))?;
        let device = context.device();
        let label = Some(source.name.as_str());
        let text = wgpu::ShaderSource::Wgsl(instrumented.text.as_str().into());
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor { label, source: text });
        let entry = |binding, ty| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
            count: None,
        };
        let storage = |read_only| wgpu::BufferBindingType::Storage { read_only };
        let bound = kernel.bindings().into_iter();
        let bound = bound.map(|binding| entry(binding.index, storage(binding.access == Access::Read)));
        let ends = [entry(0, wgpu::BufferBindingType::Uniform), entry(TALLY_BINDING, storage(false))];
        let entries: Vec<_> = ends.into_iter().chain(bound).collect();
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
            cache: None,
        });
        context.check_faults().map_err(|error| format!("{kernel}: {error}"))?;
        Ok(Self { context, kernel, instrumented, pipeline, layout })
    }

    /// Index expressions in the text.
    pub(crate) const fn sites(&self) -> usize {
        self.instrumented.sites.len()
    }

    /// Runs dispatches of this kernel, and says of each what it counted.
    ///
    /// # Errors
    /// What the device says.
    pub(crate) fn run(&self, dispatches: &[Dispatch]) -> Result<Vec<Vec<Tally>>, String> {
        let device = self.context.device();
        let limits = &self.context.caps().limits;
        let usage = wgpu::BufferUsages::STORAGE;
        let buffer = |size: u64, usage| {
            let size = size.max(4).next_multiple_of(4);
            device.create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false })
        };
        // What is read and what is written is one buffer each: values do not matter.
        let end = |written: bool| {
            let windows = dispatches.iter().flat_map(|dispatch| &dispatch.windows);
            windows.filter(|(_, w)| w.written == written).map(|(_, w)| w.start + w.size).max().unwrap_or(0)
        };
        let [read, written] = [false, true].map(|written| buffer(end(written), usage));

        let variables = self.instrumented.variables.len();
        let tally_stride = (4 * TALLY_WORDS * variables)
            .next_multiple_of(limits.min_storage_buffer_offset_alignment.max(256) as usize);
        let params_stride = (4 * self.kernel.params().len())
            .next_multiple_of(limits.min_uniform_buffer_offset_alignment.max(256) as usize);
        let mut tallies = vec![0u8; tally_stride * dispatches.len()];
        let mut params = vec![0u8; params_stride * dispatches.len()];
        for (i, dispatch) in dispatches.iter().enumerate() {
            let words = bytemuck::cast_slice(&dispatch.params);
            params[i * params_stride..][..words.len()].copy_from_slice(words);
            for (variable, [low, high]) in self.bounds(dispatch).into_iter().enumerate() {
                let words = [low, high, 0, 0, 0, u32::MAX];
                let at = i * tally_stride + 4 * TALLY_WORDS * variable;
                tallies[at..at + 4 * TALLY_WORDS].copy_from_slice(bytemuck::cast_slice(&words));
            }
        }
        let queue = self.context.queue();
        let copied = wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC;
        let tally = buffer(tallies.len() as u64, usage | copied);
        let uniform = buffer(params.len() as u64, wgpu::BufferUsages::UNIFORM | copied);
        queue.write_buffer(&tally, 0, &tallies);
        queue.write_buffer(&uniform, 0, &params);

        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&self.pipeline);
        for (i, dispatch) in dispatches.iter().enumerate() {
            let part = |buffer, offset: u64, size: u64| {
                let size = wgpu::BufferSize::new(size);
                wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size })
            };
            let params_size = (4 * self.kernel.params().len() as u64).next_multiple_of(16);
            let ends = [
                (0, part(&uniform, (i * params_stride) as u64, params_size)),
                (TALLY_BINDING, part(&tally, (i * tally_stride) as u64, (4 * TALLY_WORDS * variables) as u64)),
            ];
            let bound = dispatch
                .windows
                .iter()
                .map(|(binding, w)| (*binding, part(if w.written { &written } else { &read }, w.start, w.size)));
            let entries: Vec<_> = ends.into_iter().chain(bound).collect();
            let entries: Vec<_> =
                entries.into_iter().map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource }).collect();
            let descriptor = wgpu::BindGroupDescriptor { label: None, layout: &self.layout, entries: &entries };
            pass.set_bind_group(0, &device.create_bind_group(&descriptor), &[]);
            let [x, y, z] = dispatch.grid;
            pass.dispatch_workgroups(x, y, z);
        }
        drop(pass);
        queue.submit([encoder.finish()]);
        let words = block_on(self.context.download(&tally, tallies.len() / 4));
        let words = words.map_err(|error| format!("{}: {error}", self.kernel))?;
        let words: &[u32] = bytemuck::cast_slice(&words);
        let of_dispatch = words.chunks(tally_stride / 4);
        Ok(of_dispatch.map(|words| self.read(words)).collect())
    }

    /// First and last element of each variable, the last one exclusive.
    fn bounds(&self, dispatch: &Dispatch) -> Vec<[u32; 2]> {
        let word = |size: u64| u32::try_from(size).expect("a small tensor");
        let bounds = self.instrumented.variables.iter().map(|variable| match variable.extent {
            Extent::Fixed(len) | Extent::Lane(len) => [0, len],
            Extent::Binding { index, stride } => {
                let (_, Window { low, high, .. }) = *dispatch
                    .windows
                    .iter()
                    .find(|(binding, _)| *binding == index)
                    .unwrap_or_else(|| panic!("{}: {} is not bound", self.kernel, variable.name));
                // The last word is bound as a whole, and the device has the last say.
                [word(low / u64::from(stride)), word(high.div_ceil(stride.into()))]
            }
        });
        bounds.collect()
    }

    fn read(&self, words: &[u32]) -> Vec<Tally> {
        let variables = self.instrumented.variables.iter().zip(words.chunks(TALLY_WORDS));
        let tallies = variables.map(|(variable, words)| {
            let site = usize::try_from(words[5]).ok().and_then(|site| self.instrumented.sites.get(site));
            Tally {
                name: variable.label(),
                bounds: [words[0], words[1]],
                seen: words[2],
                furthest: words[0].wrapping_add(words[3]),
                out: words[4],
                place: site.cloned().unwrap_or_default(),
            }
        });
        tallies.collect()
    }
}

/// What is wrong with a dispatch, if anything is.
pub(crate) fn finding(dispatch: &Dispatch, tallies: &[Tally], what: &str) -> Option<String> {
    let wrong = tallies.iter().filter(|tally| tally.out > 0).map(|tally| {
        let Tally { name, seen, out, furthest, bounds: [low, high], place } = tally;
        format!("{out} of {seen} accesses to {name} are out of {low}..{high}, up to {furthest}, first at {place}")
    });
    let wrong: Vec<String> = wrong.collect();
    (!wrong.is_empty()).then(|| {
        format!(
            "{} for {what}: {}\n    grid {:?}, {}",
            dispatch.kernel,
            wrong.join("; "),
            dispatch.grid,
            dispatch.params_by_name()
        )
    })
}
