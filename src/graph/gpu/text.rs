//! What the texts of all steps have in common: parameters by position, places with strides, and the walk over outputs.

use std::fmt::Write as _;

use super::job::{Job, reach};
use crate::gpu::Shader;
use crate::graph::compile::{BufferId, Place};
use crate::kernel::word;

/// Invocations of a workgroup.
pub(super) const WORKGROUP: usize = 64;

/// A step's text as it is written, with the words that it reads.
pub(super) struct Writer {
    name: &'static str,
    words: Vec<u32>,
    offsets: Vec<usize>,
    reads: Vec<Place>,
    functions: String,
    body: String,
}

/// A tensor in the text: its first element and its strides are parameters.
pub(super) struct Tensor {
    buffer: String,
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
        format!("{}[{at}]", self.buffer)
    }

    /// The first element.
    pub(super) fn offset(&self) -> &str {
        &self.offset
    }
}

impl Writer {
    pub(super) const fn new(name: &'static str) -> Self {
        Self {
            name,
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

    fn tensor(&mut self, buffer: String, place: &Place) -> Tensor {
        self.offsets.push(self.words.len());
        let offset = self.size(place.offset);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "indices wrap around")]
        let strides = place.strides().iter().map(|&step| self.word(step as u32)).collect();
        Tensor { buffer, offset, strides }
    }

    /// A tensor that is read.
    pub(super) fn read(&mut self, place: &Place) -> Tensor {
        self.reads.push(*place);
        let buffer = format!("in{}", self.reads.len() - 1);
        self.tensor(buffer, place)
    }

    /// The tensor that is written: after those that are read.
    pub(super) fn write(&mut self, place: &Place) -> Tensor {
        self.tensor("out".to_owned(), place)
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
        let mut text = format!(
            "// {}\nstruct Params {{ words: array<vec4<u32>, {}> }}\n@group(0) @binding(0) var<uniform> params: Params;\n",
            self.name,
            self.words.len().div_ceil(4).max(1)
        );
        for i in 0..reads {
            let _ = writeln!(text, "@group(0) @binding({}) var<storage, read> in{i}: array<f32>;", i + 1);
        }
        let _ = writeln!(text, "@group(0) @binding({}) var<storage, read_write> out: array<f32>;", reads + 1);
        text.push_str(&self.functions);
        let _ = write!(
            text,
            "@compute @workgroup_size({WORKGROUP})\nfn main(@builtin(workgroup_id) group: vec3<u32>, \
             @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {{\n{}}}\n",
            self.body
        );
        let of = |place: &Place| -> (BufferId, _) { (place.buffer, reach(place)) };
        Job {
            shader: Shader { name: self.name.to_owned(), text, reads: word(reads) },
            params: self.words,
            offsets: self.offsets,
            reads: self.reads.iter().map(of).collect(),
            write: of(write),
            workgroups,
        }
    }
}
