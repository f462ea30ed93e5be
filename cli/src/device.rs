//! The device that is taken, and why.

use winoconv::Device;
use winoconv::caps::DeviceKind;
use winoconv::gpu::{AdapterChoice, ContextOptions, adapters};
use winoconv_models::Options;

use crate::args::{On, Place, PrecisionName, Writing};
use crate::error::{CliError, Result};

/// The device that was asked for. A GPU that was asked for by name and is not there is an error; without a wish it is the best
/// hardware GPU, or else the CPU, and which of them is said.
pub(crate) fn choose(place: &Place, writing: Option<&Writing>) -> Result<Device> {
    let device = match &place.device {
        _ if place.cpu => Device::cpu(),
        Some(name) => {
            let options = ContextOptions::default().adapter(AdapterChoice::Named(name.clone()));
            pollster::block_on(Device::gpu(&options)).map_err(|device| CliError::Device { device })?
        }
        None => pollster::block_on(Device::best()),
    };
    if writing.is_none_or(|writing| !writing.quiet) {
        let threads = match device.caps() {
            caps if caps.kind == DeviceKind::Cpu => format!("; {} threads", caps.threads),
            _ => String::new(),
        };
        match device.fallback() {
            Some(fallback) => eprintln!("device: {fallback}{threads}"),
            None => eprintln!("device: {}{threads}", device.caps()),
        }
        if place.precision == PrecisionName::F16 && device.context().is_none() {
            eprintln!("precision: the CPU stores tensors with 32 bits, as with tf32; f16 saves memory on a GPU");
        }
    }
    Ok(device)
}

/// The options of a network on it.
pub(crate) fn options(on: &On, device: &Device) -> Options {
    Options::new(device).precision(on.place.precision.into()).memory(on.memory << 20)
}

pub(crate) fn list() {
    for caps in pollster::block_on(adapters()) {
        println!("{caps}");
    }
    println!("{} (--cpu)", Device::cpu().caps());
}
