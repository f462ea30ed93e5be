//! The process's resident memory over time, and whether it is flat.

use std::time::Duration;

use anyhow::ensure;

use crate::report::units::median;

/// Parts of the run that are compared: the second fifth, when caches are full, and the last.
const PARTS: [[f64; 2]; 2] = [[0.2, 0.4], [0.8, 1.0]];
/// How much larger the median of the last part may be.
const FACTOR: f64 = 1.2;

pub(super) struct Memory {
    length: Duration,
    /// In MiB.
    samples: Vec<(Duration, f64)>,
}

impl Memory {
    pub(super) fn new(length: Duration) -> Self {
        Self { length, samples: Vec::new() }
    }

    pub(super) fn sample(&mut self, at: Duration) {
        self.samples.extend(resident().map(|kib| (at, kib as f64 / 1024.0)));
    }

    pub(super) fn now(&self) -> String {
        let last = self.samples.last();
        last.map_or_else(|| "memory unknown".to_owned(), |(_, mib)| format!("{mib:.0} MiB resident"))
    }

    /// That it is flat, in words; an error if it grew.
    pub(super) fn judge(&self) -> anyhow::Result<String> {
        let medians = PARTS.map(|part| {
            let [from, to] = part.map(|part| self.length.mul_f64(part));
            let within = self.samples.iter().filter(|(at, _)| (from..=to).contains(at));
            median(&within.map(|(_, mib)| *mib).collect::<Vec<_>>())
        });
        let [Some(early), Some(late)] = medians else {
            return Ok("memory was not judged: this system does not say, or the run was too short".to_owned());
        };
        let [[from, to], [late_from, _]] = PARTS.map(|part| part.map(|part| 100.0 * part));
        let words = format!(
            "memory: {early:.0} MiB from {from} to {to} % of the time, {late:.0} MiB from {late_from} % on (medians)"
        );
        ensure!(late <= FACTOR * early, "{words}: more than {FACTOR} times as much");
        Ok(format!("{words}: flat, within {FACTOR} times"))
    }
}

/// Linux says it in a file.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_told_from_a_warm_up() {
        let of = |kib: fn(u64) -> u64| {
            let mut memory = Memory::new(Duration::from_secs(100));
            memory.samples =
                (0..=100).map(|second| (Duration::from_secs(second), kib(second) as f64 / 1024.0)).collect();
            memory.judge()
        };
        let flat = of(|second| 200_000 + 10_000 * second.min(15) + second % 7).expect("flat after the warm-up");
        assert!(flat.contains("flat"), "{flat}");
        let grown = of(|second| 200_000 + 3_000 * second).expect_err("it grows all the time").to_string();
        assert!(grown.contains("more than 1.2 times"), "{grown}");
        assert!(Memory::new(Duration::ZERO).judge().expect("nothing to judge").contains("not judged"));
        assert_eq!(resident().is_some_and(|kib| kib > 100), cfg!(target_os = "linux"));
    }
}
