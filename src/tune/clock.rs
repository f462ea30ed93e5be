//! The time that tuning takes: by the clock, or, where there is none, the time that was measured on the device.

use std::time::Duration;

pub(super) struct Clock {
    #[cfg(not(target_arch = "wasm32"))]
    start: std::time::Instant,
    measured: Duration,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self {
            #[cfg(not(target_arch = "wasm32"))]
            start: std::time::Instant::now(),
            measured: Duration::ZERO,
        }
    }

    /// A time was measured on the device.
    pub(super) fn add(&mut self, measured: Duration) {
        self.measured += measured;
    }

    pub(super) fn elapsed(&self) -> Duration {
        #[cfg(not(target_arch = "wasm32"))]
        return self.start.elapsed().max(self.measured);
        #[cfg(target_arch = "wasm32")]
        return self.measured;
    }
}
