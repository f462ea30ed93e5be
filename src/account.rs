//! The account of a run: a typed value, so that nothing about the run has to be read from a log.

mod shortfall;

use std::fmt;

pub use shortfall::Shortfall;

use crate::caps::Caps;
use crate::device::{Device, Fallback};
use crate::plan::{Candidate, Choice, Origin, Plan};

/// What ran, on which device, and why the other candidates did not run.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Account {
    /// The device.
    pub device: Caps,
    /// Whether the CPU did the work, directly or through a software adapter.
    pub software: bool,
    /// The algorithm and how its work was cut.
    pub choice: Choice,
    /// Where that choice comes from: estimates, wisdom or demand.
    pub origin: Origin,
    /// The kernels of a run, by variant name.
    pub kernels: Vec<String>,
    /// Dispatches of a run.
    pub dispatches: usize,
    /// Bytes between input and output.
    pub workspace_bytes: u64,
    /// Bytes of the packed weights; 0 if they are used as given.
    pub packed_bytes: u64,
    /// Expected relative L2 error on normally distributed data.
    pub expected_error: f64,
    /// Every algorithm that was considered, with the verdict on it.
    pub candidates: Vec<Candidate>,
    /// Why the device is not the one that was requested, if it is another one.
    pub fallback: Option<Fallback>,
    /// What the device lacks and this plan would use.
    pub shortfalls: Vec<Shortfall>,
}

impl Account {
    /// The account of a plan on a device.
    pub fn new(plan: &Plan, device: &Device) -> Self {
        Self {
            device: device.caps().clone(),
            software: device.caps().is_software(),
            choice: plan.choice(),
            origin: plan.origin.clone(),
            kernels: plan.kernel_names(),
            dispatches: plan.step_count(),
            workspace_bytes: plan.workspace_bytes(),
            packed_bytes: plan.packed_bytes(),
            expected_error: plan.expected_error(),
            candidates: plan.candidates.clone(),
            fallback: device.fallback().cloned(),
            shortfalls: Shortfall::of(plan, device),
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({}) on {}: {} dispatches of {}",
            self.choice.algorithm,
            self.origin,
            self.device,
            self.dispatches,
            self.kernels.join(", ")
        )?;
        if let Some(fallback) = &self.fallback {
            write!(f, "; {fallback}")?;
        }
        for shortfall in &self.shortfalls {
            write!(f, "; {shortfall}")?;
        }
        Ok(())
    }
}
