//! The leaves of the fused kernels: a step's columns and rows, the multiply-adds of one point, and the exchange of
//! products at the end.

use super::leaves::{lines, transform};
use super::writer::{Leaves, local_array, matrix_comment, program};
use crate::kernel::{Fusion, WinogradFused};
use crate::winograd::WinogradError;

pub(super) fn leaves(leaves: &mut Leaves, spec: &WinogradFused) -> Result<(), WinogradError> {
    if spec.fusion == Fusion::Input {
        input_leaves(leaves, spec)?;
    }
    multiply_leaf(leaves, spec);
    exchange_leaves(leaves, spec)
}

fn input_leaves(leaves: &mut Leaves, spec: &WinogradFused) -> Result<(), WinogradError> {
    let (rows, cols) = (spec.algorithm.rows, spec.algorithm.cols);
    let fetch = spec.fetch() as usize;
    let span = rows.span();
    let places: Vec<String> = ["image", "rows"].map(|name| local_array(name, "u32", fetch)).to_vec();
    let places = places.join(", ");
    let next = local_array("next", "f32", fetch * span);
    let item = |i: usize| format!("local + {i}u * WORKGROUP");

    let body = (0..fetch).flat_map(|i| {
        let mut body = vec![format!("let p{i} = place({}, first, g);", item(i))];
        body.extend([("image", "x"), ("rows", "y")].map(|(name, part)| format!("(*{name})[{i}] = p{i}.{part};")));
        body
    });
    leaves.function(
        "place_columns",
        "Where this invocation's columns lie.",
        &format!("local: u32, first: u32, g: u32, {places}"),
        &body.collect::<Vec<_>>(),
    );

    let body = (0..fetch).flat_map(|i| {
        let mut body = vec![
            format!("let c{i} = c + ({}) / (BLOCK_T * SPAN_W);", item(i)),
            format!("let rows{i} = rows_of((*rows)[{i}], c{i});"),
            format!("let at{i} = (*image)[{i}] + c{i} * (params.h * params.w);"),
        ];
        body.extend((0..span).map(|j| {
            format!("(*next)[{}] = load_row(at{i} + {j}u * params.w, rows{i}, {}u);", i * span + j, 1u32 << j)
        }));
        body
    });
    leaves.function(
        "fetch_columns",
        "This invocation's columns of the step from channel c on, into registers.",
        &format!("local: u32, c: u32, {places}, {next}"),
        &body.collect::<Vec<_>>(),
    );

    let mut body = Vec::new();
    for i in 0..fetch {
        let inputs: Vec<String> = (0..span).map(|j| format!("d{i}_{j}")).collect();
        body.extend(inputs.iter().enumerate().map(|(j, d)| format!("let {d} = (*next)[{}];", i * span + j)));
        let outputs = program(&mut body, &rows.programs()?.input, &inputs, &format!("t{i}_"));
        body.push(format!("let item{i} = {};", item(i)));
        body.push(format!("let at{i} = half_at(item{i});"));
        body.extend(outputs.iter().enumerate().map(|(point, value)| {
            format!("store_half(item{i}, at{i} + {point}u * (BLOCK_T * HALF_STRIDE), {value});")
        }));
    }
    leaves.function(
        "put_columns",
        &matrix_comment("The fetched columns, transformed, into half_done. B^T of a column:", &rows.transform()?.b_t),
        &format!("local: u32, {next}"),
        &body,
    );
    load(leaves, "read_half", "1u", cols.span());
    transform(leaves, "transform_w", "B^T of a row:", &cols.transform()?.b_t, &cols.programs()?.input);
    store(leaves, "write_v", "BLOCK_T", cols.products());
    Ok(())
}

fn multiply_leaf(leaves: &mut Leaves, spec: &WinogradFused) {
    let b = spec.blocking;
    let channels = b.channels as usize;
    let (each_k, each_t) = (b.filters_each as usize, (b.tiles_each / 4) as usize);
    let threads_t = (b.tiles / b.tiles_each) as usize;
    let acc = local_array("acc", "vec4<f32>", each_k * each_t);
    let vectors_u = each_k / 4;
    let next_u = local_array("next_u", "vec4<f32>", channels * vectors_u);
    let next_v = local_array("next_v", "vec4<f32>", channels * each_t);
    let place_u = lines(vectors_u, |i| format!("let u{i} = u_first + min(k_vector + {i}u, k_last);"));
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

    let mut body = place_u;
    let parameters = match spec.fusion {
        Fusion::Input => "c: u32, u_first: u32, k_vector: u32, k_last: u32, v_at: u32".to_owned(),
        Fusion::Output => {
            body.extend(place_v);
            let v = "v_first: u32, t_vector: u32, t_last: u32";
            format!("c: u32, u_first: u32, k_vector: u32, k_last: u32, {v}, {next_u}, {next_v}")
        }
    };
    for c in 0..channels {
        body.extend(lines(vectors_u, |i| match spec.fusion {
            Fusion::Input => format!("let a{c}_{i} = load_u(u{i}, c + {c}u);"),
            Fusion::Output => format!("let a{c}_{i} = (*next_u)[{}];", c * vectors_u + i),
        }));
        body.extend(lines(each_t, |j| match spec.fusion {
            Fusion::Input => format!("let b{c}_{j} = load_v(v_at + {}u, {c}u);", j * threads_t),
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
        Fusion::Input => "acc += U^T V of one point over the channels from c on",
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
        &format!("at: u32, {acc}"),
        &lines(round, |i| {
            let (filter, j) = (i / each_t, i % each_t);
            format!("pool[at + {filter}u * (BLOCK_T / 4u) + {}u] = (*acc)[{i}];", j * threads_t)
        }),
    );
    leaves.function(
        "shift_products",
        "The next round's filters become the first ones.",
        &acc,
        &lines(each_k * each_t - round, |i| format!("(*acc)[{i}] = (*acc)[{}];", i + round)),
    );
    let count = spec.rows() as usize;
    let rows = local_array("rows", "Row", count);
    leaves.function(
        "place_rows",
        "Where this invocation's rows of outputs lie, for the first round.",
        &format!("local: u32, g: u32, k_first: u32, t_first: u32, {rows}"),
        &lines(count, |i| format!("(*rows)[{i}] = place_row(local + {i}u * WORKGROUP, g, k_first, t_first);")),
    );
    leaves.function(
        "write_rows",
        "This invocation's rows of outputs of the round that begins at filter `k_round`.",
        &format!("local: u32, g: u32, k_round: u32, {rows}"),
        &lines(count, |i| format!("finish_row(local + {i}u * WORKGROUP, g, k_round, (*rows)[{i}]);")),
    );
    load(leaves, "read_products", "POINTS_W * PAIRS", down.products());
    transform(leaves, "finish_h", "A^T of a column:", &down.transform()?.a_t, &down.programs()?.output);
    store(leaves, "write_column", "POINTS_W * PAIRS", down.m().into());
    load(leaves, "read_column", "PAIRS", across.products());
    transform(leaves, "finish_w", "A^T of a row:", &across.transform()?.a_t, &across.programs()?.output);
    leaves.function(
        "write_row",
        "A row of outputs of filter k.",
        &format!("row_at: u32, x: u32, k: u32, {}", local_array("d", "f32", across.m().into())),
        &lines(across.m().into(), |i| format!("store_dst(row_at, x + {i}u, k, (*d)[{i}]);")),
    );
    Ok(())
}

/// From workgroup memory to registers, `step` apart.
fn load(leaves: &mut Leaves, name: &'static str, step: &str, len: usize) {
    let parameters = format!("at: u32, {}", local_array("d", "f32", len));
    let body = lines(len, |i| format!("(*d)[{i}] = load_pool(at + {i}u * ({step}));"));
    leaves.function(name, "From workgroup memory to registers.", &parameters, &body);
}

/// From registers to workgroup memory, `step` apart.
fn store(leaves: &mut Leaves, name: &'static str, step: &str, len: usize) {
    let parameters = format!("at: u32, {}", local_array("d", "f32", len));
    let body = lines(len, |i| format!("store_pool(at + {i}u * ({step}), (*d)[{i}]);"));
    leaves.function(name, "From registers to workgroup memory.", &parameters, &body);
}
