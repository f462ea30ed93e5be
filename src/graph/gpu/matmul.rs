//! Products of matrices: a workgroup for each 8 x 8 part of the output, with parts of both matrices in its memory.

use super::job::Job;
use super::text::Writer;
use crate::graph::compile::Place;
use crate::graph::compile::Stored;

/// Rows and columns of a workgroup's part.
const SIDE: usize = 8;

pub(super) fn job(stored: &Stored, a: &Place, b: &Place, to: &Place) -> Job {
    let rank = to.dims.rank();
    // Both with the output's batch.
    let batched = |of: &Place| {
        let own = of.dims.rank();
        let mut dims = to.dims;
        (0..2).for_each(|i| dims = dims.with(rank - 1 - i, of.dims[own - 1 - i]));
        of.broadcast(dims)
    };
    let inner = a.dims[a.dims.rank() - 1];
    let (a, b) = (batched(a), batched(b));
    let mut writer = Writer::new("matmul", stored);
    let (left, right) = (writer.read(&a), writer.read(&b));
    let out = writer.write(to);
    let part = SIDE * SIDE;
    writer.functions(&format!("var<workgroup> rows: array<f32, {part}>;\nvar<workgroup> columns: array<f32, {part}>;"));
    let (m, n) = (to.dims[rank - 2], to.dims[rank - 1]);
    let mut grid = to.dims.to_vec();
    (grid[rank - 2], grid[rank - 1]) = (m.div_ceil(SIDE), n.div_ceil(SIDE));
    let workgroups = writer.begin_groups(grid.iter().product());
    let mut indices = writer.indices("i", "index", &grid);
    let [m, n, inner_word] = [m, n, inner].map(|size| writer.size(size));
    writer.line(&format!("let own_row = local / {SIDE}u;"));
    writer.line(&format!("let own_column = local % {SIDE}u;"));
    writer.line(&format!("let row = i{} * {SIDE}u + own_row;", rank - 2));
    writer.line(&format!("let column = i{} * {SIDE}u + own_column;", rank - 1));
    writer.line("var sum = 0.0;");
    writer.line(&format!("for (var k = 0u; k < {inner_word}; k += {SIDE}u) {{"));
    let load =
        |writer: &mut Writer<'_>, name: &str, tensor: &super::text::Tensor, [r, c]: [&str; 2], bounds: [&str; 2]| {
            let mut place = indices.clone();
            (place[rank - 2], place[rank - 1]) = (format!("({r})"), format!("({c})"));
            writer.line(&format!("{name}[local] = 0.0;"));
            writer.line(&format!("if ({r} < {} && {c} < {}) {{", bounds[0], bounds[1]));
            writer.line(&format!("{name}[local] = {};", tensor.load(&tensor.at(&place))));
            writer.line("}");
        };
    load(&mut writer, "rows", &left, ["row", "k + own_column"], [&m, &inner_word]);
    load(&mut writer, "columns", &right, ["k + own_row", "column"], [&inner_word, &n]);
    writer.line("workgroupBarrier();");
    for i in 0..SIDE {
        writer.line(&format!("sum = fma(rows[own_row * {SIDE}u + {i}u], columns[{i}u * {SIDE}u + own_column], sum);"));
    }
    writer.line("workgroupBarrier();");
    writer.line("}");
    (indices[rank - 2], indices[rank - 1]) = ("row".to_owned(), "column".to_owned());
    writer.line(&format!("if (row < {m} && column < {n}) {{ {} }}", out.store(&out.at(&indices), "sum")));
    writer.finish(to, workgroups)
}
