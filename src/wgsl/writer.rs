//! Writes straight-line WGSL functions, one statement a line.

use crate::winograd::{Matrix, Op, Program, Rational, Value};

/// Generated functions: the text and their names.
#[derive(Default)]
pub(super) struct Leaves {
    pub(super) text: String,
    pub(super) names: Vec<&'static str>,
}

impl Leaves {
    /// Adds `fn name(parameters) { body }`; `comment` lines go above.
    pub(super) fn function(&mut self, name: &'static str, comment: &str, parameters: &str, body: &[String]) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        for line in comment.lines() {
            self.text.push_str(format!("// {line}").trim_end());
            self.text.push('\n');
        }
        self.text.push_str(&format!("fn {name}({parameters}) {{\n"));
        for line in body {
            self.text.push_str(&format!("    {line}\n"));
        }
        self.text.push_str("}\n");
        self.names.push(name);
    }
}

/// A pointer parameter to a local array.
pub(super) fn local_array(name: &str, element: &str, len: usize) -> String {
    format!("{name}: ptr<function, array<{element}, {len}>>")
}

/// A number as an f32 literal that reads back to the same bits.
pub(super) fn literal(value: Rational) -> String {
    format!("{:?}f", value.to_f32())
}

/// A matrix as the comment above its transform.
pub(super) fn matrix_comment(what: &str, matrix: &Matrix) -> String {
    format!("{what}\n{matrix}")
}

/// Appends `program` applied to `inputs` (expressions) to `body`; temporaries are `<prefix>0`, `<prefix>1`, ...
/// Returns the outputs as expressions.
pub(super) fn program(body: &mut Vec<String>, program: &Program, inputs: &[String], prefix: &str) -> Vec<String> {
    let name = |value: Value| match value {
        Value::Input(i) => inputs[i].clone(),
        Value::Temp(i) => format!("{prefix}{i}"),
    };
    for (i, op) in program.ops().iter().enumerate() {
        let expression = match *op {
            Op::Add(x, y) => format!("{} + {}", name(x), name(y)),
            Op::Sub(x, y) => format!("{} - {}", name(x), name(y)),
            Op::Scale(c, x) => format!("{} * {}", literal(c), name(x)),
            Op::MulAdd(c, x, y) => format!("fma({}, {}, {})", literal(c), name(x), name(y)),
            Op::MulSub(c, x, y) => format!("fma({}, {}, -{})", literal(c), name(x), name(y)),
        };
        body.push(format!("let {prefix}{i} = {expression};"));
    }
    program.outputs().iter().map(|&value| name(value)).collect()
}

/// A program along the columns of what `names` has, [row][column], then one along the rows: [row][column] again.
pub(super) fn both_ways(
    [rows, cols]: [usize; 2],
    names: impl Fn(usize, usize) -> String,
    [down, across]: [&Program; 2],
    body: &mut Vec<String>,
) -> Vec<String> {
    let half: Vec<Vec<String>> = (0..cols)
        .map(|j| program(body, down, &(0..rows).map(|i| names(i, j)).collect::<Vec<_>>(), &format!("h{j}_")))
        .collect();
    let count = half.first().map_or(0, Vec::len);
    (0..count)
        .flat_map(|i| {
            let row: Vec<String> = half.iter().map(|column| column[i].clone()).collect();
            program(body, across, &row, &format!("w{i}_"))
        })
        .collect()
}

/// What a leaf computes, and the matrices of its two directions.
pub(super) fn matrices_comment(what: &str, name: &str, [down, across]: [&Matrix; 2]) -> String {
    let columns = matrix_comment(&format!("{what} {name} of the columns:"), down);
    if down == across {
        columns
    } else {
        format!("{columns}\n{}", matrix_comment(&format!("{name} of the rows:"), across))
    }
}

pub(super) fn lines(count: usize, line: impl Fn(usize) -> String) -> Vec<String> {
    (0..count).map(line).collect()
}
