//! The compiled kernels of a device. Each is compiled once, when it is first asked for, whoever asks at the same time;
//! several that are asked for together are compiled together, a thread for each. They are bounded in number: the least recently
//! used goes first, and is compiled again when it is asked for again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use super::context::Context;
use super::pipeline::{CompileTime, Pipeline};
use crate::error::Result;
use crate::kernel::{KernelSpec, Variant};

/// Where a kernel's pipeline will be. Whoever compiles it holds the place, and others who want it wait there.
type Place = futures_intrusive::sync::Mutex<Option<Arc<Pipeline>>>;

/// What is compiled.
#[derive(Debug)]
pub(super) struct Pipelines {
    kept: Mutex<Kept>,
    compiled: AtomicUsize,
}

#[derive(Debug)]
struct Kept {
    capacity: usize,
    places: LruCache<Variant, Arc<Place>>,
}

impl Kept {
    /// Drops those that were not used for the longest time. A place that someone else holds stays, since a kernel may be compiled
    /// there; whoever holds it evicts again.
    fn evict(&mut self) {
        while self.places.len() > self.capacity {
            let mut places = self.places.iter().rev();
            let unused = places.find(|(_, place)| Arc::strong_count(place) == 1).map(|(variant, _)| *variant);
            let Some(variant) = unused else { return };
            self.places.pop(&variant);
        }
    }
}

impl Pipelines {
    pub(super) fn new(capacity: usize) -> Self {
        let kept = Mutex::new(Kept { capacity, places: LruCache::unbounded() });
        Self { kept, compiled: AtomicUsize::new(0) }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self, variant: &Variant) -> Arc<Place> {
        let mut kept = self.kept();
        let place = kept.places.get_or_insert(*variant, || Arc::new(Place::new(None, true))).clone();
        kept.evict();
        place
    }

    /// The pipeline of a kernel, if it is compiled. One that is being compiled is not.
    fn find(&self, variant: &Variant) -> Option<Arc<Pipeline>> {
        let place = self.kept().places.get(variant)?.clone();
        place.try_lock()?.clone()
    }
}

impl Context {
    /// How many compiled kernels a context keeps by default: more than all layers of a network take.
    pub const PIPELINE_CAPACITY: usize = 256;

    /// How many compiled kernels are kept at most, [`Self::PIPELINE_CAPACITY`] unless it was set. Beyond that the least recently
    /// used is dropped. A pipeline that a [`super::Bound`] or a caller holds lives until it is dropped there.
    pub fn pipeline_capacity(&self) -> usize {
        self.compiled().kept().capacity
    }

    /// Sets how many compiled kernels are kept at most, for all clones of this context. With fewer than a plan has, every
    /// binding compiles them again.
    pub fn set_pipeline_capacity(&self, capacity: usize) {
        let mut kept = self.compiled().kept();
        kept.capacity = capacity;
        kept.evict();
    }

    /// The pipeline of a kernel whose tensors lie in separate buffers, compiled on first use and kept.
    ///
    /// # Errors
    /// Whatever [`crate::wgsl::check()`] or the device finds.
    pub async fn pipeline(&self, spec: &KernelSpec) -> Result<Arc<Pipeline>> {
        self.pipeline_of(&(*spec).into()).await
    }

    async fn pipeline_of(&self, variant: &Variant) -> Result<Arc<Pipeline>> {
        let place = self.compiled().place(variant);
        let pipeline = self.pipeline_at(&place, variant).await;
        drop(place);
        self.compiled().kept().evict();
        pipeline
    }

    async fn pipeline_at(&self, place: &Place, variant: &Variant) -> Result<Arc<Pipeline>> {
        let mut place = place.lock().await;
        if let Some(pipeline) = &*place {
            return Ok(pipeline.clone());
        }
        let cache = self.cache().driver();
        let pipeline = Pipeline::create(self.device(), variant, self.caps(), self.checks(), cache).await?;
        self.check_lost()?;
        self.compiled().compiled.fetch_add(1, Ordering::Relaxed);
        Ok(place.insert(Arc::new(pipeline)).clone())
    }

    /// The pipelines of several kernels whose tensors lie in separate buffers, in their order. Those that are missing are compiled
    /// together, each on a thread of its own; in a browser, where there are no threads, one after another.
    ///
    /// # Errors
    /// As [`Self::pipeline`]; [`crate::error::DeviceError::Internal`] if a thread cannot be started.
    pub async fn pipelines(&self, specs: &[KernelSpec]) -> Result<Vec<Arc<Pipeline>>> {
        self.pipelines_of(&specs.iter().map(|&spec| spec.into()).collect::<Vec<_>>()).await
    }

    /// The same, for tensors in separate buffers or not.
    pub(crate) async fn pipelines_of(&self, variants: &[Variant]) -> Result<Vec<Arc<Pipeline>>> {
        // Each is held from here on, so that none is dropped and compiled twice where few are kept.
        let mut there: Vec<Arc<Pipeline>> = Vec::new();
        let mut missing = Vec::new();
        for variant in variants {
            if there.iter().any(|pipeline| pipeline.variant() == variant) || missing.contains(variant) {
                continue;
            }
            match self.compiled().find(variant) {
                Some(pipeline) => there.push(pipeline),
                None => missing.push(*variant),
            }
        }
        there.extend(self.compile_together(&missing).await?);
        let mut pipelines = Vec::with_capacity(variants.len());
        for variant in variants {
            let pipeline = there.iter().find(|pipeline| pipeline.variant() == variant);
            pipelines.extend(pipeline.cloned());
        }
        Ok(pipelines)
    }

    /// Natively nothing in the making of a pipeline is waited for but the driver, so a thread may block on it. Error scopes
    /// belong to the thread that opens them: each kernel has its own.
    #[cfg(not(target_arch = "wasm32"))]
    #[expect(clippy::unused_async, reason = "a browser has no threads, and awaits one after another")]
    async fn compile_together(&self, variants: &[Variant]) -> Result<Vec<Arc<Pipeline>>> {
        let results = super::threads::each(variants, |variant| pollster::block_on(self.pipeline_of(variant)));
        let failed = |error: std::io::Error| crate::error::DeviceError::Internal {
            during: "starting a thread that compiles".to_owned(),
            message: error.to_string(),
        };
        results.map_err(failed)?.into_iter().collect()
    }

    #[cfg(target_arch = "wasm32")]
    async fn compile_together(&self, variants: &[Variant]) -> Result<Vec<Arc<Pipeline>>> {
        let mut pipelines = Vec::with_capacity(variants.len());
        for variant in variants {
            pipelines.push(self.pipeline_of(variant).await?);
        }
        Ok(pipelines)
    }

    /// How many kernels were compiled and kept on this device so far.
    pub fn compilations(&self) -> usize {
        self.compiled().compiled.load(Ordering::Relaxed)
    }

    /// Compiles a kernel anew, past what is kept here or stored, and says how long it took: for benchmarks.
    ///
    /// # Errors
    /// As [`Self::pipeline`].
    pub async fn time_compile(&self, spec: &KernelSpec) -> Result<CompileTime> {
        let pipeline = Pipeline::create(self.device(), &(*spec).into(), self.caps(), self.checks(), None).await?;
        self.check_lost()?;
        Ok(pipeline.compile_time())
    }
}
