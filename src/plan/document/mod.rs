//! A plan as a document, for files and for programs in other languages: data, not code. It holds what a plan was made
//! from (problem, device, preferences, choice) and what came of that (kernels, dispatches, lengths). Reading believes only
//! the former: the plan is made anew from it, and the latter compared; what differs is an error that names it. So a plan
//! that was read is as good as one that was made here, whoever wrote the file. What one pays for it is what planning
//! takes, for the document's problem.
//!
//! The form has a number of its own, which changes when the form does; a document of another version of this crate is
//! read as long as that version would dispatch the same.

mod origin;
mod parts;
mod values;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use self::origin::OriginPart;
use self::parts::{CapsForm, CpuStepPart, DispatchPart, KernelPart, PreferencesForm, ProblemPart};
use super::{Choice, Dispatch, Packing, Plan, Preferences};
use crate::caps::Caps;
use crate::error::{DocumentError, Result};
use crate::problem::Problem;

/// The number of the form that is written, and the only one that is read.
const FORM: u64 = 1;

/// A [`Plan`] as it is written and read, in any format of [`serde`]; in JSON:
///
/// ```json
/// { "winoconv_plan": 1, "version": "0.1.0", "problem": {}, "caps": {}, "preferences": {}, "choice": "direct",
///   "origin": "estimate", "packing": {}, "kernels": [], "steps": [], "workspace": [] }
/// ```
///
/// [`Plan`] itself reads and writes as this does; who wants a typed error of what does not fit, reads a document and asks
/// it for its [`Self::plan`].
///
/// ```
/// use winoconv::plan::Document;
/// use winoconv::{Conv, Plan, Preferences, caps::Caps};
/// let problem = Conv::new(8, 8, [3, 3]).padding(1).on([1, 8, 32, 32])?;
/// let plan = Plan::new(&problem, &Caps::webgpu_default(), &Preferences::new())?;
///
/// let text = serde_json::to_string(&plan).expect("JSON has a form for it");
/// let document: Document = serde_json::from_str(&text).expect("what was written");
/// assert_eq!(document.plan()?, plan);
/// # Ok::<(), winoconv::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    // The first field, so that a newer form is refused as such, not for the fields that it has.
    #[serde(with = "form")]
    winoconv_plan: (),
    version: String,
    problem: ProblemPart,
    #[serde(with = "CapsForm")]
    caps: Caps,
    #[serde(with = "PreferencesForm")]
    preferences: Preferences,
    choice: String,
    origin: OriginPart,
    packing: PackingPart,
    kernels: Vec<KernelPart>,
    steps: Vec<DispatchPart>,
    /// Instead of dispatches, for a plan that the CPU's kernels run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    cpu_steps: Vec<CpuStepPart>,
    workspace: Vec<usize>,
}

/// How the weights are packed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PackingPart {
    form: String,
    len: usize,
    steps: Vec<DispatchPart>,
}

impl From<&Plan> for Document {
    fn from(plan: &Plan) -> Self {
        let packing = plan.packing.dispatches(&plan.problem);
        let mut kernels = plan.kernels();
        for step in &packing {
            if !kernels.contains(&step.kernel) {
                kernels.push(step.kernel);
            }
        }
        let parts = |all: &[Dispatch]| all.iter().map(|dispatch| DispatchPart::of(dispatch, plan)).collect();
        let form = match plan.packing {
            Packing::Given => "given".to_owned(),
            Packing::Winograd(nested) => format!("winograd:{}", nested.label()),
            Packing::Rows => "rows".to_owned(),
            Packing::Eights => "eights".to_owned(),
            Packing::Sixteens => "sixteens".to_owned(),
            Packing::Panels(None) => "panels".to_owned(),
            Packing::Panels(Some(nested)) => format!("panels:{}", nested.label()),
        };
        Self {
            winoconv_plan: (),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            problem: ProblemPart::of(&plan.problem),
            caps: plan.caps.clone(),
            preferences: plan.preferences,
            choice: plan.choice().to_string(),
            origin: OriginPart::of(&plan.origin),
            packing: PackingPart { form, len: plan.packing.len(&plan.problem), steps: parts(&packing) },
            kernels: kernels.iter().map(KernelPart::of).collect(),
            steps: parts(&plan.dispatches),
            cpu_steps: plan.cpu_steps.iter().map(|step| CpuStepPart::of(step, plan)).collect(),
            workspace: plan.workspace.clone(),
        }
    }
}

impl Document {
    /// The plan, made anew and found to be the one that is written here.
    ///
    /// Where the planner would choose otherwise today, as another version may, what the document chose is as if it were
    /// forced: [`Plan::origin`] says so.
    ///
    /// # Errors
    /// [`DocumentError`] with the first thing that is not as planned; what [`Conv::on`](crate::Conv::on) says of the problem;
    /// [`crate::error::NoPlan`] if its choice may not run.
    pub fn plan(&self) -> Result<Plan> {
        let problem = self.problem.problem()?;
        let plan = self.replay(&problem)?;
        self.compare(&Self::from(&plan))?;
        Ok(plan)
    }

    /// The version of this crate that wrote it.
    pub fn version(&self) -> &str {
        &self.version
    }

    fn replay(&self, problem: &Problem) -> Result<Plan> {
        let wisdom = self.origin.wisdom(problem, &self.caps, &self.preferences, &self.choice)?;
        let plan = Plan::with_wisdom(problem, &self.caps, &self.preferences, &wisdom)?;
        if plan.choice().to_string() == self.choice {
            return Ok(plan);
        }
        let choice: Choice = self.choice.parse()?;
        let Preferences { algorithm, cut, .. } = self.preferences;
        let within =
            algorithm.is_none_or(|forced| forced == choice.algorithm) && cut.is_none_or(|forced| forced == choice.cut);
        if !within {
            differ("choice", &plan.choice().to_string(), &self.choice)?;
        }
        Plan::new(problem, &self.caps, &self.preferences.choice(choice))
    }

    /// Whether everything that follows from the choice is as it was made anew.
    fn compare(&self, anew: &Self) -> Result<(), DocumentError> {
        same("packing.form", &anew.packing.form, &self.packing.form)?;
        same("packing.len", &anew.packing.len, &self.packing.len)?;
        each("kernels", &anew.kernels, &self.kernels, KernelPart::compare)?;
        each("packing.steps", &anew.packing.steps, &self.packing.steps, DispatchPart::compare)?;
        each("steps", &anew.steps, &self.steps, DispatchPart::compare)?;
        each("cpu_steps", &anew.cpu_steps, &self.cpu_steps, CpuStepPart::compare)?;
        same("workspace", &anew.workspace, &self.workspace)
    }
}

fn differ(what: &str, expected: &str, got: &str) -> Result<(), DocumentError> {
    Err(DocumentError { what: what.to_owned(), expected: expected.to_owned(), got: got.to_owned() })
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, expected: &T, got: &T) -> Result<(), DocumentError> {
    if expected == got { Ok(()) } else { differ(what, &format!("{expected:?}"), &format!("{got:?}")) }
}

/// Compares lists: how many they are, then one by one.
fn each<T>(
    what: &str,
    expected: &[T],
    got: &[T],
    compare: impl Fn(&T, &T, &str) -> Result<(), DocumentError>,
) -> Result<(), DocumentError> {
    same(&format!("{what}.length"), &expected.len(), &got.len())?;
    let mut pairs = expected.iter().zip(got).enumerate();
    pairs.try_for_each(|(i, (expected, got))| compare(expected, got, &format!("{what}[{i}]")))
}

impl Serialize for Plan {
    /// As a [`Document`].
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Document::from(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Plan {
    /// From a [`Document`], as [`Document::plan`] makes it.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Document::deserialize(deserializer)?.plan().map_err(de::Error::custom)
    }
}

/// The form's number.
mod form {
    use super::{Deserialize, Deserializer, FORM, Serialize, Serializer, de};

    pub(super) fn serialize<S: Serializer>((): &(), serializer: S) -> Result<S::Ok, S::Error> {
        FORM.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
        match u64::deserialize(deserializer)? {
            FORM => Ok(()),
            other => Err(de::Error::custom(format!("a plan's document of form {other}, expected {FORM}"))),
        }
    }
}
