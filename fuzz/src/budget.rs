//! Reading costs at most linear time and memory in the length of the text, and a cap.

use std::alloc::System;
use std::time::Duration;

use cap::Cap;
use cpu_time::ProcessTime;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Live bytes beside those from before: the cap, and what each byte of the text may add.
const BYTES: [usize; 2] = [256 << 20, 16 << 10];
/// Processor time, in a build with a sanitizer and debug assertions, which is about ten times slower than a release: the cap,
/// and what each byte of the text may add.
const TIME: [Duration; 2] = [Duration::from_secs(20), Duration::from_millis(2)];

/// Runs `read` on a text of so many bytes. An allocation beyond the budget fails, which ends the process.
///
/// # Panics
/// If it takes too long.
pub fn within(len: usize, read: impl FnOnce()) {
    let room = |of: usize| BYTES[0].saturating_add(BYTES[1].saturating_mul(of));
    let set = ALLOCATOR.set_limit(ALLOCATOR.allocated().saturating_add(room(len)));
    assert!(set.is_ok(), "the limit is above what is allocated");
    let start = ProcessTime::now();
    read();
    let took = start.elapsed();
    let limit = TIME[0] + TIME[1] * u32::try_from(len).unwrap_or(u32::MAX);
    // What libFuzzer allocates between two inputs is its own.
    let _ = ALLOCATOR.set_limit(usize::MAX);
    assert!(took <= limit, "{len} bytes took {took:?}, expected at most {limit:?}");
}
