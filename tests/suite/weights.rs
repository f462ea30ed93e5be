//! A layer's weights: one packing serves all sizes; what runs and bindings compute after [`Layer::set_weights`], and what
//! stays as it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::data::{Case, Data};
use winoconv::error::{Error, ShapeError};
use winoconv::winograd::{F, Nested};
use winoconv::{
    Activation, Algorithm, Conv, DType, Device, Layer, Padding, Preferences, Shape, Spatial, Tolerance, Weights, cpu,
};

fn forced(algorithm: Algorithm) -> Preferences {
    Preferences::new().tolerance(Tolerance::Any).algorithm(algorithm)
}

fn staged() -> Preferences {
    forced(Algorithm::Staged(Nested::square(F::new(2, 3))))
}

/// A convolution for each form of weights, and each operand.
fn cases() -> Vec<(Case, Preferences)> {
    let three = Conv::new(4, 6, [3, 3]).padding(1);
    let all = three.bias(true).activation(Activation::PRelu);
    let transposed = Conv::new(6, 5, [4, 4]).transposed(0).stride(2).padding(1);
    let half = Conv::new(3, 3, [3, 3]).dtype(DType::F16).bias(true);
    [
        (all, staged()),
        (all, forced(Algorithm::Direct)),
        (all, forced(Algorithm::ImplicitGemm)),
        (Conv::new(4, 4, [3, 3]).groups(4), forced(Algorithm::Depthwise)),
        (transposed, Preferences::new()),
        (half, staged()),
        (half, forced(Algorithm::Direct)),
    ]
    .into_iter()
    .map(|(conv, preferences)| {
        let problem = conv.on([1, conv.channels, 7, 6]).unwrap_or_else(|error| panic!("{error}"));
        (Case::new(problem, Data::Normal, 5), preferences)
    })
    .collect()
}

/// The same problem and input with other weights.
fn with_others(case: &Case) -> Case {
    let others = Case::new(case.problem, Data::Normal, 77);
    Case { input: case.input.clone(), ..others }
}

fn layer(device: &Device, case: &Case, preferences: Preferences) -> Layer {
    case.layer(device, preferences).unwrap_or_else(|error| panic!("{}: {error}", case.problem))
}

fn shape(case: &Case) -> Shape {
    case.problem.of_input().shape
}

fn run(layer: &Layer, case: &Case) -> Vec<u32> {
    let output =
        layer.run_blocking(shape(case), &case.input).unwrap_or_else(|error| panic!("{}: {error}", case.problem));
    output.data.iter().map(|x| x.to_bits()).collect()
}

/// The gradient of the input is packed in its own way.
fn input_gradient(layer: &Layer, case: &Case) -> Vec<u32> {
    let gradient: Vec<f32> = (0..case.problem.output_len()).map(|i| (i % 5) as f32 - 2.0).collect();
    let output = layer.input_gradient_blocking(shape(case), &gradient);
    output.unwrap_or_else(|error| panic!("{}: {error}", case.problem)).data.iter().map(|x| x.to_bits()).collect()
}

fn outputs_are_those_of_a_new_layer(device: &Device, what: &str) {
    for (case, preferences) in cases() {
        let (old, others) = (layer(device, &case, preferences), with_others(&case));
        let what = format!("{what}, {}, {:?}", case.problem, preferences.algorithm);
        let both = |layer: &Layer| [run(layer, &case), input_gradient(layer, &case)];
        let (before, plan) = (both(&old), old.plan(shape(&case)).expect("a plan"));
        let packed = old.packed_bytes();
        old.set_weights_blocking(others.operands()).unwrap_or_else(|error| panic!("{what}: {error}"));
        let expected = both(&layer(device, &others, preferences));
        assert_ne!(before, expected, "{what}: other weights, other outputs");
        assert_eq!(both(&old), expected, "{what}: with the new weights");
        assert!(Arc::ptr_eq(&plan, &old.plan(shape(&case)).expect("a plan")), "{what}: the plan stays");
        assert_eq!(old.packed_bytes(), packed, "{what}: the new packed weights replace the old ones");
        old.set_weights_blocking(case.operands()).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(both(&old), before, "{what}: and back");
    }
}

/// Each run has the weights of one set alone: no bias of one with the weights of the other.
fn runs_under_way_have_one_set_of_weights(device: &Device, what: &str) {
    let (case, preferences) = cases().swap_remove(0);
    let (others, shared) = (with_others(&case), layer(device, &case, preferences));
    let known = [run(&shared, &case), run(&layer(device, &others, preferences), &case)];
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let runs = || {
            let mut seen = 0;
            while !done.load(Ordering::Relaxed) || seen == 0 {
                let output = run(&shared, &case);
                assert!(known.contains(&output), "{what}: weights of two sets in run {seen}");
                seen += 1;
            }
        };
        let running = [scope.spawn(runs), scope.spawn(runs)];
        for i in 0..40 {
            let new = if i % 2 == 0 { &others } else { &case };
            shared.set_weights_blocking(new.operands()).unwrap_or_else(|error| panic!("{what}: {error}"));
            std::thread::yield_now();
        }
        done.store(true, Ordering::Relaxed);
        for thread in running {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    });
}

/// One packing serves all sizes, whichever phases have outputs and whatever the padding makes of their order.
#[test]
fn packed_weights_are_the_same_for_all_sizes() {
    let same = Padding::SameUpper;
    let line = Conv::new(3, 35, [7]);
    let plane = Conv::new(4, 6, [4, 3]).groups(2);
    let room = Conv::new(2, 3, [3, 2, 4]);
    let convs = [
        line.transposed(0).stride(3).padding(2),
        line.transposed(3).stride(4).padding(same),
        line.transposed(0).stride(4).dilation(6),
        line.stride(3).padding(same),
        line.stride(9),
        plane.transposed([1, 0]).stride([2, 3]).padding([1, 0]),
        plane.stride([3, 2]).padding(same).dilation([1, 2]),
        room.transposed(0).stride([2, 1, 3]),
        room.stride([1, 2, 2]).padding(1),
        Conv::new(4, 4, [3, 3]).groups(4).transposed(0).stride(2),
    ];
    for (conv, algorithm) in convs.iter().flat_map(|conv| [(conv, Algorithm::Direct), (conv, Algorithm::ImplicitGemm)])
    {
        let weights: Vec<f32> = (0..conv.weights_len()).map(|i| i as f32 + 1.0).collect();
        let mut packed: Vec<Vec<f32>> = Vec::new();
        for size in (1..=12).chain([23, 40]) {
            let spatial = Spatial::all(conv.rank(), size);
            let Ok(problem) = conv.on(Shape::new(1, conv.channels, spatial)) else { continue };
            let problem = if conv.transposed.is_some() { problem } else { problem.input_gradient().expect("legal") };
            let plan = problem.plan(&Device::cpu(), &forced(algorithm)).unwrap_or_else(|error| panic!("{error}"));
            packed.push(cpu::pack(&plan, &weights).expect("as many as the convolution has"));
            assert_eq!(packed.last(), packed.first(), "{problem}, {algorithm}");
        }
        assert!(packed.len() > 5, "{conv:?}: {} sizes", packed.len());
        let mut values: Vec<f32> = packed.swap_remove(0).into_iter().filter(|x| *x != 0.0).collect();
        values.sort_by(f32::total_cmp);
        assert_eq!(values, weights, "{conv:?}, {algorithm}: each weight once");
    }
}

#[test]
fn new_weights_on_the_cpu() {
    outputs_are_those_of_a_new_layer(&Device::cpu(), "CPU");
}

#[test]
fn runs_on_the_cpu_have_one_set_of_weights() {
    runs_under_way_have_one_set_of_weights(&Device::cpu(), "CPU");
}

#[test]
fn weights_that_do_not_fit_change_nothing() {
    let (case, preferences) = cases().swap_remove(0);
    let layer = layer(&Device::cpu(), &case, preferences);
    let before = run(&layer, &case);
    let Case { weights, bias, slopes, .. } = &with_others(&case);
    let all = Weights::new(weights).bias(bias).slopes(slopes);
    for (wrong, what) in [
        (Weights::new(&weights[1..]).bias(bias).slopes(slopes), "the weights"),
        (all.bias(&bias[1..]), "the bias"),
        (Weights::new(weights).slopes(slopes), "the bias"),
        (Weights::new(weights).bias(bias), "the slopes"),
    ] {
        let error = layer.set_weights_blocking(wrong).expect_err(what);
        assert!(error.to_string().starts_with(what) && matches!(error, Error::Shape(_)), "{what}: {error}");
        assert_eq!(run(&layer, &case), before, "{what}: unchanged");
    }
    let length = ShapeError::Length { what: "the weights", expected: weights.len(), got: 0 };
    assert_eq!(layer.set_weights_blocking(Weights::new(&[])), Err(length.into()));
}

#[cfg(feature = "gpu")]
mod gpus {
    use pollster::block_on;
    use winoconv::gpu::{self, Bound, Context, ContextOptions, Tensor};
    use winoconv::{WeightTensors, wgpu};

    use super::*;
    use crate::support::gpus::{on_gpus, on_one_gpu};

    #[test]
    fn new_weights_on_gpus() {
        on_gpus("new_weights_on_gpus", |gpu| outputs_are_those_of_a_new_layer(&gpu.device(), &gpu.label));
    }

    #[test]
    fn runs_on_gpus_have_one_set_of_weights() {
        let test = "runs_on_gpus_have_one_set_of_weights";
        on_one_gpu(test, |gpu| runs_under_way_have_one_set_of_weights(&gpu.device(), &gpu.label));
    }

    /// A layer bound to buffers of its own.
    struct Bench {
        context: Context,
        output: wgpu::Buffer,
        bound: Bound,
        case: Case,
    }

    impl Bench {
        fn new(context: &Context, layer: &Layer, case: Case) -> Self {
            let dtype = case.problem.conv().dtype;
            let input = block_on(context.upload_as("input", dtype, &case.input)).expect("a buffer");
            let output = block_on(context.create_buffer("output", case.problem.output_len())).expect("a buffer");
            let plan = layer.plan(shape(&case)).expect("a plan");
            let workspace = block_on(gpu::Workspace::new(context, &[&plan])).expect("a workspace");
            let bound = block_on(layer.bind(shape(&case), (&input, &output), &workspace)).expect("bound");
            Self { context: context.clone(), output, bound, case }
        }

        fn encoded(&self) -> wgpu::CommandBuffer {
            let descriptor = wgpu::CommandEncoderDescriptor::default();
            let mut encoder = self.context.device().create_command_encoder(&descriptor);
            self.bound.encode(&mut encoder).expect("the same device");
            encoder.finish()
        }

        fn submit(&self, commands: wgpu::CommandBuffer) -> Vec<u32> {
            self.context.queue().submit([commands]);
            let (dtype, len) = (self.case.problem.conv().dtype, self.case.problem.output_len());
            let output = block_on(self.context.download_as(&self.output, dtype, len)).expect("a copy");
            output.iter().map(|x| x.to_bits()).collect()
        }

        fn run(&self) -> Vec<u32> {
            self.submit(self.encoded())
        }
    }

    /// A binding stays valid and computes with the new weights: bound or encoded before, submitted after. Nothing is compiled
    /// for it. So it is where the layer has dropped the plan since.
    #[test]
    fn what_is_bound_computes_with_new_weights() {
        on_one_gpu("what_is_bound_computes_with_new_weights", |gpu| {
            let context = gpu.another(ContextOptions::default());
            let device = Device::from(context.clone());
            for ((case, preferences), drops) in cases()
                .into_iter()
                .flat_map(|case| [(case, false)])
                .chain(cases().into_iter().take(1).map(|case| (case, true)))
            {
                let what = format!("{}, {:?}, {drops}", case.problem, preferences.algorithm);
                let others = with_others(&case);
                let layer = layer(&device, &case, preferences);
                let expected = run(&self::layer(&device, &others, preferences), &case);
                let bench = Bench::new(&context, &layer, case);
                let before = bench.run();
                assert_ne!(before, expected, "{what}: other weights");
                if drops {
                    layer.set_cache_capacity(0);
                    assert_ne!(layer.packed_bytes(), 0, "{what}: the binding keeps the packed weights");
                }
                let (commands, compiled) = (bench.encoded(), context.compilations());
                layer.set_weights_blocking(others.operands()).unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(bench.submit(commands), expected, "{what}: encoded before");
                assert_eq!(bench.run(), expected, "{what}: encoded after");
                assert_eq!(context.compilations(), compiled, "{what}: nothing is compiled");
                drop(bench);
                if drops {
                    assert_eq!(layer.packed_bytes(), 0, "{what}: nobody takes the packed weights any more");
                }
            }
        });
    }

    #[test]
    fn new_weights_from_buffers() {
        on_gpus("new_weights_from_buffers", |gpu| {
            let upload = |dtype, data: &[f32]| block_on(gpu.context.upload_as("new", dtype, data)).expect("a buffer");
            for (case, preferences) in cases() {
                let what = format!("{}, {:?} on {}", case.problem, preferences.algorithm, gpu.label);
                let (others, dtype) = (with_others(&case), case.problem.conv().dtype);
                let layer = layer(&gpu.device(), &case, preferences);
                let expected = run(&self::layer(&gpu.device(), &others, preferences), &case);
                run(&layer, &case);
                // Behind eight bytes of something else.
                let before = 8 / dtype.size() as usize;
                let padded: Vec<f32> = [9.0; 4][..before].iter().chain(&others.weights).copied().collect();
                let weights = upload(dtype, &padded);
                let [bias, slopes] = [&others.bias, &others.slopes].map(|data| upload(DType::F32, data));
                let mut tensors = WeightTensors::new(Tensor::at(&weights, 8));
                if case.problem.conv().bias {
                    tensors = tensors.bias(&bias);
                }
                if !others.slopes.is_empty() {
                    tensors = tensors.slopes(&slopes);
                }
                layer.set_weights_from_blocking(tensors).unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(run(&layer, &case), expected, "{what}");
            }
        });
    }
}
