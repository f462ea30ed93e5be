//! Errors of devices, made typed: scopes around what we create, and on our own devices a place where late errors wait
//! for the next call.

use std::cell::Cell;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{DeviceError, Error, Result};

thread_local! {
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// Does what may make a device report an error that is no fault of its own: on this thread, for as long as it takes.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn expecting_errors<T>(work: impl FnOnce() -> T) -> T {
    EXPECTED.set(true);
    let done = work();
    EXPECTED.set(false);
    done
}

/// Late errors of a device of our own; the first one is kept.
#[derive(Debug, Clone, Default)]
pub(super) struct Faults(Arc<Mutex<Option<DeviceError>>>);

impl Faults {
    /// Listens to everything that a device of our own reports outside of scopes.
    pub(super) fn listen(device: &wgpu::Device) -> Self {
        let faults = Self::default();
        let late = faults.clone();
        device.on_uncaptured_error(Arc::new(move |error| {
            if !EXPECTED.get() {
                late.put(convert(&error, "running"));
            }
        }));
        let lost = faults.clone();
        device.set_device_lost_callback(move |reason, message| {
            let destroyed = reason == wgpu::DeviceLostReason::Destroyed;
            lost.put(DeviceError::Lost { message: if destroyed { "it was destroyed".to_owned() } else { message } });
        });
        faults
    }

    fn put(&self, error: DeviceError) {
        let mut fault = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A lost device takes precedence over earlier errors.
        if fault.is_none() || matches!(error, DeviceError::Lost { .. }) {
            *fault = Some(error);
        }
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

/// [`scoped`] where nothing can be awaited. In a browser, where the answer comes later, errors go where the device's do.
pub(super) fn scoped_at_once<T, C>(device: &wgpu::Device, during: &str, create: C) -> Result<T>
where
    T: wgpu::WasmNotSend,
    C: FnOnce() -> T,
{
    #[cfg(not(target_arch = "wasm32"))]
    return pollster::block_on(scoped(device, during, create));
    #[cfg(target_arch = "wasm32")]
    {
        let _ = (device, during);
        Ok(create())
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
    // The error's own text has those of its causes in it, on lines of their own.
    let mut causes = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        causes.push(inner.to_string());
        cause = inner.source();
    }
    let message = if causes.is_empty() { error.to_string() } else { causes.join(": ") };
    if let Some(what) = destroyed(error) {
        return DeviceError::Destroyed { what };
    }
    match error {
        wgpu::Error::OutOfMemory { .. } => DeviceError::OutOfMemory { during, message },
        wgpu::Error::Validation { .. } => DeviceError::Validation { during, message },
        wgpu::Error::Internal { .. } => DeviceError::Internal { during, message },
    }
}

/// What was destroyed, if that is the error. wgpu says it in the innermost cause: "Buffer with 'output' label has been destroyed".
fn destroyed(error: &wgpu::Error) -> Option<String> {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string().strip_suffix(" has been destroyed").map(ToOwned::to_owned)
}
