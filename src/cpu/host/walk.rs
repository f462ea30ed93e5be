//! Tasks shared out among threads: each takes the next one that nobody has taken. What a task computes does not depend on
//! who takes it, so results are the same bits for any number of threads.

use std::sync::atomic::{AtomicUsize, Ordering};

use pulp::{Simd, WithSimd};

use super::registers::arch;

/// Work in numbered pieces.
pub(super) trait Task: Sync {
    /// Does the `task`-th piece.
    fn run<S: Simd>(&self, simd: S, task: usize, scratch: &mut [f32]);
}

/// Does all tasks on so many threads at most, with `scratch` elements for each. The caller's is one of them, the others are of
/// the pool that it is in. The workspace may be longer: other plans have used it.
pub(super) fn walk(threads: usize, tasks: usize, scratch: usize, workspace: &mut [f32], of: &impl Task) {
    let next = AtomicUsize::new(0);
    let threads = threads.min(tasks).max(1);
    let one = |scratch: &mut [f32]| arch().dispatch(Walk { next: &next, tasks, of, scratch });
    let (own, others) = workspace.split_at_mut(scratch);
    if threads == 1 {
        return one(own);
    }
    rayon::in_place_scope(|scope| {
        for scratch in others.chunks_exact_mut(scratch.max(1)).take(threads - 1) {
            scope.spawn(|_| one(scratch));
        }
        one(own);
    });
}

struct Walk<'a, T> {
    next: &'a AtomicUsize,
    tasks: usize,
    of: &'a T,
    scratch: &'a mut [f32],
}

impl<T: Task> WithSimd for Walk<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        loop {
            let task = self.next.fetch_add(1, Ordering::Relaxed);
            if task >= self.tasks {
                return;
            }
            self.of.run(simd, task, self.scratch);
        }
    }
}
