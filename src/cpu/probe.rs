//! What the CPU could do at most, and what the multiply alone does: for benchmarks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use pulp::Simd;

use super::kernel::Winograd;
use super::threads::{Task, walk};
use crate::activation::Activation;
use crate::conv::Residual;
use crate::dtype::DType;
use crate::plan::CpuKernel;
use crate::plan::{Plan, Windows, scratches};
use crate::twin::Finish;

/// Independent sums: enough registers to fill two units with a latency of four cycles.
const SUMS: usize = 12;

/// Multiply-adds on registers alone.
struct Loop {
    turns: u64,
    lanes: AtomicU64,
}

impl Task for Loop {
    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, _: usize, scratch: &mut [f32]) {
        let mut sums = [simd.splat_f32s(1.0); SUMS];
        let (factor, more) =
            (simd.splat_f32s(std::hint::black_box(0.5f32)), simd.splat_f32s(std::hint::black_box(0.5f32)));
        for _ in 0..self.turns {
            for sum in &mut sums {
                *sum = simd.mul_add_e_f32s(*sum, factor, more);
            }
        }
        scratch[0] = sums.into_iter().map(|sum| simd.reduce_sum_f32s(sum)).sum();
        self.lanes.store(S::F32_LANES as u64, Ordering::Relaxed);
    }
}

/// Floating-point operations a second of so many threads that do nothing but multiply and add: the best of some turns of a
/// few milliseconds.
#[expect(clippy::cast_precision_loss, reason = "a rate")]
pub fn peak_flops(threads: usize) -> f64 {
    let of = Loop { turns: 1 << 20, lanes: AtomicU64::new(0) };
    let mut scratch = vec![0.0; scratches(threads.max(1), 1)];
    let best = (0..10).map(|_| {
        let start = Instant::now();
        walk(threads, threads.max(1), 1, &mut scratch, &of);
        start.elapsed().as_secs_f64()
    });
    let best = best.fold(f64::INFINITY, f64::min);
    let operations = 2 * of.turns * SUMS as u64 * of.lanes.load(Ordering::Relaxed) * threads.max(1) as u64;
    operations as f64 / best
}

/// Does the multiplies of a plan's Winograd and nothing else, on whatever the workspace holds. The operations that it did;
/// `None` if the plan is of another algorithm, or not for a CPU.
pub fn multiply_alone(plan: &Plan, packed: &[f32], workspace: &mut [Vec<f32>]) -> Option<f64> {
    let step = plan.cpu_steps.first()?;
    let CpuKernel::Winograd { algorithm, block } = step.kernel else { return None };
    let windows = Windows::new(step.of).ok()?;
    let finish = Finish {
        activation: Activation::None,
        bias: &[],
        slopes: &[],
        from: Residual::None,
        residual: &[],
        stored: DType::F32,
    };
    let winograd = Winograd::new(windows, algorithm, (block, step.threads), &[], packed, finish, &mut []);
    Some(winograd.run_multiply(block.together as usize, workspace))
}
