//! Elementwise programs: an invocation for each element, an instruction a line.

use super::job::Job;
use super::text::{Tensor, Writer};
use crate::graph::compile::Place;
use crate::graph::compile::Stored;
use crate::graph::cpu::coalesced;
use crate::graph::map::{Instruction, Map};
use crate::graph::{Binary, Unary};
use crate::wgsl;

pub(super) fn job(map: &Map, stored: &Stored, inputs: &[Place], to: &Place) -> Job {
    let (to, inputs) = coalesced(to, inputs);
    let mut writer = Writer::new("map", stored);
    let tensors: Vec<Tensor> = inputs.iter().map(|place| writer.read(place)).collect();
    let out = writer.write(&to);
    let workgroups = writer.begin_elements(to.dims.elements());
    let indices = writer.indices("i", "index", &to.dims);
    let mut helpers: Vec<&'static str> = Vec::new();
    for (at, instruction) in map.code.iter().enumerate() {
        let value = match *instruction {
            Instruction::Load(i) => tensors[i].load(&tensors[i].at(&indices)),
            Instruction::Number(i) => writer.number(map.numbers[i]),
            Instruction::Unary(function, a) => unary(&mut writer, &mut helpers, at, function, &format!("v{a}")),
            Instruction::Binary(function, a, b) => {
                binary(&mut writer, &mut helpers, function, &format!("v{a}"), &format!("v{b}"))
            }
            Instruction::Where(a, b, c) => format!("select(v{b}, v{c}, v{a} == 0.0)"),
        };
        writer.line(&format!("let v{at} = {value};"));
    }
    writer.line(&out.store(&out.at(&indices), &format!("v{}", map.code.len() - 1)));
    writer.finish(&to, workgroups)
}

/// Adds a helper once.
fn with(writer: &mut Writer<'_>, helpers: &mut Vec<&'static str>, name: &'static str) {
    if helpers.contains(&name) {
        return;
    }
    helpers.push(name);
    match name {
        "erf" => writer.functions(ERF),
        "power" => writer.functions(POWER),
        part => writer.functions(wgsl::part(part).unwrap_or_default()),
    }
}

/// Abramowitz and Stegun 7.1.26, absolute error 1.5e-7.
const ERF: &str = "fn erf(x: f32) -> f32 {
    let z = min(abs(x), 9.0);
    let t = 1.0 / fma(0.3275911, z, 1.0);
    let poly = t * fma(t, fma(t, fma(t, fma(t, 1.061405429, -1.453152027), 1.421413741), -0.284496736), 0.254829592);
    let size = 1.0 - poly * exp(-z * z);
    return select(size, -size, x < 0.0);
}";

/// WGSL's `pow` has no negative bases.
const POWER: &str = "fn power(a: f32, b: f32) -> f32 {
    let whole = floor(b) == b;
    let odd = whole && fract(b * 0.5) != 0.0;
    let size = select(exp2(b * log2(abs(a))), select(0.0, 1.0 / abs(a), b < 0.0), a == 0.0);
    let value = select(select(size, -size, odd && a < 0.0), bitcast<f32>(0x7fc00000u | (params.words[0].x & 0u)), a < 0.0 && !whole);
    return select(value, 1.0, b == 0.0);
}";

fn unary(writer: &mut Writer<'_>, helpers: &mut Vec<&'static str>, at: usize, function: Unary, x: &str) -> String {
    match function {
        Unary::Neg => format!("-{x}"),
        Unary::Abs => format!("abs({x})"),
        Unary::Exp => format!("exp({x})"),
        Unary::Log => format!("log({x})"),
        Unary::Sqrt => format!("sqrt({x})"),
        Unary::Reciprocal => format!("1.0 / {x}"),
        Unary::Erf => {
            with(writer, helpers, "erf");
            format!("erf({x})")
        }
        Unary::Floor => format!("floor({x})"),
        Unary::Ceil => format!("ceil({x})"),
        Unary::Round => format!("round({x})"),
        Unary::Sign => format!("sign({x})"),
        Unary::Sin => format!("sin({x})"),
        Unary::Cos => format!("cos({x})"),
        Unary::Not => format!("select(0.0, 1.0, {x} == 0.0)"),
        Unary::Activate(activation) => {
            let part = wgsl::part(&format!("activation_{}", activation.name())).unwrap_or_default();
            for helper in ["keep_nan", "logistic"] {
                if part.contains(&format!("{helper}(")) {
                    with(writer, helpers, helper);
                }
            }
            // The part is a function of the kernels' parameters: here it has a name and parameters of its own.
            let [a, b] = activation.arguments().map(|argument| writer.number(argument));
            let name = format!("activate{at}");
            let text = part.replace("fn activate(", &format!("fn {name}("));
            writer.functions(&text.replace("params.act_a", &a).replace("params.act_b", &b));
            format!("{name}({x}, 0u)")
        }
    }
}

fn binary(writer: &mut Writer<'_>, helpers: &mut Vec<&'static str>, function: Binary, a: &str, b: &str) -> String {
    let truth = |sign: &str| format!("select(0.0, 1.0, {a} {sign} {b})");
    match function {
        Binary::Add => format!("{a} + {b}"),
        Binary::Sub => format!("{a} - {b}"),
        Binary::Mul => format!("{a} * {b}"),
        Binary::Div => format!("{a} / {b}"),
        Binary::Pow => {
            with(writer, helpers, "power");
            format!("power({a}, {b})")
        }
        Binary::Min | Binary::Max => {
            with(writer, helpers, "keep_nan");
            let name = if function == Binary::Min { "min" } else { "max" };
            format!("keep_nan(keep_nan({name}({a}, {b}), {a}), {b})")
        }
        Binary::PRelu => format!("select({a} * {b}, {a}, {a} > 0.0)"),
        Binary::Greater => truth(">"),
        Binary::GreaterEqual => truth(">="),
        Binary::Less => truth("<"),
        Binary::LessEqual => truth("<="),
        Binary::Equal => truth("=="),
    }
}
