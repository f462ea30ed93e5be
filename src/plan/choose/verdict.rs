//! What became of a candidate, and why.

use std::fmt;

use super::algorithm::Algorithm;
use super::choice::Choice;
use crate::error::LimitError;

/// An algorithm and the verdict on it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The verdict.
    pub verdict: Verdict,
    /// The planner's estimate of a run, in nanoseconds, where it got as far.
    pub estimate_ns: Option<u64>,
    /// Bytes of workspace, where it got as far.
    pub workspace_bytes: Option<u64>,
}

/// A choice that a device can run within the preferences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Legal {
    /// The algorithm and its cut.
    pub choice: Choice,
    /// The planner's estimate of a run, in nanoseconds.
    pub estimate_ns: u64,
    /// Bytes of workspace.
    pub workspace_bytes: u64,
}

/// What became of a candidate.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// It is the plan.
    Chosen,
    /// It could run, and is expected to be slower than the chosen one.
    Slower,
    /// It could run, and is expected to be as fast as the chosen one, which wisdom says is the fastest.
    Overruled,
    /// It cannot run, or may not.
    Rejected(Reason),
}

/// Why a candidate is out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Its expected error is above the tolerance: parts in 10^12 of the result.
    Tolerance {
        /// Whether it is so only on data as a ReLU leaves them.
        after_relu: bool,
        /// What it is expected to have, in units of 1e-12.
        expected: u64,
        /// What the tolerance allows, in units of 1e-12.
        allowed: u64,
    },
    /// It needs more than the device or the caller has.
    Limit(LimitError),
    /// It does not compute this kind of convolution.
    Inapplicable(&'static str),
    /// Another algorithm was forced.
    NotForced,
}

impl From<LimitError> for Reason {
    fn from(error: LimitError) -> Self {
        Self::Limit(error)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chosen => f.write_str("chosen"),
            Self::Slower => f.write_str("slower by estimate"),
            Self::Overruled => f.write_str("overruled by wisdom"),
            Self::Rejected(reason) => write!(f, "{reason}"),
        }
    }
}

impl fmt::Display for Reason {
    #[expect(clippy::cast_precision_loss, reason = "printed with two digits")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tolerance { after_relu, expected, allowed } => {
                let [expected, allowed] = [expected, allowed].map(|&x| x as f64 * 1e-12);
                let data = if *after_relu { " after a ReLU" } else { "" };
                write!(f, "expected error{data} {expected:.1e}, the tolerance allows {allowed:.1e}")
            }
            Self::Limit(error) => f.write_str(&error.fact()),
            Self::Inapplicable(why) => f.write_str(why),
            Self::NotForced => f.write_str("another algorithm was forced"),
        }
    }
}
