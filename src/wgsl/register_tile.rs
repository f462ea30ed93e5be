//! The leaves of the blocked matrix product: fetching a step's vectors, staging them in workgroup memory, and the
//! register tile's multiply-adds, all unrolled.

use super::writer::{Leaves, lines, local_array};
use crate::kernel::Blocking;

pub(super) fn leaves(leaves: &mut Leaves, b: Blocking) {
    for (fetch, stage, next, operand, block, count) in [
        ("fetch_u", "stage_u", "next_u", "u", b.filters, b.fetch_u()),
        ("fetch_v", "stage_v", "next_v", "v", b.tiles, b.fetch_v()),
    ] {
        let registers = local_array(next, "vec4<f32>", count as usize);
        let vectors = block / 4;
        leaves.function(
            fetch,
            &format!("A step's share of {operand} into registers: {vectors} vectors a channel, dealt out in order."),
            &format!("base: u32, c: u32, end: u32, column: u32, local: u32, {registers}"),
            &lines(count as usize, |i| {
                let at = format!("(local + {}u)", i * b.lanes() as usize);
                format!(
                    "(*{next})[{i}] = load_{operand}(base, c + {at} / {vectors}u, end, column + {at} % {vectors}u);"
                )
            }),
        );
        leaves.function(
            stage,
            &format!("The fetched vectors of {operand} into workgroup memory, in the same order."),
            &format!("at: u32, {registers}"),
            &lines(count as usize, |i| format!("{operand}_step[at + {}u] = (*{next})[{i}];", i * b.lanes() as usize)),
        );
    }

    multiply_step(leaves, b, b.filters / 4);
    let (each_k, each_t) = (b.filters_each as usize, (b.tiles_each / 4) as usize);
    let acc = local_array("acc", "vec4<f32>", each_k * each_t);
    let threads_t = (b.tiles / b.tiles_each) as usize;
    leaves.function(
        "write_m",
        "The register tile to M.",
        &format!("base: u32, k: u32, t: u32, {acc}"),
        &lines(each_k * each_t, |at| {
            let (k, j) = (at / each_t, at % each_t);
            format!("store_m(base, k + {k}u, t + {}u, (*acc)[{at}]);", j * threads_t)
        }),
    );
    if b.slices > 1 {
        gather_leaves(leaves, b);
    }
}

/// The multiply-adds of a step; rows of U lie `pitch_u` vectors apart in workgroup memory.
pub(super) fn multiply_step(leaves: &mut Leaves, b: Blocking, pitch_u: u32) {
    let (each_k, each_t) = (b.filters_each as usize, (b.tiles_each / 4) as usize);
    let acc = local_array("acc", "vec4<f32>", each_k * each_t);
    // Vectors of an invocation's tiles lie this far apart, so that neighbours read neighbouring vectors.
    let threads_t = (b.tiles / b.tiles_each) as usize;
    let mut body = Vec::new();
    for c in 0..b.channels as usize {
        for i in 0..each_k / 4 {
            body.push(format!("let a{c}_{i} = u_step[u_at + {}u];", c * pitch_u as usize + i));
        }
        for j in 0..each_t {
            body.push(format!("let b{c}_{j} = v_step[v_at + {}u];", c * b.tiles as usize / 4 + j * threads_t));
        }
        for k in 0..each_k {
            let lane = ["x", "y", "z", "w"][k % 4];
            for j in 0..each_t {
                let at = k * each_t + j;
                body.push(format!("(*acc)[{at}] = fma(vec4<f32>(a{c}_{}.{lane}), b{c}_{j}, (*acc)[{at}]);", k / 4));
            }
        }
    }
    leaves.function(
        "multiply_step",
        &format!("acc += U^T V over a step's {} channels.", b.channels),
        &format!("u_at: u32, v_at: u32, {acc}"),
        &body,
    );
}

fn gather_leaves(leaves: &mut Leaves, b: Blocking) {
    let (count, gathered) = ((b.filters_each * b.tiles_each / 4) as usize, b.gathered() as usize);
    let acc = local_array("acc", "vec4<f32>", count);
    leaves.function(
        "put_sums",
        "The first sums in the registers to where U was.",
        &format!("lane: u32, {acc}"),
        &lines(gathered, |i| format!("u_step[lane + {i}u * LANES] = (*acc)[{i}];")),
    );
    leaves.function(
        "add_sums",
        "What lies there, added to the first sums in the registers.",
        &format!("lane: u32, {acc}"),
        &lines(gathered, |i| format!("(*acc)[{i}] += u_step[lane + {i}u * LANES];")),
    );
    let mut turn = lines(gathered, |i| format!("let first{i} = (*acc)[{i}];"));
    turn.extend(lines(count - gathered, |i| format!("(*acc)[{i}] = (*acc)[{}];", i + gathered)));
    turn.extend(lines(gathered, |i| format!("(*acc)[{}] = first{i};", count - gathered + i)));
    leaves.function("turn_sums", "The next sums become the first ones, these the last.", &acc, &turn);
}
