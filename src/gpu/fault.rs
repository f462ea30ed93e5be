//! Errors of devices, made typed: scopes around what we create, and on our own devices a place where late errors wait
//! for the next call.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{DeviceError, Error, Result};

/// Late errors of a device of our own; the first one is kept.
#[derive(Debug, Clone, Default)]
pub(super) struct Faults(Arc<Mutex<Option<DeviceError>>>);

impl Faults {
    /// Listens to everything that a device of our own reports outside of scopes.
    pub(super) fn listen(device: &wgpu::Device) -> Self {
        let faults = Self::default();
        let late = faults.clone();
        device.on_uncaptured_error(Arc::new(move |error| late.put(convert(&error, "running"))));
        let lost = faults.clone();
        device.set_device_lost_callback(move |reason, message| {
            // Destroying a device on purpose is no fault.
            if reason != wgpu::DeviceLostReason::Destroyed {
                lost.put(DeviceError::Lost { message });
            }
        });
        faults
    }

    fn put(&self, error: DeviceError) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    /// The first late error, if there was one. A lost device stays lost, others are reported once.
    pub(super) fn check(&self) -> Result<()> {
        let mut fault = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match fault.as_ref() {
            None => Ok(()),
            Some(lost @ DeviceError::Lost { .. }) => Err(Error::Device(lost.clone())),
            Some(_) => fault.take().map_or(Ok(()), |error| Err(Error::Device(error))),
        }
    }
}

/// Runs `create` and catches what the device says of it.
pub(super) fn scoped<T, C>(
    device: &wgpu::Device,
    during: &str,
    create: C,
) -> impl Future<Output = Result<T>> + wgpu::WasmNotSend + use<T, C>
where
    T: wgpu::WasmNotSend,
    C: FnOnce() -> T,
{
    let memory = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
    let internal = device.push_error_scope(wgpu::ErrorFilter::Internal);
    let validation = device.push_error_scope(wgpu::ErrorFilter::Validation);
    let made = create();
    // Scopes end here; only their results are awaited.
    let results = (validation.pop(), internal.pop(), memory.pop());
    let during = during.to_owned();
    async move {
        let errors = [results.0.await, results.1.await, results.2.await];
        match errors.iter().flatten().next() {
            Some(error) => Err(convert(error, &during).into()),
            None => Ok(made),
        }
    }
}

fn convert(error: &wgpu::Error, during: &str) -> DeviceError {
    let during = during.to_owned();
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        message.push_str(": ");
        message.push_str(&inner.to_string());
        cause = inner.source();
    }
    match error {
        wgpu::Error::OutOfMemory { .. } => DeviceError::OutOfMemory { during, message },
        wgpu::Error::Validation { .. } => DeviceError::Validation { during, message },
        wgpu::Error::Internal { .. } => DeviceError::Internal { during, message },
    }
}
