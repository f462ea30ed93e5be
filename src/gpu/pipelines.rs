//! The compiled kernels of a device. Each is compiled once, when it is first asked for, whoever asks at the same time;
//! several that are asked for together are compiled together, a thread for each.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::context::Context;
use super::pipeline::{CompileTime, Pipeline};
use crate::error::Result;
use crate::kernel::KernelSpec;

/// Where a kernel's pipeline will be. Whoever compiles it holds the place, and others who want it wait there.
type Place = futures_intrusive::sync::Mutex<Option<Arc<Pipeline>>>;

/// What is compiled.
#[derive(Debug, Default)]
pub(super) struct Pipelines {
    places: Mutex<HashMap<KernelSpec, Arc<Place>>>,
    compiled: AtomicUsize,
}

impl Pipelines {
    fn place(&self, spec: &KernelSpec) -> Arc<Place> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.entry(*spec).or_insert_with(|| Arc::new(Place::new(None, true))).clone()
    }

    /// Those of `specs` that are not there yet, each once.
    #[cfg(not(target_arch = "wasm32"))]
    fn missing(&self, specs: &[KernelSpec]) -> Vec<KernelSpec> {
        let mut missing = Vec::new();
        for spec in specs {
            // One that is being compiled is waited for like one that is not.
            let there = self.place(spec).try_lock().is_some_and(|place| place.is_some());
            if !there && !missing.contains(spec) {
                missing.push(*spec);
            }
        }
        missing
    }
}

impl Context {
    /// The pipeline of a kernel, compiled on first use and kept.
    ///
    /// # Errors
    /// Whatever [`crate::wgsl::check()`] or the device finds.
    pub async fn pipeline(&self, spec: &KernelSpec) -> Result<Arc<Pipeline>> {
        let pipelines = self.kept();
        let place = pipelines.place(spec);
        let mut place = place.lock().await;
        if let Some(pipeline) = &*place {
            return Ok(pipeline.clone());
        }
        let cache = self.cache().driver();
        let pipeline = Pipeline::create(self.device(), spec, self.caps(), self.checks(), cache).await?;
        pipelines.compiled.fetch_add(1, Ordering::Relaxed);
        Ok(place.insert(Arc::new(pipeline)).clone())
    }

    /// The pipelines of several kernels, in their order. Those that are missing are compiled together, each on a thread of
    /// its own; in a browser, where there are no threads, one after another.
    ///
    /// # Errors
    /// As [`Self::pipeline`]; [`crate::error::DeviceError::Internal`] if a thread cannot be started.
    pub async fn pipelines(&self, specs: &[KernelSpec]) -> Result<Vec<Arc<Pipeline>>> {
        #[cfg(not(target_arch = "wasm32"))]
        self.compile_together(&self.kept().missing(specs))?;
        let mut pipelines = Vec::with_capacity(specs.len());
        for spec in specs {
            pipelines.push(self.pipeline(spec).await?);
        }
        Ok(pipelines)
    }

    /// Natively nothing in the making of a pipeline is waited for but the driver, so a thread may block on it. Error scopes
    /// belong to the thread that opens them: each kernel has its own.
    #[cfg(not(target_arch = "wasm32"))]
    fn compile_together(&self, specs: &[KernelSpec]) -> Result<()> {
        let results = super::threads::each(specs, |spec| pollster::block_on(self.pipeline(spec)));
        let failed = |error: std::io::Error| crate::error::DeviceError::Internal {
            during: "starting a thread that compiles".to_owned(),
            message: error.to_string(),
        };
        results.map_err(failed)?.into_iter().try_for_each(|result| result.map(drop))
    }

    /// How many kernels were compiled and kept on this device so far.
    pub fn compilations(&self) -> usize {
        self.kept().compiled.load(Ordering::Relaxed)
    }

    /// Compiles a kernel anew, past what is kept here or stored, and says how long it took: for benchmarks.
    ///
    /// # Errors
    /// As [`Self::pipeline`].
    pub async fn time_compile(&self, spec: &KernelSpec) -> Result<CompileTime> {
        let pipeline = Pipeline::create(self.device(), spec, self.caps(), self.checks(), None).await?;
        Ok(pipeline.compile_time())
    }
}
