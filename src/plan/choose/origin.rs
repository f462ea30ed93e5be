//! Where a plan's choice comes from.

use std::fmt;

use super::choice::Choice;
use super::verdict::Reason;
use crate::plan::wisdom::Outdated;

/// Where a plan's choice comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Origin {
    /// The planner's estimates.
    Estimate {
        /// Why wisdom of this very device and problem was not followed, if there is some.
        ignored: Option<Ignored>,
    },
    /// Wisdom: it was measured to be the fastest.
    Wisdom {
        /// What it took, in nanoseconds.
        time_ns: u64,
        /// The driver with which that was measured.
        driver: String,
    },
    /// The caller forced the algorithm, or its cut; what was left open is by estimate. Wisdom is not asked.
    Demand,
}

/// Wisdom that was not followed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ignored {
    /// What it says.
    pub choice: Choice,
    /// Why it is not followed.
    pub why: Distrust,
}

/// Why wisdom is not followed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Distrust {
    /// It was measured of something else.
    Outdated(Outdated),
    /// The choice cannot run, or may not.
    Rejected(Reason),
}

impl fmt::Display for Origin {
    #[expect(clippy::cast_precision_loss, reason = "printed with one digit")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Estimate { ignored: None } => f.write_str("by estimate"),
            Self::Estimate { ignored: Some(ignored) } => write!(f, "by estimate: {ignored}"),
            Self::Wisdom { time_ns, driver } => {
                write!(f, "by wisdom: {:.1} us", *time_ns as f64 / 1e3)?;
                if driver.is_empty() { Ok(()) } else { write!(f, " with {driver}") }
            }
            Self::Demand => f.write_str("by demand"),
        }
    }
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the wisdom of {} is ignored, ", self.choice)?;
        match &self.why {
            Distrust::Outdated(outdated) => write!(f, "{outdated}"),
            Distrust::Rejected(reason) => write!(f, "{reason}"),
        }
    }
}
