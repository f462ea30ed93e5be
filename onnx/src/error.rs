//! What can be wrong with a model.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// What was expected and what came, in words. Only [`refusal!`] makes one of a text.
#[derive(Debug)]
pub(crate) struct Refusal(String);

/// Why something is refused: a format and its arguments. `cargo xtask tidy` finds every text by this name, and each needs a row in
/// docs/ERRORS.md, which tests/refusals writes.
macro_rules! refusal {
    ($($text:tt)*) => {
        $crate::error::Refusal::from_text(format!($($text)*))
    };
}
pub(crate) use refusal;

impl Refusal {
    pub(crate) const fn from_text(text: String) -> Self {
        Self(text)
    }
}

impl From<winoconv::Error> for Refusal {
    /// The graph's nodes have other names than the model's.
    fn from(error: winoconv::Error) -> Self {
        match error {
            winoconv::Error::Graph(error) => Self(error.problem),
            error => Self(error.to_string()),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What every fallible call of this crate returns.
pub type Result<T, E = OnnxError> = std::result::Result<T, E>;

/// Why there is no graph.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OnnxError {
    /// The system does not give the file, or the file of its data.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The bytes are not those of a model.
    #[error("not an ONNX model: {problem}")]
    NotAModel {
        /// What was found.
        problem: String,
    },
    /// A part of the model contradicts itself.
    #[error("damaged model: {what}: {problem}")]
    Damaged {
        /// Which part.
        what: String,
        /// What was expected and what was found.
        problem: String,
    },
    /// The operators are of a version that this crate does not read.
    #[error("unsupported: opset {got}, expected {} to {}", crate::OPSETS.start(), crate::OPSETS.end())]
    Opset {
        /// The version.
        got: i64,
    },
    /// The model is valid, and this crate does not support these nodes of it.
    #[error("unsupported: {}", List(.0))]
    Unsupported(Vec<Unsupported>),
    /// A node does not fit its operands.
    #[error("node {node} ({op}): {problem}")]
    Node {
        /// Its name.
        node: String,
        /// Its operator.
        op: String,
        /// What was expected and what was found.
        problem: String,
    },
    /// Sizes of an input are needed.
    #[error("the sizes of input {input} are not known: the model says {declared}; pass them to Model::graph")]
    UnknownSize {
        /// Its name.
        input: String,
        /// What the model says.
        declared: String,
    },
    /// Sizes were given for an input that the model does not have.
    #[error("the model has no input {name}, only {}", inputs.join(", "))]
    NoInput {
        /// The name that was given.
        name: String,
        /// Those that it has.
        inputs: Vec<String>,
    },
}

impl OnnxError {
    pub(crate) fn damaged(what: String, Refusal(problem): Refusal) -> Self {
        Self::Damaged { what, problem }
    }
}

/// A node that this crate does not support.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// Its name, or that of its first output.
    pub node: String,
    /// Its operator.
    pub op: String,
    /// Why.
    pub why: String,
}

impl Unsupported {
    pub(crate) fn new(node: &str, op: &str, Refusal(why): Refusal) -> Self {
        Self { node: node.to_owned(), op: op.to_owned(), why }
    }
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.node, self.op, self.why)
    }
}

/// One, or all, each on a line of its own.
struct List<'a>(&'a [Unsupported]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [one] = self.0 {
            return one.fmt(f);
        }
        write!(f, "{} nodes", self.0.len())?;
        self.0.iter().try_for_each(|node| write!(f, "\n{node}"))
    }
}
