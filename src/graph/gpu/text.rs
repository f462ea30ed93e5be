//! What the texts of all steps have in common: parameters by position, places with strides, and the walk over outputs.

use std::fmt::Write as _;

use super::job::{Job, reach};
use crate::gpu::Shader;
use crate::graph::compile::Stored;
use crate::graph::compile::{BufferId, Place};
use crate::graph::format::Element;
use crate::kernel::word;

/// Invocations of a workgroup.
pub(super) const WORKGROUP: usize = 64;

/// A step's text as it is written, with the words that it reads.
pub(super) struct Writer<'a> {
    name: &'static str,
    stored: &'a Stored,
    words: Vec<u32>,
    offsets: Vec<usize>,
    reads: Vec<(Place, Element)>,
    functions: String,
    body: String,
}

/// A tensor in the text: its first element and its strides are parameters.
pub(super) struct Tensor {
    buffer: String,
    element: Element,
    offset: String,
    strides: Vec<String>,
}

impl Tensor {
    /// Where an element is, from expressions for its indices.
    pub(super) fn at(&self, indices: &[String]) -> String {
        let steps = indices.iter().zip(&self.strides).map(|(index, step)| format!(" + {index} * {step}"));
        format!("{}{}", self.offset, steps.collect::<String>())
    }

    /// An element that is read.
    pub(super) fn load(&self, at: &str) -> String {
        let buffer = &self.buffer;
        match self.element {
            Element::F32 => format!("{buffer}[{at}]"),
            Element::F16 => format!("f32({buffer}[{at}])"),
            Element::Half => format!("half_in({buffer}[({at}) >> 1u], {at})"),
            Element::Byte => format!("byte_in({buffer}[({at}) >> 2u], {at})"),
        }
    }

    /// Writes an element of 16 or 32 bits.
    pub(super) fn store(&self, at: &str, value: &str) -> String {
        let buffer = &self.buffer;
        match self.element {
            Element::F16 => format!("{buffer}[{at}] = f16({value});"),
            _ => format!("{buffer}[{at}] = {value};"),
        }
    }

    /// The first element.
    pub(super) fn offset(&self) -> &str {
        &self.offset
    }
}

/// The type of a buffer's elements or words.
const fn in_wgsl(element: Element) -> &'static str {
    match element {
        Element::F32 => "f32",
        Element::F16 => "f16",
        Element::Half | Element::Byte => "u32",
    }
}

/// Reads what shares a word.
const IN_WORDS: &str = "fn half_in(word: u32, at: u32) -> f32 {
    return unpack2x16float(word >> (16u * (at & 1u))).x;
}
fn byte_in(word: u32, at: u32) -> f32 {
    return f32((word >> (8u * (at & 3u))) & 255u);
}
";

/// The largest number. In hexadecimal, since decimal digits that round to it are more than it, which browsers refuse.
pub(super) const LARGEST: &str = "0x1.fffffep+127";

impl<'a> Writer<'a> {
    pub(super) const fn new(name: &'static str, stored: &'a Stored) -> Self {
        Self {
            name,
            stored,
            words: Vec::new(),
            offsets: Vec::new(),
            reads: Vec::new(),
            functions: String::new(),
            body: String::new(),
        }
    }

    /// A parameter.
    pub(super) fn word(&mut self, word: u32) -> String {
        let at = self.words.len();
        self.words.push(word);
        format!("params.words[{}].{}", at / 4, ["x", "y", "z", "w"][at % 4])
    }

    /// A size or count as a parameter.
    pub(super) fn size(&mut self, size: usize) -> String {
        self.word(word(size))
    }

    /// A number as a parameter.
    pub(super) fn number(&mut self, number: f32) -> String {
        format!("bitcast<f32>({})", self.word(number.to_bits()))
    }

    fn tensor(&mut self, buffer: String, place: &Place, element: Element) -> Tensor {
        self.offsets.push(self.words.len());
        let offset = self.size(place.offset);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "indices wrap around")]
        let strides = place.strides().iter().map(|&step| self.word(step as u32)).collect();
        Tensor { buffer, element, offset, strides }
    }

    /// A tensor that is read.
    pub(super) fn read(&mut self, place: &Place) -> Tensor {
        self.read_as(place, self.stored.element(place.buffer))
    }

    /// The same for a buffer that is put in when the step is bound.
    pub(super) fn read_as(&mut self, place: &Place, element: Element) -> Tensor {
        self.reads.push((*place, element));
        let buffer = format!("in{}", self.reads.len() - 1);
        self.tensor(buffer, place, element)
    }

    /// The tensor that is written: after those that are read.
    pub(super) fn write(&mut self, place: &Place) -> Tensor {
        self.tensor("out".to_owned(), place, self.stored.element(place.buffer))
    }

    /// Adds functions before the entry point.
    pub(super) fn functions(&mut self, text: &str) {
        self.functions.push_str(text);
        self.functions.push('\n');
    }

    /// Adds a line to the entry point.
    pub(super) fn line(&mut self, line: &str) {
        let _ = writeln!(self.body, "    {line}");
    }

    /// `let` names of the indices of an element, the last one fastest, from its number; their names.
    pub(super) fn indices(&mut self, prefix: &str, number: &str, sizes: &[usize]) -> Vec<String> {
        let names: Vec<String> = (0..sizes.len()).map(|axis| format!("{prefix}{axis}")).collect();
        let mut rest = number.to_owned();
        for axis in (0..sizes.len()).rev() {
            if axis == 0 {
                self.line(&format!("let {} = {rest};", names[0]));
                break;
            }
            let size = self.size(sizes[axis]);
            self.line(&format!("let {} = {rest} % {size};", names[axis]));
            let left = format!("{prefix}_rest{axis}");
            self.line(&format!("let {left} = {rest} / {size};"));
            rest = left;
        }
        names
    }

    /// Begins an entry point of an invocation for each of `count` elements: `index` is its number.
    pub(super) fn begin_elements(&mut self, count: usize) -> usize {
        let count_word = self.size(count);
        self.line(&format!("let index = (group.y * groups.x + group.x) * {WORKGROUP}u + local;"));
        self.line(&format!("if (index >= {count_word}) {{ return; }}"));
        count.div_ceil(WORKGROUP)
    }

    /// Begins an entry point of a workgroup for each of `count` elements: `index` is its number.
    pub(super) fn begin_groups(&mut self, count: usize) -> usize {
        let count_word = self.size(count);
        self.line("let index = group.y * groups.x + group.x;");
        self.line(&format!("if (index >= {count_word}) {{ return; }}"));
        count
    }

    /// The whole.
    pub(super) fn finish(self, write: &Place, workgroups: usize) -> Job {
        let reads = self.reads.len();
        let written = self.stored.element(write.buffer);
        let elements: Vec<Element> = self.reads.iter().map(|(_, element)| *element).collect();
        let enables =
            if elements.iter().chain([&written]).any(|of| *of == Element::F16) { "enable f16;\n" } else { "" };
        let mut text = format!(
            "// {}\n{enables}struct Params {{ words: array<vec4<u32>, {}> }}\n@group(0) @binding(0) var<uniform> params: Params;\n",
            self.name,
            self.words.len().div_ceil(4).max(1)
        );
        for (i, &element) in elements.iter().enumerate() {
            let of = in_wgsl(element);
            let _ = writeln!(text, "@group(0) @binding({}) var<storage, read> in{i}: array<{of}>;", i + 1);
        }
        let of = in_wgsl(written);
        let _ = writeln!(text, "@group(0) @binding({}) var<storage, read_write> out: array<{of}>;", reads + 1);
        if elements.iter().any(|of| matches!(of, Element::Half | Element::Byte)) {
            text.push_str(IN_WORDS);
        }
        text.push_str(&self.functions);
        let _ = write!(
            text,
            "@compute @workgroup_size({WORKGROUP})\nfn main(@builtin(workgroup_id) group: vec3<u32>, \
             @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {{\n{}}}\n",
            self.body
        );
        let of = |place: &Place, element: Element| -> (BufferId, _) { (place.buffer, reach(place, element)) };
        Job {
            shader: Shader { name: self.name.to_owned(), text, reads: word(reads) },
            params: self.words,
            offsets: self.offsets,
            reads: self.reads.iter().map(|(place, element)| of(place, *element)).collect(),
            write: of(write, written),
            workgroups,
        }
    }
}
