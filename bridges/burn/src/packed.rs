//! Packed weights, kept between runs.
//!
//! Some plans need the weights in another form. They are packed once for as long as they do not change. How is that known?
//! An entry holds a handle of the weights' memory. Burn changes memory in place only if there is no other handle of it, so what
//! an entry holds stays as it was packed; updated weights lie elsewhere. An entry whose handle is the last one is of no use to
//! anybody and is dropped.

use std::num::NonZeroUsize;

use cubecl::server::Handle;
use lru::LruCache;
use winoconv::wgpu;

use crate::device::{CAPACITY, Call};

/// Weights in a place, as one plan takes them: number of the memory, and offset.
type Key = (Call, usize, Option<u64>);

/// Packed weights of a device.
pub(crate) struct PackedWeights(LruCache<Key, (Handle, wgpu::Buffer)>);

impl PackedWeights {
    pub(crate) fn new() -> Self {
        Self(LruCache::new(NonZeroUsize::new(CAPACITY).expect("the capacity is not zero")))
    }

    fn key(call: &Call, weights: &Handle) -> Key {
        (call.clone(), weights.memory.descriptor().id.value, weights.offset_start)
    }

    /// What these weights were packed into.
    pub(crate) fn get(&mut self, call: &Call, weights: &Handle) -> Option<wgpu::Buffer> {
        self.0.get(&Self::key(call, weights)).map(|(_, buffer)| buffer.clone())
    }

    /// Keeps what they were packed into.
    pub(crate) fn insert(&mut self, call: &Call, weights: &Handle, buffer: wgpu::Buffer) {
        let is_unused = |(key, (handle, _)): (&Key, &(Handle, wgpu::Buffer))| handle.can_mut().then(|| key.clone());
        let unused: Vec<Key> = self.0.iter().filter_map(is_unused).collect();
        unused.iter().for_each(|key| drop(self.0.pop(key)));
        self.0.put(Self::key(call, weights), (weights.clone(), buffer));
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
