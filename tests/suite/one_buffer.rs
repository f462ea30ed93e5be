//! Tensors that are slices of one buffer: every kernel gives the same bits as with separate buffers and touches nothing between the
//! slices, and slices that overlap are refused.
#![cfg(feature = "gpu")]

use std::collections::{BTreeMap, BTreeSet};

use pollster::block_on;
use winoconv::caps::Caps;
use winoconv::error::{Error, ShapeError};
use winoconv::gpu::{self, Bound, Context, ContextOptions, Dispatches, Tensor, Tensors};
use winoconv::kernel::{Access, KernelSpec, Storage};
use winoconv::plan::{Dispatch, Slot};
use winoconv::{
    Activation, Algorithm, Conv, DType, Device, Ends, Layer, Plan, Preferences, Residual, Tolerance, Weights, wgpu,
};

use crate::bounds::draw::plan_with;
use crate::bounds::grid::{runnable, sample};
use crate::support::data::{Case, Data, Random};
use crate::support::gpus::{Gpu, on_gpus, on_one_gpu};
use crate::support::is_exhaustive;

/// What lies between tensors: no kernel writes such a word.
const GUARD: u32 = 0x7fc0_dead;

/// A plan's tensor: its words before the run, and its first byte in a buffer.
struct Slice {
    slot: Slot,
    words: Vec<u32>,
    buffer: usize,
    offset: usize,
}

/// Which tensors a plan's run and packing take, but for the workspace.
fn slots(plan: &Plan) -> Vec<Slot> {
    let packing = plan.packing().dispatches(plan.problem());
    let operands = plan.dispatches().iter().chain(&packing).flat_map(Dispatch::operands);
    let mut slots: Vec<Slot> = Vec::new();
    for slot in operands.map(|operand| operand.slot).filter(|slot| !matches!(slot, Slot::Workspace(_))) {
        if !slots.contains(&slot) {
            slots.push(slot);
        }
    }
    slots
}

fn contents(plan: &Plan, case: &Case, slot: Slot) -> Vec<u32> {
    let before = case.before();
    let packed = vec![f32::NAN; plan.operand_len(slot).expect("a slot of the plan")];
    let values = match slot {
        Slot::Input => &case.input,
        Slot::Weights => &case.weights,
        Slot::Bias => &case.bias,
        Slot::Slopes => &case.slopes,
        Slot::Residual => &case.residual,
        Slot::Output => &before,
        _ => &packed,
    };
    bytemuck::pod_collect_to_vec(&plan.operand_type(slot).to_bytes(values))
}

/// Lays tensors out in one buffer or in one for each, in any order. In both cases they begin as far behind the device's alignment.
fn slices(plan: &Plan, case: &Case, alignment: usize, together: bool, seed: u64) -> Vec<Slice> {
    let mut random = Random::new(seed);
    let mut left = slots(plan);
    let mut slices: Vec<Slice> = Vec::new();
    while !left.is_empty() {
        let slot = left.swap_remove(random.below(left.len()));
        // What kernels read as vectors, or without an offset, begins at the alignment.
        let shifts = matches!(slot, Slot::Input | Slot::Output | Slot::Residual);
        let shift = if shifts { 4 * (1 + random.below(7)) } else { 0 };
        let words = contents(plan, case, slot);
        let end = slices.last().filter(|_| together).map_or(0, |last| last.offset + 4 * last.words.len() + 4);
        let buffer = if together { 0 } else { slices.len() };
        slices.push(Slice { slot, words, buffer, offset: end.next_multiple_of(alignment) + shift });
    }
    slices
}

fn buffer_words(slices: &[Slice], buffer: usize) -> Vec<u32> {
    let mut words = Vec::new();
    for slice in slices.iter().filter(|slice| slice.buffer == buffer) {
        words.resize(slice.offset / 4, GUARD);
        words.extend(&slice.words);
    }
    words.resize(words.len() + 9, GUARD);
    words
}

fn upload(context: &Context, words: &[u32]) -> wgpu::Buffer {
    block_on(context.upload("test", bytemuck::cast_slice(words))).unwrap_or_else(|error| panic!("{error}"))
}

fn download(context: &Context, buffer: &wgpu::Buffer) -> Vec<u32> {
    let found = block_on(context.download(buffer, buffer.size() as usize / 4));
    found.unwrap_or_else(|error| panic!("{error}")).iter().map(|x| x.to_bits()).collect()
}

fn tensors<'a>(slices: &[Slice], buffers: &'a [wgpu::Buffer]) -> Tensors<'a> {
    let tensor = |slot| {
        let slice = slices.iter().find(|slice| slice.slot == slot)?;
        Some(Tensor::at(&buffers[slice.buffer], slice.offset as u64))
    };
    Tensors {
        input: tensor(Slot::Input),
        output: tensor(Slot::Output),
        weights: tensor(Slot::Weights),
        packed: tensor(Slot::Packed),
        bias: tensor(Slot::Bias),
        slopes: tensor(Slot::Slopes),
        residual: tensor(Slot::Residual),
    }
}

fn poisoned(context: &Context, plan: &Plan) -> gpu::Workspace {
    let workspace = block_on(gpu::Workspace::new(context, &[plan])).unwrap_or_else(|error| panic!("{error}"));
    for (buffer, len) in workspace.buffers() {
        context.queue().write_buffer(buffer, 0, bytemuck::cast_slice(&vec![f32::NAN; len]));
    }
    workspace
}

/// Packs and runs; what is written, as bits. Everything else must be as it was.
fn run(context: &Context, plan: &Plan, slices: &[Slice], what: &str) -> BTreeMap<String, Vec<u32>> {
    let count = 1 + slices.iter().map(|slice| slice.buffer).max().expect("an output");
    let before: Vec<Vec<u32>> = (0..count).map(|buffer| buffer_words(slices, buffer)).collect();
    let buffers: Vec<wgpu::Buffer> = before.iter().map(|words| upload(context, words)).collect();
    let workspace = poisoned(context, plan);
    let packs = !plan.packing().is_given();
    for dispatches in [Dispatches::Packing, Dispatches::Run].into_iter().skip(usize::from(!packs)) {
        let bound = block_on(Bound::new(context, plan, dispatches, &tensors(slices, &buffers), &workspace));
        let bound = bound.unwrap_or_else(|error| panic!("{what}: {error}"));
        context.submit(&bound).unwrap_or_else(|error| panic!("{what}: {error}"));
    }
    let mut after: Vec<Vec<u32>> = buffers.iter().map(|buffer| download(context, buffer)).collect();
    let mut written = BTreeMap::new();
    for slice in slices.iter().filter(|slice| matches!(slice.slot, Slot::Output | Slot::Packed)) {
        let place = slice.offset / 4..slice.offset / 4 + slice.words.len();
        written.insert(slice.slot.to_string(), after[slice.buffer][place.clone()].to_vec());
        after[slice.buffer][place].copy_from_slice(&slice.words);
    }
    for (before, after) in before.iter().zip(&after) {
        let touched = before.iter().zip(after).position(|(before, after)| before != after);
        assert_eq!(touched, None, "{what}: a word that is no result's");
    }
    written
}

/// Whether a dispatch with all tensors in one buffer writes one of them beside another.
fn shares(step: &Dispatch) -> bool {
    let bindings = step.kernel().bindings();
    let of_caller = |i: usize| !matches!(step.operands()[i].slot, Slot::Workspace(_));
    let writes = (0..bindings.len()).any(|i| bindings[i].access == Access::Write && of_caller(i));
    writes && (0..bindings.len()).filter(|&i| of_caller(i)).count() > 1
}

fn check(gpu: &Gpu, plan: &Plan, seed: u64) {
    let what = format!("{}, {} on {}", plan.problem(), plan.choice(), gpu.label);
    let alignment = gpu.context.caps().limits.min_storage_buffer_offset_alignment as usize;
    let case = Case::new(*plan.problem(), Data::Normal, seed);
    let [apart, together] =
        [false, true].map(|together| run(&gpu.context, plan, &slices(plan, &case, alignment, together, seed), &what));
    for (slot, expected) in &apart {
        let differs = expected.iter().zip(&together[slot]).position(|(expected, found)| expected != found);
        assert_eq!(differs, None, "{what}: {slot} in a buffer with the others");
    }
    assert!(apart.values().flatten().any(|&word| f32::from_bits(word) != 0.0), "{what}: nothing was computed");
}

/// Kernels of each file in `shaders/kernel`: all of the sample, or one that is another one on each device. Those for halves in
/// words write the workspace alone.
fn of_each_family(gpu: &Gpu) -> BTreeMap<&'static str, Vec<KernelSpec>> {
    let mut families: BTreeMap<&str, Vec<KernelSpec>> = BTreeMap::new();
    let mut all = sample(&runnable(gpu.context.caps()));
    all.retain(|kernel| kernel.storage() != Storage::Packed);
    all.into_iter().for_each(|kernel| families.entry(kernel.kernel()).or_default().push(kernel));
    if !is_exhaustive() {
        families.values_mut().for_each(|family| *family = vec![family[gpu.label.len() % family.len()]]);
    }
    families
}

/// An algorithm, and where it is named its blocking.
fn forced(label: &str) -> Preferences {
    let preferences = Preferences::new().tolerance(Tolerance::Any);
    if !label.contains('@') {
        return preferences.algorithm(label.parse().unwrap_or_else(|error| panic!("{label}: {error}")));
    }
    let choice: winoconv::plan::Choice = label.parse().unwrap_or_else(|error| panic!("{label}: {error}"));
    preferences.algorithm(choice.algorithm).cut(choice.cut)
}

#[test]
fn every_kernel_gives_the_same_bits_in_one_buffer() {
    on_gpus("every_kernel_gives_the_same_bits_in_one_buffer", |gpu| {
        let caps = gpu.context.caps();
        let mut plans = Vec::new();
        let families = of_each_family(gpu);
        for kernel in families.values().flatten() {
            let plan = plan_with(kernel, caps, &mut Random::new(gpu.label.len() as u64));
            plans.push(plan.unwrap_or_else(|| panic!("no plan has {kernel}")));
        }
        // With everything that a kernel may read where it writes the output.
        let conv =
            Conv::new(6, 7, [3, 3]).padding(1).bias(true).activation(Activation::PRelu).residual(Residual::Tensor);
        let problem = conv.on([2, 6, 9, 11]).expect("legal");
        for choice in ["direct", "staged:f4x3", "fused:f2x3", "fused_output:f2x3", "implicit_gemm@16x16x8_4x4/2"] {
            let plan = Plan::new(&problem, caps, &forced(choice));
            plans.push(plan.unwrap_or_else(|error| panic!("{choice}: {error}")));
        }
        let mut shared = BTreeSet::new();
        for (plan, seed) in plans.iter().zip(7..) {
            let packing = plan.packing().dispatches(plan.problem());
            let steps = plan.dispatches().iter().chain(&packing).filter(|step| shares(step));
            shared.extend(steps.map(|step| step.kernel().kernel()));
            check(gpu, plan, seed);
        }
        // These read or write nothing but the workspace, which has buffers of its own, beside one tensor: see below.
        let of_workspace = ["pack_halves", "winograd_input", "winograd_multiply", "winograd_multiply_units"];
        let is_missing = |family: &&&str| !shared.contains(**family) && !of_workspace.contains(family);
        let missing: Vec<_> = families.keys().filter(is_missing).collect();
        assert_eq!(missing, [] as [&&str; 0], "kernels that never shared a buffer, on {}", gpu.label);
    });
}

/// Nothing keeps a caller from using what is left of the workspace's buffers: then the kernels that only read or write the workspace
/// share one, too.
#[test]
fn tensors_may_lie_in_the_buffers_of_the_workspace() {
    on_gpus("tensors_may_lie_in_the_buffers_of_the_workspace", |gpu| {
        let packed_halves = Caps { f16: false, ..gpu.context.caps().clone() };
        for (choice, caps, dtype) in [
            ("staged:f2x3@16x16x16_4x4/1", gpu.context.caps(), DType::F32),
            ("staged:f4x3@32x64x32_16x32_m3/1", gpu.context.caps(), DType::F32),
            ("staged:f2x3@16x16x16_4x4/1", &packed_halves, DType::F16),
        ] {
            check_in_workspace(gpu, &forced(choice), caps, dtype);
        }
    });
}

fn check_in_workspace(gpu: &Gpu, preferences: &Preferences, caps: &Caps, dtype: DType) {
    let context = &gpu.context;
    let conv = Conv::new(5, 7, [3, 3]).padding(1).bias(true).activation(Activation::Relu).dtype(dtype);
    let [plan, larger] = [11, 40].map(|size| {
        let problem = conv.on([1, 5, size, size]).expect("legal");
        Plan::new(&problem, caps, preferences).unwrap_or_else(|error| panic!("{error}"))
    });
    let what = format!("{}, {} on {}", plan.problem(), plan.choice(), gpu.label);
    let alignment = context.caps().limits.min_storage_buffer_offset_alignment as usize;
    let case = Case::new(*plan.problem(), Data::Normal, 3);
    let expected = run(context, &plan, &slices(&plan, &case, alignment, false, 3), &what);
    let content = |slot| match slot {
        Slot::Packed => expected["packed"].clone(),
        other => contents(&plan, &case, other),
    };

    // V is the first buffer and M the second one; what is packed as halves comes from the last one.
    let workspace = block_on(gpu::Workspace::new(context, &[&larger])).expect("room");
    let mut before: Vec<Vec<u32>> = workspace.buffers().map(|(_, len)| vec![f32::NAN.to_bits(); len]).collect();
    let mut ends: Vec<usize> = plan.workspace().iter().map(|&len| (4 * len).next_multiple_of(alignment)).collect();
    let last = ends.len() - 1;
    let places =
        [(Slot::Input, 0), (Slot::Packed, 1), (Slot::Bias, last), (Slot::Output, last)].map(|(slot, buffer)| {
            let (offset, words) = (ends[buffer], content(slot));
            before[buffer][offset / 4..][..words.len()].copy_from_slice(&words);
            ends[buffer] = (offset + 4 * words.len()).next_multiple_of(alignment);
            (buffer, offset)
        });
    let buffers: Vec<wgpu::Buffer> = workspace.buffers().map(|(buffer, _)| buffer.clone()).collect();
    for (buffer, words) in buffers.iter().zip(&before) {
        context.queue().write_buffer(buffer, 0, bytemuck::cast_slice(words));
    }
    let [input, packed, bias, output] =
        places.map(|(buffer, offset)| Some(Tensor::at(&buffers[buffer], offset as u64)));
    let tensors = Tensors { input, packed, bias, output, ..Tensors::default() };
    let bound = block_on(Bound::new(context, &plan, Dispatches::Run, &tensors, &workspace));
    context.submit(&bound.unwrap_or_else(|error| panic!("{what}: {error}"))).expect("submitted");
    let (buffer, offset) = places[3];
    let found = &download(context, &buffers[buffer])[offset / 4..][..expected["output"].len()];
    assert_eq!(found, expected["output"], "{what}");
}

/// A layer with a residual, bound to parts of one buffer.
struct Bench {
    layer: Layer,
    workspace: gpu::Workspace,
    buffer: wgpu::Buffer,
}

impl Bench {
    const SHAPE: [usize; 4] = [1, 3, 6, 7];
    /// Bytes of input, residual and output.
    const BYTES: u64 = 3 * 6 * 7 * 4;

    fn new(context: &Context) -> Self {
        let conv = Conv::new(3, 3, [3, 3]).padding(1).residual(Residual::Tensor);
        let device = Device::from(context.clone());
        let direct = Preferences::new().algorithm(Algorithm::Direct);
        let layer = Layer::new_blocking(&device, conv, Weights::new(&[0.5; 81]), direct).expect("legal");
        let buffer = block_on(context.create_buffer("one", 4096)).expect("a buffer");
        Self { layer, workspace: gpu::Workspace::default(), buffer }
    }

    fn bind(&self, [input, residual, output]: [u64; 3]) -> Result<Bound, Error> {
        let [input, residual, output] = [input, residual, output].map(|offset| Tensor::at(&self.buffer, offset));
        block_on(self.layer.bind(Self::SHAPE, Ends::new(input, output).residual(residual), &self.workspace))
    }

    /// Where the error says that the later tensor may begin.
    fn refused(&self, offsets: [u64; 3]) -> (&'static str, u64) {
        match self.bind(offsets) {
            Err(Error::Shape(ShapeError::SharedBuffer { what, needed, .. })) => (what, needed),
            other => panic!("{offsets:?}: {other:?}"),
        }
    }
}

#[test]
fn slices_that_overlap_are_refused_with_a_place_that_is_none() {
    on_one_gpu("slices_that_overlap_are_refused_with_a_place_that_is_none", |gpu| {
        // WebGPU's own alignment, whatever this device has.
        let context = gpu.another(ContextOptions::default().default_limits(true));
        let alignment = u64::from(context.caps().limits.min_storage_buffer_offset_alignment);
        assert_eq!(alignment, 256);
        let bench = Bench::new(&context);
        let behind = Bench::BYTES.next_multiple_of(alignment);
        assert!(behind > Bench::BYTES, "tensors that touch do not fit");
        let far = 4 * behind;
        for (offsets, expected) in [
            // The same place, one element in common, and side by side but bound from the same multiple of 256.
            ([0, far, 0], ("the output", behind)),
            ([0, far, Bench::BYTES - 4], ("the output", behind)),
            ([0, far, Bench::BYTES], ("the output", behind)),
            ([Bench::BYTES, far, 0], ("the input", behind)),
            ([far, 2 * far + 4, 2 * far], ("the residual", 2 * far + behind)),
            // Two that are read, where the third in the buffer is written.
            ([far, far, 0], ("the residual", far + behind)),
        ] {
            assert_eq!(bench.refused(offsets), expected, "{offsets:?}");
            let mut right = offsets;
            let moved = ["the input", "the residual", "the output"].iter().position(|what| *what == expected.0);
            right[moved.expect("one of them")] = expected.1;
            bench.bind(right).unwrap_or_else(|error| panic!("{offsets:?}, then {right:?}: {error}"));
        }
        // Another buffer for the output: nothing is asked of the others.
        let output = block_on(context.create_buffer("output", 126)).expect("a buffer");
        let [input, residual] = [0, 4].map(|offset| Tensor::at(&bench.buffer, offset));
        let ends = Ends::new(input, &output).residual(residual);
        block_on(bench.layer.bind(Bench::SHAPE, ends, &bench.workspace)).expect("reads may overlap");
    });
}

/// Compiling for one buffer happens on demand, and once.
#[test]
fn a_kernel_is_compiled_for_one_buffer_when_it_is_needed_and_once() {
    on_one_gpu("a_kernel_is_compiled_for_one_buffer_when_it_is_needed_and_once", |gpu| {
        let context = gpu.another(ContextOptions::default());
        let bench = Bench::new(&context);
        let other = Bench::new(&context);
        let bind = |output: &wgpu::Buffer| {
            let ends = Ends::new(&bench.buffer, Tensor::at(output, 4096)).residual(Tensor::at(&bench.buffer, 8192));
            block_on(bench.layer.bind(Bench::SHAPE, ends, &bench.workspace)).expect("bound")
        };
        bind(&other.buffer);
        assert_eq!(context.compilations(), 1);
        bind(&bench.buffer);
        assert_eq!(context.compilations(), 2, "once more, for one buffer");
        bind(&bench.buffer);
        bind(&other.buffer);
        assert_eq!(context.compilations(), 2, "both are kept");
        // A layer that has yet to pack its weights compiles the same ahead.
        let staged = Layer::new_blocking(
            &context.clone().into(),
            Conv::new(3, 3, [3, 3]).padding(1).residual(Residual::Tensor),
            Weights::new(&[0.5; 81]),
            forced("staged:f2x3@16x16x16_4x4/1"),
        );
        let staged = staged.expect("legal");
        let plan = staged.plan(Bench::SHAPE).expect("a plan");
        let workspace = block_on(gpu::Workspace::new(&context, &[&plan])).expect("room");
        let ends = Ends::new(&bench.buffer, Tensor::at(&bench.buffer, 4096)).residual(Tensor::at(&bench.buffer, 8192));
        block_on(staged.bind(Bench::SHAPE, ends, &workspace)).expect("bound");
        assert_eq!(context.compilations(), 2 + 4, "three kernels of a run and the packing's");
    });
}
