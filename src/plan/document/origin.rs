//! Where a plan's choice comes from, as the wisdom that must be given to the planner for it to say the same again.

use serde::{Deserialize, Serialize};

use crate::caps::Caps;
use crate::error::Result;
use crate::plan::wisdom::{Entry, Outdated};
use crate::plan::{Distrust, Ignored, Origin, Preferences, Wisdom};
use crate::problem::Problem;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum OriginPart {
    Estimate,
    /// The estimates, after wisdom was refused.
    Ignored {
        choice: String,
        why: DistrustPart,
    },
    Wisdom {
        time_ns: u64,
        driver: String,
    },
    Demand,
}

/// Why wisdom was refused; what made a choice inadmissible follows from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DistrustPart {
    OutdatedVersion(String),
    OutdatedCandidates(u64),
    Rejected,
}

impl OriginPart {
    pub(super) fn of(origin: &Origin) -> Self {
        match origin {
            Origin::Estimate { ignored: None } => Self::Estimate,
            Origin::Estimate { ignored: Some(Ignored { choice, why }) } => {
                let why = match why {
                    Distrust::Outdated(Outdated::Version(version)) => DistrustPart::OutdatedVersion(version.clone()),
                    Distrust::Outdated(Outdated::Candidates { measured, .. }) => {
                        DistrustPart::OutdatedCandidates(*measured)
                    }
                    Distrust::Rejected(_) => DistrustPart::Rejected,
                };
                Self::Ignored { choice: choice.to_string(), why }
            }
            Origin::Wisdom { time_ns, driver } => Self::Wisdom { time_ns: *time_ns, driver: driver.clone() },
            Origin::Demand => Self::Demand,
        }
    }

    /// The wisdom that the plan with this choice was made with, as far as it was asked.
    pub(super) fn wisdom(
        &self,
        problem: &Problem,
        caps: &Caps,
        preferences: &Preferences,
        choice: &str,
    ) -> Result<Wisdom> {
        let (choice, time_ns) = match self {
            Self::Estimate | Self::Demand => return Ok(Wisdom::new()),
            Self::Ignored { choice, .. } => (choice.as_str(), 0),
            Self::Wisdom { time_ns, .. } => (choice, *time_ns),
        };
        let mut entry = Entry::new(problem, caps, preferences, choice.parse()?, time_ns);
        match self {
            Self::Ignored { why: DistrustPart::OutdatedVersion(version), .. } => entry.version.clone_from(version),
            Self::Ignored { why: DistrustPart::OutdatedCandidates(measured), .. } => entry.candidates = *measured,
            Self::Wisdom { driver, .. } => entry.driver.clone_from(driver),
            _ => {}
        }
        let mut wisdom = Wisdom::new();
        wisdom.insert(entry);
        Ok(wisdom)
    }
}
