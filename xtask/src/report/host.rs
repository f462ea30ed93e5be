//! What the report says of the machine. Where nothing answers, the field says `unknown` and the benchmark goes on.

use duct::cmd;

use super::Host;

impl Host {
    pub(crate) fn here() -> Host {
        Host {
            os: std::env::consts::OS.into(),
            arch: std::env::consts::ARCH.into(),
            cpu: cpu_name().unwrap_or_else(|| "unknown".into()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            version: winoconv::VERSION.into(),
            date: jiff::Timestamp::now().to_string(),
            git_revision: cmd!("git", "rev-parse", "--short=12", "HEAD").stderr_null().read().ok(),
        }
    }

    pub(crate) fn machine(&self) -> String {
        format!("{}, {} cores, {} {}", self.cpu, self.cores, self.os, self.arch)
    }

    /// The crate's version, and its commit.
    pub(crate) fn crate_version(&self) -> String {
        let revision = self.git_revision.as_ref().map(|revision| format!(" at {revision}"));
        self.version.clone() + &revision.unwrap_or_default()
    }
}

fn cpu_name() -> Option<String> {
    match std::env::consts::OS {
        "macos" => cmd!("sysctl", "-n", "machdep.cpu.brand_string").read().ok(),
        "windows" => std::env::var("PROCESSOR_IDENTIFIER").ok(),
        // x86 says `model name`; Arm kernels have no such line and `lscpu` knows the part numbers.
        _ => std::fs::read_to_string("/proc/cpuinfo")
            .ok()
            .and_then(|text| value_of(&text, "model name"))
            .or_else(|| value_of(&cmd!("lscpu").read().ok()?, "Model name")),
    }
}

/// The value of the first `key : value` line.
fn value_of(text: &str, key: &str) -> Option<String> {
    let values = text.lines().filter_map(|line| line.split_once(':')).filter(|(name, _)| name.trim() == key);
    values.map(|(_, value)| value.trim().to_owned()).find(|value| !value.is_empty())
}
