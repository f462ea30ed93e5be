//! Writes `transforms.rs` from the straight-line programs, and holds it against them.

use std::fmt::Write as _;

use crate::plan::CpuKernel;
use crate::winograd::{F, Op, Points, Program, Value};

fn text() -> String {
    let mut text = String::from(
        "//! The transforms that the planner takes most, one register for each value: written by `generate.rs` from the same\n\
         //! straight-line programs that others are run by. `WINOCONV_BLESS=1 cargo test --lib transforms` writes it anew.\n\n\
         use pulp::Simd;\n\n\
         use super::straight_line::{Places, Which, each_place};\n\
         use crate::plan::LANES;\n\
         use crate::winograd::{F, Points};\n\n\
         /// Runs a transform on `count` places, if it is one of these.\n\
         #[inline(always)]\n\
         pub(super) fn run<'a, S: Simd, In: Places<'a>, Out: Places<'a>>(\n    simd: S,\n    f: F,\n    which: Which,\n    \
         count: usize,\n    inputs: In,\n    outputs: Out,\n) -> bool {\n    \
         match (f.m(), f.r(), f.points(), which) {\n",
    );
    let all = || CpuKernel::WRITTEN_OUT.into_iter().flat_map(|f| ["Input", "Output"].map(|which| (f, which)));
    for (f, which) in all() {
        let points = match f.points() {
            Points::Quadratic => "Quadratic",
            _ => "Default",
        };
        let name = name(f, which);
        let arm = format!("({}, {}, Points::{points}, Which::{which})", f.m(), f.r());
        let programs = f.programs().expect("shipped");
        let program = if which == "Input" { &programs.input } else { &programs.output };
        let (from, to) = (program.inputs(), program.outputs().len());
        writeln!(text, "        {arm} => each_place!(simd, count, inputs: {from}, outputs: {to}, {name}),")
            .expect("memory");
    }
    text += "        _ => return false,\n    }\n    true\n}\n";
    for (f, which) in all() {
        let programs = f.programs().expect("shipped");
        let program = if which == "Input" { &programs.input } else { &programs.output };
        text += &function(&name(f, which), &format!("{f}, {}", which.to_lowercase()), program);
    }
    text
}

fn name(f: F, which: &str) -> String {
    format!("{}_{}", f.label(), which.to_lowercase())
}

fn function(name: &str, doc: &str, program: &Program) -> String {
    let value = |value: Value| match value {
        Value::Input(i) => format!("x[{i}]"),
        Value::Temp(i) => format!("t{i}"),
    };
    let (inputs, outputs) = (program.inputs(), program.outputs());
    let count = outputs.len();
    let mut text = format!(
        "\n/// {doc}.\n#[inline(always)]\nfn {name}<S: Simd>(simd: S, x: [S::f32s; {inputs}]) -> [S::f32s; {count}] {{\n"
    );
    for (i, op) in program.ops().iter().enumerate() {
        let scale = |c: crate::winograd::Rational| format!("simd.splat_f32s({:?})", c.to_f32());
        let line = match *op {
            Op::Add(x, y) => format!("simd.add_f32s({}, {})", value(x), value(y)),
            Op::Sub(x, y) => format!("simd.sub_f32s({}, {})", value(x), value(y)),
            Op::Scale(c, x) => format!("simd.mul_f32s({}, {})", scale(c), value(x)),
            Op::MulAdd(c, x, y) => format!("simd.mul_add_e_f32s({}, {}, {})", scale(c), value(x), value(y)),
            Op::MulSub(c, x, y) => {
                format!("simd.mul_add_e_f32s({}, {}, simd.neg_f32s({}))", scale(c), value(x), value(y))
            }
        };
        writeln!(text, "    let t{i} = {line};").expect("memory");
    }
    let outputs: Vec<_> = outputs.iter().map(|&output| value(output)).collect();
    writeln!(text, "    [{}]\n}}", outputs.join(", ")).expect("memory");
    text
}

#[test]
fn transforms_are_those_of_the_programs() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cpu/transform/transforms.rs");
    if std::env::var_os("WINOCONV_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(path, text()).expect("written");
    }
    let found = std::fs::read_to_string(path).expect("read");
    assert!(found == text(), "{path} differs: WINOCONV_BLESS=1 cargo test --lib transforms writes it");
}
