//! The leaves of `depthwise_patch`: a filter's weights, the sums of a patch and its outputs, written out.

use crate::kernel::{DepthwisePatch, PatchBlocking};
use crate::wgsl::writer::{Leaves, lines, local_array};

pub(super) fn leaves(leaves: &mut Leaves, kernel: &DepthwisePatch) {
    let (taps, weights) = (kernel.taps as usize, kernel.weights() as usize);
    let filter = local_array("filter_taps", "f32", weights);
    let acc = local_array("acc", "f32", kernel.blocking.outputs() as usize);
    leaves.function(
        "load_filter",
        "A filter's weights, row by row.",
        &format!("at: u32, {filter}"),
        &lines(weights, |i| {
            let (r, s) = (i / taps, i % taps);
            format!("(*filter_taps)[{i}] = read_weight(at + {r}u * params.weights_h + {s}u * params.weights_w);")
        }),
    );
    leaves.function(
        "sum_patch",
        "All products of a patch, a row of the source after the other: `y` and `x` are where its first output's first tap\n\
         lies.",
        &format!("channel: u32, y: u32, x: u32, {filter}, {acc}"),
        &sum_patch(kernel),
    );
    leaves.function(
        "write_outputs",
        "The outputs of a patch. All are made before one is written: no load of an operand waits for a store.",
        &format!("at: u32, row: u32, column: u32, k: u32, {acc}"),
        &write_outputs(kernel.blocking),
    );
}

fn sum_patch(kernel: &DepthwisePatch) -> Vec<String> {
    let [taps, stride] = [kernel.taps, kernel.stride].map(|number| number as usize);
    let [columns, rows] = kernel.covered().map(|number| number as usize);
    let [out_columns, out_rows] = [kernel.blocking.columns, kernel.blocking.rows].map(|number| number as usize);
    let mut body = lines(columns, |j| format!("let at{j} = distance_of(x + {j}u, params.w, params.src_w);"));
    body.extend(lines(columns, |j| format!("let in{j} = mask(x + {j}u, params.w);")));
    for i in 0..rows {
        body.push(format!("let row{i} = channel + distance_of(y + {i}u, params.h, params.src_h);"));
        body.push(format!("let there{i} = mask(y + {i}u, params.h);"));
        body.extend(lines(columns, |j| format!("let x{i}_{j} = masked(row{i} + at{j}, there{i} & in{j});")));
        // The outputs' rows that it is a part of, each by another row of taps.
        for (row, r) in (0..out_rows).filter_map(|row| Some((row, i.checked_sub(row * stride)?))) {
            if r >= taps {
                continue;
            }
            for (column, s) in (0..out_columns).flat_map(|column| (0..taps).map(move |s| (column, s))) {
                let (acc, element) = (format!("(*acc)[{}]", row * out_columns + column), column * stride + s);
                body.push(format!("{acc} = fma(x{i}_{element}, (*filter_taps)[{}], {acc});", r * taps + s));
            }
        }
    }
    body
}

fn write_outputs(PatchBlocking { columns, rows }: PatchBlocking) -> Vec<String> {
    let places = || (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j)));
    let made = places().map(|(i, j)| {
        let sum = i * columns + j;
        format!("let y{i}_{j} = output_of(at, row + {i}u, column + {j}u, k, (*acc)[{sum}]);")
    });
    let written = places().map(|(i, j)| format!("store_output(at, row + {i}u, column + {j}u, y{i}_{j});"));
    made.chain(written).collect()
}
