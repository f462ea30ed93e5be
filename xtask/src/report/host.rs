//! What the report says of the machine: asked of the standard library and of the operating system's own
//! files and tools. Where nothing answers, the field says `unknown` and the benchmark goes on.

use std::process::Command;

use super::Host;

impl Host {
    /// This machine, now. `version` is the crate's, `date` an RFC 3339 time.
    pub(crate) fn here(version: &str, date: &str) -> Host {
        Host {
            os: std::env::consts::OS.into(),
            arch: std::env::consts::ARCH.into(),
            cpu: cpu_name().unwrap_or_else(|| "unknown".into()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            version: version.into(),
            date: date.into(),
            git_revision: first_line("git", &["rev-parse", "--short=12", "HEAD"]),
        }
    }
}

fn cpu_name() -> Option<String> {
    match std::env::consts::OS {
        "macos" => first_line("sysctl", &["-n", "machdep.cpu.brand_string"]),
        "windows" => std::env::var("PROCESSOR_IDENTIFIER").ok(),
        // x86 says `model name`; Arm kernels have no such line and `lscpu` knows the part numbers.
        _ => std::fs::read_to_string("/proc/cpuinfo")
            .ok()
            .and_then(|text| value_of(&text, "model name"))
            .or_else(|| value_of(&output("lscpu", &[])?, "Model name")),
    }
}

/// The value of the first `key : value` line.
fn value_of(text: &str, key: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key && !value.trim().is_empty()).then(|| value.trim().to_owned())
    })
}

fn first_line(program: &str, args: &[&str]) -> Option<String> {
    let line = output(program, args)?.lines().next()?.trim().to_owned();
    (!line.is_empty()).then_some(line)
}

fn output(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
