//! Weighted sums of elements along axes: resizing, and padding that repeats elements.

use super::rows::each_row;
use super::source::Source;
use crate::graph::compile::{AxisTaps, Place};

pub(super) fn run(taps: &[AxisTaps], source: Source<'_>, to: &Place, output: &mut [f32]) {
    let Some(last) = to.dims.rank().checked_sub(1) else {
        output[to.offset] = source.data[source.place.offset];
        return;
    };
    let of_last = taps.iter().find(|taps| taps.axis == last);
    let outer: Vec<&AxisTaps> = taps.iter().filter(|taps| taps.axis != last).collect();
    let step = source.place.strides[last];
    each_row(to, output, |indices, row| {
        // The lines that the row is made of, with their weights.
        let mut start = indices.to_vec();
        outer.iter().for_each(|taps| start[taps.axis] = 0);
        let mut lines = vec![(source.position(&start), 1.0f32)];
        for taps in &outer {
            let own = indices[taps.axis] * taps.count..(indices[taps.axis] + 1) * taps.count;
            let stride = source.place.strides[taps.axis];
            lines = lines
                .iter()
                .flat_map(|&(line, weight)| {
                    own.clone().map(move |i| {
                        let index = taps.indices[i] as usize;
                        (line.wrapping_add_signed(stride * index.cast_signed()), weight * taps.weights[i])
                    })
                })
                .collect();
        }
        lines.retain(|(_, weight)| *weight != 0.0);
        for (at, out) in row.iter_mut().enumerate() {
            let element = |line: usize, index: usize| source.data[line.wrapping_add_signed(step * index.cast_signed())];
            let of_line = |line: usize| match of_last {
                None => element(line, at),
                Some(taps) if taps.count == 1 => element(line, taps.indices[at] as usize),
                Some(taps) => {
                    let own = at * taps.count..(at + 1) * taps.count;
                    let own = own.filter(|&i| taps.weights[i] != 0.0);
                    own.map(|i| element(line, taps.indices[i] as usize) * taps.weights[i]).sum()
                }
            };
            *out = match lines[..] {
                [(line, 1.0)] => of_line(line),
                _ => lines.iter().map(|&(line, weight)| of_line(line) * weight).sum(),
            };
        }
    });
}
