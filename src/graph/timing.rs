//! How long a network takes.

use std::fmt;
use std::time::Duration;

use super::Dims;
#[cfg(not(target_arch = "wasm32"))]
use super::compile::Step;
#[cfg(not(target_arch = "wasm32"))]
use super::network::{Network, lock};
#[cfg(not(target_arch = "wasm32"))]
use crate::error::Result;

/// How long a step of a [`Program`](super::Program) took, see [`Network::profile`](super::Network::profile).
#[derive(Debug, Clone, PartialEq)]
pub struct StepTime {
    /// The node that the step ends with.
    pub name: String,
    /// What it does.
    pub work: String,
    /// Sizes of its result.
    pub output: Dims,
    /// The time.
    pub time: Duration,
}

impl fmt::Display for StepTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, work, output, time } = self;
        write!(f, "{:9.1} us  {name}: {work} -> {output}", time.as_secs_f64() * 1e6)
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Network {
    /// Runs on slices, and measures each step of the program by itself: the time on the device, see
    /// [`crate::gpu::Context::time`], or by the clock on the CPU. A step's least time of so many runs counts.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn profile(&self, inputs: &[&[f32]], runs: u32) -> Result<Vec<StepTime>> {
        self.run(inputs).await?;
        let of_step = |step: &Step| StepTime {
            name: step.name.clone(),
            work: step.work.to_string(),
            output: step.output.dims,
            time: Duration::MAX,
        };
        let mut times: Vec<StepTime> = self.program.steps.iter().map(of_step).collect();
        #[cfg(feature = "gpu")]
        if let Some(on_gpu) = &self.on_gpu {
            let ends = self.ends(on_gpu).await?;
            for (i, of) in times.iter_mut().enumerate() {
                for _ in 0..runs.max(1) {
                    of.time = of.time.min(on_gpu.context().time(|pass| ends.bound.encode_part(pass, i)).await?);
                }
            }
            *lock(&on_gpu.kept) = Some(ends);
            return Ok(times);
        }
        for _ in 0..runs.max(1) {
            let mut last = std::time::Instant::now();
            let measure = |i: usize| {
                let now = std::time::Instant::now();
                times[i].time = times[i].time.min(now - last);
                last = now;
            };
            self.run_on_cpu(inputs, measure).await?;
        }
        Ok(times)
    }

    /// Runs on slices, and gives the time of a run: on the device alone, without copies of inputs and outputs, see
    /// [`crate::gpu::Context::time`]; or by the clock on the CPU. The least of so many runs counts.
    ///
    /// ```
    /// use winoconv::graph::{Graph, Network};
    /// use winoconv::{Conv, Device, Preferences};
    ///
    /// let mut net = Graph::new();
    /// let x = net.input("x", [1, 1, 4, 4])?;
    /// let y = net.conv(x, Conv::new(1, 1, [3, 3]), vec![1.0; 9], [])?;
    /// net.output("y", y)?;
    /// let network = Network::new_blocking(&Device::cpu(), &net, Preferences::new())?;
    /// println!("{:?}", network.time_blocking(&[&[1.0; 16]], 5)?);
    /// # Ok::<(), winoconv::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn time(&self, inputs: &[&[f32]], runs: u32) -> Result<Duration> {
        // The first run is no measurement: a device that waited is slow.
        self.run(inputs).await?;
        let mut least = Duration::MAX;
        #[cfg(feature = "gpu")]
        if let Some(on_gpu) = &self.on_gpu {
            let ends = self.ends(on_gpu).await?;
            for _ in 0..runs.max(1) {
                least = least.min(on_gpu.context().time(|pass| ends.bound.encode_pass(pass)).await?);
            }
            *lock(&on_gpu.kept) = Some(ends);
            return Ok(least);
        }
        for _ in 0..runs.max(1) {
            let start = std::time::Instant::now();
            self.run_on_cpu(inputs, |_| ()).await?;
            least = least.min(start.elapsed());
        }
        Ok(least)
    }

    /// As [`Self::time`], waiting for it.
    ///
    /// # Errors
    /// As there.
    pub fn time_blocking(&self, inputs: &[&[f32]], runs: u32) -> Result<Duration> {
        pollster::block_on(self.time(inputs, runs))
    }
}
