//! Divides tasks among threads. Each thread has the same neighbouring tasks in every run, so that what it wrote is still
//! in its core's cache when it needs it again. A thread that is done helps the others. A task's result does not depend on
//! the thread that runs it, so results are bit-identical for any number of threads.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use pulp::{Simd, WithSimd};

use super::disjoint::Disjoint;
use super::helpers::with_helpers;
use super::registers::with_registers;
use crate::kernel::word;
use crate::plan::LANES;

/// Work in numbered pieces.
pub(in crate::cpu) trait Task: Sync {
    /// Does the `task`-th piece.
    fn run<S: Simd>(&self, simd: S, task: usize, scratch: &mut [f32]);
}

/// Does all tasks on so many threads at most, with `scratch` elements for each. The caller's is one of them, the others are of
/// the pool that it is in. The workspace may be longer: other plans have used it.
pub(in crate::cpu) fn walk(threads: usize, tasks: usize, scratch: usize, workspace: &mut [f32], of: &impl Task) {
    let threads = threads.min(tasks).max(1);
    let apart = scratch.next_multiple_of(LANES);
    let workspace = Disjoint::new(aligned(workspace));
    let shares: Vec<Share> = (0..threads).map(|i| Share::new(i * tasks / threads..(i + 1) * tasks / threads)).collect();
    with_helpers(threads - 1, &|thread| {
        // SAFETY: each thread has another number, and so another part.
        #[expect(unsafe_code, reason = "threads work in one workspace")]
        let scratch = unsafe { workspace.part(thread * apart, scratch) };
        with_registers(Walk { shares: &shares, thread, of, scratch });
    });
}

/// The tasks of a share that are left: the first one, and one past the last.
struct Share(AtomicU64);

impl Share {
    fn new(tasks: Range<usize>) -> Self {
        Self(AtomicU64::new(Self::packed(tasks)))
    }

    fn packed(tasks: Range<usize>) -> u64 {
        u64::from(word(tasks.start)) << 32 | u64::from(word(tasks.end))
    }

    /// Takes a task: the first one for the share's owner, the last one for a helper.
    fn take(&self, helps: bool) -> Option<usize> {
        let mut all = self.0.load(Ordering::Relaxed);
        loop {
            let (first, end) = ((all >> 32) as usize, (all & u64::from(u32::MAX)) as usize);
            if first >= end {
                return None;
            }
            let (task, rest) = if helps { (end - 1, first..end - 1) } else { (first, first + 1..end) };
            match self.0.compare_exchange_weak(all, Self::packed(rest), Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(task),
                Err(now) => all = now,
            }
        }
    }
}

/// Starts at a cache line: a load of 16 lanes that crosses two lines takes twice as long.
pub(in crate::cpu) fn aligned(workspace: &mut [f32]) -> &mut [f32] {
    let skipped = workspace.as_ptr().align_offset(size_of::<[f32; LANES]>());
    workspace.get_mut(skipped..).unwrap_or_default()
}

struct Walk<'a, T> {
    shares: &'a [Share],
    thread: usize,
    of: &'a T,
    scratch: &'a mut [f32],
}

impl<T: Task> WithSimd for Walk<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (others, own) = self.shares.split_at(self.thread);
        for (i, share) in own.iter().chain(others).enumerate() {
            while let Some(task) = share.take(i > 0) {
                self.of.run(simd, task, self.scratch);
            }
        }
    }
}
