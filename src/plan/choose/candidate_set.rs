//! A number for everything that a planner can choose from, so that what was measured of other kernels is not believed.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::algorithm::Algorithm;
use super::choice::{Choice, Cut};
use crate::kernel::{
    Channels, Depthwise, DepthwisePatch, Direct, Dot, Epilogue, FilterRows, Fragments, ImplicitGemm, ImplicitGemmUnits,
    KernelSpec, MultiplyCut, Region, Storage, SumParts, UnitCut, WinogradFilter, WinogradFused, WinogradInput,
    WinogradMultiply, WinogradMultiplyUnits, WinogradOutput,
};
use crate::padding::Border;
use crate::plan::build::Sizes;

/// The 64-bit hash (FNV-1a) of all choices for problems of these sizes, and of what their kernels do: names, constants,
/// workgroup memory, and the counts of [`KernelSpec::cost`]. It depends on the device only in whether it has matrix units. A kernel that is
/// rewritten and does the same counts the same: what was measured of it is then still believed, and costs time at
/// worst, since every choice is checked anew. Computed once a process: sizes without a transform, of which there is no end,
/// share one entry, and those with one are few.
pub fn candidate_set(sizes: Option<Sizes>, matrix_units: bool) -> u64 {
    type Hashes = HashMap<(Option<Sizes>, bool), u64>;
    static KNOWN: OnceLock<Mutex<Hashes>> = OnceLock::new();
    let known = || KNOWN.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(&hash) = known().get(&(sizes, matrix_units)) {
        return hash;
    }
    let all = Algorithm::for_sizes(sizes);
    if sizes.is_some() && all.iter().all(|algorithm| algorithm.transform().is_none()) {
        return candidate_set(None, matrix_units);
    }
    let choice = |algorithm| move |cut| Choice { algorithm, cut };
    let cuts = |of| Cut::all_on(of, matrix_units).into_iter().map(choice(of));
    let hash = hash_of(all.into_iter().flat_map(cuts));
    known().insert((sizes, matrix_units), hash);
    hash
}

fn hash_of(choices: impl Iterator<Item = Choice>) -> u64 {
    let mut hash = Fnv::default();
    let mut kernels = HashSet::new();
    for choice in choices {
        hash.add(&choice.to_string());
        for spec in specs(choice.algorithm, choice.cut).into_iter().filter(|spec| kernels.insert(*spec)) {
            let counts: Vec<_> = spec.cost().iter().flat_map(|cost| &cost.regions).map(Region::counts).collect();
            hash.add(&format!("{spec} {:?} {} {counts:?}", spec.constants(), spec.workgroup_bytes()));
        }
    }
    hash.0
}

/// The kernels of a choice, without bias and activation.
fn specs(algorithm: Algorithm, cut: Cut) -> Vec<KernelSpec> {
    let (epilogue, border, storage) = (Epilogue::NONE, Border::Zero, Storage::F32);
    if let Cut::Gemm(MultiplyCut { blocking, parts }) = cut {
        let sums = (parts > 1).then(|| SumParts { storage, epilogue }.spec());
        return [ImplicitGemm { blocking, border, storage, epilogue }.spec()].into_iter().chain(sums).collect();
    }
    if let (Algorithm::ImplicitGemm, Cut::Units(UnitCut { blocking, .. })) = (algorithm, cut) {
        let of = |channels| ImplicitGemmUnits { blocking, channels, fragments: Fragments::Units, epilogue }.spec();
        return vec![FilterRows.spec(), of(Channels::Apart), of(Channels::Together)];
    }
    if algorithm == Algorithm::Dot {
        let of = |invocations| {
            Dot::POSITIONS.map(|positions| Dot { invocations, positions, border, storage, epilogue }.spec())
        };
        return Dot::INVOCATIONS.map(of).concat();
    }
    if let Cut::Patch(blocking) = cut {
        let of = |(taps, stride, by_channels)| {
            DepthwisePatch { taps, stride, blocking, by_channels, storage, epilogue }.spec()
        };
        return DepthwisePatch::texts().map(of).collect();
    }
    if algorithm == Algorithm::Depthwise {
        return [false, true].map(|moves| Depthwise { moves, border, storage, epilogue }.spec()).to_vec();
    }
    let Some(nested) = algorithm.transform() else {
        return [1, 4, 8].map(|filters| Direct { filters, border, storage, epilogue }.spec()).to_vec();
    };
    let ends = [
        WinogradFilter { algorithm: nested, storage }.spec(),
        WinogradInput { algorithm: nested, border, storage }.spec(),
    ];
    let rest = match (cut, algorithm.fusion()) {
        (Cut::Fused(blocking), Some(fusion)) => {
            vec![WinogradFused { algorithm: nested, fusion, blocking, storage, epilogue }.spec()]
        }
        (Cut::Multiply(cut), _) => {
            let multiply = WinogradMultiply { blocking: cut.blocking, adds: false };
            vec![multiply.spec(), WinogradOutput { algorithm: nested, storage, epilogue }.spec()]
        }
        (Cut::Units(cut), _) => {
            let multiply = WinogradMultiplyUnits { blocking: cut.blocking, fragments: Fragments::Units };
            vec![multiply.spec(), WinogradOutput { algorithm: nested, storage, epilogue }.spec()]
        }
        _ => Vec::new(),
    };
    ends.into_iter().chain(rest).collect()
}

struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    /// A text, and a byte that ends it.
    fn add(&mut self, text: &str) {
        self.add_bytes(text.as_bytes());
        self.add_bytes(&[0]);
    }

    fn add_bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published test values, so that the hash is the same on every machine.
    #[test]
    fn the_hash_is_fnv_1a() {
        for (text, expected) in
            [("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)]
        {
            let mut hash = Fnv::default();
            hash.add_bytes(text.as_bytes());
            assert_eq!(hash.0, expected, "{text}");
        }
    }

    #[test]
    fn each_size_of_filter_has_a_set_of_its_own() {
        let taps = [[3, 3], [5, 5], [1, 3], [3, 1]].map(Sizes::Taps);
        let outputs = [[3, 3], [5, 5], [1, 3], [3, 1]].map(Sizes::Outputs);
        let sizes: Vec<_> = taps.into_iter().chain(outputs).map(Some).chain([None]).collect();
        let hashes: HashSet<u64> = sizes.iter().map(|sizes| candidate_set(*sizes, false)).collect();
        assert_eq!(hashes.len(), sizes.len());
        let taps = Some(Sizes::Taps([3, 3]));
        assert_ne!(candidate_set(taps, false), candidate_set(taps, true), "matrix units add choices");
    }

    #[test]
    fn a_cut_more_or_another_kernel_is_another_set() {
        let of = |labels: &[&str]| hash_of(labels.iter().map(|label| label.parse().unwrap_or_else(|e| panic!("{e}"))));
        let small = "staged:f4x3@16x16x16_4x4/1";
        let set = of(&["direct", small]);
        assert_eq!(set, of(&["direct", small]), "the same choices, the same set");
        for other in [
            vec!["direct"],
            vec!["direct", small, "staged:f4x3@16x16x16_4x4/2"],
            vec!["direct", "staged:f4x3t@16x16x16_4x4/1"],
        ] {
            assert_ne!(set, of(&other), "{other:?}");
        }
    }

    /// The same labels of a kernel that does other work.
    #[test]
    fn the_counts_of_kernels_are_in_it() {
        let choice: Choice = "fused:f2x3@8x8x8_4x4_4".parse().unwrap_or_else(|e| panic!("{e}"));
        let mut labels = Fnv::default();
        labels.add(&choice.to_string());
        assert_ne!(hash_of([choice].into_iter()), labels.0);
    }
}
