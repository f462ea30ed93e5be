//! Reductions along axes, normalization and softmax: a workgroup for each group of elements. Each invocation takes every 64th
//! element, and the workgroup joins their results in pairs, in the same order in each run.

use super::job::Job;
use super::text::{LARGEST, Tensor, WORKGROUP, Writer};
use crate::graph::compile::Place;
use crate::graph::compile::Stored;
use crate::graph::{Dims, Reduction};

/// The axes of a group, and what names their elements.
struct Group {
    axes: Vec<usize>,
    sizes: Vec<usize>,
}

impl Group {
    fn new(source: &Place, axes: &[usize]) -> Self {
        Self { axes: axes.to_vec(), sizes: axes.iter().map(|&axis| source.dims[axis]).collect() }
    }

    fn len(&self) -> usize {
        self.sizes.iter().product()
    }

    /// A loop over the elements: `x` is each one's value. `body` says what to do with it, from the names of its indices.
    fn each(
        &self,
        writer: &mut Writer<'_>,
        name: &str,
        input: &Tensor,
        indices: &[String],
        len: &str,
        body: impl FnOnce(&mut Writer<'_>, &[String]),
    ) {
        writer.line(&format!("for (var {name} = local; {name} < {len}; {name} += {WORKGROUP}u) {{"));
        let within = writer.indices(&format!("{name}_"), name, &self.sizes);
        let mut place = indices.to_vec();
        self.axes.iter().zip(within).for_each(|(&axis, index)| place[axis] = index);
        writer.line(&format!("let x = {};", input.load(&input.at(&place))));
        body(writer, &place);
        writer.line("}");
    }
}

/// Joins all invocations' `sum` by an expression of `a` and `b`; then every one has the result.
fn join(writer: &mut Writer<'_>, expression: &str) {
    writer.line("shared_sums[local] = sum;");
    writer.line("workgroupBarrier();");
    writer.line(&format!("for (var half = {}u; half > 0u; half = half / 2u) {{", WORKGROUP / 2));
    writer.line("if (local < half) {");
    writer.line("let a = shared_sums[local];");
    writer.line("let b = shared_sums[local + half];");
    writer.line(&format!("shared_sums[local] = {expression};"));
    writer.line("}");
    writer.line("workgroupBarrier();");
    writer.line("}");
    writer.line("sum = shared_sums[0];");
    writer.line("workgroupBarrier();");
}

fn begin<'a>(
    name: &'static str,
    stored: &'a Stored,
    source: &Place,
    to: &Place,
    groups: Dims,
) -> (Writer<'a>, Tensor, Tensor, Vec<String>, usize) {
    let mut writer = Writer::new(name, stored);
    let input = writer.read(source);
    let out = writer.write(to);
    writer.functions(&format!("var<workgroup> shared_sums: array<f32, {WORKGROUP}>;"));
    writer.functions(crate::wgsl::part("keep_nan").unwrap_or_default());
    let workgroups = writer.begin_groups(groups.elements());
    let indices = writer.indices("i", "index", &groups);
    (writer, input, out, indices, workgroups)
}

const MOST: &str = "keep_nan(keep_nan(max(a, b), a), b)";
const LEAST: &str = "keep_nan(keep_nan(min(a, b), a), b)";

pub(super) fn job(reduction: Reduction, stored: &Stored, source: &Place, to: &Place) -> Job {
    let axes: Vec<usize> = (0..to.dims.rank()).filter(|&axis| source.dims[axis] != to.dims[axis]).collect();
    let group = Group::new(source, &axes);
    let (mut writer, input, out, indices, workgroups) = begin("reduce", stored, source, to, to.dims);
    let (start, joined) = match reduction {
        Reduction::Sum | Reduction::Mean | Reduction::L2 => ("0.0".to_owned(), "a + b"),
        Reduction::Product => ("1.0".to_owned(), "a * b"),
        Reduction::Max => (format!("-{LARGEST}"), MOST),
        Reduction::Min => (LARGEST.to_owned(), LEAST),
    };
    writer.line(&format!("var sum = {start};"));
    let len = writer.size(group.len());
    group.each(&mut writer, "e", &input, &indices, &len, |writer, _| {
        writer.line("let a = sum;");
        writer.line(if reduction == Reduction::L2 { "let b = x * x;" } else { "let b = x;" });
        writer.line(&format!("sum = {joined};"));
    });
    join(&mut writer, joined);
    let result = match reduction {
        Reduction::Mean => format!("sum / f32({len})"),
        Reduction::L2 => "sqrt(sum)".to_owned(),
        _ => "sum".to_owned(),
    };
    writer.line(&format!("if (local == 0u) {{ {} }}", out.store(&out.at(&indices), &result)));
    writer.finish(to, workgroups)
}

fn without(dims: Dims, axes: &[usize]) -> Dims {
    axes.iter().fold(dims, |dims, &axis| dims.with(axis, 1))
}

pub(super) fn normalize(axes: &[usize], epsilon: f32, stored: &Stored, source: &Place, to: &Place) -> Job {
    let group = Group::new(source, axes);
    let (mut writer, input, out, indices, workgroups) = begin("normalize", stored, source, to, without(to.dims, axes));
    let (len, epsilon) = (writer.size(group.len()), writer.number(epsilon));
    writer.line("var sum = 0.0;");
    group.each(&mut writer, "e", &input, &indices, &len, |writer, _| writer.line("sum += x;"));
    join(&mut writer, "a + b");
    writer.line(&format!("let mean = sum / f32({len});"));
    writer.line("sum = 0.0;");
    group.each(&mut writer, "f", &input, &indices, &len, |writer, _| writer.line("sum += (x - mean) * (x - mean);"));
    join(&mut writer, "a + b");
    writer.line(&format!("let factor = 1.0 / sqrt(sum / f32({len}) + {epsilon});"));
    group.each(&mut writer, "g", &input, &indices, &len, |writer, place| {
        writer.line(&out.store(&out.at(place), "(x - mean) * factor"));
    });
    writer.finish(to, workgroups)
}

pub(super) fn softmax(axis: usize, log: bool, stored: &Stored, source: &Place, to: &Place) -> Job {
    let group = Group::new(source, &[axis]);
    let (mut writer, input, out, indices, workgroups) = begin("softmax", stored, source, to, without(to.dims, &[axis]));
    let len = writer.size(group.len());
    writer.line(&format!("var sum = -{LARGEST};"));
    group.each(&mut writer, "e", &input, &indices, &len, |writer, _| {
        writer.line("sum = keep_nan(keep_nan(max(sum, x), sum), x);");
    });
    join(&mut writer, MOST);
    writer.line("let most = sum;");
    writer.line("sum = 0.0;");
    group.each(&mut writer, "f", &input, &indices, &len, |writer, _| writer.line("sum += exp(x - most);"));
    join(&mut writer, "a + b");
    group.each(&mut writer, "g", &input, &indices, &len, |writer, place| {
        let value = if log { "x - most - log(sum)" } else { "exp(x - most) / sum" };
        writer.line(&out.store(&out.at(place), value));
    });
    writer.finish(to, workgroups)
}
