//! Problems that a layer has prepared: their plans, and what each run of a plan needs. They are bounded in number; the least
//! recently used goes first. What a run or a caller holds lives on until it is dropped.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use lru::LruCache;

use super::cpu_weights::{CpuOperands, CpuPacked, CpuWeights};
use crate::account::Account;
#[cfg(feature = "gpu")]
use crate::error::Result;
#[cfg(feature = "gpu")]
use crate::gpu;
use crate::layout::View;
use crate::plan::Plan;
use crate::problem::{Operation, Placed, Problem};
use crate::spatial::Shape;

/// A plan, with what each run of it needs.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) plan: Arc<Plan>,
    pub(super) account: Arc<Account>,
    /// The packed weights, from the first run or binding on.
    packed: OnceLock<Packed>,
}

impl Prepared {
    pub(super) fn new(plan: Arc<Plan>, account: Arc<Account>) -> Self {
        Self { plan, account, packed: OnceLock::new() }
    }

    /// These weights, packed as the plan takes them; nothing if it takes them as they are given.
    pub(super) fn packed_on_cpu(&self, weights: &CpuWeights, operands: &CpuOperands) -> Arc<Vec<f32>> {
        if self.plan.packing.is_given() {
            return Arc::default();
        }
        match self.packed.get_or_init(|| Packed::Cpu(weights.packed(&self.plan))) {
            Packed::Cpu(packed) => packed.of(operands, &self.plan),
            #[cfg(feature = "gpu")]
            Packed::Gpu(_) => Arc::default(),
        }
    }

    /// The same of a layer on a GPU.
    #[cfg(feature = "gpu")]
    pub(super) async fn packed_on_gpu(&self, weights: &gpu::GpuWeights) -> Result<Option<Arc<gpu::Packed>>> {
        if let Some(Packed::Gpu(packed)) = self.packed.get() {
            return Ok(Some(packed.clone()));
        }
        let packed = weights.packed(&self.plan).await?;
        if let Some(packed) = &packed {
            // Another thread may have been faster, with the same result.
            let _ = self.packed.set(Packed::Gpu(packed.clone()));
        }
        Ok(packed)
    }
}

/// Packed weights of one form. All prepared problems that take this form share them.
#[derive(Debug, Clone)]
enum Packed {
    Cpu(Arc<CpuPacked>),
    #[cfg(feature = "gpu")]
    Gpu(Arc<gpu::Packed>),
}

/// How a prepared problem is found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// Dense tensors and the operation's own result type, by the sizes of the convolution's input: such a problem need not be
    /// made and checked again.
    Dense(Operation, Shape),
    /// All others.
    Other(Box<Problem>),
}

impl Key {
    pub(super) fn of(problem: &Problem) -> Self {
        let is_dense = |placed: Placed| placed.view == View::dense(placed.shape, problem.conv.layout);
        let as_usual = problem.result_type == problem.operation.result_type(&problem.conv);
        if as_usual && is_dense(problem.of_input()) && is_dense(problem.of_output()) {
            return Self::Dense(problem.operation, problem.of_input().shape);
        }
        Self::Other(Box::new(*problem))
    }
}

/// The prepared problems of a layer.
#[derive(Debug)]
pub(super) struct PreparedProblems(Mutex<Entries>);

#[derive(Debug)]
struct Entries {
    capacity: usize,
    by_key: LruCache<Key, Arc<Prepared>>,
}

impl Entries {
    fn evict(&mut self) {
        while self.by_key.len() > self.capacity {
            self.by_key.pop_lru();
        }
    }
}

impl PreparedProblems {
    pub(super) fn new(capacity: usize) -> Self {
        Self(Mutex::new(Entries { capacity, by_key: LruCache::unbounded() }))
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn capacity(&self) -> usize {
        self.entries().capacity
    }

    pub(super) fn set_capacity(&self, capacity: usize) {
        let mut entries = self.entries();
        entries.capacity = capacity;
        entries.evict();
    }

    pub(super) fn get(&self, key: &Key) -> Option<Arc<Prepared>> {
        self.entries().by_key.get(key).cloned()
    }

    /// Keeps a prepared problem. If another thread prepared it meanwhile, that one stays and is returned.
    pub(super) fn insert(&self, key: Key, prepared: Prepared) -> Arc<Prepared> {
        let mut entries = self.entries();
        let prepared = entries.by_key.get_or_insert(key, || Arc::new(prepared)).clone();
        entries.evict();
        prepared
    }
}
