//! Shares an output's rows out among threads.

use crate::cpu::each_chunk;
use crate::graph::compile::Place;

/// So many elements at least are worth a thread's while.
pub(super) const LEAST: usize = 1 << 12;

/// Calls with the indices of each row, all axes but the last one, and the row's elements. Elements of a row lie side by side, and
/// rows in order, as those of all outputs do.
pub(super) fn each_row(to: &Place, output: &mut [f32], visit: impl Fn(&[usize], &mut [f32]) + Sync) {
    let rank = to.dims.rank();
    let Some(last) = rank.checked_sub(1) else {
        return visit(&[], &mut output[to.offset..=to.offset]);
    };
    let row = to.dims[last];
    let (prefix, strides) = (&to.dims[..last], &to.strides[..last]);
    let split = prefix.iter().position(|&size| size > 1);
    let memory = &mut output[to.offset..to.end()];
    let rows_of = |indices: &mut [usize], memory: &mut [f32], from: usize| {
        let inner: usize = prefix[from..].iter().product();
        for _ in 0..inner {
            let at: usize = (from..last).map(|axis| indices[axis] * strides[axis].unsigned_abs()).sum();
            visit(indices, &mut memory[at..at + row]);
            advance(&mut indices[from..], &prefix[from..]);
        }
    };
    match split {
        Some(axis) if to.dims.elements() > LEAST => {
            let step = strides[axis].unsigned_abs().max(1);
            let of_task = LEAST.div_ceil(to.dims.elements() / prefix[axis]);
            each_chunk(memory, step * of_task, |task, memory| {
                let mut indices = vec![0; last];
                for (i, memory) in memory.chunks_mut(step).enumerate() {
                    indices[axis] = task * of_task + i;
                    rows_of(&mut indices, memory, axis + 1);
                }
            });
        }
        _ => rows_of(&mut vec![0; last], memory, 0),
    }
}

/// Counts indices up by one, the last one first.
pub(super) fn advance(indices: &mut [usize], sizes: &[usize]) {
    for (index, &size) in indices.iter_mut().zip(sizes).rev() {
        *index += 1;
        if *index < size {
            return;
        }
        *index = 0;
    }
}
