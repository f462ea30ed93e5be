//! What can be wrong with weights, pictures and options.

use std::fmt;

/// What every fallible call of this crate returns.
pub type Result<T, E = ModelError> = std::result::Result<T, E>;

/// The kinds of file that weights are read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileKind {
    /// Tensors as Hugging Face's `safetensors` stores them.
    Safetensors,
    /// The layers of an ncnn network, in words: `.param`.
    NcnnParam,
    /// The weights of an ncnn network: `.bin`.
    NcnnBin,
    /// Tensors as Intel Open Image Denoise stores them: `.tza`.
    Tza,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Safetensors => "safetensors file",
            Self::NcnnParam => "ncnn .param file",
            Self::NcnnBin => "ncnn .bin file",
            Self::Tza => "TZA file",
        })
    }
}

/// Why there is no network, or no picture.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The bytes are not such a file, or contradict themselves.
    #[error("damaged {kind}: {problem}")]
    Damaged {
        /// Which kind of file was expected.
        kind: FileKind,
        /// What was expected and what was found.
        problem: String,
    },
    /// The file is readable, and describes a network that this crate does not know.
    #[error("unsupported network in a {kind}: {problem}")]
    Unsupported {
        /// Which kind of file it is.
        kind: FileKind,
        /// What is unknown, and what is supported.
        problem: String,
    },
    /// No weights for this combination of inputs are part of this crate.
    #[error("no weights for {wanted} are part of this crate; there are: {available}. Read others from a TZA file")]
    NotShipped {
        /// What was asked for.
        wanted: String,
        /// What there is.
        available: String,
    },
    /// The network cannot enlarge by this factor.
    #[error("the network enlarges by {native}; expected a factor of 1 to {native}, got {got}")]
    Scale {
        /// Its own factor.
        native: usize,
        /// The factor that was asked for.
        got: usize,
    },
    /// A picture has another number of values than its size says.
    #[error("{what}: expected {expected} numbers, got {got}")]
    Length {
        /// Which picture.
        what: &'static str,
        /// Three for each pixel.
        expected: usize,
        /// How many came.
        got: usize,
    },
    /// A picture without pixels, or with more than can be counted.
    #[error("a picture of {width} x {height} pixels cannot be computed")]
    Size {
        /// Pixels of a row.
        width: usize,
        /// Rows.
        height: usize,
    },
    /// The network and the pictures do not go together.
    #[error("the network reads {network}, and the pictures are {given}")]
    Inputs {
        /// What the network was trained for.
        network: &'static str,
        /// What was given.
        given: &'static str,
    },
    /// The caller ended the run. Nothing was returned.
    #[error("the run was ended by its caller")]
    Cancelled,
    /// The library refused or failed.
    #[error(transparent)]
    Winoconv(#[from] winoconv::Error),
}

impl ModelError {
    pub(crate) fn damaged(kind: FileKind, problem: impl Into<String>) -> Self {
        Self::Damaged { kind, problem: problem.into() }
    }

    pub(crate) fn unsupported(kind: FileKind, problem: impl Into<String>) -> Self {
        Self::Unsupported { kind, problem: problem.into() }
    }
}
