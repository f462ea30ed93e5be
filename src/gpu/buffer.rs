//! Buffers: uploads, reading back, and the workspace that plans share.

use super::bound::Bound;
use super::context::Context;
use super::fault::scoped;
use super::staging::{ReadBack, Upload};
use super::tensors::Tensor;
use crate::dtype::DType;
use crate::error::{DeviceError, Error, LimitError, Resource, Result, ShapeError};
use crate::plan::Plan;

const STORAGE: wgpu::BufferUsages =
    wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_SRC).union(wgpu::BufferUsages::COPY_DST);

/// A buffer that is read back, in errors.
const SOURCE: &str = "the buffer";

impl Context {
    /// A storage buffer of `len` f32, at least one, zeroed by the device on first use.
    ///
    /// # Errors
    /// [`DeviceError::OutOfMemory`], [`DeviceError::Lost`], or a bound of the device.
    pub async fn create_buffer(&self, label: &str, len: usize) -> Result<wgpu::Buffer> {
        self.allocate(label, DType::F32.bytes(len.max(1)), STORAGE).await
    }

    pub(super) async fn allocate(&self, label: &str, size: u64, usage: wgpu::BufferUsages) -> Result<wgpu::Buffer> {
        LimitError::check(label, Resource::BufferBytes, size, self.caps().limits.max_buffer_size)?;
        let descriptor = wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false };
        let made = scoped(self.device(), &format!("allocating {label}"), || self.device().create_buffer(&descriptor));
        let made = made.await;
        // A lost device creates invalid objects without an error.
        self.check_lost()?;
        made
    }

    /// Writes to the start of a buffer of our own, before everything that is submitted from now on.
    async fn write(&self, label: &str, buffer: &wgpu::Buffer, bytes: &[u8]) -> Result<()> {
        self.write_at(label, buffer, 0, bytes).await
    }

    /// The same from a multiple of 4 bytes on.
    pub(super) async fn write_at(&self, label: &str, buffer: &wgpu::Buffer, at: u64, bytes: &[u8]) -> Result<()> {
        let during = format!("uploading {label}");
        let written = scoped(self.device(), &during, || self.queue().write_buffer(buffer, at, bytes)).await;
        self.check_lost()?;
        written
    }

    /// A storage buffer with these contents.
    ///
    /// # Errors
    /// As [`Self::create_buffer`].
    pub async fn upload(&self, label: &str, data: &[f32]) -> Result<wgpu::Buffer> {
        self.upload_as(label, DType::F32, data).await
    }

    /// A storage buffer with these contents, stored as a type: rounded where it has less precision.
    ///
    /// # Errors
    /// As [`Self::create_buffer`].
    pub async fn upload_as(&self, label: &str, dtype: DType, data: &[f32]) -> Result<wgpu::Buffer> {
        let bytes = dtype.to_bytes(data);
        let buffer = self.create_buffer(label, bytes.len() / 4).await?;
        self.write(label, &buffer, &bytes).await?;
        Ok(buffer)
    }

    /// A buffer with these contents, a multiple of 4 bytes, to copy from. It is written at once, whatever is submitted meanwhile.
    ///
    /// # Errors
    /// As [`Self::create_buffer`].
    pub(super) async fn stage(&self, label: &str, bytes: &[u8]) -> Result<wgpu::Buffer> {
        let size = bytes.len() as u64;
        LimitError::check(label, Resource::BufferBytes, size, self.caps().limits.max_buffer_size)?;
        let failed = |error: wgpu::MapRangeError| DeviceError::Map { message: error.to_string() };
        let made = scoped(self.device(), &format!("allocating {label}"), || {
            let buffer = self.device().create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size,
                usage: wgpu::BufferUsages::COPY_SRC,
                mapped_at_creation: true,
            });
            buffer.get_mapped_range_mut(..).map_err(failed)?.copy_from_slice(bytes);
            buffer.unmap();
            Ok::<_, DeviceError>(buffer)
        });
        let made = made.await;
        self.check_lost()?;
        Ok(made??)
    }

    /// Reads `len` elements of a type from the start of a buffer, after everything submitted so far. Who reads often has a
    /// [`ReadBack`].
    ///
    /// # Errors
    /// As [`Self::download`].
    pub async fn download_as(&self, buffer: &wgpu::Buffer, dtype: DType, len: usize) -> Result<Vec<f32>> {
        self.check_source(Tensor::new(buffer))?;
        // Whole words are copied.
        let there = usize::try_from(buffer.size() / 4 * 4 / dtype.size()).unwrap_or(usize::MAX);
        if len > there {
            return Err(ShapeError::Length { what: SOURCE, expected: len, got: there }.into());
        }
        if len == 0 {
            self.check_lost()?;
            return Ok(Vec::new());
        }
        self.download_after(|_| Ok(()), buffer, dtype.bytes(len), |bytes| dtype.from_bytes(bytes, len)).await
    }

    /// Reads `len` f32 from the start of a buffer, after everything submitted so far.
    ///
    /// # Errors
    /// [`ShapeError::Length`] if the buffer has fewer, [`Error::Unsupported`] if it has no usage `COPY_SRC`;
    /// [`DeviceError::WrongDevice`], [`DeviceError::Destroyed`], [`DeviceError::Lost`], [`DeviceError::Map`], or whatever the
    /// device reported since the last call.
    pub async fn download(&self, buffer: &wgpu::Buffer, len: usize) -> Result<Vec<f32>> {
        self.download_as(buffer, DType::F32, len).await
    }

    /// Refuses a buffer that cannot be copied from.
    fn check_source(&self, from: Tensor<'_>) -> Result<()> {
        self.check_buffer(SOURCE, from.buffer)?;
        if from.buffer.usage().contains(wgpu::BufferUsages::COPY_SRC) {
            return Ok(());
        }
        let why = format!("expected COPY_SRC among its usages, got {:?}", from.buffer.usage());
        Err(Error::Unsupported { what: "reading a buffer back".to_owned(), why })
    }

    /// Refuses what cannot be copied in whole words.
    pub(super) fn check_readable(&self, from: Tensor<'_>, bytes: u64) -> Result<()> {
        self.check_source(from)?;
        let there = (from.buffer.size() / 4 * 4).saturating_sub(from.offset);
        if bytes <= there {
            return Ok(());
        }
        let [expected, got] = [bytes, there].map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        Err(ShapeError::Length { what: "bytes of the buffer", expected, got }.into())
    }

    /// Encodes something and reads the first bytes of a buffer of our own, a multiple of 4, after it.
    pub(super) async fn download_after<T>(
        &self,
        encode: impl FnOnce(&mut wgpu::CommandEncoder) -> Result<()>,
        buffer: &wgpu::Buffer,
        size: u64,
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<T> {
        let mut read_back = ReadBack::new(self);
        read_back.reserve(size).await?;
        let encode = |encoder: &mut wgpu::CommandEncoder| {
            encode(encoder)?;
            read_back.copy(encoder, buffer.into(), size);
            Ok(())
        };
        self.submit_for_reading(encode).await?;
        read_back.read(read).await
    }

    /// Runs bound steps between copies, all in one submission: from what was filled in to buffers of our own, and from the first
    /// bytes of others to where they can be read.
    pub(crate) async fn run(
        &self,
        bound: &Bound,
        from: &mut [(&mut Upload, &wgpu::Buffer)],
        to: &mut [(&mut ReadBack, &wgpu::Buffer, u64)],
    ) -> Result<()> {
        bound.check_device(self)?;
        for (read_back, _, bytes) in &mut *to {
            read_back.reserve(*bytes).await?;
        }
        let encode = |encoder: &mut wgpu::CommandEncoder| {
            from.iter_mut().for_each(|(upload, buffer)| upload.copy(encoder, buffer));
            bound.encode(encoder)?;
            to.iter_mut().for_each(|(read_back, buffer, bytes)| read_back.copy(encoder, (*buffer).into(), *bytes));
            Ok(())
        };
        self.submit_for_reading(encode).await
    }

    async fn submit_for_reading(&self, encode: impl FnOnce(&mut wgpu::CommandEncoder) -> Result<()>) -> Result<()> {
        let submitted = scoped(self.device(), "submitting work to read back", || {
            let descriptor = wgpu::CommandEncoderDescriptor { label: Some("readback") };
            let mut encoder = self.device().create_command_encoder(&descriptor);
            encode(&mut encoder)?;
            self.queue().submit([encoder.finish()]);
            Ok(())
        });
        let submitted: Result<Result<()>> = submitted.await;
        self.check_lost()?;
        submitted?
    }

    /// Waits until everything submitted so far is done. In a browser this returns at once: there the page's own loop
    /// makes progress.
    ///
    /// # Errors
    /// [`DeviceError::Lost`], [`DeviceError::Internal`] if waiting fails, or a late error of the device.
    pub fn wait(&self) -> Result<()> {
        let polled = self.device().poll(wgpu::PollType::wait_indefinitely());
        self.check_lost()?;
        let failed = |error: wgpu::PollError| DeviceError::Internal {
            during: "waiting for the device".to_owned(),
            message: error.to_string(),
        };
        polled.map_err(failed)?;
        Ok(())
    }
}

/// The buffers between a plan's steps. One workspace serves any number of plans in turn.
#[derive(Debug, Default)]
pub struct Workspace {
    buffers: Vec<(wgpu::Buffer, usize)>,
    /// The device of the buffers, once there are any.
    context: Option<Context>,
}

impl Workspace {
    /// A workspace that is large enough for each of `plans`, one at a time.
    ///
    /// # Errors
    /// [`DeviceError::OutOfMemory`].
    pub async fn new(context: &Context, plans: &[&Plan]) -> Result<Self> {
        let mut workspace = Self::default();
        for plan in plans {
            workspace.reserve(context, &plan.workspace).await?;
        }
        Ok(workspace)
    }

    /// Makes room for buffers of these lengths. Buffers that are large enough are kept.
    ///
    /// # Errors
    /// [`DeviceError::OutOfMemory`]; [`DeviceError::WrongDevice`] if it has buffers of another device.
    pub(crate) async fn reserve(&mut self, context: &Context, lens: &[usize]) -> Result<()> {
        self.check_device(context)?;
        self.context.get_or_insert_with(|| context.clone());
        for (i, &len) in lens.iter().enumerate() {
            let label = format!("workspace {i}");
            match self.buffers.get(i) {
                Some((_, there)) if *there >= len => {}
                Some(_) => self.buffers[i] = (context.create_buffer(&label, len).await?, len),
                None => self.buffers.push((context.create_buffer(&label, len).await?, len)),
            }
        }
        Ok(())
    }

    /// The buffers with their lengths in f32.
    pub fn buffers(&self) -> impl ExactSizeIterator<Item = (&wgpu::Buffer, usize)> {
        self.buffers.iter().map(|(buffer, len)| (buffer, *len))
    }

    /// Bytes of all buffers.
    pub fn bytes(&self) -> u64 {
        self.buffers.iter().map(|(buffer, _)| buffer.size()).sum()
    }

    /// Buffers mean nothing on another device: wgpu would take another object for them, or panic.
    pub(super) fn check_device(&self, context: &Context) -> Result<()> {
        match &self.context {
            Some(own) if !own.is_same(context) => Err(DeviceError::WrongDevice { what: "the workspace" }.into()),
            _ => Ok(()),
        }
    }

    /// A buffer with its length in f32.
    pub(super) fn get(&self, index: u8) -> Option<(&wgpu::Buffer, usize)> {
        self.buffers.get(usize::from(index)).map(|(buffer, len)| (buffer, *len))
    }
}
