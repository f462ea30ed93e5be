//! Everything that a planner decides about a problem, as one value with a label that reads back.

use std::fmt;
use std::str::FromStr;

use super::algorithm::Algorithm;
use crate::error::{Error, Result};
use crate::kernel::{
    Blocking, FusedBlocking, ImplicitGemm, ImplicitGemmUnits, MultiplyCut, PatchBlocking, Products, UnitBlocking,
    UnitCut,
};
use crate::winograd::error_bound::Halves;

/// The blocking of an algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cut {
    /// No blocking to choose: `direct`, `dot`, the exhibit, an empty problem, `depthwise` for any filter; or the kernel
    /// blocks its work itself, as the CPU's do.
    Only,
    /// The product of `implicit_gemm`.
    Gemm(MultiplyCut),
    /// Outputs of an invocation of `depthwise`.
    Patch(PatchBlocking),
    /// The product of `staged`.
    Multiply(MultiplyCut),
    /// The product of `staged` or `implicit_gemm` by matrix units.
    Units(UnitCut),
    /// A fused kernel.
    Fused(FusedBlocking),
}

impl Cut {
    /// All ways to cut an algorithm's work that are tried, on whatever problem and device without matrix units.
    pub fn all_for(algorithm: Algorithm) -> Vec<Self> {
        match algorithm {
            Algorithm::Direct | Algorithm::Dot | Algorithm::Inlined(..) => vec![Self::Only],
            Algorithm::Depthwise => [Self::Only].into_iter().chain(PatchBlocking::ALL.map(Self::Patch)).collect(),
            Algorithm::ImplicitGemm => ImplicitGemm::BLOCKINGS
                .into_iter()
                .flat_map(|blocking| ImplicitGemm::PARTS.map(|parts| Self::Gemm(MultiplyCut { blocking, parts })))
                .collect(),
            Algorithm::Staged(_) => Blocking::ALL
                .into_iter()
                .flat_map(|blocking| MultiplyCut::PARTS.map(|parts| Self::Multiply(MultiplyCut { blocking, parts })))
                .collect(),
            Algorithm::FusedOutput(_) | Algorithm::Fused(_) | Algorithm::FusedFilter(_) => {
                FusedBlocking::ALL.map(Self::Fused).to_vec()
            }
        }
    }

    /// The ways that are tried on a device with matrix units, or without.
    pub fn all_on(algorithm: Algorithm, matrix_units: bool) -> Vec<Self> {
        let mut all = Self::all_for(algorithm);
        if matrix_units {
            all.extend(Self::all_for_units(algorithm));
        }
        all
    }

    /// The ways that matrix units add.
    pub fn all_for_units(algorithm: Algorithm) -> Vec<Self> {
        let cuts = |blocking| UnitCut::PARTS.map(|parts| Self::Units(UnitCut { blocking, parts }));
        match algorithm {
            Algorithm::Staged(_) => UnitBlocking::ALL.into_iter().flat_map(cuts).collect(),
            Algorithm::ImplicitGemm => {
                ImplicitGemmUnits::BLOCKINGS.map(|blocking| Self::Units(UnitCut { blocking, parts: 1 })).to_vec()
            }
            _ => Vec::new(),
        }
    }
}

impl Cut {
    /// Reads the cut of an implicit product: `64x64x8_8x8`, or, of a sum in several parts, `16x16x8_4x4/8`.
    pub(in crate::plan) fn gemm_from(text: &str) -> Result<MultiplyCut> {
        let whole = |blocking| Ok(MultiplyCut { blocking, parts: 1 });
        let cut = if text.contains('/') { text.parse() } else { text.parse().and_then(whole) };
        cut.and_then(|cut: MultiplyCut| match cut.parts {
            1 if text.contains('/') => Err(Error::Unsupported {
                what: format!("blocking {text}"),
                why: "expected 2 or more parts behind a /: one part is the blocking alone".to_owned(),
            }),
            _ => Ok(cut),
        })
    }

    /// What matrix units make of a product, where they multiply.
    pub(in crate::plan) const fn halves(self) -> Option<Halves> {
        match self {
            Self::Units(UnitCut { blocking: UnitBlocking { products: Products::One, .. }, .. }) => Some(Halves::One),
            Self::Units(_) => Some(Halves::Three),
            _ => None,
        }
    }

    /// The most channels that are summed up one after the other, of so many in all.
    pub(in crate::plan) fn longest_sum(self, channels: usize) -> usize {
        match self {
            Self::Only | Self::Gemm(_) | Self::Patch(_) | Self::Fused(_) => channels,
            Self::Multiply(cut) => cut.longest_sum(channels),
            Self::Units(cut) => channels.min(cut.part(channels) as usize),
        }
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Only => f.write_str("whole"),
            Self::Gemm(MultiplyCut { blocking, parts: 1 }) => write!(f, "{blocking}"),
            Self::Gemm(cut) => write!(f, "{cut}"),
            Self::Patch(blocking) => write!(f, "{blocking}"),
            Self::Multiply(cut) => write!(f, "{cut}"),
            Self::Units(cut) => write!(f, "{cut}"),
            Self::Fused(blocking) => write!(f, "{blocking}"),
        }
    }
}

/// An algorithm and how its work is cut: with a problem, a device's capabilities and a workspace limit it gives the
/// plan's steps.
///
/// ```
/// use winoconv::plan::Choice;
/// for label in ["direct", "staged:f4x3", "implicit_gemm@64x64x8_8x8", "implicit_gemm@16x16x8_4x4/8", "depthwise", "depthwise@2x8", "staged:f4x3@64x64x8_8x8/2", "staged:f4x3@128x128x32_64x32_m3/1", "fused:f4x3_f2x3@32x16x16_8x8_4"] {
///     assert_eq!(label.parse::<Choice>()?.to_string(), label);
/// }
/// # Ok::<(), winoconv::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Choice {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// How its work is cut.
    pub cut: Cut,
}

impl From<Algorithm> for Choice {
    /// The algorithm with nothing cut.
    fn from(algorithm: Algorithm) -> Self {
        Self { algorithm, cut: Cut::Only }
    }
}

impl fmt::Display for Choice {
    /// The algorithm's label, and after an `@` the cut.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.algorithm.label())?;
        match self.cut {
            Cut::Only => Ok(()),
            cut => write!(f, "@{cut}"),
        }
    }
}

impl FromStr for Choice {
    type Err = Error;

    /// Reads what [`fmt::Display`] writes.
    fn from_str(text: &str) -> Result<Self> {
        let (label, cut) = text.split_once('@').map_or((text, None), |(label, cut)| (label, Some(cut)));
        let algorithm: Algorithm = label.parse()?;
        let unfit = |why: &str| Error::Unsupported { what: format!("choice {text}"), why: why.to_owned() };
        let cut = match (algorithm, cut) {
            (Algorithm::Direct | Algorithm::Dot | Algorithm::Depthwise | Algorithm::Inlined(..), None) => Cut::Only,
            (Algorithm::Depthwise, Some(cut)) => Cut::Patch(cut.parse()?),
            (Algorithm::Direct | Algorithm::Dot | Algorithm::Inlined(..), Some(_)) => {
                return Err(unfit("expected no @: this algorithm has no blocking"));
            }
            // The CPU's kernels cut their work themselves.
            (Algorithm::ImplicitGemm | Algorithm::Staged(_), None) => Cut::Only,
            (_, None) => return Err(unfit("expected @ and a blocking: fused:f4x3@32x16x16_8x8_2")),
            (Algorithm::ImplicitGemm, Some(cut)) if cut.contains("_m") => Cut::Units(cut.parse()?),
            (Algorithm::ImplicitGemm, Some(cut)) => Cut::Gemm(Cut::gemm_from(cut)?),
            (Algorithm::Staged(_), Some(cut)) if cut.contains("_m") => Cut::Units(cut.parse()?),
            (Algorithm::Staged(_), Some(cut)) => Cut::Multiply(cut.parse()?),
            (_, Some(cut)) => Cut::Fused(cut.parse()?),
        };
        Ok(Self { algorithm, cut })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Sizes;

    #[test]
    fn labels_read_back() {
        for algorithm in [Sizes::Taps([3, 3]), Sizes::Outputs([3, 3])]
            .into_iter()
            .flat_map(|sizes| Algorithm::for_sizes(Some(sizes)))
        {
            let cuts = Cut::all_for(algorithm).into_iter().chain(Cut::all_for_units(algorithm));
            for choice in cuts.map(|cut| Choice { algorithm, cut }) {
                assert_eq!(choice.to_string().parse(), Ok(choice), "{choice}");
            }
        }
    }

    #[test]
    fn what_is_no_choice_is_refused() {
        let numbers = "staged:f4x3@64x64x8_8x8/0";
        let huge = "fused:f4x3@4294967295x32x8_8x8_2";
        for text in [
            "",
            "direct@64x64x8_8x8/1",
            "implicit_gemm@64x64x8_8x8/1",
            "staged:f4x3@32x16x16_8x8_4",
            "fused:f4x3",
            numbers,
            huge,
        ] {
            assert!(matches!(text.parse::<Choice>(), Err(Error::Unsupported { .. })), "{text}");
        }
    }
}
