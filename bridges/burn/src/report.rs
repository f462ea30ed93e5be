//! What ran, and why.

use std::fmt;
use std::sync::Arc;

use burn::tensor::{DType, Device};
use winoconv::{Operation, Plan};

use crate::device::{self, Call};
use crate::geometry::Geometry;

/// What computed a convolution or one of its gradients.
#[derive(Debug, Clone)]
pub enum Ran {
    /// Winoconv's kernels, by this plan.
    Winoconv {
        /// The algorithm, its kernels, and why each other one was rejected.
        plan: Arc<Plan>,
    },
    /// Burn's own kernels.
    Burn {
        /// Why winoconv's did not.
        why: Why,
    },
}

/// Why burn's own kernels ran.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Why {
    /// Winoconv does not know the device's wgpu handles.
    #[error("the device was not given to winoconv_burn::attach")]
    NotAttached,
    /// The tensors have another element type than f32.
    #[error("the tensors are {0:?}, expected F32")]
    Dtype(DType),
    /// Winoconv refused the convolution, or the device failed.
    #[error(transparent)]
    Winoconv(#[from] winoconv::Error),
    /// Burn's runtime did not hand out a buffer.
    #[error("burn's runtime gave no buffer: {0}")]
    Runtime(String),
}

/// A convolution or a gradient that ran on a device.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The convolution, or which of its gradients.
    pub operation: Operation,
    /// Its sizes.
    pub geometry: Geometry,
    /// What ran the last time.
    pub ran: Ran,
    /// How often it ran.
    pub runs: u64,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, geometry, ran, runs } = self;
        write!(f, "{operation:?} {geometry}: {ran}, {runs} times")
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Winoconv { plan } => write!(f, "winoconv {}", plan.choice()),
            Self::Burn { why } => write!(f, "burn ({why})"),
        }
    }
}

/// What ran on a device, the latest first: the last [`CAPACITY`](crate::CAPACITY) different ones.
///
/// Burn may run work later than it is called. Call `device.sync()` first to see all of it.
pub fn report(device: &Device) -> Vec<Entry> {
    let Some(device) = device::cube(device) else { return Vec::new() };
    let state = device::state(&device);
    let state = device::lock(&state);
    let entry = |(Call { operation, geometry, .. }, record): (&Call, &device::Record)| Entry {
        operation: *operation,
        geometry: geometry.clone(),
        ran: record.ran.clone(),
        runs: record.runs,
    };
    state.records().map(entry).collect()
}
