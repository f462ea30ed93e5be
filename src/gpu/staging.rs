//! Copies between slices and a device's buffers, through staging buffers that are kept from one copy to the next.

use std::ops::Range;
use std::pin::pin;
use std::task::{Poll, Waker};

use futures_intrusive::channel::shared::oneshot_channel;

use super::context::Context;
use super::tensors::Tensor;
use crate::dtype::DType;
use crate::error::{DeviceError, Error, Result, ShapeError};

/// A buffer that is mapped and copied from or to, by turns. It grows when more is asked for.
#[derive(Debug)]
struct Staging {
    mode: wgpu::MapMode,
    buffer: Option<wgpu::Buffer>,
    /// From the request on until it is unmapped. If that was never reached, the future was dropped, and the buffer is not used again.
    is_mapped: bool,
}

impl Staging {
    const fn new(mode: wgpu::MapMode) -> Self {
        Self { mode, buffer: None, is_mapped: false }
    }

    /// The buffer, with room for so many bytes.
    async fn reserve(&mut self, context: &Context, size: u64) -> Result<wgpu::Buffer> {
        if self.is_mapped {
            (self.buffer, self.is_mapped) = (None, false);
        }
        if let Some(buffer) = self.buffer.as_ref().filter(|buffer| buffer.size() >= size) {
            context.check_lost()?;
            return Ok(buffer.clone());
        }
        let (label, usage) = match self.mode {
            wgpu::MapMode::Read => ("a readback buffer", wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ),
            wgpu::MapMode::Write => ("an upload buffer", wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::MAP_WRITE),
        };
        // The old one goes first.
        self.buffer = None;
        let buffer = context.allocate(label, size, usage).await?;
        Ok(self.buffer.insert(buffer).clone())
    }

    /// Maps the first bytes of a buffer that [`Self::reserve`] gave, once the device has done with it.
    async fn map(&mut self, context: &Context, buffer: &wgpu::Buffer, size: u64) -> Result<()> {
        let (sender, receiver) = oneshot_channel();
        self.is_mapped = true;
        buffer.map_async(self.mode, ..size, move |result| {
            // The receiver is gone only if the caller dropped the future.
            let _ = sender.send(result);
        });
        let mut received = pin!(receiver.receive());
        // A buffer that nothing uses is mapped at once, whatever else the device is doing.
        let _ = context.device().poll(wgpu::PollType::Poll);
        let at_once = received.as_mut().poll(&mut std::task::Context::from_waker(Waker::noop()));
        let mapped = match at_once {
            Poll::Ready(mapped) => mapped,
            Poll::Pending => {
                context.wait()?;
                received.await
            }
        };
        let failed = |message: String| DeviceError::Map { message };
        let mapped = mapped.ok_or_else(|| failed("the device dropped the request".to_owned()))?;
        // A device that is lost by now may not have done the work.
        context.check_lost()?;
        Ok(mapped.map_err(|error| failed(error.to_string()))?)
    }

    fn unmap(&mut self, buffer: &wgpu::Buffer) {
        buffer.unmap();
        self.is_mapped = false;
    }
}

fn not_mapped(error: &wgpu::MapRangeError) -> DeviceError {
    DeviceError::Map { message: error.to_string() }
}

/// Reads buffers back, again and again through one staging buffer: the copy is part of the caller's encoder, and what came is
/// looked at where it is mapped. Once the staging buffer is large enough, reading makes no GPU object.
///
/// One has one copy under way. For several at a time use several: each has a staging buffer of its own.
///
/// ```
/// use winoconv::gpu::{Context, ReadBack, Tensor};
///
/// # async fn example(context: &Context) -> winoconv::Result<()> {
/// let buffer = context.upload("numbers", &[1.0, 2.0, 3.0, 4.0]).await?;
/// let mut read_back = ReadBack::new(context);
/// for _ in 0..3 {
///     let mut encoder = context.device().create_command_encoder(&Default::default());
///     // ... what computes the numbers, and behind it the copy of two of them:
///     read_back.encode(&mut encoder, Tensor::at(&buffer, 4), 8).await?;
///     context.queue().submit([encoder.finish()]);
///     let sum = read_back.read(|bytes| bytemuck::cast_slice::<u8, f32>(bytes).iter().sum::<f32>()).await?;
///     assert_eq!(sum, 5.0);
/// }
/// # Ok(())
/// # }
/// # use winoconv::gpu::{AdapterChoice, ContextOptions};
/// # let options = ContextOptions::default().adapter(AdapterChoice::Software);
/// # if let Ok(context) = pollster::block_on(Context::new(&options)) {
/// #     pollster::block_on(example(&context)).unwrap();
/// # }
/// ```
#[derive(Debug)]
pub struct ReadBack {
    context: Context,
    staging: Staging,
    /// Where the bytes that were copied last lie in the staging buffer, until they are read.
    copied: Option<Range<usize>>,
}

impl ReadBack {
    /// One without a staging buffer yet.
    pub fn new(context: &Context) -> Self {
        Self { context: context.clone(), staging: Staging::new(wgpu::MapMode::Read), copied: None }
    }

    /// Makes room for copies of so many bytes, so that none of them makes it. What was encoded and not read is lost.
    ///
    /// # Errors
    /// [`DeviceError::OutOfMemory`], [`DeviceError::Lost`], or a bound of the device.
    pub async fn reserve(&mut self, bytes: u64) -> Result<()> {
        self.copied = None;
        self.staging.reserve(&self.context, room(bytes)).await.map(drop)
    }

    /// Bytes of the staging buffer.
    pub fn capacity(&self) -> u64 {
        self.staging.buffer.as_ref().map_or(0, wgpu::Buffer::size)
    }

    /// Encodes the copy of so many bytes of a buffer, from wherever the tensor begins. Submit the encoder, and then call one of the
    /// functions that read; what was encoded before and not read is lost.
    ///
    /// # Errors
    /// [`ShapeError::Length`] if the buffer has fewer bytes, of which whole words can be copied; [`Error::Unsupported`] if it has no
    /// usage `COPY_SRC`; [`DeviceError::WrongDevice`] for a buffer or an encoder of another device, as
    /// [`Bound::encode`](super::Bound::encode) says; as [`Self::reserve`].
    pub async fn encode<'a>(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        from: impl Into<Tensor<'a>>,
        bytes: u64,
    ) -> Result<()> {
        let from = from.into();
        self.context.check_readable(from, bytes)?;
        #[cfg(not(target_arch = "wasm32"))]
        {
            let token = self.context.token().await?;
            token.check(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()))?;
        }
        self.reserve(bytes + from.offset % 4).await?;
        self.copy(encoder, from, bytes);
        Ok(())
    }

    /// The same for a buffer that was checked, with room that was made for it.
    pub(super) fn copy(&mut self, encoder: &mut wgpu::CommandEncoder, from: Tensor<'_>, bytes: u64) {
        let before = from.offset % 4;
        if let Some(staging) = self.staging.buffer.as_ref().filter(|_| bytes > 0) {
            encoder.copy_buffer_to_buffer(from.buffer, from.offset - before, staging, 0, room(before + bytes));
        }
        let [first, len] = [before, bytes].map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        self.copied = Some(first..first.saturating_add(len));
    }

    /// Waits for the copy and shows the bytes, where they are mapped. In a browser they are copied into the page's memory first.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if no copy was encoded since the last call; [`DeviceError::Map`], [`DeviceError::Lost`], or whatever
    /// the device reported since the last call.
    pub async fn read<T>(&mut self, read: impl FnOnce(&[u8]) -> T) -> Result<T> {
        let copied = self.copied.take().zip(self.staging.buffer.clone());
        let (range, buffer) = copied.ok_or_else(|| Error::Unsupported {
            what: "reading what was not copied".to_owned(),
            why: "expected a call of ReadBack::encode before each one that reads".to_owned(),
        })?;
        if range.is_empty() {
            self.context.check_lost()?;
            return Ok(read(&[]));
        }
        let end = room(range.end as u64);
        self.staging.map(&self.context, &buffer, end).await?;
        let view = buffer.get_mapped_range(..end).map_err(|error| not_mapped(&error))?;
        let result = read(&view[range]);
        drop(view);
        self.staging.unmap(&buffer);
        Ok(result)
    }

    /// Waits for the copy and gives its bytes to a slice of as many, of numbers of any kind.
    ///
    /// # Errors
    /// [`ShapeError::Length`] if the slice has another number of bytes; as [`Self::read`].
    pub async fn read_into<T: bytemuck::Pod + Send>(&mut self, to: &mut [T]) -> Result<()> {
        let to: &mut [u8] = bytemuck::cast_slice_mut(to);
        self.check_len(to.len())?;
        self.read(|bytes| to.copy_from_slice(bytes)).await
    }

    /// Waits for the copy and gives the numbers to a slice of as many: the first ones that were stored as this type.
    ///
    /// # Errors
    /// [`ShapeError::Length`] if fewer were copied; as [`Self::read`].
    pub async fn read_as(&mut self, dtype: DType, to: &mut [f32]) -> Result<()> {
        let element = dtype.size() as usize;
        let there = self.copied.as_ref().map_or(0, |range| range.len() / element);
        if self.copied.is_some() && there < to.len() {
            let what = "the numbers that were copied";
            return Err(ShapeError::Length { what, expected: to.len(), got: there }.into());
        }
        self.read(|bytes| dtype.read_bytes(bytes, to)).await
    }

    /// Whether so many bytes were copied, if any were.
    fn check_len(&self, len: usize) -> Result<()> {
        let Some(range) = &self.copied else { return Ok(()) };
        Ok(ShapeError::check_len("bytes of the slice to read into", range.len(), len)?)
    }
}

/// Whole words, one at least.
fn room(bytes: u64) -> u64 {
    bytes.max(1).next_multiple_of(4)
}

/// Writes slices into buffers of our own. The first time wgpu stages them, which then keeps nothing. Who comes again has a staging
/// buffer that is kept: wgpu clears a new one, which costs as much as the copy.
#[derive(Debug)]
pub(crate) struct Upload {
    staging: Staging,
    was_used: bool,
    /// Bytes in the staging buffer that are to be copied.
    filled: Option<u64>,
}

impl Default for Upload {
    fn default() -> Self {
        Self { staging: Staging::new(wgpu::MapMode::Write), was_used: false, filled: None }
    }
}

impl Upload {
    /// Takes bytes for the start of a buffer: they are there for what is submitted behind [`Self::copy`]. Where they end within a word,
    /// zeros follow.
    pub(crate) async fn fill(&mut self, context: &Context, label: &str, to: &wgpu::Buffer, bytes: &[u8]) -> Result<()> {
        let whole = bytes.len() / 4 * 4;
        let mut last = [0; 4];
        last[..bytes.len() - whole].copy_from_slice(&bytes[whole..]);
        let last = &last[..if whole < bytes.len() { 4 } else { 0 }];
        self.filled = None;
        if !std::mem::replace(&mut self.was_used, true) {
            context.write_at(label, to, 0, &bytes[..whole]).await?;
            return context.write_at(label, to, whole as u64, last).await;
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let size = (whole + last.len()) as u64;
        let buffer = self.staging.reserve(context, size).await?;
        self.staging.map(context, &buffer, size).await?;
        let mut view = buffer.get_mapped_range_mut(..size).map_err(|error| not_mapped(&error))?;
        view.slice(..whole).copy_from_slice(&bytes[..whole]);
        view.slice(whole..).copy_from_slice(last);
        drop(view);
        self.staging.unmap(&buffer);
        self.filled = Some(size);
        Ok(())
    }

    /// Encodes the copy of what was filled in.
    pub(super) fn copy(&mut self, encoder: &mut wgpu::CommandEncoder, to: &wgpu::Buffer) {
        if let (Some(staging), Some(size)) = (&self.staging.buffer, self.filled.take()) {
            encoder.copy_buffer_to_buffer(staging, 0, to, 0, size);
        }
    }
}
