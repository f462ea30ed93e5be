//! Tasks shared out among threads: each has a share of neighbours, the same in every run, so that what a thread wrote is still
//! in its core's cache when it reads it, or writes it anew; who is done helps the others. What a task computes does not depend on
//! who takes it, so results are the same bits for any number of threads.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use pulp::{Simd, WithSimd};

use super::disjoint::Disjoint;
use super::helpers::with_helpers;
use super::registers::arch;
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
        arch().dispatch(Walk { shares: &shares, thread, of, scratch });
    });
}

/// Tasks that nobody has taken yet, as the first of them and the one behind the last.
struct Share(AtomicU64);

impl Share {
    fn new(tasks: Range<usize>) -> Self {
        Self(AtomicU64::new(Self::packed(tasks)))
    }

    fn packed(tasks: Range<usize>) -> u64 {
        u64::from(word(tasks.start)) << 32 | u64::from(word(tasks.end))
    }

    /// Takes a task: the first one for whom the share is, the last one for who helps.
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

/// From the first whole cache line on: registers of 16 lanes that lie across two of them take twice as long.
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
