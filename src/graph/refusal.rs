//! Why a node is refused.

use crate::error::{Error, GraphError, ShapeError};

/// What was expected and what came, in words. Only [`refusal!`] makes one of a text.
#[derive(Debug)]
pub(super) struct Refusal(String);

/// Why a node is refused: a format and its arguments. `cargo xtask tidy` finds every text by this name, and each needs a row in
/// docs/ERRORS.md, which tests/suite/errors writes.
macro_rules! refusal {
    ($($text:tt)*) => {
        $crate::graph::refusal::Refusal::from_text(format!($($text)*))
    };
}
pub(super) use refusal;

impl Refusal {
    pub(super) const fn from_text(text: String) -> Self {
        Self(text)
    }

    /// The error of a node.
    pub(super) fn of(self, node: String, op: &'static str) -> GraphError {
        GraphError { node, op, problem: self.0 }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(error.to_string())
    }
}

impl From<ShapeError> for Refusal {
    fn from(error: ShapeError) -> Self {
        Self(error.to_string())
    }
}
