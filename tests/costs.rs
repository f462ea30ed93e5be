//! What kernels say of themselves without being written: counts of work against naga's module of each text, and the
//! estimate of registers against those that an H100's compiler took.

use winoconv::Conv;
use winoconv::caps::Limits;
use winoconv::kernel::{Counts, Fusion, KernelSpec, Part, WinogradFused};
use winoconv::wgsl::{check, count};

#[test]
fn counts_are_those_of_the_text() {
    for spec in KernelSpec::all() {
        let checked = check(&spec, &Limits::LARGEST).unwrap_or_else(|error| panic!("{error}"));
        let cost = spec.cost().unwrap_or_else(|error| panic!("{spec}: {error}"));
        let entries = count::entry_points(&checked);
        let [entry] = entries.as_slice() else { panic!("{spec}: {} entry points", entries.len()) };
        // Loops over integers alone are no regions.
        let counts = entry.walk().into_iter().map(|body| body.counts).filter(|counts| *counts != Counts::default());
        let found: Vec<Counts> = counts.collect();
        assert_eq!(found.len(), cost.regions.len(), "{spec}: loops that count something, in the text and by the spec");
        for (found, region) in found.iter().zip(&cost.regions) {
            assert_eq!(
                *found,
                region.counts(),
                "{spec}, {:?}: in the text (left) and by the spec (right)",
                region.part
            );
        }
    }
}

/// Who does how much how often is in no text: but a workgroup's sums and outputs are known.
#[test]
fn a_workgroup_does_the_work_of_its_block() {
    let conv = Conv::new(48, 64, [3, 3]).groups(2);
    let channels = 24;
    for spec in KernelSpec::all() {
        let cost = spec.cost().unwrap_or_else(|error| panic!("{spec}: {error}"));
        let all = cost.of_workgroup(&conv);
        // Values written, and multiply-adds but those of transforms and activations.
        let (stores, sums) = match &spec {
            KernelSpec::Direct(kernel) => (64 * kernel.filters, 64 * kernel.filters * channels * 9),
            KernelSpec::WinogradFilter(kernel) => (64 * kernel.algorithm.products() as u32, 0),
            KernelSpec::WinogradInput(kernel) => (kernel.tiles() * kernel.algorithm.products() as u32, 0),
            KernelSpec::WinogradOutput(kernel) => (kernel.tiles() * kernel.algorithm.outputs() as u32, 0),
            KernelSpec::WinogradMultiply(kernel) => {
                let b = kernel.blocking;
                (b.filters * b.tiles, b.filters * b.tiles * channels.next_multiple_of(b.channels))
            }
            KernelSpec::WinogradFused(kernel) => {
                let block = kernel.blocking.filters * kernel.blocking.tiles;
                let sums = block * kernel.algorithm.products() as u32 * channels.next_multiple_of(kernel.step());
                (block * kernel.algorithm.outputs() as u32, sums)
            }
            KernelSpec::WinogradInlined(kernel) => (64 * kernel.algorithm.outputs() as u32, 0),
            other => panic!("{other} is new to this test"),
        };
        assert_eq!(all.storage.stores.bytes, 4 * u64::from(stores), "{spec}: bytes written");
        let turns = cost.regions.iter().filter(|region| region.part == Part::Turn).flat_map(|region| &region.shares);
        let turns: u64 =
            turns.map(|share| share.counts.multiply_adds * u64::from(share.invocations) * share.turns.of(&conv)).sum();
        let once = if matches!(spec, KernelSpec::WinogradMultiply(_)) { all.multiply_adds - turns } else { 0 };
        assert_eq!(turns + once, u64::from(sums), "{spec}: multiply-adds of the sum over channels");
        if let KernelSpec::WinogradFused(kernel) = &spec
            && kernel.fusion == Fusion::Input
        {
            // U once for each row of invocations, and each tile once.
            let b = kernel.blocking;
            let vectors = kernel.algorithm.products() as u32 * b.filters * (b.tiles / b.tiles_each);
            let u = vectors * channels.next_multiple_of(kernel.step());
            let tiles = b.tiles * kernel.algorithm.inputs() as u32 * channels.next_multiple_of(kernel.channels());
            let operands = all.storage.loads.bytes - epilogue_bytes(kernel);
            assert_eq!(operands, 4 * u64::from(u + tiles), "{spec}: bytes read");
        }
    }
}

/// Bias and slopes, read for each output.
fn epilogue_bytes(kernel: &WinogradFused) -> u64 {
    let operands = u64::from(kernel.epilogue.bias) + u64::from(kernel.epilogue.has_slopes());
    4 * operands * u64::from(kernel.blocking.filters * kernel.blocking.tiles) * kernel.algorithm.outputs() as u64
}
