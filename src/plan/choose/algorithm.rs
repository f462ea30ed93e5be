//! The algorithms a planner chooses from, by name.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;
use crate::kernel::{Depthwise, Fusion, Reading, WinogradFused};
use crate::plan::build::Sizes;
use crate::problem::{Operation, Problem};
use crate::winograd::{F, Nested, Points};

/// A way to compute a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Algorithm {
    /// Direct summation in one kernel; any convolution.
    Direct,
    /// A matrix product without a column buffer, in one kernel; any convolution.
    ImplicitGemm,
    /// A dot product by a workgroup for each output, in one kernel; any convolution, and meant for few outputs of long sums.
    Dot,
    /// A sum over taps only, in one kernel; groups of one channel.
    Depthwise,
    /// Winograd in three kernels: input transform, multiply, output transform.
    Staged(Nested),
    /// Winograd in two kernels: input transform; multiply and output transform.
    FusedOutput(Nested),
    /// Winograd in one kernel.
    Fused(Nested),
    /// Winograd in one kernel that takes the weights as they are given: one dispatch in all.
    FusedFilter(Nested),
    /// Winograd in two kernels, the second with the multiply-reduce substituted into the output transform: an exhibit.
    /// No planner considers it; it runs where a caller forces it.
    Inlined(Nested, Reading),
}

impl Algorithm {
    /// Every algorithm that can compute a problem, fast or not, except the exhibit [`Self::Inlined`]:
    /// `Direct` first, then the others without a transform. (Plans for a CPU consider one tile shape more.)
    pub fn all_for(problem: &Problem) -> Vec<Self> {
        if problem.operation.is_of_end() {
            return vec![Self::Direct];
        }
        let mut all = Self::for_sizes(Sizes::of_problem(problem));
        all.retain(|algorithm| *algorithm != Self::Depthwise || is_depthwise(problem));
        all
    }

    /// The same for a CPU, which takes flat tiles, too: of few channels F(4x4,3x3)'s error is too large for
    /// the default tolerance, and from 16 on F(3x4,3x3)'s is not. (GPUs were not measured with them, and wisdom does not count them.)
    pub(crate) fn all_for_cpu(problem: &Problem) -> Vec<Self> {
        let mut all = Self::all_for(problem);
        let few = problem.channels_per_group() < 64;
        if few && all.contains(&Self::Staged(Nested::square(F::new(4, 3)))) {
            all.push(Self::Staged(Nested::new(F::new(3, 3), F::new(4, 3))));
        }
        all
    }

    /// Everything that has these sizes; for what has none, what has no transform.
    pub(super) fn for_sizes(sizes: Option<Sizes>) -> Vec<Self> {
        let plain = [Self::Direct, Self::ImplicitGemm, Self::Dot, Self::Depthwise];
        let [r, s] = match sizes {
            Some(Sizes::Taps(taps)) => taps,
            Some(Sizes::Outputs(outputs)) => {
                let staged = for_outputs(outputs).into_iter().map(Self::Staged);
                return plain.into_iter().chain(staged).collect();
            }
            None => return plain.to_vec(),
        };
        let of = |size: usize| F::shipped().iter().copied().filter(move |f| usize::from(f.r()) == size);
        let mut transforms = Vec::new();
        if r == s {
            transforms.extend(of(r).map(Nested::square));
            // Tall tiles, for the fused kernels: 16 invocations for each of F(4x2,3x3)'s 24 points are 12 bundles of 32,
            // three for each of a unit's four schedulers, where F(4x4)'s 36 points keep three of them idle at times.
            let tall = |f: F| f.m() == 4 && f.points() == Points::Default;
            let narrow = |f: &F| f.m() == 2 && f.points() == Points::Default;
            transforms.extend(
                of(r).filter(|&f| tall(f)).flat_map(|rows| of(r).filter(narrow).map(move |cols| Nested { rows, cols })),
            );
        } else {
            // A filter of one row or column is transformed along the other alone.
            let identity = F::new(1, 1);
            let along = |size| if size == 1 { vec![identity] } else { of(size).collect::<Vec<_>>() };
            for rows in along(r) {
                // Of two transforms that differ, those with points of one kind: all pairs would be hundreds.
                let fits = |cols: &F| r == 1 || s == 1 || rows.points() == cols.points();
                transforms.extend(along(s).into_iter().filter(fits).map(|cols| Nested { rows, cols }));
            }
        }
        let families = [Self::Staged, Self::FusedOutput, Self::Fused, Self::FusedFilter];
        let winograd = families.into_iter().flat_map(|family| transforms.iter().map(move |&nested| family(nested)));
        let winograd = winograd.filter(|algorithm| {
            algorithm.fusion().is_none() || algorithm.transform().is_some_and(WinogradFused::holds)
        });
        plain.into_iter().chain(winograd).collect()
    }

    /// The name without the transform: `direct`, `implicit_gemm`, `dot`, `depthwise`, `staged`, `fused_output`, `fused`, `fused_filter`; `inlined` and `inlined_nonzero` by
    /// the exhibit's [`Reading`].
    pub const fn family(&self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::ImplicitGemm => "implicit_gemm",
            Self::Dot => "dot",
            Self::Depthwise => "depthwise",
            Self::Staged(_) => "staged",
            Self::FusedOutput(_) => "fused_output",
            Self::Fused(_) => "fused",
            Self::FusedFilter(_) => "fused_filter",
            Self::Inlined(_, Reading::PerOutput) => "inlined",
            Self::Inlined(_, Reading::PerNonzero) => "inlined_nonzero",
        }
    }

    /// The transform, where there is one.
    pub const fn transform(&self) -> Option<Nested> {
        match self {
            Self::Direct | Self::ImplicitGemm | Self::Dot | Self::Depthwise => None,
            Self::Staged(nested)
            | Self::FusedOutput(nested)
            | Self::Fused(nested)
            | Self::FusedFilter(nested)
            | Self::Inlined(nested, _) => Some(*nested),
        }
    }

    /// What is fused with the multiply, where something is.
    pub(in crate::plan) const fn fusion(&self) -> Option<Fusion> {
        match self {
            Self::FusedOutput(_) => Some(Fusion::Output),
            Self::Fused(_) => Some(Fusion::Input),
            Self::FusedFilter(_) => Some(Fusion::Filter),
            _ => None,
        }
    }

    /// The name as the command line takes it: `direct`, `implicit_gemm`, `staged:f4x3`, `staged:f4qx3`, `staged:f4x3_f2x3`.
    pub fn label(&self) -> String {
        match self.transform() {
            None => self.family().to_owned(),
            Some(nested) => format!("{}:{}", self.family(), nested.label()),
        }
    }
}

/// The transforms of so many outputs in height and width: the same along both, if they can be, and along one alone, if the
/// other has a single output.
fn for_outputs([p, q]: [usize; 2]) -> Vec<Nested> {
    let identity = F::new(1, 1);
    let of = |size: usize| F::for_gradients().iter().copied().filter(move |f| usize::from(f.m()) == size);
    match [p, q] {
        [1, 1] => Vec::new(),
        [1, _] => of(q).map(|cols| Nested { rows: identity, cols }).collect(),
        [_, 1] => of(p).map(|rows| Nested { rows, cols: identity }).collect(),
        _ if p == q => of(p).map(Nested::square).collect(),
        // Of two that differ, those with points of one kind, where there are such.
        _ => of(p)
            .flat_map(|rows| of(q).map(move |cols| Nested { rows, cols }))
            .filter(|nested| nested.rows.points() == nested.cols.points())
            .collect(),
    }
}

/// Whether sums are over taps alone: each group has one channel. The gradient of the weights is summed over images, of
/// which there may be one today and two tomorrow.
pub(super) fn is_depthwise(problem: &Problem) -> bool {
    problem.operation != Operation::WeightGradient && problem.correlations().iter().all(Depthwise::applies)
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.transform() {
            None => f.write_str(self.family()),
            Some(nested) => write!(f, "{} {nested}", self.family()),
        }
    }
}

impl FromStr for Algorithm {
    type Err = Error;

    /// Reads a [`Self::label`]; the shipped transforms alone are known by name.
    fn from_str(text: &str) -> Result<Self, Error> {
        let unknown = || {
            Error::Unsupported {
            what: format!("algorithm {text}"),
            why: "expected direct, implicit_gemm, dot or depthwise; or staged, fused_output, fused or fused_filter with a \
                  transform: staged:f4x3 (4 outputs, 3 taps), staged:f4x3t (textbook points), staged:f4qx3 (with x^2 + 1), \
                  staged:f4x3_f2x3 (rows, columns); or the exhibits inlined and inlined_nonzero"
                .to_owned(),
        }
        };
        let one = |label: &str| {
            let known = F::shipped().iter().chain(F::for_gradients()).copied().chain([F::new(1, 1)]);
            known.into_iter().find(|f| f.label() == label).ok_or_else(unknown)
        };
        let Some((family, transform)) = text.split_once(':') else {
            return match text {
                "direct" => Ok(Self::Direct),
                "implicit_gemm" => Ok(Self::ImplicitGemm),
                "dot" => Ok(Self::Dot),
                "depthwise" => Ok(Self::Depthwise),
                _ => Err(unknown()),
            };
        };
        let nested = match transform.split_once('_') {
            None => Nested::square(one(transform)?),
            Some((rows, cols)) => Nested { rows: one(rows)?, cols: one(cols)? },
        };
        match family {
            "staged" => Ok(Self::Staged(nested)),
            "fused_output" => Ok(Self::FusedOutput(nested)),
            "fused" => Ok(Self::Fused(nested)),
            "fused_filter" => Ok(Self::FusedFilter(nested)),
            "inlined" => Ok(Self::Inlined(nested, Reading::PerOutput)),
            "inlined_nonzero" => Ok(Self::Inlined(nested, Reading::PerNonzero)),
            _ => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_read_back() {
        for kernel in [[3, 3], [5, 5], [1, 3], [3, 5], [7, 7]] {
            for sizes in [Sizes::Taps(kernel), Sizes::Outputs(kernel)] {
                for algorithm in Algorithm::for_sizes(Some(sizes)) {
                    assert_eq!(algorithm.label().parse(), Ok(algorithm), "{algorithm}");
                }
            }
        }
        let f4 = Nested::square(F::new(4, 3));
        for (label, reading) in [("inlined:f4x3", Reading::PerOutput), ("inlined_nonzero:f4x3", Reading::PerNonzero)] {
            let algorithm = Algorithm::Inlined(f4, reading);
            assert_eq!((algorithm.label().as_str(), label.parse()), (label, Ok(algorithm)));
        }
        assert!("staged:f9x9".parse::<Algorithm>().is_err(), "not shipped");
        assert!("winograd".parse::<Algorithm>().is_err(), "no such family");
    }
}
