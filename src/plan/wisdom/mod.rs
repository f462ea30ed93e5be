//! The choices that were measured to be fastest, as text with a line per device and problem. It can be saved, merged,
//! compared by eye and embedded with `include_str!`. The planner checks a choice from wisdom like any other.

mod key;
mod line;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

#[cfg(feature = "internals")]
pub use key::{DeviceKey, ProblemKey};
#[cfg(not(feature = "internals"))]
#[allow(unused_imports, reason = "public with the feature `internals`")]
pub(crate) use key::{DeviceKey, ProblemKey};

use super::{Choice, Preferences, candidate_set};
use crate::caps::Caps;
use crate::error::WisdomError;
use crate::problem::Problem;

/// This crate's version.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// One thing that was found out: on this device, for this problem, that choice.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Entry {
    /// The device.
    pub device: DeviceKey,
    /// The problem, and within what it was solved.
    pub problem: ProblemKey,
    /// The fastest choice.
    pub choice: Choice,
    /// What it took, in nanoseconds.
    pub time_ns: u64,
    /// The crate's version.
    pub version: String,
    /// What it was chosen from, see [`candidate_set()`].
    pub candidates: u64,
    /// The driver, for display only, not part of the key. A new one rarely changes which kernel wins, and comes every
    /// few weeks; with it in the key a file would be of use to few, and for a short time.
    pub driver: String,
}

impl Entry {
    /// What was measured now, with this crate: `choice` takes so long on the device with `caps`.
    pub fn new(problem: &Problem, caps: &Caps, preferences: &Preferences, choice: Choice, time_ns: u64) -> Self {
        Self {
            device: DeviceKey::of(caps),
            problem: ProblemKey::of(problem, preferences),
            choice,
            time_ns,
            version: VERSION.to_owned(),
            candidates: candidate_set(ProblemKey::of(problem, preferences).sizes, caps.matrix_units),
            driver: key::plain(&caps.driver),
        }
    }

    /// Why it is not believed, if so: it was measured with another version of this crate, or of other kernels.
    pub fn outdated(&self) -> Option<Outdated> {
        let here = candidate_set(self.problem.sizes, self.device.matrix_units);
        if self.version != VERSION {
            Some(Outdated::Version(self.version.clone()))
        } else if self.candidates != here {
            Some(Outdated::Candidates { measured: self.candidates, here })
        } else {
            None
        }
    }
}

/// Why an entry is not believed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Outdated {
    /// It is of this version of the crate.
    Version(String),
    /// It was chosen from other candidates.
    Candidates {
        /// Their hash.
        measured: u64,
        /// The hash of those that there are.
        here: u64,
    },
}

impl fmt::Display for Outdated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(f, "it is of version {version}, this is {VERSION}"),
            Self::Candidates { measured, here } => {
                write!(f, "it was chosen from the candidates {measured:016x}, these are {here:016x}")
            }
        }
    }
}

/// Entries, one for each device and problem.
///
/// ```
/// use winoconv::plan::Wisdom;
/// let wisdom = Wisdom::shipped();
/// assert_eq!(Wisdom::parse(&wisdom.to_string())?, *wisdom);
/// # Ok::<(), winoconv::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wisdom {
    /// By device and problem, as they are written: so are they sorted.
    entries: BTreeMap<[String; 2], Entry>,
}

impl Wisdom {
    /// No wisdom: plans are by estimate.
    pub fn new() -> Self {
        Self::default()
    }

    /// What comes with this crate: measured on devices that we had. [`crate::Device`]s take it by default. What is
    /// outdated in it is not believed, and a plan says so.
    ///
    /// # Panics
    /// Never: a test reads the files.
    pub fn shipped() -> Arc<Self> {
        static SHIPPED: OnceLock<Arc<Wisdom>> = OnceLock::new();
        let read = || {
            let mut all = Self::new();
            for (name, text) in Self::SHIPPED_FILES {
                all.merge(Self::parse(text).unwrap_or_else(|error| panic!("wisdom/{name}: {error}")));
            }
            Arc::new(all)
        };
        SHIPPED.get_or_init(read).clone()
    }

    /// The files that come with this crate: name and text.
    pub const SHIPPED_FILES: &[(&str, &str)] = &[
        ("h200.txt", include_str!("../../../wisdom/h200.txt")),
        ("llvmpipe.txt", include_str!("../../../wisdom/llvmpipe.txt")),
    ];

    /// Reads what [`fmt::Display`] writes. Empty lines and lines that begin with `#` say nothing.
    ///
    /// # Errors
    /// The first line that makes no sense, or that a line has the device and the problem of one before it.
    pub fn parse(text: &str) -> Result<Self, WisdomError> {
        let mut wisdom = Self::new();
        for (index, line) in text.lines().enumerate() {
            let line_number = index + 1;
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let entry = line::read(line, line_number)?;
            if wisdom.entries.insert(key_of(&entry), entry).is_some() {
                return Err(WisdomError {
                    line: line_number,
                    what: "the line",
                    got: line.to_owned(),
                    expected: "a device and problem that no earlier line has".to_owned(),
                });
            }
        }
        Ok(wisdom)
    }

    /// Adds an entry, in the place of one for the same device and problem.
    pub fn insert(&mut self, entry: Entry) {
        self.entries.insert(key_of(&entry), entry);
    }

    /// Adds all entries of another. Of two for the same device and problem the faster stays if they were chosen from the
    /// same candidates by the same version, else the other's.
    pub fn merge(&mut self, other: Self) {
        for (key, entry) in other.entries {
            let keeps = |there: &Entry| {
                (&there.version, there.candidates) == (&entry.version, entry.candidates)
                    && there.time_ns < entry.time_ns
            };
            if !self.entries.get(&key).is_some_and(keeps) {
                self.entries.insert(key, entry);
            }
        }
    }

    /// What is known of a problem on a device, within these preferences; outdated or not. Of a device with matrix units it may
    /// be what was found without them.
    pub fn get(&self, problem: &Problem, caps: &Caps, preferences: &Preferences) -> Option<&Entry> {
        if self.entries.is_empty() {
            return None;
        }
        let device = DeviceKey::of(caps);
        let plain = device.matrix_units.then(|| DeviceKey { matrix_units: false, ..device.clone() });
        let problem = ProblemKey::of(problem, preferences).to_string();
        [Some(device), plain].into_iter().flatten().find_map(|device| {
            let key = [device.to_string(), problem.clone()];
            self.entries.get(&key)
        })
    }

    /// All entries, as they are sorted.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.values()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

fn key_of(entry: &Entry) -> [String; 2] {
    [entry.device.to_string(), entry.problem.to_string()]
}

impl fmt::Display for Wisdom {
    /// The text of a file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "# winoconv's wisdom: what was measured to be fastest, written by `cargo xtask hwbench --wisdom`."
        )?;
        writeln!(f, "# {}", line::FORM)?;
        self.entries.values().try_for_each(|entry| writeln!(f, "{}", line::write(entry)))
    }
}
