//! What a device achieves in our kernels: the numbers that the models take. Each device has a file beside this one.

use crate::kernel::{Blocking, ImplicitGemm, ImplicitGemmUnits, UnitBlocking};

/// What a kind of device achieves in our kernels.
pub(in crate::plan) struct Rates {
    /// Floating-point operations a second of `direct`.
    pub(in crate::plan) direct: f64,
    /// Multiply-adds a second that `winograd_multiply`'s efficiencies are parts of.
    pub(in crate::plan) multiply: f64,
    /// Bytes a second that the transforms move, through caches.
    pub(in crate::plan) bytes: f64,
    /// Seconds of a dispatch that does nothing, with the barrier after it.
    pub(in crate::plan) dispatch: f64,
    /// Workgroups below which the device is not full.
    pub(in crate::plan) full: u64,
    /// Units that run workgroups, each with [`REGISTERS`].
    pub(in crate::plan) units: f64,
    /// Multiply-adds a second of one unit at best.
    pub(in crate::plan) issue: f64,
    /// What the staged multiply costs beside that.
    pub(in crate::plan) model: &'static MultiplyRates,
    /// What the multiply by matrix units costs; none where no device of the kind was measured.
    pub(in crate::plan) matrix: Option<&'static UnitRates>,
    /// What the implicit product costs beside that.
    pub(in crate::plan) fetch: &'static GemmRates,
    /// Seconds of a cycle that a workgroup waits for: none where nothing runs at the same time.
    pub(in crate::plan) cycle: f64,
    /// What the fused kernels cost where invocations are lanes of a CPU's vectors.
    pub(in crate::plan) lanes: Option<&'static LaneRates>,
    /// Registers of a unit, which its invocations share; none where nothing is known that would rule a kernel out.
    pub(in crate::plan) registers: Option<u32>,
    /// Names of the devices that have as many units as `units`: for others that is a guess.
    pub(in crate::plan) known_units: &'static [&'static str],
    /// Rounds of workgroups that are left at least where the units are a guess: a last round that is nearly empty then costs less
    /// than walking gains.
    pub(in crate::plan) rounds_of_unknown: f64,
}

/// What the multiply costs on a kind of device.
pub(in crate::plan) struct MultiplyRates {
    /// The part of the full rate that a unit reaches with each of [`Blocking::ALL`], when it is full.
    pub(in crate::plan) efficiency: [f64; Blocking::ALL.len()],
    /// Invocations with which a unit multiplies at half its rate, since they wait for their loads.
    pub(in crate::plan) half_full: f64,
    /// A block's beginning and end, in channels; and the adding up of a second slice.
    pub(in crate::plan) block: [f64; 2],
    /// A byte that a block fetches, in multiply-adds: what they do not hide.
    pub(in crate::plan) block_byte: f64,
    /// A byte of U or V, which comes from memory once.
    pub(in crate::plan) factor_byte: f64,
}

/// What the multiply by matrix units costs on a kind of device.
pub(in crate::plan) struct UnitRates {
    /// Seconds of a step of channels of one block with each of [`UnitBlocking::ALL`], where a unit of the device has as many blocks
    /// at a time as it holds.
    pub(in crate::plan) step: [f64; UnitBlocking::ALL.len()],
    /// Blocks that a unit holds at a time.
    pub(in crate::plan) held: [f64; UnitBlocking::ALL.len()],
    /// Blocks that take as long as one that a unit has to itself.
    pub(in crate::plan) least: f64,
    /// A block's beginning and end, in steps.
    pub(in crate::plan) ends: f64,
    /// Bytes a second of U, V and M; or of tensors.
    pub(in crate::plan) bytes: f64,
    /// Seconds of a step of one block of the implicit product with each of [`ImplicitGemmUnits::BLOCKINGS`], where a unit has as many
    /// blocks at a time as it holds: of channels that lie apart, and of channels that lie together.
    pub(in crate::plan) gemm_step: [[f64; ImplicitGemmUnits::BLOCKINGS.len()]; 2],
    /// Blocks of it that a unit holds at a time.
    pub(in crate::plan) gemm_held: [f64; ImplicitGemmUnits::BLOCKINGS.len()],
    /// Blocks of it that take as long as one that a unit has to itself.
    pub(in crate::plan) gemm_least: [f64; ImplicitGemmUnits::BLOCKINGS.len()],
    /// A block's beginning and end, in steps.
    pub(in crate::plan) gemm_ends: f64,
}

/// What the product costs on a kind of device.
pub(in crate::plan) struct GemmRates {
    /// The part of the full rate that a unit reaches with each of [`ImplicitGemm::BLOCKINGS`], but for what follows.
    pub(in crate::plan) efficiency: [f64; ImplicitGemm::BLOCKINGS.len()],
    /// Multiply-adds that take as long as the fetch of an element of the source: where it stands, whether it stands
    /// there, and a load of four bytes.
    pub(in crate::plan) element: f64,
    /// The same of a weight.
    pub(in crate::plan) weight: f64,
    /// Of a block: its positions worked out, its outputs written one by one. In rows.
    pub(in crate::plan) block: f64,
}

/// Seconds of one core.
pub(in crate::plan) struct LaneRates {
    /// A vector of [`LaneRates::WIDTH`] invocations loads a float: one by one, since each lane has an address of its own.
    pub(in crate::plan) load: f64,
    /// It adds a product to a sum.
    pub(in crate::plan) sum: f64,
    /// It makes an output of products, by way of workgroup memory.
    pub(in crate::plan) output: f64,
    /// It transforms a point of a tile.
    pub(in crate::plan) point: f64,
    /// A byte of U comes from memory: rows of a block, a whole row of all filters apart.
    pub(in crate::plan) filter_byte: f64,
    /// Bytes of a block's filters in U that stay in a cache from one block of tiles to the next; what is more comes again.
    pub(in crate::plan) cache: f64,
}

/// Registers of a unit of a GPU, a quarter for each of its schedulers.
pub(in crate::plan) const REGISTERS: u32 = 65536;

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
pub(in crate::plan) const fn count(n: usize) -> f64 {
    n as f64
}
