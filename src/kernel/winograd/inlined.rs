//! `winograd_inlined`: the exhibit. The output transform as one Kronecker product, with the multiply-reduce substituted
//! into it wherever an element of M stands: the program of an investigation that took it for the only way to make
//! Winograd one kernel. It keeps that program's faults. It runs only if it is forced, and is never chosen.

use super::fused::FusedParams;
use crate::kernel::cost::{Counts, Part, Region, Share, SumLength, Turns};
use crate::kernel::{Binding, Constant, Epilogue, Kernel, KernelSpec, Params as _, Storage};
use crate::winograd::{F, Matrix, Nested, WinogradError};

/// Two readings of "the reduce is repeated". Both are counted, and both run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reading {
    /// One channel loop for each output of a tile, 16 for F(4x4,3x3): the investigation's own count. A loop holds the
    /// whole expression of its output, a term for each nonzero coefficient.
    PerOutput,
    /// One channel loop for each nonzero coefficient of A^T (x) A^T, 324 for F(4x4,3x3): each a plain multiply-reduce of
    /// one point, with its coefficient applied behind it.
    PerNonzero,
}

/// One invocation computes one output tile of one filter, from U and V. No workgroup memory, no value used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WinogradInlined {
    /// The algorithm.
    pub(crate) algorithm: Nested,
    /// What is repeated.
    pub(crate) reading: Reading,
    /// Bias and activation.
    pub(crate) epilogue: Epilogue,
}

impl WinogradInlined {
    /// The kernel without bias and activation.
    pub const fn new(algorithm: Nested, reading: Reading) -> Self {
        Self { algorithm, reading, epilogue: Epilogue::NONE }
    }

    /// The algorithm.
    pub const fn algorithm(&self) -> Nested {
        self.algorithm
    }

    /// What is repeated.
    pub const fn reading(&self) -> Reading {
        self.reading
    }

    /// Tiles of a workgroup.
    pub const WORKGROUP: u32 = 64;
    /// Most products that a plan may have written out: those of the investigation's own F(4x4,3x3). More would show
    /// nothing new and have compilers work for minutes (F(6x6,3x3) has 1,444).
    pub const MAX_TERMS: usize = 324;

    /// The variant as a kernel.
    pub const fn spec(self) -> KernelSpec {
        KernelSpec::WinogradInlined(self)
    }

    /// A^T (x) A^T: a row for each output of a tile, a column for each point.
    ///
    /// # Errors
    /// If the algorithm has no transforms.
    pub fn kronecker(&self) -> Result<Matrix, WinogradError> {
        self.algorithm.rows.transform()?.a_t.kronecker(&self.algorithm.cols.transform()?.a_t)
    }

    /// Products that are written out, whatever the reading: one for each nonzero coefficient.
    ///
    /// # Errors
    /// As [`Self::kronecker`].
    pub fn terms(&self) -> Result<usize, WinogradError> {
        Ok(self.kronecker()?.non_zeros())
    }

    /// Channel loops.
    ///
    /// # Errors
    /// As [`Self::kronecker`].
    pub fn reduces(&self) -> Result<usize, WinogradError> {
        match self.reading {
            Reading::PerOutput => Ok(self.algorithm.outputs()),
            Reading::PerNonzero => self.terms(),
        }
    }
}

impl Kernel for WinogradInlined {
    fn kernel(&self) -> &'static str {
        "winograd_inlined"
    }

    fn variant(&self) -> String {
        let reading = match self.reading {
            Reading::PerOutput => "per_output",
            Reading::PerNonzero => "per_nonzero",
        };
        format!("{}_f32_{reading}{}", self.algorithm.label(), self.epilogue.suffix())
    }

    fn bindings(&self) -> Vec<Binding> {
        let own = [Binding::read(1, "v"), Binding::read(2, "u"), Binding::write(3, "dst")];
        own.into_iter().chain(self.epilogue.bindings()).collect()
    }

    fn own_parts(&self) -> Vec<String> {
        vec!["store_dst".to_owned()]
    }

    fn params(&self) -> &'static [(&'static str, &'static str)] {
        FusedParams::FIELDS
    }

    fn epilogue(&self) -> Option<Epilogue> {
        Some(self.epilogue)
    }

    fn workgroup_size(&self) -> u32 {
        Self::WORKGROUP
    }

    fn constants(&self) -> Vec<Constant> {
        vec![("OUT_H", self.algorithm.rows.m().into()), ("OUT_W", self.algorithm.cols.m().into())]
    }

    fn accumulators(&self) -> u32 {
        // Each product of a reduce is added up by itself.
        1
    }

    fn sum(&self, params: &[u32]) -> SumLength {
        SumLength::of_channels(FusedParams::from_words(params).group_c)
    }

    /// A region for each of its loops.
    fn regions(&self) -> Result<Vec<Region>, WinogradError> {
        let kronecker = self.kronecker()?;
        let share = |counts, turns| [Share { counts, invocations: Self::WORKGROUP, turns }];
        // U times V, added to a sum.
        let product = Counts::load(2, 1) + Counts::arithmetic(2);
        let mut once = Counts::default();
        let mut loops = Vec::new();
        for row in kronecker.iter_rows() {
            let terms = row.iter().filter(|a| !a.is_zero()).count();
            let factors = Counts::arithmetic(row.iter().filter(|a| !a.is_zero() && !a.is_unit()).count());
            once += self.epilogue.counts(Storage::F32);
            match self.reading {
                Reading::PerOutput => loops.push(product * terms as u64 + factors),
                Reading::PerNonzero => {
                    once += Counts::arithmetic(terms) + factors;
                    loops.extend(std::iter::repeat_n(product, terms));
                }
            }
        }
        let turn = |counts| Region::new(Part::Turn, share(counts, Turns::Channels(1)));
        Ok([Region::new(Part::Once, share(once, Turns::Fixed(1)))]
            .into_iter()
            .chain(loops.into_iter().map(turn))
            .collect())
    }

    fn values(&self) -> usize {
        // A product's two factors and its sum.
        3
    }

    fn variants() -> Vec<KernelSpec> {
        let algorithms = [F::new(2, 3), F::new(4, 3)].map(Nested::square);
        let of = |algorithm, reading| Epilogue::ends().map(|epilogue| Self { algorithm, reading, epilogue }.spec());
        let both = |algorithm| [Reading::PerOutput, Reading::PerNonzero].map(|reading| of(algorithm, reading)).concat();
        algorithms.map(both).concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::winograd::F;

    #[test]
    fn the_repeats_are_those_of_the_investigation() {
        let epilogue = Epilogue::NONE;
        let reduces = |f, reading| {
            let kernel = WinogradInlined { algorithm: Nested::square(f), reading, epilogue };
            (kernel.reduces(), kernel.terms())
        };
        for (f, outputs, terms) in [(F::new(2, 3), 4, 36), (F::new(4, 3), 16, 324), (F::textbook(4, 3), 16, 324)] {
            assert_eq!(reduces(f, Reading::PerOutput), (Ok(outputs), Ok(terms)), "{f}");
            assert_eq!(reduces(f, Reading::PerNonzero), (Ok(terms), Ok(terms)), "{f}");
        }
    }
}
