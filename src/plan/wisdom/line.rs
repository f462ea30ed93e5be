//! A line of a wisdom file.

use super::Entry;
use super::key::{DeviceKey, ProblemKey};
use crate::error::{Error, WisdomError};

/// What stands in a line.
pub(super) const FORM: &str = "device, backend, bytes of workgroup memory, invocations of a workgroup | problem | \
                               choice | time | version and candidates | driver";

const SEPARATOR: &str = " | ";

pub(super) fn write(entry: &Entry) -> String {
    let Entry { device, problem, choice, time_ns, version, candidates, driver } = entry;
    let (micros, nanos) = (time_ns / 1000, time_ns % 1000);
    format!("{device} | {problem} | {choice} | {micros}.{nanos:03} us | {version} {candidates:016x} | {driver}")
}

/// Reads what [`write()`] writes.
pub(super) fn read(text: &str, line: usize) -> Result<Entry, WisdomError> {
    let wrong =
        |what: &'static str, got: &str, expected: String| WisdomError { line, what, got: got.to_owned(), expected };
    let parts: Vec<&str> = text.trim_end().split(SEPARATOR).collect();
    // A driver may say nothing, and its separator then ends the line.
    let (device, problem, choice, time, set, driver) = match *parts.as_slice() {
        [device, problem, choice, time, set, driver] => (device, problem, choice, time, set, driver),
        [device, problem, choice, time, set] if set.ends_with(" |") => {
            (device, problem, choice, time, set.trim_end_matches(" |"), "")
        }
        _ => return Err(wrong("the line", text, FORM.to_owned())),
    };
    let (version, hash) = set.split_once(' ').unwrap_or((set, ""));
    let candidates = (!version.is_empty() && hash.len() == 16).then(|| u64::from_str_radix(hash, 16).ok()).flatten();
    Ok(Entry {
        device: DeviceKey::read(device).ok_or_else(|| {
            wrong(
                "the device",
                device,
                "name, backend, bytes of workgroup memory, invocations of a workgroup".to_owned(),
            )
        })?,
        problem: ProblemKey::read(problem).ok_or_else(|| {
            let example = "1x64x56x56 -> 64, 3x3, padding 1x1; taps=3x3 error=2xdirect workspace=94371840";
            wrong("the problem", problem, format!("for instance {example}"))
        })?,
        choice: choice.parse().map_err(|error: Error| match error {
            Error::Unsupported { why, .. } => {
                wrong("the choice", choice, why.trim_start_matches("expected ").to_owned())
            }
            other => wrong("the choice", choice, other.to_string()),
        })?,
        time_ns: read_time(time).ok_or_else(|| wrong("the time", time, "for instance 41.236 us".to_owned()))?,
        candidates: candidates.ok_or_else(|| {
            wrong("the version and the candidates' hash", set, "for instance 0.1.0 0123456789abcdef".to_owned())
        })?,
        version: version.to_owned(),
        driver: driver.to_owned(),
    })
}

fn read_time(text: &str) -> Option<u64> {
    let (micros, nanos) = text.strip_suffix(" us")?.split_once('.')?;
    if nanos.len() != 3 {
        return None;
    }
    micros.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(nanos.parse().ok()?)
}
