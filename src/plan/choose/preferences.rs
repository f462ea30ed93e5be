//! What a caller asks of a plan besides the convolution itself. Preferences are constraints: all of them hold, or
//! there is no plan.

use std::fmt;
use std::hash::{Hash, Hasher};

use super::algorithm::Algorithm;
use super::choice::{Choice, Cut};
use crate::error::PreferenceError;
use crate::kernel::{FusedBlocking, MultiplyCut};

/// How far a result may be from the exact one: the expected relative L2 error on normally distributed data, and on what a ReLU
/// leaves of them.
///
/// It is about all outputs together, and does not bound the error of one output relative to that output. With a Winograd
/// algorithm that error is relative to the largest value of a tile: beside one far larger value zeros become small
/// numbers, and a NaN or an infinity makes its whole tile NaN. Where single outputs matter, ask for direct sums; F(2,3), `staged:f2x3`,
/// has the effect of a NaN alone. `docs/WINOGRAD.md`, "Values far from the others", has the sizes.
///
/// ```
/// use winoconv::{Algorithm, Preferences};
/// let direct_sums = Preferences::new().algorithm(Algorithm::ImplicitGemm);
/// let small_tiles = Preferences::new().algorithm("staged:f2x3".parse()?);
/// # Ok::<(), winoconv::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Tolerance {
    /// A multiple of what direct summation in f32 is expected to have on the same problem and the same kind of data:
    /// finite, and not negative.
    TimesDirect(f64),
    /// A bound of its own, for example `1e-5`: finite, and not negative.
    RelativeL2(f64),
    /// Whatever is fastest.
    Any,
}

impl Tolerance {
    /// Twice what a direct convolution in TF32 is expected to have, of which each factor has 11 bits: `0.42 * 2^-11 * sqrt(2)`.
    /// It admits products by matrix units that round factors in the same way, where the device has such units.
    pub const TF32: Self = Self::RelativeL2(5.8e-4);

    /// The largest expected error allowed where direct summation has `direct`.
    pub fn allowed(self, direct: f64) -> f64 {
        match self {
            Self::TimesDirect(factor) => factor * direct,
            Self::RelativeL2(bound) => bound,
            Self::Any => f64::INFINITY,
        }
    }

    /// Whether its number makes sense.
    pub(in crate::plan) fn check(self) -> Result<(), PreferenceError> {
        let (number, of) = match self {
            Self::TimesDirect(factor) => (factor, "times direct summation's error"),
            Self::RelativeL2(bound) => (bound, "relative to the result"),
            Self::Any => return Ok(()),
        };
        if number.is_finite() && number >= 0.0 {
            return Ok(());
        }
        Err(PreferenceError {
            what: "the tolerance",
            got: format!("{number} {of}"),
            expected: "a finite number of at least 0, or Tolerance::Any",
        })
    }

    fn key(self) -> (u8, u64) {
        match self {
            Self::TimesDirect(factor) => (0, factor.to_bits()),
            Self::RelativeL2(bound) => (1, bound.to_bits()),
            Self::Any => (2, 0),
        }
    }
}

/// Twice the error of direct summation. Of the square transforms of 3 x 3 that admits F(2,3) from 4 channels on, F(4q,3) from
/// 5, F(6q,3) from 13, F(4,3) with our default points from 470; never F(6,3), nor F(4,3) with the textbook's points. On normal
/// data alone it would be 2, 2, 5 and 25. That is where all channels are one sum and multiply-adds round twice, as on
/// software adapters: on GPUs F(4,3) needs 170 channels, and with the CPU kernels, whose sums are short, about 45.
impl Default for Tolerance {
    fn default() -> Self {
        Self::TimesDirect(2.0)
    }
}

impl PartialEq for Tolerance {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Tolerance {}

impl Hash for Tolerance {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl fmt::Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimesDirect(factor) => write!(f, "expected error at most {factor} times direct summation's"),
            Self::RelativeL2(bound) => write!(f, "expected error at most {bound:.1e}"),
            Self::Any => f.write_str("any error"),
        }
    }
}

/// What a caller asks of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Preferences {
    /// How far the result may be from the exact one. Default: [`Tolerance::TimesDirect`]`(2.0)`.
    pub tolerance: Tolerance,
    /// Most bytes between input and output, packed weights not counted. Default: [`Self::DEFAULT_WORKSPACE`].
    pub workspace_limit: u64,
    /// A forced algorithm. If it cannot run, that is an error; another one is never taken.
    pub algorithm: Option<Algorithm>,
    /// A forced blocking. Algorithms that do not support it are rejected.
    pub cut: Option<Cut>,
}

impl Preferences {
    /// 90 MiB. VGG 5 at N = 32, in one chunk instead of the two that 64 MiB allow, took 274 us instead of 327 on an H100.
    pub const DEFAULT_WORKSPACE: u64 = 90 << 20;

    /// The default preferences.
    pub fn new() -> Self {
        Self { tolerance: Tolerance::default(), workspace_limit: Self::DEFAULT_WORKSPACE, algorithm: None, cut: None }
    }

    /// Sets the tolerance.
    #[must_use]
    pub const fn tolerance(mut self, tolerance: Tolerance) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Sets the workspace limit in bytes.
    #[must_use]
    pub const fn workspace_limit(mut self, bytes: u64) -> Self {
        self.workspace_limit = bytes;
        self
    }

    /// Forces an algorithm. The other preferences still hold: to force one whose expected error is above the
    /// tolerance, raise the tolerance as well.
    #[must_use]
    pub const fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = Some(algorithm);
        self
    }

    /// Forces how the work is cut.
    #[must_use]
    pub const fn cut(mut self, cut: Cut) -> Self {
        self.cut = Some(cut);
        self
    }

    /// Forces an algorithm and how its work is cut: everything that a planner chooses.
    #[must_use]
    pub const fn choice(self, choice: Choice) -> Self {
        self.algorithm(choice.algorithm).cut(choice.cut)
    }

    /// Whether they make sense: whatever is planned asks this first. A workspace limit of 0 does.
    ///
    /// # Errors
    /// [`PreferenceError`] for a tolerance that is not a number, infinite or negative.
    pub fn validate(&self) -> Result<(), PreferenceError> {
        self.tolerance.check()
    }

    /// Whether the choice is the planner's.
    pub(in crate::plan) const fn is_open(&self) -> bool {
        self.algorithm.is_none() && self.cut.is_none()
    }

    /// The blocking that fused kernels must have.
    pub(in crate::plan) const fn fused_blocking(&self) -> Option<FusedBlocking> {
        match self.cut {
            Some(Cut::Fused(blocking)) => Some(blocking),
            _ => None,
        }
    }

    /// The cut that an implicit product must have.
    pub(in crate::plan) const fn gemm_cut(&self) -> Option<MultiplyCut> {
        match self.cut {
            Some(Cut::Gemm(cut)) => Some(cut),
            _ => None,
        }
    }

    /// The cut that the staged multiply must have.
    pub(in crate::plan) const fn multiply_cut(&self) -> Option<MultiplyCut> {
        match self.cut {
            Some(Cut::Multiply(cut)) => Some(cut),
            _ => None,
        }
    }
}

impl Default for Preferences {
    fn default() -> Self {
        Self::new()
    }
}
