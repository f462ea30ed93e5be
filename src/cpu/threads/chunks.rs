//! A slice in chunks that threads take one after the other: for work that is short, and of which the caller's thread does what
//! there is until another one wakes. (A parallel iterator of rayon hands all of it to the pool, and the caller waits.)

use std::sync::{Mutex, PoisonError};

use super::helpers::with_helpers;
use crate::caps::threads;

/// Calls with each chunk of so many elements, and its number.
pub(crate) fn each_chunk<T: Send>(all: &mut [T], len: usize, visit: impl Fn(usize, &mut [T]) + Sync) {
    let len = len.max(1);
    let helpers = match all.len().div_ceil(len) {
        0 | 1 => 0,
        chunks => threads::count().unwrap_or(1).min(chunks) - 1,
    };
    let left = Mutex::new(all.chunks_mut(len).enumerate());
    with_helpers(helpers, &|_| {
        let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
        while let Some((i, chunk)) = next() {
            visit(i, chunk);
        }
    });
}

/// What a function makes of each number below `count`, in order. A thread takes so many of them at a time.
pub(crate) fn collect<T: Send>(count: usize, at_a_time: usize, make: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let at_a_time = at_a_time.max(1);
    let mut made: Vec<Option<T>> = std::iter::repeat_with(|| None).take(count).collect();
    each_chunk(&mut made, at_a_time, |chunk, made| {
        for (i, made) in made.iter_mut().enumerate() {
            *made = Some(make(chunk * at_a_time + i));
        }
    });
    made.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_element_is_in_one_chunk() {
        for (len, of_chunk) in [(0, 3), (1, 3), (3, 3), (10, 3), (10, 1), (10, 0), (2, 10)] {
            let mut all = vec![0; len];
            each_chunk(&mut all, of_chunk, |i, chunk| chunk.iter_mut().for_each(|x| *x += 1 + i));
            let expected: Vec<usize> = (0..len).map(|at| 1 + at / of_chunk.max(1)).collect();
            assert_eq!(all, expected, "{len} in chunks of {of_chunk}");
            assert_eq!(collect(len, of_chunk, |i| 7 * i), (0..len).map(|i| 7 * i).collect::<Vec<_>>());
        }
    }
}
