//! The caller's tensors, and the ranges of their buffers that a dispatch binds.

pub(super) mod range;

use crate::plan::Slot;

/// A tensor in a caller's buffer.
///
/// The buffer must belong to the device that it is bound on. Natively this is checked wherever a buffer is given to this crate,
/// and another device's is [`DeviceError::WrongDevice`](crate::error::DeviceError::WrongDevice), of whatever instance of wgpu it is; one that was destroyed is
/// [`DeviceError::Destroyed`](crate::error::DeviceError::Destroyed). The check has three limits:
///
/// - wgpu does not say whose a buffer is, so the buffer is made to report a harmless error, and this crate looks which device
///   hears of it. If that is another device that the application opened, its handler of uncaptured errors is called once
///   with "Buffer is not mapped". Without a handler wgpu panics; that panic is caught, but its message is printed, and a
///   program built with `panic = "abort"` ends.
/// - A buffer that is mapped, or has `MAP_READ` or `MAP_WRITE` among its usages, is not asked, since that could end the
///   mapping. wgpu tells it from buffers of other devices of the same instance; a buffer of another instance may be taken
///   for another buffer with the same number, or be a panic in wgpu.
/// - In a browser WebGPU's own validation does it, and the error is [`DeviceError::Validation`](crate::error::DeviceError::Validation).
///
/// Several tensors may lie in one buffer, the one that is written among them. Then they must not overlap, not even where they are
/// bound: a binding begins at a multiple of `min_storage_buffer_offset_alignment` (256 bytes at most), at or below its tensor.
/// [`ShapeError::SharedBuffer`](crate::error::ShapeError::SharedBuffer) says where a tensor may begin; tensors that begin at multiples of 256
/// bytes fit every device. The kernels are then compiled once more, with all tensors bound read-write. The alternative
/// is separate buffers, of which nothing is asked.
#[derive(Debug, Clone, Copy)]
pub struct Tensor<'a> {
    /// The buffer; it must have the usage `STORAGE`.
    pub buffer: &'a wgpu::Buffer,
    /// Where the tensor begins, in bytes: at any element.
    pub offset: u64,
}

impl<'a> Tensor<'a> {
    /// The tensor at the start of a buffer.
    pub const fn new(buffer: &'a wgpu::Buffer) -> Self {
        Self { buffer, offset: 0 }
    }

    /// The tensor at an offset in bytes.
    pub const fn at(buffer: &'a wgpu::Buffer, offset: u64) -> Self {
        Self { buffer, offset }
    }
}

impl<'a> From<&'a wgpu::Buffer> for Tensor<'a> {
    fn from(buffer: &'a wgpu::Buffer) -> Self {
        Self::new(buffer)
    }
}

/// The caller's buffers for the slots of a plan. The plan knows how long each must be.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tensors<'a> {
    /// [`Slot::Input`]
    pub input: Option<Tensor<'a>>,
    /// [`Slot::Output`]
    pub output: Option<Tensor<'a>>,
    /// [`Slot::Weights`]
    pub weights: Option<Tensor<'a>>,
    /// [`Slot::Packed`]
    pub packed: Option<Tensor<'a>>,
    /// [`Slot::Bias`]
    pub bias: Option<Tensor<'a>>,
    /// [`Slot::Slopes`]
    pub slopes: Option<Tensor<'a>>,
    /// [`Slot::Residual`]
    pub residual: Option<Tensor<'a>>,
}

impl<'a> Tensors<'a> {
    /// That of a slot; none of a workspace.
    pub(super) const fn get(&self, slot: Slot) -> Option<Tensor<'a>> {
        match slot {
            Slot::Input => self.input,
            Slot::Output => self.output,
            Slot::Weights => self.weights,
            Slot::Packed => self.packed,
            Slot::Bias => self.bias,
            Slot::Slopes => self.slopes,
            Slot::Residual => self.residual,
            Slot::Workspace(_) => None,
        }
    }
}
