//! Outputs of which several elements share a word: an invocation for each word.

use super::job::Job;
use super::text::{Tensor, Writer};
use crate::graph::Format;
use crate::graph::compile::Place;
use crate::graph::compile::Stored;
use crate::graph::format::Pixels;
use crate::wgsl;

pub(super) fn job(format: Format, stored: &Stored, source: &Place, to: &Place) -> Job {
    let bytes = format.bytes(to.dims);
    let mut writer = Writer::new("encode", stored);
    let input = writer.read(source);
    // All of the buffer, gaps too.
    let whole = Place::dense(to.buffer, [bytes / stored.element(to.buffer).size()].into());
    let out = writer.write(&whole);
    let workgroups = writer.begin_elements(bytes.div_ceil(4));
    writer.line("var word = 0u;");
    let per_word = match format.as_pixels() {
        Some(pixels) => {
            write_pixels(&mut writer, pixels, &input, to, bytes);
            4
        }
        None => {
            write_halves(&mut writer, &input, to);
            2
        }
    };
    writer.line(&format!("out[{} / {per_word}u + index] = word;", out.offset()));
    writer.finish(&whole, workgroups)
}

fn write_halves(writer: &mut Writer<'_>, input: &Tensor, to: &Place) {
    writer.functions(wgsl::part("half_of").unwrap_or_default());
    let count = writer.size(to.dims.elements());
    writer.line("for (var i = 0u; i < 2u; i++) {");
    writer.line("let at = 2u * index + i;");
    writer.line(&format!("if (at < {count}) {{"));
    let indices = writer.indices("i", "at", &to.dims);
    writer.line(&format!("word |= half_of({}) << (16u * i);", input.load(&input.at(&indices))));
    writer.line("} }");
}

/// A byte of a pixel as the CPU makes it.
const TO_BYTE: &str = "fn to_byte(value: f32) -> u32 {
    let is_nan = (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
    return select(min(u32(round(clamp(value, 0.0, 255.0))), 255u), 0u, is_nan);
}";

fn write_pixels(writer: &mut Writer<'_>, pixels: Pixels, input: &Tensor, to: &Place, bytes: usize) {
    writer.functions(TO_BYTE);
    let dims = to.dims;
    let [count, block, row, channels, width] =
        [bytes, pixels.block(dims), pixels.row(dims), dims[1], dims[3]].map(|size| writer.size(size));
    let inverse = writer.number(pixels.inverse());
    let samples = pixels.samples();
    writer.line("for (var i = 0u; i < 4u; i++) {");
    writer.line("let at = 4u * index + i;");
    writer.line(&format!("let block = at / {block};"));
    writer.line(&format!("let y = at % {block} / {row};"));
    writer.line(&format!("let x = at % {row} / {samples}u;"));
    writer.line(&format!("let sample = at % {row} % {samples}u;"));
    let image = match (pixels.has_planes(), pixels.first_sample()) {
        (true, _) => {
            writer.line(&format!("let channel = block % {channels};"));
            format!("block / {channels}")
        }
        (false, (first, next)) => {
            // Of a sample that no channel has this wraps around.
            let channel = if next < 0 { format!("{first}u - sample") } else { format!("sample - {first}u") };
            writer.line(&format!("let channel = {channel};"));
            "block".to_owned()
        }
    };
    writer.line(&format!("let image = {image};"));
    writer.line(&format!("if (at < {count} && x < {width}) {{"));
    writer.line("var byte = 255u;");
    let at = input.at(&["image", "channel", "y", "x"].map(str::to_owned));
    writer.line(&format!("if (channel < {channels}) {{ byte = to_byte({} * {inverse}); }}", input.load(&at)));
    writer.line("word |= byte << (8u * i);");
    writer.line("} }");
}
