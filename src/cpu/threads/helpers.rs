//! Help from the threads of a pool, for as long as there is work. Who comes when it is done finds the door closed, and nobody
//! waits for it: a sleeping thread takes up to 50 us to wake on a virtual machine, a small convolution less. (A scope of
//! rayon's waits for all that it spawned, begun or not.)

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::caps::threads;

/// Work that any number of threads may take part in, each with its own number; the caller's is 0.
type Work<'a> = dyn Fn(usize) + Sync + 'a;

/// Looks at the state before a waiting thread lets others run.
const SPINS: u32 = if cfg!(miri) { 1 } else { 4096 };

/// Calls `work` on this thread, and on so many others of the pool that it is in, or of rayon's global one, if they come before
/// this call of it is done.
///
/// # Panics
/// With what `work` panics with on any of them, after all have left it.
pub(in crate::cpu) fn with_helpers(helpers: usize, work: &Work<'_>) {
    // Without a pool this thread does all the work, whatever number of threads the plan is for.
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
    // In a thread of a pool, those that no other thread took are still here: they would heap up.
    for _ in door.come.load(Ordering::Relaxed)..helpers {
        rayon::yield_local();
    }
    if let Some(panic) = door.panic.lock().unwrap_or_else(PoisonError::into_inner).take() {
        resume_unwind(panic);
    }
}

/// Where helpers go in and out.
struct Door {
    work: &'static Work<'static>,
    /// How many are inside, and [`CLOSED`].
    inside: AtomicUsize,
    /// How many came, in time or not.
    come: AtomicUsize,
    /// What a helper ended with.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// Nobody may go in.
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

/// Closes a door, and waits until everybody is out.
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

    /// All threads of the pool are busy, and the work of the caller is done before they are not.
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
