//! What the fused kernels cost on a software adapter, which runs several invocations in the lanes of one vector.

use super::fused::Sizes;
use crate::kernel::{Fusion, WinogradFused};
use crate::plan::device::rates::{LaneRates, count};

impl LaneRates {
    /// Invocations of a vector: 256 bits.
    const WIDTH: f64 = 8.0;

    /// The estimate of so many workgroups on one core. What an invocation keeps in registers weighs most, since whatever it loads,
    /// from memory or from workgroup memory, it loads lane by lane.
    pub(super) fn seconds(&self, kernel: &WinogradFused, workgroups: f64, sizes: Sizes) -> f64 {
        let (b, channels) = (kernel.blocking, sizes.channels);
        let (each_k, each_t) = (f64::from(b.filters_each), f64::from(b.tiles_each));
        let multiplied = count(channels.next_multiple_of(kernel.step() as usize));
        let multiply = multiplied * (self.load * (each_k + each_t) + self.sum * each_k * each_t);
        let invocations = f64::from(kernel.spec().workgroup_size());
        // Tiles, and filters, that are transformed here.
        let transformed = match kernel.fusion {
            Fusion::Output => 0,
            Fusion::Input => b.tiles,
            Fusion::Filter => b.tiles + b.filters,
        };
        let points = count(channels * kernel.algorithm.products()) * f64::from(transformed);
        let outputs = count(kernel.algorithm.outputs()) * f64::from(b.filters * b.tiles);
        let vectors = invocations * multiply + points * self.point + outputs * self.output;
        let values = match kernel.fusion {
            Fusion::Filter => kernel.algorithm.weights(),
            Fusion::Output | Fusion::Input => kernel.algorithm.products(),
        };
        let filter_bytes = 4.0 * count(values * channels * sizes.groups * sizes.filters);
        let of_block = 4.0 * count(values * channels) * f64::from(b.filters);
        let tile_blocks = workgroups / count((sizes.groups * sizes.filters).div_ceil(b.filters as usize));
        let times = 1.0 + (tile_blocks - 1.0).max(0.0) * (1.0 - self.cache / of_block).max(0.0);
        workgroups * vectors / Self::WIDTH + times * filter_bytes * self.filter_byte
    }
}
