//! The leaves of the product by matrix units: fetching a step's vectors, measuring and staging them as halves, and the
//! products of fragments, all unrolled.

use super::writer::{Leaves, lines, local_array};
use crate::kernel::{Products, UnitBlocking};

/// Rows and columns of a fragment.
const FRAGMENT: usize = UnitBlocking::FRAGMENT as usize;

pub(super) fn leaves(leaves: &mut Leaves, b: UnitBlocking) {
    for (operand, block, lane) in [("u", b.filters, "x"), ("v", b.tiles, "y")] {
        let next = format!("next_{operand}");
        let of = Operand { operand, next: &next, vectors: block as usize / 4, count: b.fetched(block) as usize, lane };
        of.leaves(leaves, b);
    }
    sums(leaves, b);
    multiply_step(leaves, b);
}

/// What is U's, or V's.
struct Operand<'a> {
    operand: &'static str,
    next: &'a str,
    /// Vectors of a channel.
    vectors: usize,
    /// Vectors of an invocation.
    count: usize,
    /// Its component of pairs.
    lane: &'static str,
}

impl Operand<'_> {
    fn leaves(&self, leaves: &mut Leaves, b: UnitBlocking) {
        let Self { operand, next, vectors, count, lane } = *self;
        let registers = local_array(next, "vec4<f32>", count);
        // Channels between two vectors of an invocation.
        let apart = b.threads() as usize / vectors;
        let [fetch, mask, measure, rank, stage] = match operand {
            "u" => ["fetch_u", "mask_u", "measure_u", "rank_u", "stage_u"],
            _ => ["fetch_v", "mask_v", "measure_v", "rank_v", "stage_v"],
        };
        leaves.function(
            fetch,
            &format!("A step's share of {operand} into registers: {vectors} vectors a channel, dealt out in order."),
            &format!("base: u32, c: u32, end: u32, column: u32, local: u32, {registers}"),
            &lines(count, |i| {
                let channel = format!("c + {}u + local / {vectors}u", i * apart);
                format!("(*{next})[{i}] = load_{operand}(base, {channel}, end, column + local % {vectors}u);")
            }),
        );
        let counted = if operand == "u" { "group_k" } else { "tiles" };
        leaves.function(
            mask,
            &format!("Zeros where the fetched vectors of {operand} lie past the last channel or carry no data."),
            &format!("c: u32, end: u32, first: u32, local: u32, {registers}"),
            &lines(count, |i| {
                let channel = format!("c + {}u + local / {vectors}u < end", i * apart);
                let column = format!("first + local % {vectors}u * 4u");
                format!("(*{next})[{i}] = inside((*{next})[{i}], {channel}, {column}, params.{counted});")
            }),
        );
        let most = format!("(*out).{lane} = max(max(most.x, most.y), max(most.z, most.w));");
        for (name, what, of, vector) in [
            (measure, "value, infinities and perhaps NaN too", "abs", "f32"),
            (rank, "magnitude of a finite value", "magnitudes", "u32"),
        ] {
            let mut body = vec![format!("var most = vec4<{vector}>();")];
            body.extend(lines(count, |i| format!("most = max(most, {of}((*{next})[{i}]));")));
            body.push(most.clone());
            leaves.function(
                name,
                &format!("The largest {what} of the fetched vectors of {operand}."),
                &format!("{registers}, out: ptr<function, vec2<{vector}>>"),
                &body,
            );
        }
        let row = format!("ROW_{}", operand.to_uppercase());
        let mut body = vec![format!("let at = local / {vectors}u * {row} + local % {vectors}u;")];
        for i in 0..count {
            body.push(format!("let x{i} = (*{next})[{i}] * scale;"));
            let at = format!("at + {}u * {row}", i * apart);
            if b.products == Products::One {
                body.push(format!("{operand}_step[{at}] = halves(x{i});"));
            } else {
                body.push(format!("let high{i} = high(x{i});"));
                body.push(format!("{operand}_step[{at}] = halves(high{i});"));
                let plane = format!("PLANE_{}", operand.to_uppercase());
                body.push(format!("{operand}_step[{at} + {plane}] = halves((x{i} - high{i}) * LOW);"));
            }
        }
        leaves.function(
            stage,
            &format!("The fetched vectors of {operand} into workgroup memory, as halves."),
            &format!("local: u32, scale: f32, {registers}"),
            &body,
        );
    }
}

fn sums(leaves: &mut Leaves, b: UnitBlocking) {
    let count = b.fragments() as usize;
    let acc = local_array("acc", "Sums", count);
    leaves.function("clear_sums", "No sums yet.", &acc, &lines(count, |i| format!("(*acc)[{i}] = no_sums();")));
    leaves.function(
        "scale_sums",
        "All sums by a power of two.",
        &format!("factor: f32, {acc}"),
        &lines(count, |i| format!("(*acc)[{i}] = scaled((*acc)[{i}], factor);")),
    );
    let across = b.tiles_each as usize / FRAGMENT;
    leaves.function(
        "write_m",
        "The sums to M.",
        &format!("base: u32, k_first: u32, t_first: u32, k: u32, t: u32, local: u32, {acc}"),
        &lines(count, |i| {
            let [k, t] = [i / across, i % across].map(|n| n * FRAGMENT);
            format!("put_sums((*acc)[{i}], base, vec2<u32>(k_first, t_first), k + {k}u, t + {t}u, local);")
        }),
    );
}

fn multiply_step(leaves: &mut Leaves, b: UnitBlocking) {
    let [down, across] = [b.filters_each as usize / FRAGMENT, b.tiles_each as usize / FRAGMENT];
    let fragments = || (0..across).flat_map(|j| (0..down).map(move |i| (i, j)));
    let mut body = Vec::new();
    let steps = b.channels as usize / FRAGMENT;
    match b.products {
        Products::One => {
            for step in 0..steps {
                load_fragments(&mut body, [down, across], "high", step);
                for (i, j) in fragments() {
                    let at = i * across + j;
                    body.push(format!(
                        "(*acc)[{at}] = multiply_add(high_u{step}_{i}, high_v{step}_{j}, (*acc)[{at}]);"
                    ));
                }
            }
        }
        Products::Three => {
            body.extend(fragments().map(|(i, j)| format!("var sum{i}_{j} = no_sums();")));
            let add = |i, j, a: String, b: String| format!("sum{i}_{j} = multiply_add({a}{i}, {b}{j}, sum{i}_{j});");
            for step in 0..steps {
                load_fragments(&mut body, [down, across], "high", step);
                load_fragments(&mut body, [down, across], "low", step);
                for [a, b] in [["low", "high"], ["high", "low"]] {
                    body.extend(fragments().map(|(i, j)| add(i, j, format!("{a}_u{step}_"), format!("{b}_v{step}_"))));
                }
            }
            body.extend(fragments().map(|(i, j)| format!("sum{i}_{j} = scaled(sum{i}_{j}, 1.0 / LOW);")));
            for step in 0..steps {
                body.extend(fragments().map(|(i, j)| add(i, j, format!("high_u{step}_"), format!("high_v{step}_"))));
            }
            body.extend(fragments().map(|(i, j)| {
                let at = i * across + j;
                format!("(*acc)[{at}] = add_scaled((*acc)[{at}], sum{i}_{j}, unit);")
            }));
        }
    }
    let acc = local_array("acc", "Sums", down * across);
    leaves.function(
        "multiply_step",
        &format!("acc += U^T V over a step's {} channels.", b.channels),
        &format!("u_at: u32, v_at: u32, lane: u32, unit: f32, {acc}"),
        &body,
    );
}

/// Loads a subgroup's fragments of a plane, of the `step`th 16 channels of the step.
fn load_fragments(body: &mut Vec<String>, [down, across]: [usize; 2], plane: &str, step: usize) {
    for (load, operand, count) in [("left", "u", down), ("right", "v", across)] {
        let upper = operand.to_uppercase();
        let behind = if plane == "low" { format!("PLANE_{upper} + ") } else { String::new() };
        body.extend(lines(count, |i| {
            let at = format!("{operand}_at + {behind}{}u * ROW_{upper} + {}u", step * FRAGMENT, i * FRAGMENT / 4);
            format!("let {plane}_{operand}{step}_{i} = {load}({at}, lane);")
        }));
    }
}
