//! What wisdom is looked up by: a device and a problem, each with a text that reads back.

use std::fmt;

use crate::activation::Activation;
use crate::caps::Caps;
use crate::conv::{Conv, Residual};
use crate::plan::{Preferences, Sizes, Tolerance};
use crate::problem::Problem;

/// A device, as far as wisdom tells devices apart: what it is called, through what it is reached, and the two bounds that
/// decide which kernels it can run. So a browser's devices, which share names, differ where it matters, and a device that
/// was opened with WebGPU's default limits, or without matrix units, is another one. The driver's version is none of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DeviceKey {
    /// The adapter's name.
    pub name: String,
    /// Vulkan, Metal, DX12, WebGPU, or `cpu`.
    pub backend: String,
    /// Bytes of workgroup memory.
    pub workgroup_bytes: u32,
    /// Invocations of a workgroup.
    pub invocations: u32,
    /// Whether it has matrix units.
    pub matrix_units: bool,
}

/// What the text of a device with matrix units ends with.
const MATRIX_UNITS: &str = ", matrix units";

impl DeviceKey {
    /// The key of a device.
    pub fn of(caps: &Caps) -> Self {
        Self {
            name: plain(&caps.name),
            backend: plain(&caps.backend),
            workgroup_bytes: caps.limits.max_compute_workgroup_storage_size,
            invocations: caps.limits.max_compute_invocations_per_workgroup,
            matrix_units: caps.matrix_units,
        }
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let (text, matrix_units) = text.strip_suffix(MATRIX_UNITS).map_or((text, false), |text| (text, true));
        let mut parts = text.rsplitn(4, ", ");
        let invocations = parts.next()?.parse().ok()?;
        let workgroup_bytes = parts.next()?.parse().ok()?;
        let (backend, name) = (parts.next()?.to_owned(), parts.next()?.to_owned());
        Some(Self { name, backend, workgroup_bytes, invocations, matrix_units })
    }
}

impl fmt::Display for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, backend, workgroup_bytes, invocations, matrix_units } = self;
        write!(
            f,
            "{name}, {backend}, {workgroup_bytes}, {invocations}{}",
            if *matrix_units { MATRIX_UNITS } else { "" }
        )
    }
}

/// A text without the separator of a line, and of one line.
pub(super) fn plain(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() || c == '|' { ' ' } else { c }).collect();
    plain.trim().to_owned()
}

/// A problem, and within what it is solved. Bias, residual and activation are none of it: they cost every candidate the
/// same, and so one entry serves all layers of a network that are alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProblemKey {
    /// The problem, as it prints.
    pub problem: String,
    /// What it asks of a transform, if Winograd computes it: what the candidates depend on.
    pub sizes: Option<Sizes>,
    /// How far the result may be from the exact one.
    pub tolerance: Tolerance,
    /// Most bytes of workspace.
    pub workspace_limit: u64,
}

impl ProblemKey {
    /// The key of a problem.
    pub fn of(problem: &Problem, preferences: &Preferences) -> Self {
        let conv = Conv { bias: false, residual: Residual::None, activation: Activation::None, ..problem.conv };
        Self {
            problem: Problem { conv, ..*problem }.to_string(),
            sizes: Sizes::of_problem(problem),
            tolerance: preferences.tolerance,
            workspace_limit: preferences.workspace_limit,
        }
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let (problem, rest) = text.rsplit_once("; ")?;
        let mut words = rest.split(' ');
        let sizes = read_sizes(words.next()?)?;
        let mut value = |name: &str| words.next()?.strip_prefix(name)?.strip_prefix('=');
        let key = Self {
            problem: problem.to_owned(),
            sizes,
            tolerance: read_tolerance(value("error")?)?,
            workspace_limit: value("workspace")?.parse().ok()?,
        };
        words.next().is_none().then_some(key)
    }
}

impl fmt::Display for ProblemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; ", self.problem)?;
        match self.sizes {
            Some(Sizes::Taps([h, w])) => write!(f, "taps={h}x{w} ")?,
            Some(Sizes::Outputs([h, w])) => write!(f, "outputs={h}x{w} ")?,
            None => f.write_str("taps=none ")?,
        }
        match self.tolerance {
            Tolerance::TimesDirect(factor) => write!(f, "error={factor}xdirect")?,
            Tolerance::RelativeL2(bound) => write!(f, "error={bound}")?,
            Tolerance::Any => f.write_str("error=any")?,
        }
        write!(f, " workspace={}", self.workspace_limit)
    }
}

fn read_sizes(text: &str) -> Option<Option<Sizes>> {
    let (name, sizes) = text.split_once('=')?;
    if (name, sizes) == ("taps", "none") {
        return Some(None);
    }
    let (h, w) = sizes.split_once('x')?;
    let sizes = [h.parse().ok()?, w.parse().ok()?];
    match name {
        "taps" => Some(Some(Sizes::Taps(sizes))),
        "outputs" => Some(Some(Sizes::Outputs(sizes))),
        _ => None,
    }
}

fn read_tolerance(text: &str) -> Option<Tolerance> {
    if text == "any" {
        return Some(Tolerance::Any);
    }
    let tolerance = match text.strip_suffix("xdirect") {
        Some(factor) => Tolerance::TimesDirect(factor.parse().ok()?),
        None => Tolerance::RelativeL2(text.parse().ok()?),
    };
    // No plan is made with any other.
    tolerance.check().is_ok().then_some(tolerance)
}
