//! Writes a kernel spec as WGSL: a generated head, the parts its slots name, generated straight-line leaves, and
//! the kernel's own file, in this order. The text is a pure function of the spec.

pub mod check;
mod checked;
pub mod count;
mod dot;
mod fragments;
mod fused;
mod head;
mod implicit_gemm;
mod inlined;
mod leaves;
mod library;
pub mod lint;
mod register_tile;
mod transforms;
mod writer;

pub use check::{capabilities, check, check_variant};
pub use checked::Checked;
pub use library::files;

use crate::error::{Error, Result};
use crate::kernel::{Buffers, KernelSpec, Variant};

/// The name of every kernel's entry point.
pub const ENTRY_POINT: &str = "main";

/// A kernel's full text, with where each piece of it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The variant's name.
    pub name: String,
    /// The text that the device sees.
    pub text: String,
    /// Names of the generated functions.
    pub leaves: Vec<&'static str>,
    /// How the text binds tensors.
    pub buffers: Buffers,
    /// First line (from 1) and origin of each piece, in order.
    pieces: Vec<(usize, String)>,
}

impl Source {
    /// Where a line (from 1) of the text came from: `shaders/kernel/direct.wgsl:7`, or the generated piece's name.
    pub fn locate(&self, line: usize) -> String {
        let Some((first, origin)) = self.pieces.iter().rev().find(|(first, _)| *first <= line) else {
            return format!("line {line}");
        };
        format!("{origin}:{}", line - first + 1)
    }

    fn push(&mut self, origin: &str, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(&format!("// ---- {origin} ----\n"));
        self.pieces.push((self.text.lines().count() + 1, origin.to_owned()));
        self.text.push_str(text);
    }
}

/// The text of a file of `shaders/part`, without `.wgsl`.
#[cfg(feature = "graph")]
pub(crate) fn part(name: &str) -> Option<&'static str> {
    library::read(&format!("shaders/part/{name}.wgsl"))
}

/// A text whose tensors may lie in one buffer: what is declared to be read is declared to be read and written.
pub(crate) fn with_shared_buffers(text: &str) -> String {
    text.replace("var<storage, read>", "var<storage, read_write>")
}

/// The text of a kernel whose tensors lie in separate buffers.
///
/// # Errors
/// [`Error::Kernel`] if the spec's algorithm has no transforms.
pub fn source(spec: &KernelSpec) -> Result<Source> {
    let failed = |message: String| Error::Kernel { kernel: spec.name(), message };
    let leaves = leaves::of(spec).map_err(|error| failed(error.to_string()))?;
    let mut source = Source {
        name: spec.name(),
        text: String::new(),
        leaves: leaves.names,
        buffers: Buffers::Separate,
        pieces: Vec::new(),
    };
    source.push("head", &head::of(spec));
    for part in slots(spec) {
        let path = format!("shaders/part/{part}.wgsl");
        let text = library::read(&path).ok_or_else(|| failed(format!("{path} is missing")))?;
        source.push(&path, text);
    }
    source.push("leaves", &leaves.text);
    let path = format!("shaders/kernel/{}.wgsl", spec.kernel());
    let text = library::read(&path).ok_or_else(|| failed(format!("{path} is missing")))?;
    source.push(&path, text);
    Ok(source)
}

/// The text of a kernel, for tensors in separate buffers or not. Both are the same but for what is declared of bindings.
///
/// # Errors
/// As [`source()`].
pub fn source_of_variant(variant: &Variant) -> Result<Source> {
    let source = source(&variant.kernel)?;
    Ok(match variant.buffers {
        Buffers::Separate => source,
        Buffers::Shared => {
            Source { name: variant.name(), text: with_shared_buffers(&source.text), buffers: Buffers::Shared, ..source }
        }
    })
}

/// The parts that fill a kernel's slots.
fn slots(spec: &KernelSpec) -> Vec<String> {
    let mut parts = Vec::new();
    for binding in spec.bindings() {
        if let "src" | "weights" | "residual" | "dst" = binding.name {
            let storage = if binding.name == "dst" { spec.storage().of_output() } else { spec.storage() };
            parts.push(format!("{}_{}", binding.name, storage.name()));
        }
    }
    if let Some(border) = spec.border() {
        parts.push(format!("border_{border}"));
    }
    if let Some(epilogue) = spec.epilogue() {
        parts.push(if epilogue.bias { "bias_channel" } else { "bias_none" }.to_owned());
        parts.push(format!("residual_{}", epilogue.residual.name()));
        push_with_helpers(&mut parts, format!("activation_{}", epilogue.activation));
        parts.push("epilogue".to_owned());
    }
    for part in spec.own_parts() {
        push_with_helpers(&mut parts, part);
    }
    parts
}

/// Parts that fill no slot: functions that activations and derivatives call.
const HELPERS: [&str; 2] = ["keep_nan", "logistic"];

/// Adds a part, and before it the helpers that its text calls and that are not there yet.
fn push_with_helpers(parts: &mut Vec<String>, part: String) {
    let text = library::read(&format!("shaders/part/{part}.wgsl")).unwrap_or_default();
    let code = || text.lines().filter(|line| !line.trim_start().starts_with("//"));
    for helper in HELPERS {
        let call = format!("{helper}(");
        // A helper's own text holds its name, too.
        let is_there = part == helper || parts.iter().any(|part| part == helper);
        if !is_there && code().any(|line| line.contains(&call)) {
            parts.push(helper.to_owned());
        }
    }
    parts.push(part);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;
    use crate::conv::Conv;
    use crate::kernel::Direct;
    use crate::kernel::Epilogue;

    #[test]
    fn lines_are_located() {
        let storage = crate::kernel::Storage::F32;
        let problem = Conv::new(8, 8, [3, 3]).activation(Activation::Relu).on([1, 8, 9, 9]).expect("legal");
        let source = source(&Direct::of(&problem.correlations()[0], Epilogue::of(&problem.conv), storage).spec())
            .expect("source");
        let line = 1 + source.text.lines().position(|l| l.contains("fn main(")).expect("entry point");
        let file = library::read("shaders/kernel/direct.wgsl").expect("file");
        let expected = 1 + file.lines().position(|l| l.contains("fn main(")).expect("entry point");
        assert_eq!(source.locate(line), format!("shaders/kernel/direct.wgsl:{expected}"));
        assert!(source.locate(2).starts_with("head:"), "{}", source.locate(2));
    }
}
