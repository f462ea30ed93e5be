//! How far the work is: a bar on a terminal, with the time that is left.

use std::ops::ControlFlow;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use winoconv_models::Progress;

/// Tiles of one picture.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// It shows on a terminal only.
    pub(crate) fn new(name: String, is_quiet: bool) -> Self {
        let target = if is_quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(1), target).with_message(name);
        let style = ProgressStyle::with_template("{msg} {wide_bar} tile {pos} of {len}, {elapsed}, {eta} left");
        // The template is tested.
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    pub(crate) fn set(&self, progress: Progress) -> ControlFlow<()> {
        self.0.set_length(progress.count as u64);
        self.0.set_position(progress.done as u64);
        ControlFlow::Continue(())
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
