//! Weighted sums of elements along axes: an invocation for each output. Indices and weights are a table in a buffer.

use super::job::Job;
use super::text::Writer;
use crate::graph::compile::Stored;
use crate::graph::compile::{AxisTaps, Place};
use crate::graph::format::Element;

/// The table of a step: for each axis the indices, as bits, and then the weights.
pub(super) fn table(taps: &[AxisTaps]) -> Vec<f32> {
    let of_axis = |taps: &AxisTaps| {
        let indices: Vec<f32> = taps.indices.iter().map(|&index| f32::from_bits(index)).collect();
        [indices, taps.weights.clone()].concat()
    };
    taps.iter().flat_map(of_axis).collect()
}

/// `tables` is where the table lies.
pub(super) fn job(taps: &[AxisTaps], stored: &Stored, source: &Place, tables: &Place, to: &Place) -> Job {
    let mut writer = Writer::new("resample", stored);
    let input = writer.read(source);
    let table = writer.read_as(tables, Element::F32);
    let out = writer.write(to);
    let workgroups = writer.begin_elements(to.dims.elements());
    let indices = writer.indices("i", "index", &to.dims);
    writer.line("var sum = 0.0;");
    let mut places = indices.clone();
    let mut first = 0;
    let mut weights = Vec::new();
    for (i, of) in taps.iter().enumerate() {
        let (count, start, len) = (writer.size(of.count), writer.size(first), writer.size(of.indices.len()));
        writer.line(&format!("for (var t{i} = 0u; t{i} < {count}; t{i}++) {{"));
        writer.line(&format!("let k{i} = {} + {start} + {} * {count} + t{i};", table.offset(), indices[of.axis]));
        writer.line(&format!("let y{i} = bitcast<u32>({});", table.load(&format!("k{i}"))));
        writer.line(&format!("let w{i} = {};", table.load(&format!("k{i} + {len}"))));
        places[of.axis] = format!("y{i}");
        weights.push(format!("w{i}"));
        first += 2 * of.indices.len();
    }
    let value = input.load(&input.at(&places));
    match weights.is_empty() {
        true => writer.line(&format!("sum = {value};")),
        false => {
            let weight = weights.join(" * ");
            writer.line(&format!("let weight = {weight};"));
            // A weight of 0 takes nothing, whatever lies there.
            writer.line(&format!("if (weight != 0.0) {{ sum += weight * {value}; }}"));
        }
    }
    taps.iter().for_each(|_| writer.line("}"));
    writer.line(&out.store(&out.at(&indices), "sum"));
    writer.finish(to, workgroups)
}
