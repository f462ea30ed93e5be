//! What kernels say of themselves without being written: counts of work against naga's module of each text, and the
//! estimate of registers against those that an H100's compiler took.

use std::collections::HashSet;

use winoconv::caps::DeviceKind;
use winoconv::caps::Limits;
use winoconv::kernel::{
    ActivationGradient, ChannelSums, Counts, FilterRows, Fusion, KernelSpec, PackHalves, Part, Storage, SumLength,
    SumParts, WinogradFused,
};
use winoconv::plan::register_limit;
use winoconv::wgsl::{check, count};
use winoconv::{Algorithm, Residual};

/// Counts of work are those of each text. So is what the planner holds against a device's bounds: operations of a loop are never
/// less than stand in the text, and the same where it could matter; sums are what each text calls `acc`.
#[test]
fn counts_and_footprints_are_those_of_the_text() {
    let (mut short, mut in_fused, mut with_sums) = (0, 0, HashSet::new());
    for spec in KernelSpec::all() {
        let checked = check(&spec, &Limits::LARGEST).unwrap_or_else(|error| panic!("{error}"));
        let entries = count::entry_points(&checked);
        let [entry] = entries.as_slice() else { panic!("{spec}: {} entry points", entries.len()) };
        same_counts(&spec, entry);
        let longest = entry.loops.iter().flat_map(count::Body::walk);
        let longest = longest.map(|body| body.operations as u32).max().unwrap_or(0);
        let said = spec.loop_operations();
        assert!(longest <= said, "{spec}: {longest} operations in a loop, the spec says {said}");
        match spec {
            KernelSpec::WinogradMultiply(_) => assert_eq!(longest, said, "{spec}"),
            KernelSpec::ImplicitGemm(_) => assert!(said - longest < 100, "{spec}: {longest}, the spec says {said}"),
            // A bound beside the loops of the emulation.
            KernelSpec::WinogradMultiplyUnits(_) | KernelSpec::ImplicitGemmUnits(_) => {}
            KernelSpec::WinogradFused(_) if said > 800 => assert_eq!(longest, said, "{spec}"),
            KernelSpec::WinogradFused(_) => in_fused = longest.max(in_fused),
            _ => short = longest.max(short),
        }
        let module = &checked.module;
        let mut variables = module.entry_points.iter().flat_map(|entry| entry.function.local_variables.iter());
        if let Some((_, sums)) = variables.find(|(_, variable)| variable.name.as_deref() == Some("acc")) {
            let found = module.types[sums.ty].inner.size(module.to_ctx()) / 4;
            assert_eq!(found, spec.accumulators(), "{spec}: sums in the text (left) and by the spec (right)");
            with_sums.insert(spec.kernel());
        }
    }
    // Of the other kernels a bound is said, which some variant reaches, or next to it.
    assert_eq!((short, in_fused), (479, fused("f2x3", "32x8x16_8x8_4").spec().loop_operations()));
    assert_eq!(with_sums.len(), 10, "the kernels that sum over channels: {with_sums:?}");
}

fn same_counts(spec: &KernelSpec, entry: &count::Body) {
    let cost = spec.cost().unwrap_or_else(|error| panic!("{spec}: {error}"));
    // Loops over integers alone are no regions.
    let counts = entry.walk().into_iter().map(|body| body.counts).filter(|counts| *counts != Counts::default());
    let found: Vec<Counts> = counts.collect();
    assert_eq!(found.len(), cost.regions.len(), "{spec}: loops that count something, in the text and by the spec");
    for (found, region) in found.iter().zip(&cost.regions) {
        assert_eq!(*found, region.counts(), "{spec}, {:?}: in the text (left) and by the spec (right)", region.part);
    }
}

/// Who does how much how often is in no text: but a workgroup's sums and outputs are known.
#[test]
fn a_workgroup_does_the_work_of_its_block() {
    let channels = 24;
    let [whole, one] =
        [channels as usize, 1].map(|channels| SumLength { channels, tap_rows: 3 * channels, weights: 9 * channels });
    for spec in KernelSpec::all() {
        let cost = spec.cost().unwrap_or_else(|error| panic!("{spec}: {error}"));
        let sum = if matches!(spec, KernelSpec::Depthwise(_)) { one } else { whole };
        let all = cost.of_workgroup(sum);
        // Values written, and multiply-adds but those of transforms and activations.
        let (stores, sums) = match &spec {
            KernelSpec::Direct(kernel) => (64 * kernel.filters(), 64 * kernel.filters() * channels * 9),
            KernelSpec::Depthwise(_) => (64 * 4, 64 * 4 * 9),
            // No loop at all.
            KernelSpec::DepthwisePatch(kernel) => (64 * kernel.blocking().outputs(), 0),
            KernelSpec::ImplicitGemm(kernel) => {
                let b = kernel.blocking();
                (b.filters() * b.tiles(), b.filters() * b.tiles() * (9 * channels).next_multiple_of(b.channels()))
            }
            KernelSpec::ImplicitGemmUnits(kernel) => {
                let b = kernel.blocking();
                (b.filters() * b.tiles(), b.filters() * b.tiles() * (9 * channels).next_multiple_of(b.channels() / 2))
            }
            KernelSpec::FilterRows(_) => (FilterRows::WORKGROUP, 0),
            KernelSpec::WinogradFilter(kernel) => (64 * kernel.algorithm().products() as u32, 0),
            KernelSpec::WinogradInput(kernel) => (kernel.tiles() * kernel.algorithm().products() as u32, 0),
            KernelSpec::WinogradOutput(kernel) => (kernel.tiles() * kernel.algorithm().outputs() as u32, 0),
            KernelSpec::WinogradMultiply(kernel) => {
                let b = kernel.blocking();
                (
                    b.filters() * b.tiles(),
                    b.filters() * b.tiles() * channels.next_multiple_of(b.channels() * b.slices()),
                )
            }
            KernelSpec::WinogradMultiplyUnits(kernel) => {
                let b = kernel.blocking();
                let products = b.products().number() * channels.next_multiple_of(b.channels());
                (b.filters() * b.tiles(), b.filters() * b.tiles() * products)
            }
            KernelSpec::WinogradFused(kernel) => {
                let block = kernel.blocking().filters() * kernel.blocking().tiles();
                let sums = block * kernel.algorithm().products() as u32 * channels.next_multiple_of(kernel.step());
                (block * kernel.algorithm().outputs() as u32, sums)
            }
            KernelSpec::WinogradInlined(kernel) => (64 * kernel.algorithm().outputs() as u32, 0),
            KernelSpec::Dot(kernel) => {
                let outputs = 4 * kernel.positions();
                (outputs, outputs * (9 * channels).next_multiple_of(spec.workgroup_size()))
            }
            KernelSpec::SumParts(_) => (SumParts::WORKGROUP, 0),
            KernelSpec::PackHalves(_) => (PackHalves::WORKGROUP, 0),
            KernelSpec::ActivationGradient(_) => (ActivationGradient::WORKGROUP, 0),
            KernelSpec::ChannelSums(kernel) => (ChannelSums::WORKGROUP / kernel.rows(), 0),
            other => panic!("{other} is new to this test"),
        };
        let writes = spec.epilogue().is_some() || matches!(spec, KernelSpec::ActivationGradient(_));
        let halves = spec.storage() == Storage::F16 && writes;
        let element = if halves { 2 } else { 4 };
        assert_eq!(all.storage.stores.bytes, element * u64::from(stores), "{spec}: bytes written");
        let turns = cost.regions.iter().filter(|region| region.part == Part::Turn).flat_map(|region| &region.shares);
        let turns: u64 =
            turns.map(|share| share.counts.multiply_adds * u64::from(share.invocations) * share.turns.of(sum)).sum();
        assert_eq!(turns, u64::from(sums), "{spec}: multiply-adds of the sum over channels");
        if let KernelSpec::WinogradFused(kernel) = &spec
            && kernel.fusion() != Fusion::Output
        {
            // U once for each row of invocations, or each filter once; and each tile once.
            let stored = if halves { 2 } else { 4 };
            let b = kernel.blocking();
            let vectors = kernel.algorithm().products() as u32 * b.filters() * (b.tiles() / b.tiles_each());
            let u = match kernel.fusion() {
                Fusion::Filter => {
                    b.filters() * kernel.algorithm().weights() as u32 * channels.next_multiple_of(kernel.channels())
                }
                _ => vectors * channels.next_multiple_of(kernel.step()),
            };
            let tiles = b.tiles() * kernel.algorithm().inputs() as u32 * channels.next_multiple_of(kernel.channels());
            let operands = all.storage.loads.bytes - epilogue_bytes(&spec, kernel);
            let filters = if kernel.fusion() == Fusion::Filter { stored } else { 4 };
            let expected = filters * u64::from(u) + stored * u64::from(tiles);
            assert_eq!(operands, expected, "{spec}: bytes read");
        }
    }
}

/// Bias and slopes, read for each output.
fn epilogue_bytes(spec: &KernelSpec, kernel: &WinogradFused) -> u64 {
    let epilogue = spec.epilogue().expect("it writes the output");
    let operands = 4 * (u64::from(epilogue.bias) + u64::from(epilogue.has_slopes()));
    let residual = if spec.storage() == Storage::F16 { 2 } else { 4 };
    let residual = if epilogue.residual == Residual::None { 0 } else { residual };
    (operands + residual)
        * u64::from(kernel.blocking().filters() * kernel.blocking().tiles())
        * kernel.algorithm().outputs() as u64
}

/// A fused kernel with the input transform, of the transform and the blocking with these names.
fn fused(algorithm: &str, blocking: &str) -> WinogradFused {
    let algorithm: Algorithm = format!("fused:{algorithm}").parse().unwrap_or_else(|error| panic!("{error}"));
    let algorithm = algorithm.transform().expect("a Winograd algorithm");
    let blocking = blocking.parse().unwrap_or_else(|error| panic!("{error}"));
    WinogradFused::new(algorithm, Fusion::Input, blocking).unwrap_or_else(|error| panic!("{error}"))
}

/// Whether the planner holds that a kernel spills on devices like the H100.
fn spills(kernel: WinogradFused) -> bool {
    let spec = kernel.spec();
    spec.registers() > register_limit(DeviceKind::DiscreteGpu, spec.workgroup_size()).expect("known for this kind")
}

#[test]
fn spilling_kernels_are_those_that_spilled() {
    let mut spilling = 0;
    let measured = include_str!("../data/registers_h100.txt").lines().filter(|line| !line.starts_with('#'));
    for line in measured {
        let [name, registers, spilled] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let [registers, spilled]: [u32; 2] = [registers, spilled].map(|n| n.parse().expect("a number"));
        let (algorithm, blocking) = name
            .strip_prefix("winograd_fused_")
            .and_then(|rest| rest.split_once("_f32_"))
            .expect("a fused kernel's name");
        let kernel = fused(algorithm, blocking);
        assert_eq!(kernel.spec().name(), name);
        let limit = register_limit(DeviceKind::DiscreteGpu, kernel.spec().workgroup_size()).expect("known");
        assert!(registers <= limit, "{line}: at most {limit} registers");
        match spilled {
            // Those that did not spill had what they cannot do without.
            0 => assert!(kernel.spec().registers() <= registers, "{line}: estimate {}", kernel.spec().registers()),
            1..=16 => assert!(!spills(kernel), "{line}: nothing lost, yet called spilling"),
            // Some waste, of no consequence: either answer will do.
            17..=64 => {}
            _ => assert!(spills(kernel), "{line}: estimate {}", kernel.spec().registers()),
        }
        spilling += u32::from(spilled > 64);
    }
    assert!(spilling > 0, "no kernel of the table spills: it shows nothing");
    // Of the same day, with channel steps of which no record was kept: 64 sums with F(4,3) at 576 invocations, 240 bytes.
    for blocking in ["32x32x8_8x8_1", "64x16x8_8x8_1"] {
        assert!(spills(fused("f4x3", blocking)), "{blocking}");
    }
}
