//! What runs need besides the layer.

#[cfg(feature = "gpu")]
use crate::gpu::{self, Context, ReadBack, Upload};

/// What runs need besides the layer, kept from run to run: staging and intermediate buffers that only grow. One
/// serves any number of layers on the same device, one run at a time.
#[derive(Debug, Default)]
pub struct Workspace {
    pub(super) cpu: Vec<Vec<f32>>,
    #[cfg(feature = "gpu")]
    pub(super) gpu: gpu::Workspace,
    /// Input, output and residual on the device.
    #[cfg(feature = "gpu")]
    pub(super) ends: gpu::Workspace,
    /// Staging for those three, and for the result.
    #[cfg(feature = "gpu")]
    pub(super) uploads: [Upload; 3],
    #[cfg(feature = "gpu")]
    pub(super) read_back: Option<ReadBack>,
    #[cfg(feature = "gpu")]
    pub(super) context: Option<Context>,
}

impl Workspace {
    /// An empty workspace: the first run makes room.
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn reserve_on_cpu(&mut self, lens: &[usize]) {
        self.cpu.resize_with(self.cpu.len().max(lens.len()), Vec::new);
        for (buffer, &len) in self.cpu.iter_mut().zip(lens) {
            if buffer.len() < len {
                buffer.resize(len, 0.0);
            }
        }
    }

    /// Overwrites every intermediate value with `value`: tests run with it to show that nothing is read before it
    /// is written.
    #[doc(hidden)]
    pub fn poison(&mut self, value: f32) {
        for buffer in &mut self.cpu {
            buffer.fill(value);
        }
        #[cfg(feature = "gpu")]
        if let Some(context) = &self.context {
            for (buffer, len) in self.gpu.buffers().chain(self.ends.buffers()) {
                context.queue().write_buffer(buffer, 0, bytemuck::cast_slice(&vec![value; len]));
            }
        }
    }
}
