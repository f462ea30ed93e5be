//! Which device a buffer or an encoder belongs to, and whether it is still there.
//!
//! wgpu names objects by numbers that each instance counts for itself, and `==` compares those numbers. A buffer of another
//! instance is therefore unknown here, which is a panic inside wgpu, or taken for a buffer of ours with the same number. wgpu
//! has no function that says whose an object is, so the object itself is asked:
//!
//! - A buffer reports errors to the device that made it, and to no other. To unmap a buffer that is not mapped is an error
//!   and changes nothing. A buffer whose error arrives in our error scope is ours.
//! - An encoder keeps errors to itself until it is finished. It is shown a pipeline whose number no other instance has
//!   ([`Token`]). An encoder of another instance does not know that number and panics, which is caught.
//!
//! In a browser objects are no numbers, and WebGPU's own validation tells them apart.

use super::context::Context;
use crate::error::{DeviceError, Result};

impl Context {
    /// Refuses a buffer that another device made or that was destroyed.
    pub(super) fn check_buffer(&self, what: &'static str, buffer: &wgpu::Buffer) -> Result<()> {
        match self.ask(buffer) {
            Answer::Ours => Ok(()),
            Answer::Destroyed => {
                // A lost device destroys its buffers.
                self.check_lost()?;
                Err(DeviceError::Destroyed { what: what.to_owned() }.into())
            }
            Answer::Silence => {
                // A lost device reports nothing.
                self.check_lost()?;
                Err(DeviceError::WrongDevice { what }.into())
            }
        }
    }

    /// Refuses a device that was lost or destroyed. wgpu makes invalid objects then, and reports nothing.
    pub(super) fn check_lost(&self) -> Result<()> {
        self.check_faults()?;
        let touchstone = self.touchstone();
        if touchstone.is_none_or(|buffer| self.ask(buffer) == Answer::Ours) {
            return Ok(());
        }
        // What the driver said, if it was asked in between.
        self.check_faults()?;
        Err(DeviceError::Lost { message: "it was destroyed, or the driver lost it".to_owned() }.into())
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn ask(&self, buffer: &wgpu::Buffer) -> Answer {
        match self.touchstone() {
            Some(_) => native::ask(self.device(), buffer),
            None => Answer::Ours,
        }
    }

    #[cfg(target_arch = "wasm32")]
    fn ask(&self, _: &wgpu::Buffer) -> Answer {
        Answer::Ours
    }
}

/// What a buffer answers.
#[cfg_attr(target_arch = "wasm32", expect(dead_code, reason = "in a browser no buffer is asked"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// Our device made it, or it cannot be asked.
    Ours,
    /// Our device made it, and it was destroyed.
    Destroyed,
    /// Our device heard nothing.
    Silence,
}

#[cfg(not(target_arch = "wasm32"))]
pub(super) use native::{Token, touchstone};

#[cfg(not(target_arch = "wasm32"))]
mod native {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::{Arc, Mutex, PoisonError, Weak};

    use pollster::block_on;

    use super::Answer;
    use crate::error::{DeviceError, Result};
    use crate::gpu::fault::{expecting_errors, scoped};

    pub(super) fn ask(device: &wgpu::Device, buffer: &wgpu::Buffer) -> Answer {
        let mappable = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::MAP_WRITE;
        // To unmap it may end a mapping that is under way.
        if buffer.usage().intersects(mappable) {
            return Answer::Ours;
        }
        // One that was mapped when it was made stays mapped. Its state is known without a report to anybody.
        let some = buffer.size().min(8) / 8 * 8;
        let Err(state) = buffer.get_mapped_range(..some) else { return Answer::Ours };
        let state = state.to_string();
        if !["Buffer is not mapped", "has been destroyed", "is invalid"].iter().any(|known| state.contains(known)) {
            return Answer::Ours;
        }
        let scope = device.push_error_scope(wgpu::ErrorFilter::Validation);
        // Another device may have no handler of errors, and panics then.
        let unmapped = expecting_errors(|| catch_unwind(AssertUnwindSafe(|| buffer.unmap())));
        drop(unmapped);
        match block_on(scope.pop()) {
            Some(error) if error.to_string().contains("has been destroyed") => Answer::Destroyed,
            Some(_) => Answer::Ours,
            None => Answer::Silence,
        }
    }

    /// A buffer of the device that answers for as long as the device lives. None if this version of wgpu gives no answers: then
    /// nothing is asked.
    ///
    /// # Errors
    /// If the device is lost.
    pub(in crate::gpu) async fn touchstone(device: &wgpu::Device) -> Result<Option<wgpu::Buffer>> {
        let usage = wgpu::BufferUsages::COPY_DST;
        let descriptor =
            wgpu::BufferDescriptor { label: Some("winoconv touchstone"), size: 8, usage, mapped_at_creation: true };
        let buffer = scoped(device, "looking at the device", || device.create_buffer(&descriptor)).await?;
        if buffer.get_mapped_range(..).is_err() {
            return Err(DeviceError::Lost { message: "it gives no buffer".to_owned() }.into());
        }
        buffer.unmap();
        Ok((ask(device, &buffer) == Answer::Ours).then_some(buffer))
    }

    /// Two pipelines that do nothing, whose numbers no other instance has. Two, since a pass does not look a pipeline up that it was
    /// given just before, even if that failed.
    #[derive(Debug)]
    pub(in crate::gpu) struct Token([wgpu::ComputePipeline; 2]);

    /// All that there are. Their pipelines differ in number, whatever instance they belong to.
    static TOKENS: Mutex<Vec<Weak<Token>>> = Mutex::new(Vec::new());

    /// How many had a token's place before it. wgpu numbers an object by its place and by how many have had it, and pipelines
    /// of an application hardly ever come and go as often.
    const GENERATIONS: u32 = 64;

    impl Token {
        pub(in crate::gpu) async fn new(device: &wgpu::Device) -> Result<Arc<Self>> {
            scoped(device, "making a pipeline to tell encoders by", || Self::make(device)).await
        }

        fn make(device: &wgpu::Device) -> Arc<Self> {
            let source = wgpu::ShaderSource::Wgsl("@compute @workgroup_size(1) fn main() {}".into());
            let descriptor = wgpu::ShaderModuleDescriptor { label: Some("winoconv token"), source };
            let module = &device.create_shader_module(descriptor);
            let layout = &device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some("winoconv token"),
                bind_group_layouts: &[],
                immediate_size: 0,
            });
            let pipeline = |entry_point| {
                device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                    label: Some("winoconv token"),
                    layout: Some(layout),
                    module,
                    entry_point: Some(entry_point),
                    compilation_options: wgpu::PipelineCompilationOptions::default(),
                    cache: None,
                })
            };
            let mut tokens = TOKENS.lock().unwrap_or_else(PoisonError::into_inner);
            tokens.retain(|token| token.strong_count() > 0);
            let taken = |pipeline: &wgpu::ComputePipeline| {
                tokens.iter().filter_map(Weak::upgrade).any(|token| token.0.contains(pipeline))
            };
            let distinct = || loop {
                // None of these is compiled, but each takes the place and leaves it to the next one.
                let refused = device.push_error_scope(wgpu::ErrorFilter::Validation);
                (0..GENERATIONS).for_each(|_| drop(pipeline("none")));
                drop(refused);
                let found = pipeline("main");
                if !taken(&found) {
                    return found;
                }
            };
            let token = Arc::new(Self([distinct(), distinct()]));
            tokens.push(Arc::downgrade(&token));
            token
        }

        /// Refuses a pass of another instance.
        pub(in crate::gpu) fn check(&self, pass: &mut wgpu::ComputePass<'_>) -> Result<()> {
            let known =
                catch_unwind(AssertUnwindSafe(|| self.0.iter().for_each(|pipeline| pass.set_pipeline(pipeline))));
            known.map_err(|_| DeviceError::WrongDevice { what: "the encoder" }.into())
        }
    }
}
