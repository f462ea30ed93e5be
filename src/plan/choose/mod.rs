//! Which algorithm: every candidate is judged, by what it needs, how far its results are from the exact ones, and how long it
//! takes.

mod algorithm;
mod candidate_set;
mod candidates;
mod choice;
mod expected_errors;
mod origin;
mod preferences;
mod refusal;
mod verdict;

pub use algorithm::Algorithm;
pub use candidate_set::candidate_set;
pub use candidates::legal_choices;
pub(super) use candidates::{Judgement, follow, judge};
pub use choice::{Choice, Cut};
pub(super) use expected_errors::Errors;
pub use origin::{Distrust, Ignored, Origin};
pub use preferences::{Preferences, Tolerance};
pub(crate) use refusal::check_forced;
pub(super) use refusal::no_plan;
pub use verdict::{Candidate, Legal, Reason, Verdict};
