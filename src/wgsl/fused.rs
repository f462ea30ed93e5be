//! The leaves of the fused kernels: a tile's fetching and transform, the multiply-adds of one point, and the exchange
//! of products at the end.

use super::transforms::transform_filter;
use super::writer::{Leaves, both_ways, lines, local_array, matrices_comment};
use crate::kernel::{Fusion, WinogradFused};
use crate::winograd::WinogradError;

pub(super) fn leaves(leaves: &mut Leaves, spec: &WinogradFused) -> Result<(), WinogradError> {
    if spec.fusion != Fusion::Output {
        input_leaves(leaves, spec)?;
    }
    if spec.fusion == Fusion::Filter {
        filter_leaf(leaves, spec)?;
    }
    multiply_leaf(leaves, spec);
    exchange_leaves(leaves, spec)
}

fn input_leaves(leaves: &mut Leaves, spec: &WinogradFused) -> Result<(), WinogradError> {
    let (down, across) = (spec.algorithm.rows, spec.algorithm.cols);
    let (rows, cols) = (down.span(), across.span());
    let tile = local_array("d", "f32", rows * cols);
    let body = (0..rows).flat_map(|i| {
        let row = [
            format!("let at{i} = at + {i}u * params.src_h;"),
            format!("let cols{i} = columns_of(rows, {}u, cols);", 1u32 << i),
        ];
        let elements = (0..cols)
            .map(move |j| format!("(*d)[{}] = load_column(at{i} + {j}u, cols{i}, {}u);", i * cols + j, 1u32 << j));
        row.into_iter().chain(elements)
    });
    leaves.function(
        "fetch_tile",
        "The tile whose first element is `at`: what is inside of its rows and columns, zeros elsewhere.",
        &format!("at: u32, rows: u32, cols: u32, {tile}"),
        &body.collect::<Vec<_>>(),
    );

    let mut body = lines(rows * cols, |i| format!("let d{i} = (*d)[{i}];"));
    let names = |i: usize, j: usize| format!("d{}", i * cols + j);
    let points = both_ways([rows, cols], names, [&down.programs()?.input, &across.programs()?.input], &mut body);
    body.extend(
        points.iter().enumerate().map(|(p, value)| format!("pool[at + {p}u * (BLOCK_T / 4u)][lane] = {value};")),
    );
    let transforms = [&down.transform()?.b_t, &across.transform()?.b_t];
    leaves.function(
        "put_tile",
        &matrices_comment("V = B^T d B, one value for each point.", "B^T", transforms),
        &format!("at: u32, lane: u32, {tile}"),
        &body,
    );
    Ok(())
}

fn filter_leaf(leaves: &mut Leaves, spec: &WinogradFused) -> Result<(), WinogradError> {
    let to = |p: usize| format!("pool[to + {p}u * (BLOCK_K / 4u)][lane]");
    let taps_w = usize::from(spec.algorithm.cols.r());
    let tap = |r: usize, s: usize| format!("read_weight(at + {}u)", r * taps_w + s);
    let (comment, body) = transform_filter(spec.algorithm, tap, to)?;
    leaves.function("put_filter", &comment, "at: u32, to: u32, lane: u32", &body);
    Ok(())
}

fn multiply_leaf(leaves: &mut Leaves, spec: &WinogradFused) {
    let b = spec.blocking;
    let channels = spec.step() as usize;
    let (each_k, each_t) = (b.filters_each as usize, (b.tiles_each / 4) as usize);
    let threads_t = (b.tiles / b.tiles_each) as usize;
    let threads_k = (b.filters / b.filters_each) as usize;
    let acc = local_array("acc", "vec4<f32>", each_k * each_t);
    let vectors_u = each_k / 4;
    let next_u = local_array("next_u", "vec4<f32>", channels * vectors_u);
    let next_v = local_array("next_v", "vec4<f32>", channels * each_t);
    let place_u = lines(vectors_u, |i| format!("let u{i} = u_first + min(k_vector + {}u, k_last);", i * threads_k));
    let place_v = lines(each_t, |j| format!("let v{j} = v_first + min(t_vector + {}u, t_last);", j * threads_t));
    let load_u = |c: usize, i: usize| format!("(*next_u)[{}] = load_u(u{i}, c + {c}u);", c * vectors_u + i);
    let load_v = |c: usize, j: usize| format!("(*next_v)[{}] = load_v(v{j}, c + {c}u);", c * each_t + j);

    if spec.fusion == Fusion::Output {
        let fetch = lines(channels * vectors_u, |at| load_u(at / vectors_u, at % vectors_u));
        leaves.function(
            "fetch_u",
            "This invocation's vectors of U of the step from channel c on.",
            &format!("c: u32, u_first: u32, k_vector: u32, k_last: u32, {next_u}"),
            &[place_u.clone(), fetch].concat(),
        );
        let fetch = lines(channels * each_t, |at| load_v(at / each_t, at % each_t));
        leaves.function(
            "fetch_v",
            "This invocation's vectors of V of the step from channel c on.",
            &format!("c: u32, v_first: u32, t_vector: u32, t_last: u32, {next_v}"),
            &[place_v.clone(), fetch].concat(),
        );
    }

    let mut body;
    let parameters = match spec.fusion {
        Fusion::Input | Fusion::Filter => {
            body = lines(vectors_u, |i| format!("let u{i} = place_u(point, g, k_first, row + {}u);", i * threads_k));
            "c: u32, step: u32, point: u32, g: u32, k_first: u32, row: u32, v_at: u32".to_owned()
        }
        Fusion::Output => {
            body = [place_u, place_v].concat();
            let v = "v_first: u32, t_vector: u32, t_last: u32";
            format!("c: u32, u_first: u32, k_vector: u32, k_last: u32, {v}, {next_u}, {next_v}")
        }
    };
    for c in 0..channels {
        body.extend(lines(vectors_u, |i| match spec.fusion {
            Fusion::Input | Fusion::Filter => format!("let a{c}_{i} = load_u(u{i}, c, step + {c}u);"),
            Fusion::Output => format!("let a{c}_{i} = (*next_u)[{}];", c * vectors_u + i),
        }));
        body.extend(lines(each_t, |j| match spec.fusion {
            Fusion::Input | Fusion::Filter => {
                format!("let b{c}_{j} = pool[v_at + {c}u * (CHANNEL / 4u) + {}u];", j * threads_t)
            }
            Fusion::Output => format!("let b{c}_{j} = (*next_v)[{}];", c * each_t + j),
        }));
        if spec.fusion == Fusion::Output {
            body.extend(lines(vectors_u, |i| load_u(c, i)));
            body.extend(lines(each_t, |j| load_v(c, j)));
        }
        for k in 0..each_k {
            let lane = ["x", "y", "z", "w"][k % 4];
            body.extend(lines(each_t, |j| {
                let at = k * each_t + j;
                format!("(*acc)[{at}] = fma(vec4<f32>(a{c}_{}.{lane}), b{c}_{j}, (*acc)[{at}]);", k / 4)
            }));
        }
    }
    let what = match spec.fusion {
        Fusion::Input | Fusion::Filter => "acc += U^T V of one point over the channels from c + step on",
        Fusion::Output => "acc += U^T V of one point over the fetched channels; fetches those from c on",
    };
    leaves.function("multiply_step", &format!("{what}, {channels} of them."), &format!("{parameters}, {acc}"), &body);
}

fn exchange_leaves(leaves: &mut Leaves, spec: &WinogradFused) -> Result<(), WinogradError> {
    let (down, across) = (spec.algorithm.rows, spec.algorithm.cols);
    let b = spec.blocking;
    let (each_k, each_t) = (b.filters_each as usize, (b.tiles_each / 4) as usize);
    let threads_t = (b.tiles / b.tiles_each) as usize;
    let acc = local_array("acc", "vec4<f32>", each_k * each_t);
    let round = b.round as usize * each_t;
    leaves.function(
        "put_products",
        "The products of a round's filters, the first ones in the registers.",
        &format!("at: u32, swap: u32, {acc}"),
        &lines(round, |i| {
            let (filter, j) = (i / each_t, i % each_t);
            format!("pool[at + {filter}u * (THREADS_K * LINE) + (swap ^ {}u)] = (*acc)[{i}];", j * threads_t)
        }),
    );
    leaves.function(
        "shift_products",
        "The next round's filters become the first ones.",
        &acc,
        &lines(each_k * each_t - round, |i| format!("(*acc)[{i}] = (*acc)[{}];", i + round)),
    );
    let (rows, cols) = (down.products(), across.products());
    let mut body = lines(rows * cols, |p| format!("let m{p} = pool[at + {p}u * (PAIRS / 4u)][lane];"));
    let names = |i: usize, j: usize| format!("m{}", i * cols + j);
    let outputs = both_ways([rows, cols], names, [&down.programs()?.output, &across.programs()?.output], &mut body);
    let transforms = [&down.transform()?.a_t, &across.transform()?.a_t];
    let comment =
        |to: &str| matrices_comment(&format!("Y = A^T m A of the products at `at`, {to}."), "A^T", transforms);
    let out_w = usize::from(across.m());
    if spec.finishes_at_once() {
        body.extend((0..down.m()).flat_map(|i| {
            [format!("let row{i} = plane + (y + {i}u) * params.dst_h;"), format!("let x{i} = column_in(y + {i}u, x);")]
        }));
        body.extend(outputs.iter().enumerate().map(|(at, value)| {
            let (i, j) = (at / out_w, at % out_w);
            format!("store_dst(row{i}, x{i} + {j}u, k, {value});")
        }));
        let parameters = "at: u32, lane: u32, plane: u32, y: u32, x: u32, k: u32";
        leaves.function("finish_tile", &comment("to filter k's plane"), parameters, &body);
        return Ok(());
    }
    body.extend(
        outputs.iter().enumerate().map(|(i, value)| format!("pool[at + {i}u * (PAIRS / 4u)][lane] = {value};")),
    );
    leaves.function("finish_tile", &comment("in their place"), "at: u32, lane: u32", &body);
    leaves.function(
        "write_row",
        "A row of outputs of filter k.",
        "at: u32, lane: u32, row_at: u32, x: u32, k: u32",
        &lines(out_w, |j| format!("store_dst(row_at, x + {j}u, k, pool[at + {j}u * (PAIRS / 4u)][lane]);")),
    );
    Ok(())
}
