//! The leaves of `dot`: what it does for each of its positions, written out.

use super::writer::{Leaves, lines, local_array};
use crate::kernel::Dot;

pub(super) fn leaves(leaves: &mut Leaves, dot: &Dot) {
    let count = dot.positions() as usize;
    let (starts, acc) = (local_array("starts", "vec4<u32>", count), local_array("acc", "vec4<f32>", count));
    leaves.function(
        "begin",
        "Where each position's first tap lies.",
        &format!("g: u32, index: u32, {starts}"),
        &lines(count, |i| format!("(*starts)[{i}] = start_of(g, index + {i}u);")),
    );
    let mut body = lines(count, |i| format!("let x{i} = load_tap((*starts)[{i}], tap);"));
    body.extend(lines(count, |i| format!("(*acc)[{i}] = fma(weights, vec4<f32>(x{i}), (*acc)[{i}]);")));
    leaves.function(
        "accumulate",
        "A row's products of every position.",
        &format!("weights: vec4<f32>, tap: vec4<u32>, {starts}, {acc}"),
        &body,
    );
    leaves.function(
        "put_sums",
        "An invocation's sums into workgroup memory.",
        &format!("at: u32, {acc}"),
        &lines(count, |i| format!("sums[at + {i}u * WORKGROUP] = (*acc)[{i}];")),
    );
    leaves.function(
        "add_sums",
        "The sums of an invocation so far away added to those that lie at a place.",
        "at: u32, away: u32",
        &lines(count, |i| format!("sums[at + {i}u * WORKGROUP] += sums[at + {i}u * WORKGROUP + away];")),
    );
}
