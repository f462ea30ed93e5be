//! What wisdom is looked up by: a device and a problem, each with a text that reads back.

use std::fmt;

use crate::caps::Caps;
use crate::plan::{Preferences, Tolerance};
use crate::shape::{Padding, Problem};

/// A device, as far as wisdom tells devices apart: what it is called, through what it is reached, and the two bounds that
/// decide which kernels it can run. So a browser's devices, which share names, differ where it matters, and a device that
/// was opened with WebGPU's default limits is another one. The driver's version is none of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DeviceKey {
    /// The adapter's name.
    pub name: String,
    /// Vulkan, Metal, DX12, WebGPU, or `host`.
    pub backend: String,
    /// Bytes of workgroup memory.
    pub workgroup_bytes: u32,
    /// Invocations of a workgroup.
    pub invocations: u32,
}

impl DeviceKey {
    /// The key of a device.
    pub fn of(caps: &Caps) -> Self {
        Self {
            name: plain(&caps.name),
            backend: plain(&caps.backend),
            workgroup_bytes: caps.limits.max_compute_workgroup_storage_size,
            invocations: caps.limits.max_compute_invocations_per_workgroup,
        }
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let mut parts = text.rsplitn(4, ", ");
        let invocations = parts.next()?.parse().ok()?;
        let workgroup_bytes = parts.next()?.parse().ok()?;
        let (backend, name) = (parts.next()?.to_owned(), parts.next()?.to_owned());
        Some(Self { name, backend, workgroup_bytes, invocations })
    }
}

impl fmt::Display for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, backend, workgroup_bytes, invocations } = self;
        write!(f, "{name}, {backend}, {workgroup_bytes}, {invocations}")
    }
}

/// A text without the separator of a line, and of one line.
pub(super) fn plain(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() || c == '|' { ' ' } else { c }).collect();
    plain.trim().to_owned()
}

/// A problem, and within what it is solved. Bias and activation are none of it: they cost every candidate the same, and
/// so one entry serves all layers of a network that are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProblemKey {
    /// `[N, C, H, W]`
    pub input: [usize; 4],
    /// K.
    pub filters: usize,
    /// R and S.
    pub kernel: [usize; 2],
    /// Step between outputs.
    pub stride: [usize; 2],
    /// Step between filter taps.
    pub dilation: [usize; 2],
    /// Zeros around the input.
    pub padding: Padding,
    /// Groups.
    pub groups: usize,
    /// How far the result may be from the exact one.
    pub tolerance: Tolerance,
    /// Most bytes of workspace.
    pub workspace_limit: u64,
}

impl ProblemKey {
    /// The key of a problem.
    pub fn of(problem: &Problem, preferences: &Preferences) -> Self {
        let conv = &problem.conv;
        Self {
            input: problem.input_shape(),
            filters: conv.filters,
            kernel: conv.kernel,
            stride: conv.stride,
            dilation: conv.dilation,
            padding: conv.padding,
            groups: conv.groups,
            tolerance: preferences.tolerance,
            workspace_limit: preferences.workspace_limit,
        }
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let mut value = |name: &str| words.next()?.strip_prefix(name)?.strip_prefix('=');
        let key = Self {
            input: numbers(value("input")?, 'x')?,
            filters: value("filters")?.parse().ok()?,
            kernel: numbers(value("kernel")?, 'x')?,
            stride: numbers(value("stride")?, 'x')?,
            dilation: numbers(value("dilation")?, 'x')?,
            padding: {
                let [top, bottom, left, right] = numbers(value("padding")?, ',')?;
                Padding { top, bottom, left, right }
            },
            groups: value("groups")?.parse().ok()?,
            tolerance: read_tolerance(value("error")?)?,
            workspace_limit: value("workspace")?.parse().ok()?,
        };
        words.next().is_none().then_some(key)
    }
}

impl fmt::Display for ProblemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [n, c, h, w] = self.input;
        let Padding { top, bottom, left, right } = self.padding;
        let pair = |[a, b]: [usize; 2]| format!("{a}x{b}");
        let [kernel, stride, dilation] = [self.kernel, self.stride, self.dilation].map(pair);
        write!(
            f,
            "input={n}x{c}x{h}x{w} filters={} kernel={kernel} stride={stride} dilation={dilation} \
             padding={top},{bottom},{left},{right} groups={} ",
            self.filters, self.groups
        )?;
        match self.tolerance {
            Tolerance::TimesDirect(factor) => write!(f, "error={factor}xdirect")?,
            Tolerance::RelativeL2(bound) => write!(f, "error={bound}")?,
            Tolerance::Any => f.write_str("error=any")?,
        }
        write!(f, " workspace={}", self.workspace_limit)
    }
}

fn read_tolerance(text: &str) -> Option<Tolerance> {
    if text == "any" {
        return Some(Tolerance::Any);
    }
    match text.strip_suffix("xdirect") {
        Some(factor) => factor.parse().ok().map(Tolerance::TimesDirect),
        None => text.parse().ok().map(Tolerance::RelativeL2),
    }
}

fn numbers<const N: usize>(text: &str, separator: char) -> Option<[usize; N]> {
    let all: Option<Vec<usize>> = text.split(separator).map(|part| part.parse().ok()).collect();
    all?.try_into().ok()
}
