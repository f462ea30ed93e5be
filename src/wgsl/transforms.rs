//! The leaves of transforms, from the exact matrices.

use super::writer::{Leaves, both_ways, lines, local_array, matrices_comment, matrix_comment, program};
use crate::winograd::{F, Matrix, Nested, Program, WinogradError};

pub(super) fn filter_leaves(leaves: &mut Leaves, algorithm: Nested) -> Result<(), WinogradError> {
    let tap = |r, s| format!("load_tap(at, phase, {r}u, {s}u)");
    let (comment, body) = transform_filter(algorithm, tap, |p| format!("u[to + {p}u * plane]"))?;
    leaves.function("transform_filter", &comment, "at: u32, phase: vec2<u32>, to: u32, plane: u32", &body);
    Ok(())
}

/// What a leaf that transforms the filter at `at` says of itself, and does: taps come from `tap(r, s)`, point p goes `to(p)`.
pub(super) fn transform_filter(
    algorithm: Nested,
    tap: impl Fn(usize, usize) -> String,
    to: impl Fn(usize) -> String,
) -> Result<(String, Vec<String>), WinogradError> {
    let Nested { rows, cols } = algorithm;
    let (down, across) = (rows.programs()?, cols.programs()?);
    let (taps_h, taps_w) = (usize::from(rows.r()), usize::from(cols.r()));
    let mut body = lines(taps_h * taps_w, |i| format!("let g{i} = {};", tap(i / taps_w, i % taps_w)));
    let names = |i: usize, j: usize| format!("g{}", i * taps_w + j);
    let points = both_ways([taps_h, taps_w], names, [&down.filter, &across.filter], &mut body);
    body.extend(points.iter().enumerate().map(|(p, point)| format!("{} = {point};", to(p))));
    let matrices = [&rows.transform()?.g, &cols.transform()?.g];
    Ok((matrices_comment("U = G g G^T of the filter at `at`.", "G", matrices), body))
}

pub(super) fn input_leaves(leaves: &mut Leaves, algorithm: Nested) -> Result<(), WinogradError> {
    let Nested { rows, cols } = algorithm;
    leaves.function(
        "load_column",
        "A column of a tile: rows a step apart.",
        &format!("channel: u32, z: u32, y: u32, x: u32, {}", local_array("d", "f32", rows.span())),
        &lines(rows.span(), |i| format!("(*d)[{i}] = load_src(channel, z, y + {i}u * params.step_h, x);")),
    );
    transform(leaves, "transform_h", "B^T of a column:", &rows.transform()?.b_t, &rows.programs()?.input);
    scatter(leaves, "write_half", "half_done", "SPAN_W * TILES_PADDED", rows.products());
    gather(leaves, "read_half", "half_done", "TILES_PADDED", cols.span());
    transform(leaves, "transform_w", "B^T of a row:", &cols.transform()?.b_t, &cols.programs()?.input);
    leaves.function(
        "write_v",
        "A row of points, `plane` apart.",
        &format!("at: u32, plane: u32, {}", local_array("d", "f32", cols.products())),
        &lines(cols.products(), |i| format!("v[at + {i}u * plane] = (*d)[{i}];")),
    );
    Ok(())
}

pub(super) fn output_leaves(leaves: &mut Leaves, algorithm: Nested) -> Result<(), WinogradError> {
    let Nested { rows, cols } = algorithm;
    let outputs = |f: F| usize::from(f.m());
    leaves.function(
        "read_m",
        "A column of products, `row` apart.",
        &format!("at: u32, row: u32, {}", local_array("d", "f32", rows.products())),
        &lines(rows.products(), |i| format!("(*d)[{i}] = m[at + {i}u * row];")),
    );
    leaves.function(
        "add_m",
        "The same column of another part's products, added.",
        &format!("at: u32, row: u32, {}", local_array("d", "f32", rows.products())),
        &lines(rows.products(), |i| format!("(*d)[{i}] += m[at + {i}u * row];")),
    );
    transform(leaves, "transform_h", "A^T of a column:", &rows.transform()?.a_t, &rows.programs()?.output);
    scatter(leaves, "write_half", "half_done", "POINTS_W * TILES_PADDED", outputs(rows));
    gather(leaves, "read_half", "half_done", "TILES_PADDED", cols.products());
    transform(leaves, "transform_w", "A^T of a row:", &cols.transform()?.a_t, &cols.programs()?.output);
    scatter(leaves, "keep_row", "half_done", "TILES_PADDED", outputs(cols));
    Ok(())
}

/// `out = matrix * d`, by the matrix's program.
pub(super) fn transform(leaves: &mut Leaves, name: &'static str, what: &str, matrix: &Matrix, ops: &Program) {
    let inputs: Vec<String> = (0..ops.inputs()).map(|i| format!("d{i}")).collect();
    let mut body = lines(ops.inputs(), |i| format!("let d{i} = (*d)[{i}];"));
    let outputs = program(&mut body, ops, &inputs, "t");
    body.extend(outputs.iter().enumerate().map(|(i, value)| format!("(*out)[{i}] = {value};")));
    let parameters = format!("{}, {}", local_array("d", "f32", ops.inputs()), local_array("out", "f32", outputs.len()));
    leaves.function(name, &matrix_comment(what, matrix), &parameters, &body);
}

/// Registers to `buffer[at + i * step]`.
fn scatter(leaves: &mut Leaves, name: &'static str, buffer: &str, step: &str, len: usize) {
    let parameters = format!("at: u32, {}", local_array("d", "f32", len));
    let body = lines(len, |i| format!("{buffer}[at + {i}u * ({step})] = (*d)[{i}];"));
    leaves.function(name, &format!("Registers to {buffer}."), &parameters, &body);
}

/// `buffer[at + i * step]` to registers.
fn gather(leaves: &mut Leaves, name: &'static str, buffer: &str, step: &str, len: usize) {
    let parameters = format!("at: u32, {}", local_array("d", "f32", len));
    let body = lines(len, |i| format!("(*d)[{i}] = {buffer}[at + {i}u * ({step})];"));
    leaves.function(name, &format!("From {buffer} to registers."), &parameters, &body);
}
