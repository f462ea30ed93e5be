//! The leaves of `implicit_gemm` by matrix units: fetching and staging a step's channels, eight at a time, the products of
//! fragments, and the way of the sums to the output, all unrolled.

use crate::kernel::{Channels, ImplicitGemmUnits, UnitBlocking};
use crate::wgsl::writer::{Leaves, lines, local_array};

/// Rows and columns of a fragment.
const FRAGMENT: usize = UnitBlocking::FRAGMENT as usize;

pub(in crate::wgsl) fn leaves(leaves: &mut Leaves, kernel: &ImplicitGemmUnits) {
    let b = kernel.blocking;
    fetch_and_stage(leaves, kernel);
    let [down, across] = [b.filters_each as usize / FRAGMENT, b.tiles_each as usize / FRAGMENT];
    let acc = local_array("acc", "Sums", down * across);
    leaves.function("clear_sums", "No sums yet.", &acc, &lines(down * across, |i| format!("(*acc)[{i}] = no_sums();")));
    let mut body = Vec::new();
    for step in 0..b.channels as usize / FRAGMENT {
        for (load, operand, count) in [("left", "u", down), ("right", "v", across)] {
            body.extend(lines(count, |i| {
                let at = format!("{operand}_at + {}u * ROW + {}u", i * FRAGMENT, 2 * step);
                format!("let {operand}{step}_{i} = {load}({at}, lane);")
            }));
        }
        for (i, j) in (0..across).flat_map(|j| (0..down).map(move |i| (i, j))) {
            let at = i * across + j;
            body.push(format!("(*acc)[{at}] = multiply_add(u{step}_{i}, v{step}_{j}, (*acc)[{at}]);"));
        }
    }
    leaves.function(
        "multiply_step",
        &format!("acc += the products of a step's {} channels.", b.channels),
        &format!("u_at: u32, v_at: u32, lane: u32, {acc}"),
        &body,
    );
    finish_fragment(leaves);
    let mut body = Vec::new();
    for (i, j) in (0..down).flat_map(|i| (0..across).map(move |j| (i, j))) {
        body.push(format!("show_sums((*acc)[{}], at, lane);", i * across + j));
        let [k, t] = [i, j].map(|index| index * FRAGMENT);
        body.push(format!("finish_fragment(at, first, k + {k}u, t_first, t + {t}u, lane);"));
    }
    leaves.function(
        "write_outputs",
        "The sums to the output, a fragment of each subgroup after the other.",
        &format!("at: u32, first: u32, k: u32, t_first: u32, t: u32, lane: u32, {acc}"),
        &body,
    );
}

fn fetch_and_stage(leaves: &mut Leaves, kernel: &ImplicitGemmUnits) {
    let b = kernel.blocking;
    let (fetch_u, fetch_v) = (kernel.fetched(b.filters) as usize, kernel.fetched(b.tiles) as usize);
    let next_u = local_array("next_u", "vec4<u32>", fetch_u);
    let next_v = local_array("next_v", "Fetched", fetch_v);
    // Filters between two that an invocation fetches.
    let apart = (b.threads() / (b.channels / 8)) as usize;
    let mut body = vec![
        "let k = k_first + local / EIGHTS;".to_owned(),
        "let last = params.group_k - 1u;".to_owned(),
        "let own = g * params.weights_g;".to_owned(),
    ];
    body.extend(lines(fetch_u, |i| {
        let row = format!("own + min(k + {}u, last) * params.weights_k", i * apart);
        format!("(*next_u)[{i}] = load_weights({row}, turn, local % EIGHTS);")
    }));
    leaves.function(
        "fetch_u",
        "An invocation's share of a step's weights into registers.",
        &format!("g: u32, k_first: u32, turn: Turn, local: u32, {next_u}"),
        &body,
    );
    let sources = local_array("sources", "Source", kernel.sources() as usize);
    // The position of a source, and the eight of a fetched one.
    let position = |i: usize| match kernel.channels {
        Channels::Apart => "local % BLOCK_T".to_owned(),
        Channels::Together => format!("local / EIGHTS + {}u", i * apart),
    };
    let eight = |i: usize| match kernel.channels {
        Channels::Apart => format!("local / BLOCK_T * {fetch_v}u + {i}u"),
        Channels::Together => "local % EIGHTS".to_owned(),
    };
    leaves.function(
        "find_sources",
        "The positions that an invocation fetches.",
        &format!("g: u32, t_first: u32, local: u32, {sources}"),
        &lines(kernel.sources() as usize, |i| format!("(*sources)[{i}] = source_of(g, t_first + {});", position(i))),
    );
    let found = local_array("found", "vec2<u32>", kernel.sources() as usize);
    leaves.function(
        "find_places",
        "Where the source has a turn's tap of each of them.",
        &format!("{sources}, turn: Turn, {found}"),
        &lines(kernel.sources() as usize, |i| format!("(*found)[{i}] = place_in_source((*sources)[{i}], turn);")),
    );
    let place = |i: usize| format!("(*found)[{}]", i % kernel.sources() as usize);
    leaves.function(
        "fetch_v",
        "An invocation's share of a step's columns into registers.",
        &format!("{found}, turn: Turn, local: u32, {next_v}"),
        &lines(fetch_v, |i| format!("(*next_v)[{i}] = load_columns({}, turn, {});", place(i), eight(i))),
    );
    leaves.function(
        "stage_u",
        "The fetched weights into workgroup memory.",
        &format!("turn: Turn, local: u32, {next_u}"),
        &lines(fetch_u, |i| {
            let at = format!("(local / EIGHTS + {}u) * ROW + local % EIGHTS", i * apart);
            format!("u_step[{at}] = kept(unpacked((*next_u)[{i}]), has_eight(turn, local % EIGHTS));")
        }),
    );
    leaves.function(
        "stage_v",
        "The fetched columns into workgroup memory.",
        &format!("{found}, turn: Turn, local: u32, {next_v}"),
        &lines(fetch_v, |i| {
            let at = format!("({}) * ROW + {}", position(i), eight(i));
            format!("v_step[{at}] = staged((*next_v)[{i}], {}, turn, {});", place(i), eight(i))
        }),
    );
}

fn finish_fragment(leaves: &mut Leaves) {
    let each = FRAGMENT * FRAGMENT / UnitBlocking::SUBGROUP as usize;
    let mut body = vec!["let is_along_filters = params.dst_k == 1u;".to_owned()];
    for i in 0..each {
        let apart = format!("lane / 16u + {}u", 2 * i);
        body.push(format!("let k{i} = select({apart}, lane % 16u, is_along_filters);"));
        body.push(format!("let t{i} = select(lane % 16u, {apart}, is_along_filters);"));
        body.push(format!("let at{i} = places[t + t{i}];"));
        let sum = format!("edge[at + k{i} * EDGE_ROW + t{i} / 4u][t{i} % 4u]");
        body.push(format!("let y{i} = output_of(at{i}, t_first + t + t{i}, first, k + k{i}, {sum});"));
    }
    body.extend(lines(each, |i| format!("store_output(at{i}, t_first + t + t{i}, k + k{i}, y{i});")));
    leaves.function(
        "finish_fragment",
        "A fragment's sums to the output: neighbours write elements that lie side by side. All outputs of an invocation are made before\n\
         one is written.",
        "at: u32, first: u32, k: u32, t_first: u32, t: u32, lane: u32",
        &body,
    );
}
