//! A device, its queue, and what we keep for it: capabilities and compiled pipelines. No global state: everything
//! lives in a [`Context`].

use std::path::PathBuf;
use std::sync::Arc;
#[cfg(not(target_arch = "wasm32"))]
use std::sync::OnceLock;

use super::cache::{CacheSource, CacheState, PipelineCache};
use super::caps::{caps, kind};
use super::fault::Faults;
#[cfg(not(target_arch = "wasm32"))]
use super::identity::{Token, touchstone};
use super::pipelines::Pipelines;
use super::recommended::recommended;
#[cfg(feature = "graph")]
use super::shaders::kept::Shaders;
use super::trusted::ShaderChecks;
use crate::caps::{Caps, DeviceKind};
use crate::error::{DeviceError, Result};

/// Which adapter to take.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdapterChoice {
    /// The best one that is hardware. A software adapter is never taken for a GPU.
    #[default]
    Hardware,
    /// A software adapter: lavapipe, SwiftShader, WARP.
    Software,
    /// The first one whose name contains this text, upper or lower case, hardware or not.
    Named(String),
}

/// How to open a device.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ContextOptions {
    /// Which adapter.
    pub adapter: AdapterChoice,
    /// Whether shaders check themselves; they do not by default, see [`ShaderChecks::Trusted`].
    pub checks: ShaderChecks,
    /// Ask for no more than WebGPU's default limits, to see what a plan comes to there.
    pub default_limits: bool,
    /// Ask for no 16-bit floats in shaders, to see what tensors in f16 come to without.
    pub no_f16: bool,
    /// Ask for no cooperative matrices, to see what a plan comes to without matrix units.
    pub no_matrix_units: bool,
    /// Where compiled pipelines are kept from one process to the next; nowhere by default.
    pub pipeline_cache: CacheSource,
}

impl ContextOptions {
    /// Sets the choice of adapter.
    #[must_use]
    pub fn adapter(mut self, adapter: AdapterChoice) -> Self {
        self.adapter = adapter;
        self
    }

    /// Sets whether shaders check themselves.
    #[must_use]
    pub const fn checks(mut self, checks: ShaderChecks) -> Self {
        self.checks = checks;
        self
    }

    /// Asks for no more than WebGPU's default limits.
    #[must_use]
    pub const fn default_limits(mut self, only: bool) -> Self {
        self.default_limits = only;
        self
    }

    /// Asks for no 16-bit floats in shaders.
    #[must_use]
    pub const fn no_f16(mut self, without: bool) -> Self {
        self.no_f16 = without;
        self
    }

    /// Asks for no cooperative matrices.
    #[must_use]
    pub const fn no_matrix_units(mut self, without: bool) -> Self {
        self.no_matrix_units = without;
        self
    }

    /// Sets where compiled pipelines are kept from one process to the next.
    #[must_use]
    pub fn pipeline_cache(mut self, source: CacheSource) -> Self {
        self.pipeline_cache = source;
        self
    }
}

/// A GPU device and what is kept for it. Clones share everything.
#[derive(Debug, Clone)]
pub struct Context {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    device: wgpu::Device,
    queue: wgpu::Queue,
    caps: Caps,
    checks: ShaderChecks,
    /// Errors that the device reports late; `None` on a borrowed device.
    faults: Option<Faults>,
    pipelines: Pipelines,
    /// Compiled shaders of networks.
    #[cfg(feature = "graph")]
    shaders: Shaders,
    cache: PipelineCache,
    /// A buffer that shows whether the device is alive, and whether the device of a buffer can be found out.
    #[cfg(not(target_arch = "wasm32"))]
    touchstone: Option<wgpu::Buffer>,
    #[cfg(not(target_arch = "wasm32"))]
    token: OnceLock<Arc<Token>>,
}

impl Context {
    /// Opens a device of our own.
    ///
    /// # Errors
    /// [`DeviceError::NoAdapter`] with what there is, [`DeviceError::Request`] if the adapter gives no device.
    pub async fn new(options: &ContextOptions) -> Result<Self> {
        let adapters = enumerate().await;
        let Some(adapter) = choose(&adapters, &options.adapter) else {
            return Err(no_adapter(&adapters, &options.adapter).into());
        };
        let offered = adapter.limits();
        let mut descriptor = recommended(adapter);
        descriptor.label = Some("winoconv");
        // Everything that the adapter offers, or the defaults, or less if the adapter has less.
        descriptor.required_limits =
            if options.default_limits { wgpu::Limits::default().or_worse_values_from(&offered) } else { offered };
        if options.no_f16 {
            descriptor.required_features.remove(wgpu::Features::SHADER_F16);
        }
        if options.no_matrix_units || options.no_f16 || options.default_limits {
            descriptor.required_features.remove(wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX);
        }
        if !options.pipeline_cache.is_wanted() {
            descriptor.required_features.remove(wgpu::Features::PIPELINE_CACHE);
        }
        let request = |error: wgpu::RequestDeviceError| DeviceError::Request {
            adapter: adapter.get_info().name,
            message: error.to_string(),
        };
        let (device, queue) = adapter.request_device(&descriptor).await.map_err(request)?;
        let faults = Faults::listen(&device);
        Self::assemble(device, queue, options.checks, Some(faults), &options.pipeline_cache).await
    }

    /// Uses a caller's device. No callback is installed on it. Errors of what this crate makes, encodes and submits itself are
    /// returned; errors of what the caller encodes and submits surface where the caller has them surface.
    ///
    /// Any device will do, and what it was requested with decides how fast it is. [`recommended`](fn@crate::gpu::recommended)
    /// gives what to request: `SHADER_F16` for tensors in f16, `TIMESTAMP_QUERY` for timing, `PIPELINE_CACHE` for a pipeline
    /// cache, and the adapter's limits instead of WebGPU's defaults, which allow bindings of 128 MiB, buffers of 256 MiB and
    /// workgroups of 256 invocations with 16 KiB. What a plan misses is in [`Account::shortfalls`](crate::Account), whether
    /// there is a pipeline cache in [`Self::pipeline_cache`].
    ///
    /// ```
    /// use winoconv::gpu::{self, CacheSource, Context, ShaderChecks};
    /// use winoconv::wgpu;
    ///
    /// # async fn example(adapter: &wgpu::Adapter) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut wanted = gpu::recommended(adapter);
    /// wanted.label = Some("my application");
    /// wanted.required_features |= wgpu::Features::empty(); // and whatever else the application needs
    /// let (device, queue) = adapter.request_device(&wanted).await?;
    /// let context = Context::from_wgpu(device, queue, ShaderChecks::default(), CacheSource::off()).await?;
    /// # assert_eq!(context.caps().f16, adapter.features().contains(wgpu::Features::SHADER_F16));
    /// # Ok(())
    /// # }
    /// # let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    /// # for adapter in pollster::block_on(instance.enumerate_adapters(wgpu::Backends::VULKAN)) {
    /// #     pollster::block_on(example(&adapter)).unwrap();
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`DeviceError::Lost`] if the device is lost or destroyed; whatever it says of a pipeline cache.
    pub async fn from_wgpu(
        device: wgpu::Device,
        queue: wgpu::Queue,
        checks: ShaderChecks,
        pipeline_cache: CacheSource,
    ) -> Result<Self> {
        Self::assemble(device, queue, checks, None, &pipeline_cache).await
    }

    #[cfg_attr(
        target_arch = "wasm32",
        expect(
            clippy::arc_with_non_send_sync,
            reason = "a browser's objects belong to one thread; elsewhere they are shared"
        )
    )]
    async fn assemble(
        device: wgpu::Device,
        queue: wgpu::Queue,
        checks: ShaderChecks,
        faults: Option<Faults>,
        source: &CacheSource,
    ) -> Result<Self> {
        #[cfg(not(target_arch = "wasm32"))]
        let touchstone = touchstone(&device).await?;
        let info = device.adapter_info();
        let caps = caps(&info, &device.limits(), device.features());
        let cache = PipelineCache::open(&device, &info, source).await?;
        let inner = Inner {
            device,
            queue,
            caps,
            checks,
            faults,
            pipelines: Pipelines::new(Self::PIPELINE_CAPACITY),
            #[cfg(feature = "graph")]
            shaders: Shaders::new(),
            cache,
            #[cfg(not(target_arch = "wasm32"))]
            touchstone,
            #[cfg(not(target_arch = "wasm32"))]
            token: OnceLock::new(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What the device is and offers.
    pub fn caps(&self) -> &Caps {
        &self.inner.caps
    }

    /// The device.
    pub fn device(&self) -> &wgpu::Device {
        &self.inner.device
    }

    /// The queue.
    pub fn queue(&self) -> &wgpu::Queue {
        &self.inner.queue
    }

    /// Whether shaders check themselves.
    pub fn checks(&self) -> ShaderChecks {
        self.inner.checks
    }

    /// What is compiled.
    #[cfg(feature = "graph")]
    pub(super) fn shaders(&self) -> &Shaders {
        &self.inner.shaders
    }

    pub(super) fn compiled(&self) -> &Pipelines {
        &self.inner.pipelines
    }

    /// What the driver compiled before.
    pub(super) fn cache(&self) -> &PipelineCache {
        &self.inner.cache
    }

    /// What became of the pipeline cache that was asked for.
    pub fn pipeline_cache(&self) -> &CacheState {
        self.inner.cache.state()
    }

    /// All that the driver compiled for this device so far and what it had from before, to be stored by the application and
    /// given to [`CacheSource::bytes`] the next time.
    ///
    /// # Errors
    /// [`Error::Unsupported`](crate::Error::Unsupported) if none was asked for or the backend has none.
    pub fn pipeline_cache_bytes(&self) -> Result<Vec<u8>> {
        self.inner.cache.bytes()
    }

    /// Stores the same in the folder that the device was opened with, replacing what is there in one step, and returns
    /// the file. Of two processes that save, the later one stays.
    ///
    /// # Errors
    /// [`Error::Unsupported`](crate::Error::Unsupported) as above, or if there is no folder; [`DeviceError::Store`] if writing fails, or if the folder
    /// is one that a cache would not be read from, see [`CacheSource::folder`].
    pub fn save_pipeline_cache(&self) -> Result<PathBuf> {
        self.inner.cache.save()
    }

    /// Whether the device is the caller's, who decided what it was requested with.
    pub(crate) fn is_borrowed(&self) -> bool {
        self.inner.faults.is_none()
    }

    /// A buffer that answers for as long as the device is there. None where buffers cannot be asked.
    pub(super) fn touchstone(&self) -> Option<&wgpu::Buffer> {
        #[cfg(not(target_arch = "wasm32"))]
        return self.inner.touchstone.as_ref();
        #[cfg(target_arch = "wasm32")]
        None
    }

    /// What encoders are told by, made when it is first needed.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) async fn token(&self) -> Result<Arc<Token>> {
        match self.inner.token.get() {
            Some(token) => Ok(token.clone()),
            None => {
                let token = Token::new(&self.inner.device).await?;
                Ok(self.inner.token.get_or_init(|| token).clone())
            }
        }
    }

    /// The first error that the device reported late, on a device of our own. One that is lost stays lost; other errors are
    /// reported once.
    ///
    /// # Errors
    /// That error.
    pub fn check_faults(&self) -> Result<()> {
        self.inner.faults.as_ref().map_or(Ok(()), Faults::check)
    }

    /// Whether the other is a clone of this one. Two contexts that were made from one device of wgpu are not.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

/// What adapters there are.
pub async fn adapters() -> Vec<Caps> {
    enumerate().await.iter().map(|a| caps(&a.get_info(), &a.limits(), a.features())).collect()
}

async fn enumerate() -> Vec<wgpu::Adapter> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::from_env().unwrap_or(wgpu::Backends::PRIMARY);
    // Debug builds would otherwise compile unoptimised shaders on DX12; indirect dispatches are not used.
    descriptor.flags = wgpu::InstanceFlags::empty().with_env();
    let backends = descriptor.backends;
    let instance = wgpu::Instance::new(descriptor);
    instance.enumerate_adapters(backends).await
}

fn choose<'a>(adapters: &'a [wgpu::Adapter], choice: &AdapterChoice) -> Option<&'a wgpu::Adapter> {
    let rank = |adapter: &wgpu::Adapter| match kind(&adapter.get_info()) {
        DeviceKind::DiscreteGpu => 0,
        DeviceKind::IntegratedGpu => 1,
        DeviceKind::OtherGpu => 2,
        DeviceKind::VirtualGpu => 3,
        DeviceKind::SoftwareGpu | DeviceKind::Cpu => 4,
    };
    let wanted = |adapter: &&wgpu::Adapter| match choice {
        AdapterChoice::Hardware => rank(adapter) < 4,
        AdapterChoice::Software => rank(adapter) == 4,
        AdapterChoice::Named(part) => adapter.get_info().name.to_lowercase().contains(&part.to_lowercase()),
    };
    adapters.iter().filter(wanted).min_by_key(|adapter| rank(adapter))
}

fn no_adapter(adapters: &[wgpu::Adapter], choice: &AdapterChoice) -> DeviceError {
    let asked = match choice {
        AdapterChoice::Hardware => "a hardware GPU".to_owned(),
        AdapterChoice::Software => "a software adapter".to_owned(),
        AdapterChoice::Named(part) => format!("an adapter named {part}"),
    };
    let names: Vec<String> =
        adapters.iter().map(|a| format!("{} ({})", a.get_info().name, kind(&a.get_info()))).collect();
    let found = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    DeviceError::NoAdapter { asked, found }
}
