//! The leaves of `implicit_gemm`: fetching a step's vectors, staging them in workgroup memory, and the register tile.

pub(super) mod units;

use super::register_tile;
use super::writer::{Leaves, lines, local_array};
use crate::kernel::{Blocking, ImplicitGemm};

pub(super) fn leaves(leaves: &mut Leaves, b: Blocking) {
    let (fetch_u, fetch_v) = (b.fetch_u() as usize, b.fetch_v() as usize);
    let next_u = local_array("next_u", "vec4<f32>", fetch_u);
    let next_v = local_array("next_v", "vec4<f32>", fetch_v);
    // Vectors of filters between two that an invocation fetches.
    let apart = (b.threads() / b.channels) as usize;
    let mut body =
        lines(fetch_u, |i| format!("(*next_u)[{i}] = load_weights(own, *row, channels, k + {}u);", 4 * i * apart));
    body.push("*row = advance(*row, by);".to_owned());
    leaves.function(
        "fetch_u",
        "An invocation's share of a step's weights into registers, and on to its row of the next step.",
        &format!("own: u32, channels: u32, k: u32, by: vec4<u32>, row: ptr<function, vec4<u32>>, {next_u}"),
        &body,
    );
    let fetched =
        |i| [format!("(*next_v)[{i}] = load_columns(starts, *row, channels);"), "*row = advance(*row, by);".to_owned()];
    let starts = local_array("starts", "vec4<u32>", 4);
    leaves.function(
        "fetch_v",
        "An invocation's share of a step's columns into registers, row after row, and on to the next step.",
        &format!("{starts}, channels: u32, by: vec4<u32>, row: ptr<function, vec4<u32>>, {next_v}"),
        &(0..fetch_v).flat_map(fetched).collect::<Vec<_>>(),
    );
    for (stage, operand, registers, count, apart) in
        [("stage_u", "u", &next_u, fetch_u, apart), ("stage_v", "v", &next_v, fetch_v, b.threads() as usize)]
    {
        leaves.function(
            stage,
            &format!("The fetched vectors of {operand} into workgroup memory."),
            &format!("at: u32, {registers}"),
            &lines(count, |i| format!("{operand}_step[at + {}u] = (*next_{operand})[{i}];", i * apart)),
        );
    }
    register_tile::multiply_step(leaves, b, ImplicitGemm::pitch_u(&b));
    write_outputs(leaves, b);
}

fn write_outputs(leaves: &mut Leaves, b: Blocking) {
    let (each_k, each_t) = (b.filters_each as usize, (b.tiles_each / 4) as usize);
    let threads_t = (b.tiles / b.tiles_each) as usize;
    let mut body = vec!["let first = params.k_first + g * params.k_group;".to_owned()];
    for j in 0..each_t {
        for (lane, name) in ["x", "y", "z", "w"].into_iter().enumerate() {
            let offset = j * threads_t + lane * b.tiles as usize / 4;
            body.push(format!("let at{j}{name} = part + place_of(g, t + {offset}u);"));
            body.extend(lines(each_k, |k| {
                let sum = format!("(*acc)[{}].{name}", k * each_t + j);
                format!("let y{j}{name}{k} = output_of(at{j}{name}, t + {offset}u, first, k + {k}u, {sum});")
            }));
            body.extend(lines(each_k, |k| {
                format!("store_output(at{j}{name}, t + {offset}u, k + {k}u, y{j}{name}{k});")
            }));
        }
    }
    leaves.function(
        "write_outputs",
        "The register tile to the output, position by position. A position's outputs are all made before one is written:\n\
         no load of an operand waits for a store.",
        &format!("part: u32, g: u32, k: u32, t: u32, {}", local_array("acc", "vec4<f32>", each_k * each_t)),
        &body,
    );
}
