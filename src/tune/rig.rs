//! What the tuner needs of a device: to make a candidate ready, to run it once on poisoned memory, to time it.

use std::time::Duration;

use crate::error::Result;
use crate::plan::Plan;

/// A device with the operands of a problem on it.
pub(super) trait Rig {
    /// A candidate that can be run.
    type Ready;

    /// Compiles the kernels of several candidates. What fails to compile fails again, and is told, in [`Self::prepare`].
    async fn compile(&mut self, plans: &[&Plan]);

    /// Packs the weights and binds a candidate.
    async fn prepare(&mut self, plan: &Plan) -> Result<Self::Ready>;

    /// The outputs in the windows of [`Truth::windows`](super::truth::Truth::windows), one after the other, of one run:
    /// before it every output, and all that is between input and output, was NaN.
    async fn output(&mut self, ready: &Self::Ready) -> Result<Vec<f32>>;

    /// The time of so many runs.
    async fn time(&mut self, ready: &Self::Ready, runs: u32) -> Result<Duration>;
}
