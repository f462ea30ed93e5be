//! The same work on several things at once.

use std::io;
use std::panic::resume_unwind;
use std::thread;

/// Does `work` on each of `items`, each on a thread of its own but the first, which this thread takes. Results are in the
/// order of the items.
///
/// # Errors
/// If a thread cannot be started; those that were are waited for.
pub(super) fn each<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> io::Result<Vec<R>> {
    let Some((own, others)) = items.split_first() else { return Ok(Vec::new()) };
    let work = &work;
    thread::scope(|scope| {
        let start = |item| thread::Builder::new().name("winoconv".to_owned()).spawn_scoped(scope, move || work(item));
        let others = others.iter().map(start).collect::<io::Result<Vec<_>>>()?;
        let own = work(own);
        let others = others.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        Ok([own].into_iter().chain(others).collect())
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex};
    use std::time::Duration;

    use super::*;

    /// Each waits until all have begun, which they do only where they run at once.
    #[test]
    fn all_run_at_once_and_results_keep_their_order() {
        let items = [3, 1, 4, 1, 5];
        let (begun, all_begun) = (Mutex::new(0), Condvar::new());
        let results = each(&items, |&item| {
            let mut count = begun.lock().expect("no panic");
            *count += 1;
            all_begun.notify_all();
            let patience = Duration::from_secs(20);
            let waited = all_begun.wait_timeout_while(count, patience, |count| *count < items.len());
            (item, !waited.expect("no panic").1.timed_out())
        });
        assert_eq!(results.expect("threads"), items.map(|item| (item, true)), "in order, and none waited in vain");
        assert_eq!(each(&[0; 0], |_| ()).expect("no thread"), [], "nothing to do");
    }

    #[test]
    fn a_panic_is_passed_on() {
        let panic = thread::spawn(|| each(&[1, 2, 3], |&item| assert_ne!(item, 3))).join();
        assert!(panic.is_err(), "the third's panic");
    }
}
