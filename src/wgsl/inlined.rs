//! The leaf of the exhibit: the output transform as a Kronecker product, with the multiply-reduce substituted into it.
//! The one generated function with loops: the lint `straight_line` excepts this kernel, since the repeated reduce is
//! what it is kept to show.

use super::writer::{Leaves, literal, matrix_comment};
use crate::kernel::{Reading, WinogradInlined};
use crate::winograd::{Rational, WinogradError};

/// A channel loop's opening.
const LOOP: &str = "for (var c = 0u; c < params.group_c; c++) {";

pub(super) fn leaves(leaves: &mut Leaves, spec: &WinogradInlined) -> Result<(), WinogradError> {
    let (rows, cols) = (spec.algorithm.rows, spec.algorithm.cols);
    let kronecker = spec.kronecker()?;
    let mut body = Vec::new();
    for (output, row) in kronecker.iter_rows().enumerate() {
        let terms: Vec<(usize, Rational)> = row.iter().copied().enumerate().filter(|(_, a)| !a.is_zero()).collect();
        let (i, j) = (output / usize::from(cols.m()), output % usize::from(cols.m()));
        body.push(format!("var y{output} = 0.0f;"));
        match spec.reading {
            Reading::PerOutput => reduce_all(&mut body, output, &terms),
            Reading::PerNonzero => reduce_each(&mut body, output, &terms),
        }
        body.push(format!("store_output(plane, y + {i}u, x + {j}u, k, y{output});"));
    }
    let what = match spec.reading {
        Reading::PerOutput => "A reduce over the channels for each output",
        Reading::PerNonzero => "A reduce over the channels for each coefficient that is not zero",
    };
    let what = format!("Y = (A^T (x) A^T) sum over c of U . V. {what}: {} of them.", spec.reduces()?);
    let mut comment = matrix_comment(&format!("{what} A^T of the columns:"), &rows.transform()?.a_t);
    if rows != cols {
        comment.push_str(&matrix_comment("\nA^T of the rows:", &cols.transform()?.a_t));
    }
    let parameters = "c_first: u32, k_row: u32, t: u32, plane: u32, y: u32, x: u32, k: u32";
    leaves.function("write_tile", &comment, parameters, &body);
    Ok(())
}

/// One loop with the whole expression of the output.
fn reduce_all(body: &mut Vec<String>, output: usize, terms: &[(usize, Rational)]) {
    body.push(LOOP.to_owned());
    body.push(format!("    y{output} +="));
    body.extend(terms.iter().enumerate().map(|(i, &(point, a))| {
        let end = if i + 1 == terms.len() { ";" } else { "" };
        // No operator before the first term but its own sign.
        let sign = match (i, a.is_negative()) {
            (0, false) => "",
            (0, true) => "-",
            (_, false) => "+ ",
            (_, true) => "- ",
        };
        format!("        {sign}{}{}{end}", factor(a), product(point))
    }));
    body.push("}".to_owned());
}

/// A loop for each term, and its coefficient behind it.
fn reduce_each(body: &mut Vec<String>, output: usize, terms: &[(usize, Rational)]) {
    for &(point, a) in terms {
        let sum = format!("m{output}_{point}");
        body.push(format!("var {sum} = 0.0f;"));
        body.push(LOOP.to_owned());
        body.push(format!("    {sum} += {};", product(point)));
        body.push("}".to_owned());
        let sign = if a.is_negative() { "-" } else { "+" };
        body.push(format!("y{output} {sign}= {}{sum};", factor(a)));
    }
}

/// U times V at a point, each index written out anew: what is computed twice is computed twice.
fn product(point: usize) -> String {
    let row = format!("({point}u * params.c + c_first + c)");
    format!("u[{row} * params.k_stride + k_row] * v[{row} * params.t_stride + t]")
}

/// The size of a coefficient in front of what it is multiplied with; nothing for one.
fn factor(coefficient: Rational) -> String {
    if coefficient.is_unit() { String::new() } else { format!("{} * ", literal(coefficient.abs())) }
}
