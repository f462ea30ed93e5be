//! Threads of a pool that help while there is work. A thread that wakes when the work is done returns immediately, and nobody
//! waits for it: on a virtual machine a thread takes up to 50 us to wake, longer than a small convolution. (A scope of
//! rayon waits for every job that it spawned, even one that no thread has begun.)

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::caps::threads;

/// Work that any number of threads may do together. Each thread has a number; the caller's is 0.
type Work<'a> = dyn Fn(usize) + Sync + 'a;

/// How often a waiting thread reads the state before it yields.
const SPINS: u32 = if cfg!(miri) { 1 } else { 4096 };

/// Calls `work` on this thread, and on up to `helpers` other threads of its pool (or of rayon's global pool) that wake before
/// this thread's call is done.
///
/// # Panics
/// If `work` panics on any thread: with the same payload, after all threads have left it.
pub(in crate::cpu) fn with_helpers(helpers: usize, work: &Work<'_>) {
    // Without a pool this thread does all the work, however many threads the plan was made for.
    if helpers == 0 || threads::count().is_err() {
        return work(0);
    }
    // SAFETY: only those who came in time call it, and `Closing` waits until they left, however this function ends.
    #[expect(unsafe_code, reason = "jobs of a pool may outlive the caller, and these never use what it lent")]
    let lent = unsafe { std::mem::transmute::<&Work<'_>, &'static Work<'static>>(work) };
    let door =
        Arc::new(Door { work: lent, inside: AtomicUsize::new(0), come: AtomicUsize::new(0), panic: Mutex::default() });
    let closing = Closing(&door);
    for helper in 1..=helpers {
        let door = door.clone();
        rayon::spawn(move || door.enter(helper));
    }
    work(0);
    drop(closing);
    // In a pool's thread, jobs that no other thread has taken are still in its queue, and would pile up.
    for _ in door.come.load(Ordering::Relaxed)..helpers {
        rayon::yield_local();
    }
    if let Some(panic) = door.panic.lock().unwrap_or_else(PoisonError::into_inner).take() {
        resume_unwind(panic);
    }
}

/// Counts the helpers that are working, and refuses late ones.
struct Door {
    work: &'static Work<'static>,
    /// How many helpers are working, and the bit [`CLOSED`].
    inside: AtomicUsize,
    /// How many helpers have arrived, in time or late.
    come: AtomicUsize,
    /// The panic of a helper, if one panicked.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// Set when no more helpers may start.
const CLOSED: usize = 1 << (usize::BITS - 1);

impl Door {
    fn enter(&self, helper: usize) {
        self.come.fetch_add(1, Ordering::Relaxed);
        if self.inside.fetch_add(1, Ordering::Acquire) & CLOSED == 0
            && let Err(panic) = catch_unwind(AssertUnwindSafe(|| (self.work)(helper)))
        {
            *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
        }
        self.inside.fetch_sub(1, Ordering::Release);
    }
}

/// When dropped, refuses further helpers and waits until the working ones are done.
struct Closing<'a>(&'a Door);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.inside.fetch_or(CLOSED, Ordering::Relaxed);
        let mut looks = 0;
        while self.0.inside.load(Ordering::Acquire) != CLOSED {
            looks += 1;
            if looks % SPINS == 0 {
                std::thread::yield_now();
            } else {
                std::hint::spin_loop();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn pool(threads: usize) -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads")
    }

    #[test]
    fn whoever_comes_in_time_helps() {
        let (all, met) = (AtomicUsize::new(0), AtomicUsize::new(0));
        with_helpers(1, &|thread| {
            all.fetch_add(1 << thread, Ordering::SeqCst);
            // Each waits for the other.
            met.fetch_add(1, Ordering::SeqCst);
            let start = Instant::now();
            while met.load(Ordering::SeqCst) < 2 && start.elapsed() < Duration::from_secs(10) {
                std::thread::yield_now();
            }
        });
        assert_eq!(all.load(Ordering::SeqCst), 0b11);
    }

    /// All threads of the pool are busy, and the caller finishes its work before one becomes free.
    #[test]
    fn nobody_waits_for_who_comes_late() {
        let (pool, calls) = (pool(2), AtomicUsize::new(0));
        let (release, held) = std::sync::mpsc::channel::<()>();
        pool.install(|| {
            let busy = Arc::new(AtomicUsize::new(0));
            let begins = busy.clone();
            rayon::spawn(move || {
                begins.store(1, Ordering::SeqCst);
                _ = held.recv();
            });
            while busy.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            for _ in 0..100 {
                with_helpers(3, &|thread| {
                    assert_eq!(thread, 0, "the others are busy");
                    calls.fetch_add(1, Ordering::SeqCst);
                });
            }
            release.send(()).expect("it waits");
        });
        assert_eq!(calls.load(Ordering::SeqCst), 100);
    }

    #[test]
    fn a_panic_is_the_callers() {
        for culprit in [0, 1] {
            let (met, helped) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let result = catch_unwind(AssertUnwindSafe(|| {
                with_helpers(1, &|thread| {
                    met.fetch_add(1, Ordering::SeqCst);
                    while met.load(Ordering::SeqCst) < 2 {
                        std::thread::yield_now();
                    }
                    assert_ne!(thread, culprit, "as it should");
                    helped.fetch_add(1, Ordering::SeqCst);
                });
            }));
            assert!(result.is_err(), "thread {culprit} panicked");
            assert_eq!(helped.load(Ordering::SeqCst), 1, "the other was waited for");
        }
    }
}
