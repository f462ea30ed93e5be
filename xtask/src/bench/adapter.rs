//! The adapter that a verb measures on, and what its report must say of it.

use winoconv::error::DeviceError;
use winoconv::gpu::{AdapterChoice, ContextOptions, ShaderChecks};
use winoconv::{Device, Error};

use crate::report::{self, Report};
use crate::setup;

#[derive(Debug, Clone, Default, clap::Args, serde::Serialize, serde::Deserialize)]
#[group(skip)]
pub(crate) struct Adapter {
    /// Part of an adapter's name, or `software` [default: the best hardware, else a software adapter]
    #[arg(long, value_name = "NAME")]
    pub(crate) adapter: Option<String>,
    /// Shaders that check every index and loop while they run
    #[arg(long)]
    pub(crate) checked: bool,
    /// Never install a driver
    #[arg(long)]
    no_install: bool,
}

impl Adapter {
    pub(crate) fn named(name: &str) -> Self {
        Self { adapter: Some(name.to_owned()), ..Self::default() }
    }

    pub(crate) fn open(&self, options: &ContextOptions) -> winoconv::Result<Device> {
        let open = |choice| Device::gpu_blocking(&options.clone().adapter(choice).checks(self.checks()));
        match self.adapter.as_deref() {
            Some("software") => open(AdapterChoice::Software),
            Some(name) => open(AdapterChoice::Named(name.to_owned())),
            None => match open(AdapterChoice::Hardware) {
                Err(Error::Device(DeviceError::NoAdapter { .. })) => open(AdapterChoice::Software),
                other => other,
            },
        }
    }

    /// The same, after an attempt to install a driver where there is none. `None`, with a note in the report, where that
    /// does not help.
    pub(crate) fn open_for(&self, report: &mut Report) -> anyhow::Result<Option<Device>> {
        let note = |report: &mut Report, text: String| {
            eprintln!("{text}");
            report.notes.push(text);
        };
        let device = match self.open(&ContextOptions::default()) {
            Err(Error::Device(DeviceError::NoAdapter { found, .. })) if found == "none" => {
                let setup = setup::install(&setup::VULKAN, self.no_install);
                let outcome = setup.err().map(|error| error.to_string()).unwrap_or_default();
                match self.open(&ContextOptions::default()) {
                    Ok(device) => device,
                    Err(error) => {
                        note(report, format!("No GPU rows: {error}. {outcome}. Going on with the CPU alone."));
                        return Ok(None);
                    }
                }
            }
            other => other?,
        };
        let caps = device.caps();
        eprintln!("adapter: {caps}");
        if caps.is_software() {
            let text = "The adapter is software: its rows are run by the CPU through a graphics driver.";
            note(report, text.to_owned());
        }
        report.notes.push(match self.checks() {
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

    fn checks(&self) -> ShaderChecks {
        if self.checked { ShaderChecks::Checked } else { ShaderChecks::Trusted }
    }
}
