//! The adapter that a verb measures on, and what its report must say of it.

use winoconv::error::DeviceError;
use winoconv::gpu::{AdapterChoice, ContextOptions, ShaderChecks};
use winoconv::{Device, Error};

use crate::report::{self, Report};
use crate::setup;

/// Which adapter, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// Part of its name, or `software`.
    pub name: Option<&'a str>,
    /// Shaders that check themselves.
    pub checked: bool,
    /// Never install a driver.
    pub no_install: bool,
}

/// The adapter that was asked for, else hardware, else software, else an attempt to install one. `None`, with a note
/// in the report, where there is none.
pub(crate) fn open(asked: &Asked<'_>, report: &mut Report) -> anyhow::Result<Option<Device>> {
    let checks = if asked.checked { ShaderChecks::Checked } else { ShaderChecks::Trusted };
    let open = |choice: AdapterChoice| Device::gpu_blocking(&ContextOptions::default().adapter(choice).checks(checks));
    let choices = match asked.name {
        Some("software") => vec![AdapterChoice::Software],
        Some(name) => vec![AdapterChoice::Named(name.to_owned())],
        None => vec![AdapterChoice::Hardware, AdapterChoice::Software],
    };
    let try_all = || {
        let mut last = None;
        for choice in &choices {
            match open(choice.clone()) {
                Ok(device) => return Ok(device),
                Err(error @ Error::Device(DeviceError::NoAdapter { .. })) => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or(Error::Device(DeviceError::NoAdapter { asked: String::new(), found: String::new() })))
    };
    let device = match try_all() {
        Err(Error::Device(DeviceError::NoAdapter { asked: wanted, found })) if found == "none" => {
            eprintln!("no graphics adapter was found (asked for {wanted})");
            let outcome = setup::ensure_vulkan(asked.no_install);
            eprintln!("{outcome}");
            match try_all() {
                Ok(device) => device,
                Err(error) => {
                    let note = format!("No GPU rows: {error}. {outcome}. Going on with the processor alone.");
                    eprintln!("{note}");
                    report.notes.push(note);
                    return Ok(None);
                }
            }
        }
        other => other?,
    };
    let caps = device.caps();
    eprintln!("adapter: {caps}");
    if caps.is_software() {
        let note = "The adapter is software: its rows are run by the processor through a graphics driver.";
        eprintln!("{note}");
        report.notes.push(note.to_owned());
    }
    report.notes.push(match checks {
        ShaderChecks::Checked => "Shaders check every index and loop while they run (--checked).".to_owned(),
        ShaderChecks::Trusted => "Shaders run without run-time checks of indices and loops.".to_owned(),
    });
    report.adapter = Some(report::Adapter {
        name: caps.name.clone(),
        backend: caps.backend.clone(),
        device_type: caps.kind.to_string(),
        driver: caps.driver.clone(),
        software: caps.is_software(),
    });
    Ok(Some(device))
}
