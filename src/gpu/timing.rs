//! Time on the device: between two timestamps around a pass, or by the clock where there are none.

use std::time::Duration;

use super::context::Context;
use super::fault::scoped;
use crate::error::Result;

impl Context {
    /// Runs what `encode` puts into a compute pass and returns how long the pass took on the device. Where the device
    /// has no timestamps ([`crate::caps::Caps::timestamps`]) it is the time from submission to completion.
    ///
    /// # Errors
    /// What `encode` says, and then nothing is submitted; whatever the device reports.
    pub async fn time(&self, encode: impl FnOnce(&mut wgpu::ComputePass<'_>) -> Result<()>) -> Result<Duration> {
        if self.caps().timestamps { self.time_by_stamps(encode).await } else { self.time_by_clock(encode).await }
    }

    async fn time_by_stamps(&self, encode: impl FnOnce(&mut wgpu::ComputePass<'_>) -> Result<()>) -> Result<Duration> {
        let device = self.device();
        let (set, resolved) = scoped(device, "preparing timestamps", || {
            let set = device.create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("timing"),
                ty: wgpu::QueryType::Timestamp,
                count: 2,
            });
            let resolved = device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("timing"),
                size: 16,
                usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
                mapped_at_creation: false,
            });
            (set, resolved)
        })
        .await?;
        let pass_and_resolve = |encoder: &mut wgpu::CommandEncoder| {
            encode(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: Some("timing"),
                timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                    query_set: &set,
                    beginning_of_pass_write_index: Some(0),
                    end_of_pass_write_index: Some(1),
                }),
            }))?;
            encoder.resolve_query_set(&set, 0..2, &resolved, 0);
            Ok(())
        };
        let read = |bytes: &[u8]| bytemuck::pod_collect_to_vec::<u8, u64>(bytes);
        let stamps = self.download_after(pass_and_resolve, &resolved, 16, read).await?;
        #[expect(clippy::cast_precision_loss, reason = "a time of far less than 2^53 ticks")]
        let ticks = stamps[1].saturating_sub(stamps[0]) as f64;
        Ok(Duration::from_secs_f64(ticks * f64::from(self.queue().get_timestamp_period()) * 1e-9))
    }

    async fn time_by_clock(&self, encode: impl FnOnce(&mut wgpu::ComputePass<'_>) -> Result<()>) -> Result<Duration> {
        self.wait()?;
        let encoded = scoped(self.device(), "encoding what is timed", || {
            let descriptor = wgpu::CommandEncoderDescriptor { label: Some("timing") };
            let mut encoder = self.device().create_command_encoder(&descriptor);
            encode(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()))?;
            Ok(encoder.finish())
        });
        let encoded: Result<Result<wgpu::CommandBuffer>> = encoded.await;
        let commands = encoded??;
        #[cfg(not(target_arch = "wasm32"))]
        let start = std::time::Instant::now();
        let submitted = scoped(self.device(), "submitting what is timed", || self.queue().submit([commands])).await;
        self.wait()?;
        submitted?;
        #[cfg(not(target_arch = "wasm32"))]
        return Ok(start.elapsed());
        #[cfg(target_arch = "wasm32")]
        return Ok(Duration::ZERO);
    }
}
