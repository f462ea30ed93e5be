//! The whole grid of variants: finite, since no image size is part of one. Tests and dumps walk it.

use super::{
    ActivationGradient, Blocking, ChannelSums, Depthwise, Direct, Epilogue, FusedBlocking, Fusion, ImplicitGemm,
    KernelSpec, PackHalves, Reading, Storage, Term, WinogradFilter, WinogradFused, WinogradInlined, WinogradInput,
    WinogradMultiply, WinogradOutput,
};
use crate::activation::Activation;
use crate::caps::Limits;
use crate::conv::Residual;
use crate::dtype::DType;
use crate::padding::Border;
use crate::winograd::{F, Nested};

impl KernelSpec {
    /// A grid over the variants that a planner can choose: all shipped transforms, square and of one row or column,
    /// and some that mix two; those for weight gradients; all blockings. Each kernel has every bias and activation for some
    /// of its transforms and blockings, and two of them for the others; the fused kernels have two. And the exhibit, which
    /// is never chosen, for the two transforms that it is kept for.
    pub fn all() -> Vec<Self> {
        let (mut all, storage) = (Vec::new(), Storage::F32);
        for filters in [1, 4, 8] {
            all.extend(epilogues().map(|epilogue| Direct { filters, border: Border::Zero, storage, epilogue }.spec()));
            all.extend(others().map(|border| Direct { filters, border, storage, epilogue: Epilogue::NONE }.spec()));
        }
        for moves in [false, true] {
            all.extend(epilogues().map(|epilogue| Depthwise { moves, border: Border::Zero, storage, epilogue }.spec()));
            all.extend(others().map(|border| Depthwise { moves, border, storage, epilogue: Epilogue::NONE }.spec()));
        }
        all.extend(implicit_gemms().map(ImplicitGemm::spec));
        for adds in [false, true] {
            all.extend(Blocking::ALL.map(|blocking| WinogradMultiply { blocking, adds }.spec()));
        }
        for algorithm in algorithms() {
            all.push(WinogradFilter { algorithm, storage }.spec());
            all.extend(Border::ALL.map(|border| WinogradInput { algorithm, border, storage }.spec()));
            let epilogues = output_epilogues(algorithm).into_iter();
            all.extend(epilogues.map(|epilogue| WinogradOutput { algorithm, storage, epilogue }.spec()));
        }
        for algorithm in of_gradients() {
            all.push(WinogradFilter { algorithm, storage }.spec());
            all.extend(Border::ALL.map(|border| WinogradInput { algorithm, border, storage }.spec()));
            all.push(WinogradOutput { algorithm, storage, epilogue: Epilogue::NONE }.spec());
        }
        all.extend(fused().map(WinogradFused::spec));
        all.extend(inlined().map(WinogradInlined::spec));
        all.extend(halves());
        all.extend(gradients_of_ends());
        all
    }
}

/// The gradients of activations, biases and slopes.
fn gradients_of_ends() -> impl Iterator<Item = KernelSpec> {
    let of_activations = Activation::ALL
        .into_iter()
        .flat_map(|activation| Storage::ALL.map(|storage| ActivationGradient::new(activation, storage).spec()));
    // Sums are in f32, and so what is stored as f16 is read from words.
    let sums = [Storage::F32, Storage::Packed].into_iter().flat_map(|storage| {
        [Term::Value, Term::Negative]
            .into_iter()
            .flat_map(move |term| ChannelSums::LANES.map(|lanes| ChannelSums { term, lanes, storage }.spec()))
    });
    of_activations.chain(sums)
}

/// Every blocking with and without the operands of an epilogue, and at every border; one of them with every epilogue.
fn implicit_gemms() -> impl Iterator<Item = ImplicitGemm> {
    let of = |blocking, border, epilogue| ImplicitGemm { blocking, border, storage: Storage::F32, epilogue };
    let each = ImplicitGemm::BLOCKINGS.into_iter().flat_map(move |blocking| {
        let borders = others().map(move |border| of(blocking, border, Epilogue::NONE));
        ends().map(|epilogue| of(blocking, Border::Zero, epilogue)).into_iter().chain(borders)
    });
    let each = each.filter(ImplicitGemm::is_legal);
    let one = Blocking::of([32, 32, 16], [4, 4]);
    let rest = epilogues().filter(|epilogue| !ends().contains(epilogue));
    each.chain(rest.map(move |epilogue| of(one, Border::Zero, epilogue)))
}

/// What differs with tensors in f16: each part that knows of it, and the longest bodies.
fn halves() -> Vec<KernelSpec> {
    let mut all = vec![PackHalves.spec()];
    for storage in [Storage::F16, Storage::Packed] {
        let ends: Vec<_> = ends()
            .into_iter()
            .chain([Residual::Tensor, Residual::InPlace].map(|residual| Epilogue { residual, ..Epilogue::NONE }))
            .collect();
        for &epilogue in &ends {
            let border = Border::Zero;
            all.extend([1, 4, 8].map(|filters| Direct { filters, border, storage, epilogue }.spec()));
            all.extend([false, true].map(|moves| Depthwise { moves, border, storage, epilogue }.spec()));
            let gemms = ImplicitGemm::BLOCKINGS.into_iter();
            let gemms = gemms.map(|blocking| ImplicitGemm { blocking, border, storage, epilogue });
            all.extend(gemms.filter(ImplicitGemm::is_legal).map(ImplicitGemm::spec));
        }
        for border in others() {
            all.push(Direct { filters: 8, border, storage, epilogue: Epilogue::NONE }.spec());
        }
        for algorithm in [F::new(3, 4), F::quadratic(3, 6)].map(Nested::square) {
            if storage == Storage::of_any(DType::F16) {
                all.push(WinogradFilter { algorithm, storage }.spec());
            }
            all.push(WinogradInput { algorithm, border: Border::Zero, storage }.spec());
            all.push(WinogradOutput { algorithm, storage, epilogue: Epilogue::NONE }.spec());
        }
        for algorithm in [F::new(2, 3), F::new(4, 3), F::quadratic(6, 3)].map(Nested::square) {
            if storage == Storage::of_any(DType::F16) {
                all.push(WinogradFilter { algorithm, storage }.spec());
            }
            all.extend(Border::ALL.map(|border| WinogradInput { algorithm, border, storage }.spec()));
            all.extend(ends.iter().map(|&epilogue| WinogradOutput { algorithm, storage, epilogue }.spec()));
            let small = |kernel: &WinogradFused| kernel.algorithm == algorithm && kernel.blocking.filters <= 16;
            all.extend(fused().filter(small).map(|kernel| WinogradFused { storage, ..kernel }.spec()));
        }
    }
    all
}

/// The fused kernels: every blocking that a device of 48 KiB and 1,024 invocations can run, for the square transforms
/// and one that mixes two, with and without the operands of an epilogue.
fn fused() -> impl Iterator<Item = WinogradFused> {
    let algorithms = F::shipped().iter().map(|&f| Nested::square(f));
    let algorithms = algorithms.chain([Nested { rows: F::new(4, 3), cols: F::new(2, 3) }]);
    algorithms.flat_map(move |algorithm| {
        [Fusion::Output, Fusion::Input, Fusion::Filter].into_iter().flat_map(move |fusion| {
            FusedBlocking::ALL.into_iter().flat_map(move |blocking| {
                let all = ends().map(|epilogue| WinogradFused {
                    algorithm,
                    fusion,
                    blocking,
                    storage: Storage::F32,
                    epilogue,
                });
                all.into_iter().filter(|kernel| kernel.is_legal() && kernel.spec().check(&Limits::LARGEST).is_ok())
            })
        })
    })
}

/// The exhibit's transforms: the investigation's own, and the smaller one that it advised.
fn inlined() -> impl Iterator<Item = WinogradInlined> {
    let algorithms = [F::new(2, 3), F::new(4, 3)].map(Nested::square);
    algorithms.into_iter().flat_map(|algorithm| {
        [Reading::PerOutput, Reading::PerNonzero]
            .into_iter()
            .flat_map(move |reading| ends().map(|epilogue| WinogradInlined { algorithm, reading, epilogue }))
    })
}

/// Without and with the operands of an epilogue.
fn ends() -> [Epilogue; 2] {
    let ends = [(false, Activation::None), (true, Activation::PRelu)];
    ends.map(|(bias, activation)| Epilogue { bias, activation: activation.name(), ..Epilogue::NONE })
}

fn algorithms() -> Vec<Nested> {
    let identity = F::new(1, 1);
    let mut algorithms: Vec<Nested> = F::shipped().iter().map(|&f| Nested::square(f)).collect();
    algorithms.extend(F::shipped().iter().map(|&f| Nested { rows: f, cols: identity }));
    algorithms.extend(F::shipped().iter().map(|&f| Nested { rows: identity, cols: f }));
    algorithms.push(Nested { rows: F::new(4, 3), cols: F::new(2, 3) });
    algorithms.push(Nested { rows: F::quadratic(6, 3), cols: F::quadratic(4, 3) });
    algorithms.push(Nested { rows: F::new(4, 3), cols: F::new(2, 5) });
    algorithms.push(Nested { rows: F::quadratic(4, 7), cols: F::new(2, 3) });
    algorithms
}

/// The transforms for gradients of weights, which have no epilogue.
fn of_gradients() -> Vec<Nested> {
    let (identity, all) = (F::new(1, 1), F::for_gradients());
    let mut algorithms: Vec<Nested> = all.iter().map(|&f| Nested::square(f)).collect();
    algorithms.extend(all.iter().map(|&f| Nested { rows: f, cols: identity }));
    algorithms.extend(all.iter().map(|&f| Nested { rows: identity, cols: f }));
    algorithms.push(Nested { rows: F::new(3, 4), cols: F::new(5, 2) });
    algorithms.push(Nested { rows: F::new(2, 4), cols: F::new(3, 4) });
    algorithms
}

/// With and without a bias, each activation; its numbers are parameters. And each residual.
fn epilogues() -> impl Iterator<Item = Epilogue> {
    [false, true]
        .into_iter()
        .flat_map(move |bias| {
            Activation::ALL.map(|activation| Epilogue { bias, activation: activation.name(), ..Epilogue::NONE })
        })
        .chain([Residual::Tensor, Residual::InPlace].map(|residual| Epilogue { residual, ..Epilogue::NONE }))
}

/// The epilogues of an output transform. One transform of each family of points has all of them. An activation's part is
/// the same text whatever the transform, so the other transforms have one epilogue with operands, one without, and each
/// residual.
fn output_epilogues(algorithm: Nested) -> Vec<Epilogue> {
    if [F::new(4, 3), F::quadratic(4, 3)].map(Nested::square).contains(&algorithm) {
        return epilogues().collect();
    }
    let residuals = [Residual::Tensor, Residual::InPlace].map(|residual| Epilogue { residual, ..Epilogue::NONE });
    ends().into_iter().chain(residuals).collect()
}

/// The borders that are not zero.
fn others() -> impl Iterator<Item = Border> {
    Border::ALL.into_iter().filter(|border| *border != Border::Zero)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn variants_have_names_of_their_own() {
        let all = KernelSpec::all();
        let names: HashSet<String> = all.iter().map(KernelSpec::name).collect();
        assert_eq!(names.len(), all.len(), "one name a variant");
    }

    #[test]
    fn every_variant_but_large_fused_ones_is_legal_on_every_device() {
        for spec in KernelSpec::all() {
            let limits =
                if matches!(spec, KernelSpec::WinogradFused(_)) { Limits::LARGEST } else { Limits::WEBGPU_DEFAULT };
            assert_eq!(spec.check(&limits), Ok(()), "{spec}");
        }
    }

    #[test]
    fn fused_kernels_fit_every_class_of_device() {
        let classes = [(16, 256), (32, 1024), (48, 1024)].map(|(kib, threads)| Limits {
            max_compute_workgroup_storage_size: kib << 10,
            max_compute_invocations_per_workgroup: threads,
            max_compute_workgroup_size: [threads, threads, 64],
            ..Limits::WEBGPU_DEFAULT
        });
        for fusion in [Fusion::Output, Fusion::Input, Fusion::Filter] {
            for f in F::shipped().iter().filter(|f| f.products() <= 9) {
                for limits in &classes {
                    let fits = |kernel: &WinogradFused| {
                        kernel.fusion == fusion
                            && kernel.algorithm == Nested::square(*f)
                            && kernel.spec().check(limits).is_ok()
                    };
                    assert!(fused().any(|kernel| fits(&kernel)), "{f} {fusion:?} has no blocking for {limits:?}");
                }
            }
        }
    }
}
