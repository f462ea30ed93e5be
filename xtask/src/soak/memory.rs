//! The process's resident memory over time, and whether it is flat.

use std::time::Duration;

use anyhow::ensure;

/// Parts of the run that are compared: the second fifth, when caches are full, and the last.
const PARTS: [[f64; 2]; 2] = [[0.2, 0.4], [0.8, 1.0]];
/// How much larger the median of the last part may be.
const FACTOR: f64 = 1.2;

pub(super) struct Memory {
    length: Duration,
    samples: Vec<(Duration, u64)>,
}

impl Memory {
    pub(super) fn new(length: Duration) -> Self {
        Self { length, samples: Vec::new() }
    }

    pub(super) fn sample(&mut self, at: Duration) {
        if let Some(kib) = resident() {
            self.samples.push((at, kib));
        }
    }

    pub(super) fn now(&self) -> String {
        let last = self.samples.last();
        last.map_or_else(|| "memory unknown".to_owned(), |(_, kib)| format!("{} MiB resident", kib >> 10))
    }

    /// That it is flat, in words; an error if it grew.
    pub(super) fn judge(&self) -> anyhow::Result<String> {
        let medians = PARTS.map(|[from, to]| self.median(self.length.mul_f64(from), self.length.mul_f64(to)));
        let [Some(early), Some(late)] = medians else {
            return Ok("memory was not judged: this system does not say, or the run was too short".to_owned());
        };
        let [[from, to], [late_from, _]] = PARTS.map(|part| part.map(|part| 100.0 * part));
        let words = format!(
            "memory: {} MiB from {from} to {to} % of the time, {} MiB from {late_from} % on (medians)",
            early >> 10,
            late >> 10
        );
        ensure!(late as f64 <= FACTOR * early as f64, "{words}: more than {FACTOR} times as much");
        Ok(format!("{words}: flat, within {FACTOR} times"))
    }

    fn median(&self, from: Duration, to: Duration) -> Option<u64> {
        let within = self.samples.iter().filter(|(at, _)| (from..=to).contains(at));
        let mut all: Vec<u64> = within.map(|&(_, kib)| kib).collect();
        all.sort_unstable();
        all.get(all.len() / 2).copied()
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
            memory.samples = (0..=100).map(|second| (Duration::from_secs(second), kib(second))).collect();
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
