//! The whole grid of variants: finite, since no image size is part of one. Tests and dumps walk it.

use super::{Blocking, Direct, Epilogue, KernelSpec, WinogradFilter, WinogradInput, WinogradMultiply, WinogradOutput};
use crate::activation::Activation;
use crate::winograd::{F, Nested};

impl KernelSpec {
    /// Every variant that a planner can choose: all shipped transforms, square and of one row or column, and some
    /// that mix two; all blockings; every bias and activation.
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for filters in [1, 4, 8] {
            all.extend(epilogues().map(|epilogue| Direct { filters, epilogue }.spec()));
        }
        all.extend(Blocking::ALL.map(|blocking| WinogradMultiply { blocking }.spec()));
        for algorithm in algorithms() {
            all.push(WinogradFilter { algorithm }.spec());
            all.push(WinogradInput { algorithm }.spec());
            all.extend(epilogues().map(|epilogue| WinogradOutput { algorithm, epilogue }.spec()));
        }
        all
    }
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

fn epilogues() -> impl Iterator<Item = Epilogue> {
    let activations = [
        Activation::None,
        Activation::Relu,
        Activation::LeakyRelu { slope: 0.0 },
        Activation::PRelu,
        Activation::Clamp { low: 0.0, high: 0.0 },
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::Silu,
        Activation::Gelu,
        Activation::GeluTanh,
    ];
    [false, true]
        .into_iter()
        .flat_map(move |bias| activations.map(|activation| Epilogue { bias, activation: activation.name() }))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::caps::Limits;

    #[test]
    fn variants_have_names_of_their_own() {
        let all = KernelSpec::all();
        let names: HashSet<String> = all.iter().map(KernelSpec::name).collect();
        assert_eq!(names.len(), all.len(), "one name a variant");
    }

    #[test]
    fn every_variant_is_legal_on_every_device() {
        for spec in KernelSpec::all() {
            assert_eq!(spec.check(&Limits::WEBGPU_DEFAULT), Ok(()), "{spec}");
        }
    }
}
