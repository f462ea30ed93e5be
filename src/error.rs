//! Errors, sorted by who can fix them: the caller's description, this crate's coverage, the
//! device's limits, the caller's preferences, the device itself. Each says what was expected and
//! what was given.

use std::fmt;

/// What every fallible call of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong, by who can fix it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The description of the convolution, or the length of a slice, makes no sense. No work was done.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The request is valid, but this crate does not support it. No work was done.
    #[error("unsupported: {what} ({why})")]
    Unsupported {
        /// What was asked for.
        what: String,
        /// Why it cannot be had.
        why: String,
    },
    /// A node of a network does not fit its operands. No work was done.
    #[cfg(feature = "graph")]
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// A kernel or a buffer needs more than the device has. No work was done.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// A preference makes no sense. No work was done.
    #[error(transparent)]
    Preference(#[from] PreferenceError),
    /// Every candidate was ruled out by the preferences or by the device. No work was done.
    #[error(transparent)]
    NoPlan(#[from] NoPlan),
    /// A text of wisdom makes no sense. No work was done.
    #[error(transparent)]
    Wisdom(#[from] WisdomError),
    /// A plan's document differs from the plan that this crate makes. No work was done.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// The device, its driver or the system failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A generated kernel failed this crate's checks. This is a bug: please report it.
    #[error("kernel {kernel} failed the crate's own check, please report this: {message}")]
    Kernel {
        /// The variant's name.
        kernel: String,
        /// What was found, with file and line of the shader where known.
        message: String,
    },
}

/// A description that makes no sense, with both numbers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// A size that must be at least one is zero.
    #[error("{what} is 0, expected at least 1")]
    Zero {
        /// The size's name.
        what: &'static str,
    },
    /// Channels or filters do not divide into the groups.
    #[error("{what} is {got}, expected a multiple of groups = {groups}")]
    Groups {
        /// `channels` or `filters`.
        what: &'static str,
        /// How many there are.
        got: usize,
        /// The number of groups.
        groups: usize,
    },
    /// The input has other channels than the convolution.
    #[error("the input has {got} channels, the convolution expects {expected}")]
    Channels {
        /// Channels of the convolution.
        expected: usize,
        /// Channels of the input.
        got: usize,
    },
    /// The dilated filter does not fit into the padded input.
    #[error("the filter spans {span} in {axis}, the padded input only {padded}")]
    FilterTooLarge {
        /// `height` or `width`.
        axis: &'static str,
        /// `dilation * (size - 1) + 1`.
        span: usize,
        /// Input plus padding on both sides.
        padded: usize,
    },
    /// A problem is of another convolution than the layer.
    #[error("the problem belongs to another convolution than the layer")]
    OtherConv,
    /// Another number of dimensions than there are.
    #[error("{what} has {got} dimensions, expected {expected}")]
    Rank {
        /// Of what.
        what: &'static str,
        /// What would do.
        expected: &'static str,
        /// What came.
        got: usize,
    },
    /// Another number of dimensions than the kernel's.
    #[error("{what} has {got} spatial dimensions, the kernel has {expected}")]
    Dimensions {
        /// Of what.
        what: &'static str,
        /// Dimensions of the kernel.
        expected: usize,
        /// Dimensions that came.
        got: usize,
    },
    /// An input without elements along a dimension.
    #[error("the input's {axis} is 0, expected at least 1")]
    Empty {
        /// `depth`, `height` or `width`.
        axis: &'static str,
    },
    /// A border that is not zero is wider than the input has values for.
    #[error("padding is {got} in {axis}, expected at most {bound} with a {border} border")]
    BorderTooWide {
        /// `depth`, `height` or `width`.
        axis: &'static str,
        /// `reflect` or `circular`.
        border: &'static str,
        /// The larger side's padding.
        got: usize,
        /// What there is.
        bound: usize,
    },
    /// The border of a transposed convolution is not zero.
    #[error("border is {border}, expected zero: a transposed convolution removes its padding from the output")]
    Border {
        /// What came.
        border: &'static str,
    },
    /// More is cut off a transposed convolution's output than there is.
    #[error("padding removes {cut} from the transposed output's {axis}, which is only {whole}")]
    CutOff {
        /// `depth`, `height` or `width`.
        axis: &'static str,
        /// Padding on both sides.
        cut: usize,
        /// The output without padding.
        whole: usize,
    },
    /// Output padding is not smaller than the larger of stride and dilation.
    #[error("output padding is {got}, expected less than {bound}, the larger of stride and dilation")]
    OutputPadding {
        /// What came.
        got: usize,
        /// The larger of the two.
        bound: usize,
    },
    /// A slice of channels is not within its tensor.
    #[error("{count} channels from channel {first} on are not within a tensor of {channels} channels")]
    Slice {
        /// The first channel.
        first: usize,
        /// Channels of the slice.
        count: usize,
        /// Channels of the tensor.
        channels: usize,
    },
    /// Elements of what is written share a place in memory.
    #[error("two elements of the result have the same place in memory: {strides}")]
    Overlap {
        /// How it lies in memory.
        strides: String,
    },
    /// A dispatch reads and writes one buffer, in which what is bound of two tensors overlaps.
    #[error(
        "{what} begins at byte {begins} of a buffer that is read and written, expected {needed} or later: it must lie behind \
         {other}, and bindings begin at multiples of {alignment} bytes"
    )]
    SharedBuffer {
        /// The tensor that begins later, or the part of it that a dispatch takes.
        what: &'static str,
        /// The tensor before it.
        other: &'static str,
        /// Where it begins, in bytes.
        begins: u64,
        /// Where it may begin.
        needed: u64,
        /// What bindings begin at on this device, in bytes.
        alignment: u64,
    },
    /// A slice or buffer has the wrong number of elements.
    #[error("{what}: expected {expected} elements, got {got}")]
    Length {
        /// Which one.
        what: &'static str,
        /// Elements that the description implies.
        expected: usize,
        /// Elements that came.
        got: usize,
    },
    /// An operand is missing, or one is given that the problem does not take.
    #[error("{what}: expected {expected}, got {got}")]
    Presence {
        /// Which operand.
        what: &'static str,
        /// `some` or `none`, with the reason.
        expected: &'static str,
        /// `some` or `none`.
        got: &'static str,
    },
    /// An activation's parameter is not usable.
    #[error("activation {activation}: {problem}")]
    Activation {
        /// The activation, as it prints.
        activation: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A size overflows the address space of this machine.
    #[error("{what} is too large for this machine: {numbers}")]
    Overflow {
        /// What was computed.
        what: &'static str,
        /// The factors.
        numbers: String,
    },
}

impl ShapeError {
    /// Whether so many elements came as were expected.
    pub(crate) const fn check_len(what: &'static str, expected: usize, got: usize) -> Result<(), Self> {
        if expected == got { Ok(()) } else { Err(Self::Length { what, expected, got }) }
    }
}

/// A node of a network that makes no sense.
#[cfg(feature = "graph")]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{node} ({op}): {problem}")]
pub struct GraphError {
    /// The node's name.
    pub node: String,
    /// What it computes.
    pub op: &'static str,
    /// What was expected, and what came.
    pub problem: String,
}

/// What a bound limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Resource {
    /// Bytes of workgroup memory.
    WorkgroupBytes,
    /// Invocations of a workgroup.
    Invocations,
    /// Size of a workgroup in one dimension.
    WorkgroupSize,
    /// Workgroups of a dispatch in one dimension.
    Workgroups,
    /// Storage buffers bound to one kernel.
    StorageBuffers,
    /// Bytes of one storage binding.
    BindingBytes,
    /// Bytes of one buffer.
    BufferBytes,
    /// Elements that a 32-bit index reaches.
    IndexRange,
    /// Phases, `stride` of them in a dimension, that the results of a transposed convolution or of an input's gradient come
    /// in: a bound of this crate's own.
    Phases,
    /// Dispatches of a plan: a bound of this crate's own.
    Dispatches,
    /// Bytes between input and output that the caller allows.
    WorkspaceBytes,
    /// Bytes of memory that the caller allows a network in tiles.
    CeilingBytes,
    /// Products that the kernel `winograd_inlined` writes out: a bound of this crate's own.
    InlinedTerms,
    /// Sums that an invocation keeps in registers, see [`crate::caps::Limits::max_accumulators_per_invocation`].
    Accumulators,
    /// Scalar operations of a loop's body, see [`crate::caps::Limits::max_operations_per_loop`].
    LoopOperations,
}

impl Resource {
    /// The setting that bounds it: a limit of the device as wgpu spells it, or `workspace_limit` of
    /// [`Preferences`](crate::Preferences). None for the bounds of this crate, and for those of a device's hardware.
    pub const fn setting(self) -> Option<&'static str> {
        Some(match self {
            Self::WorkgroupBytes => "max_compute_workgroup_storage_size",
            Self::Invocations => "max_compute_invocations_per_workgroup",
            Self::WorkgroupSize => "max_compute_workgroup_size_x",
            Self::Workgroups => "max_compute_workgroups_per_dimension",
            Self::StorageBuffers => "max_storage_buffers_per_shader_stage",
            Self::BindingBytes => "max_storage_buffer_binding_size",
            Self::BufferBytes => "max_buffer_size",
            Self::WorkspaceBytes => "workspace_limit",
            Self::IndexRange
            | Self::Phases
            | Self::Dispatches
            | Self::CeilingBytes
            | Self::InlinedTerms
            | Self::Accumulators
            | Self::LoopOperations => return None,
        })
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WorkgroupBytes => "bytes of workgroup memory",
            Self::Invocations => "invocations in a workgroup",
            Self::WorkgroupSize => "invocations in one dimension of a workgroup",
            Self::Workgroups => "workgroups in one dimension of a dispatch",
            Self::StorageBuffers => "storage buffers",
            Self::BindingBytes => "bytes in one storage binding",
            Self::BufferBytes => "bytes in one buffer",
            Self::IndexRange => "elements, more than a 32-bit index reaches",
            Self::Dispatches => "dispatches",
            Self::Phases => "phases, each with its own dispatches",
            Self::WorkspaceBytes => "bytes of workspace",
            Self::CeilingBytes => "bytes of memory",
            Self::InlinedTerms => "products written out in one kernel",
            Self::Accumulators => "accumulators in an invocation",
            Self::LoopOperations => "operations in the body of a loop",
        })
    }
}

/// Something needs more than a bound allows. It prints with what would help, see [`Self::remedy`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LimitError {
    /// The kernel variant or the tensor.
    pub who: String,
    /// Which bound.
    pub resource: Resource,
    /// What is needed.
    pub need: u64,
    /// What there is.
    pub bound: u64,
}

impl LimitError {
    /// `Ok` if `need` is within `bound`.
    ///
    /// # Errors
    /// The error itself, otherwise.
    pub fn check(who: &str, resource: Resource, need: u64, bound: u64) -> Result<(), Self> {
        if need <= bound {
            return Ok(());
        }
        Err(Self { who: who.to_owned(), resource, need, bound })
    }

    /// What would help. (Another bound may be too small as well: [`NoPlan::remedies`] has all of them.) None
    /// where the bound is one of the hardware.
    pub fn remedy(&self) -> Option<Remedy> {
        let least = self.need;
        Some(match (self.resource, self.resource.setting()) {
            (Resource::WorkspaceBytes, _) => Remedy::RaiseWorkspace { least },
            (_, Some(limit)) => Remedy::RequestLimit { limit, least },
            (Resource::IndexRange, _) => Remedy::Other("split the problem, for instance into smaller batches"),
            (Resource::CeilingBytes, _) => Remedy::Other("raise the ceiling"),
            (Resource::Phases, _) => Remedy::Other("use a smaller stride"),
            (Resource::Dispatches, _) => Remedy::Other("request larger limits, or raise workspace_limit"),
            _ => return None,
        })
    }

    /// The error without what would help.
    pub(crate) fn fact(&self) -> String {
        let Self { who, resource, need, bound } = self;
        format!("{who} needs {need} {resource}, the bound is {bound}")
    }
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fact())?;
        self.remedy().map_or(Ok(()), |remedy| write!(f, "; {remedy}"))
    }
}

impl std::error::Error for LimitError {}

/// What makes a refused request possible.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Remedy {
    /// Open the device with a larger limit, if its adapter has it.
    RequestLimit {
        /// The limit, as wgpu spells it.
        limit: &'static str,
        /// A value that does: the least one, unless it is found by doubling.
        least: u64,
    },
    /// Raise `workspace_limit` of [`Preferences`](crate::Preferences).
    RaiseWorkspace {
        /// The least number of bytes that does.
        least: u64,
    },
    /// Raise the tolerance.
    RaiseTolerance {
        /// The least [`Tolerance`](crate::Tolerance) that does, rounded up: `TimesDirect(2.5)`.
        to: String,
    },
    /// Anything else.
    Other(&'static str),
}

impl fmt::Display for Remedy {
    #[expect(clippy::cast_precision_loss, reason = "printed with one decimal beside the exact number")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RequestLimit { limit, least } => write!(f, "request {limit} (at least {least})"),
            Self::RaiseWorkspace { least } if *least < 1 << 20 => write!(f, "raise workspace_limit to {least}"),
            Self::RaiseWorkspace { least } => {
                write!(f, "raise workspace_limit to {least} ({:.1} MiB)", *least as f64 / 1_048_576.0)
            }
            Self::RaiseTolerance { to } => write!(f, "raise the tolerance to Tolerance::{to}"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

/// A preference that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is {got}, expected {expected}")]
pub struct PreferenceError {
    /// Which one.
    pub what: &'static str,
    /// What came.
    pub got: String,
    /// What makes sense.
    pub expected: &'static str,
}

/// No candidate is left. It prints as two lines: the reason that most candidates share, and what would help; with `{:#}`
/// every candidate and its reason follow, a line each.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NoPlan {
    /// What was asked of the planner.
    pub asked: String,
    /// The reason that most candidates share.
    pub reason: String,
    /// How many share it.
    pub sharing: usize,
    /// What would help: all of these together. Empty where nothing does that this crate knows.
    pub remedies: Vec<Remedy>,
    /// Each candidate's algorithm and reason.
    pub rejected: Vec<(String, String)>,
}

impl fmt::Display for NoPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asked, reason, sharing, remedies, rejected } = self;
        write!(f, "no plan for {asked}: {reason}")?;
        match rejected.len() {
            0 | 1 => {}
            all if all == *sharing => write!(f, " (all {all} candidates)")?,
            all => write!(f, " ({sharing} of {all} candidates)")?,
        }
        let remedies: Vec<String> = remedies.iter().map(Remedy::to_string).collect();
        match remedies.is_empty() {
            true => f.write_str("\nraising a limit or a preference does not help")?,
            false => write!(f, "\n{}", remedies.join(" and "))?,
        }
        if f.alternate() {
            for (algorithm, reason) in rejected {
                write!(f, "\n  {algorithm}: {reason}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for NoPlan {}

/// A line of a wisdom file that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[error("wisdom, line {line}: {what} is '{got}', expected {expected}")]
pub struct WisdomError {
    /// Its number, from 1.
    pub line: usize,
    /// Which part of it.
    pub what: &'static str,
    /// What stands there.
    pub got: String,
    /// What was expected.
    pub expected: String,
}

/// A plan's document differs from the plan that its problem, device, preferences and choice give today.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[error("plan document: {what} is {got}, expected {expected}")]
pub struct DocumentError {
    /// Which part of it.
    pub what: String,
    /// What this version plans.
    pub expected: String,
    /// What stands there.
    pub got: String,
}

/// Failures of devices, drivers and the system.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// No adapter satisfies the request.
    #[error("no adapter: asked for {asked}; found {found}")]
    NoAdapter {
        /// The request in words.
        asked: String,
        /// What there is, or `none`.
        found: String,
    },
    /// The adapter gave no device.
    #[error("adapter {adapter} gave no device: {message}")]
    Request {
        /// The adapter's name.
        adapter: String,
        /// What the driver said.
        message: String,
    },
    /// The device is lost: everything on it is gone.
    #[error("device lost: {message}")]
    Lost {
        /// What the driver said.
        message: String,
    },
    /// The device has not enough memory.
    #[error("out of memory while {during}: {message}")]
    OutOfMemory {
        /// What was being done.
        during: String,
        /// What the driver said.
        message: String,
    },
    /// The device refused something that passed our checks.
    #[error("validation error while {during}: {message}")]
    Validation {
        /// What was being done.
        during: String,
        /// What the device said.
        message: String,
    },
    /// The device failed for a reason of its own.
    #[error("device error while {during}: {message}")]
    Internal {
        /// What was being done.
        during: String,
        /// What the device said.
        message: String,
    },
    /// An object of one device was used on another.
    #[error("{what} belongs to another device")]
    WrongDevice {
        /// Which object.
        what: &'static str,
    },
    /// An object that is needed was destroyed.
    #[error("{what} was destroyed")]
    Destroyed {
        /// Which object.
        what: String,
    },
    /// A file could not be written.
    #[error("writing {path} failed: {message}")]
    Store {
        /// The file.
        path: String,
        /// What the system said.
        message: String,
    },
    /// A buffer could not be mapped, to read it back or to fill it.
    #[error("mapping a buffer failed: {message}")]
    Map {
        /// What the device said.
        message: String,
    },
}
