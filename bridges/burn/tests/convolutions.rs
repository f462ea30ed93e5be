//! Convolutions and their gradients against burn's own, on the default wgpu device of the machine.

use std::sync::LazyLock;

use burn::module::{Module, ModuleDisplay};
use burn::nn::{self, PaddingConfig2d};
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::ops::ConvOptions;
use burn::tensor::wgpu::WgpuSetup;
use burn::tensor::{DType, Device, Distribution, Tensor, activation, module};
use winoconv_burn::{Conv2d, Conv2dConfig, Entry, Geometry, Operation, Plan, Ran, Why, attach, conv2d, report};

/// The machine's default device, attached, with its handles.
static DEVICE: LazyLock<(Device, WgpuSetup)> = LazyLock::new(|| {
    let (device, setup) = Device::wgpu_options().init_with_setup().expect("a wgpu device");
    attach(&device, &setup).expect("a device that winoconv can use");
    (device, setup)
});

fn device() -> Device {
    DEVICE.0.clone()
}

/// A convolution of normally distributed tensors.
struct Case {
    input: [usize; 4],
    weight: [usize; 4],
    bias: bool,
    options: ConvOptions<2>,
}

impl Case {
    fn new(input: [usize; 4], weight: [usize; 4]) -> Self {
        Self { input, weight, bias: false, options: ConvOptions::new([1, 1], [0, 0], [1, 1], 1) }
    }

    fn bias(self) -> Self {
        Self { bias: true, ..self }
    }

    fn stride(mut self, stride: [usize; 2]) -> Self {
        self.options.stride = stride;
        self
    }

    fn padding(mut self, rows: (usize, usize), columns: (usize, usize)) -> Self {
        self.options.padding = [rows, columns];
        self
    }

    fn dilation(mut self, dilation: [usize; 2]) -> Self {
        self.options.dilation = dilation;
        self
    }

    fn groups(mut self, groups: usize) -> Self {
        self.options.groups = groups;
        self
    }

    fn geometry(&self) -> Geometry {
        let Self { input, weight, bias, options } = self;
        Geometry { input: *input, weight: *weight, bias: *bias, options: options.clone() }
    }

    fn tensors(&self, device: &Device) -> (Tensor<4>, Tensor<4>, Option<Tensor<1>>) {
        let bias = self.bias.then(|| normal([self.weight[0]], device));
        (normal(self.input, device), normal(self.weight, device), bias)
    }
}

/// One of each kind that the planner treats differently, and borders of each.
fn cases() -> Vec<Case> {
    vec![
        Case::new([2, 8, 12, 12], [16, 8, 1, 1]),
        Case::new([1, 24, 9, 7], [8, 24, 1, 1]).stride([2, 2]).bias(),
        Case::new([1, 32, 20, 20], [32, 32, 3, 3]).padding((1, 1), (1, 1)),
        Case::new([2, 16, 17, 13], [24, 16, 3, 3]).padding((1, 1), (1, 1)).bias(),
        Case::new([1, 8, 16, 16], [8, 8, 3, 3]).padding((0, 2), (1, 0)).bias(),
        Case::new([1, 16, 15, 15], [16, 16, 3, 3]).stride([2, 2]).padding((1, 1), (1, 1)).bias(),
        Case::new([1, 3, 32, 32], [16, 3, 7, 7]).stride([2, 2]).padding((3, 3), (3, 3)).bias(),
        Case::new([1, 8, 18, 18], [8, 8, 3, 3]).dilation([2, 2]).padding((2, 2), (2, 2)),
        Case::new([2, 16, 10, 10], [16, 4, 3, 3]).groups(4).padding((1, 1), (1, 1)).bias(),
        Case::new([1, 16, 14, 14], [16, 1, 3, 3]).groups(16).padding((1, 1), (1, 1)).bias(),
        Case::new([1, 5, 11, 8], [7, 5, 2, 3]).stride([1, 2]),
    ]
}

fn normal<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

/// The relative L2 difference.
fn difference<const D: usize>(ours: Tensor<D>, burns: Tensor<D>) -> f64 {
    assert_eq!(ours.dims(), burns.dims());
    let [ours, burns] = [ours, burns].map(|tensor| tensor.into_data().try_to_vec::<f32>().unwrap());
    let square = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
    let error = square(&mut ours.iter().zip(&burns).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    (error / square(&mut burns.iter().map(|b| f64::from(*b)))).sqrt()
}

/// What two results in f32 may differ by: the error that the planner expects of ours, as much for burn's, which sums in
/// another order, and a margin of 4 for the spread of both.
fn tolerance(plan: &Plan) -> f64 {
    4.0 * 2.0 * plan.expected_error()
}

/// What the report says of a call.
fn entry(device: &Device, operation: Operation, geometry: &Geometry) -> Entry {
    device.sync().unwrap();
    let found = report(device).into_iter().find(|entry| (entry.operation, &entry.geometry) == (operation, geometry));
    found.unwrap_or_else(|| panic!("no report of {operation:?} {geometry}"))
}

fn check<const D: usize>(operation: Operation, geometry: &Geometry, ours: Tensor<D>, burns: Tensor<D>) {
    let entry = entry(&device(), operation, geometry);
    let Ran::Winoconv { plan } = &entry.ran else { panic!("{entry}") };
    let (difference, tolerance) = (difference(ours, burns), tolerance(plan));
    assert!(difference <= tolerance, "{entry}: differs by {difference:.2e}, expected at most {tolerance:.2e}");
}

#[test]
fn outputs_are_those_of_burn() {
    for case in cases() {
        let (input, weight, bias) = case.tensors(&device());
        let ours = conv2d(input.clone(), weight.clone(), bias.clone(), case.options.clone());
        let burns = module::conv2d(input, weight, bias, case.options.clone());
        check(Operation::Forward, &case.geometry(), ours, burns);
    }
}

#[test]
fn gradients_are_those_of_burn() {
    let device = device().autodiff();
    for case in cases() {
        let geometry = case.geometry();
        let (input, weight, bias) = case.tensors(&device);
        let factor = normal(geometry.output(), &device);
        let gradients = |convolve: fn(Tensor<4>, Tensor<4>, Option<Tensor<1>>, ConvOptions<2>) -> Tensor<4>| {
            let (input, weight) = (input.clone().detach().require_grad(), weight.clone().detach().require_grad());
            let bias = bias.clone().map(|bias| bias.detach().require_grad());
            let output = convolve(input.clone(), weight.clone(), bias.clone(), case.options.clone());
            let gradients = (output * factor.clone()).sum().backward();
            let of_bias = bias.map(|bias| bias.grad(&gradients).unwrap());
            (input.grad(&gradients).unwrap(), weight.grad(&gradients).unwrap(), of_bias)
        };
        let ours = gradients(conv2d);
        let burns = gradients(module::conv2d);
        check(Operation::InputGradient, &geometry, ours.0, burns.0);
        check(Operation::WeightGradient, &geometry, ours.1, burns.1);
        assert_eq!(ours.2.is_some(), case.bias);
        if let (Some(ours), Some(burns)) = (ours.2, burns.2) {
            check(Operation::BiasGradient, &geometry, ours, burns);
        }
    }
}

#[test]
fn gradients_are_computed_only_where_they_are_wanted() {
    let device = device().autodiff();
    let case = Case::new([1, 4, 19, 6], [4, 4, 3, 3]);
    let (input, weight, _) = case.tensors(&device);
    let weight = weight.require_grad();
    let gradients = conv2d(input.clone(), weight.clone(), None, case.options.clone()).sum().backward();
    assert!(weight.grad(&gradients).is_some());
    entry(&device, Operation::WeightGradient, &case.geometry());
    let unwanted = |entry: &Entry| entry.operation == Operation::InputGradient && entry.geometry == case.geometry();
    assert!(!report(&device).iter().any(unwanted));
}

#[test]
fn tensors_with_gaps_and_offsets_are_read_as_they_are_meant() {
    let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
    let whole = normal([3, 9, 5, 13], &device());
    let weight = normal([6, 9, 3, 3], &device());
    // Channels last in memory; and one image of three, at an offset that no device binds.
    let transposed = whole.clone().swap_dims(2, 3);
    let image = whole.clone().slice([1..2, 0..9, 0..5, 0..13]);
    for input in [transposed, image, whole.permute([0, 1, 3, 2])] {
        let geometry = Geometry { input: input.dims(), weight: [6, 9, 3, 3], bias: false, options: options.clone() };
        let ours = conv2d(input.clone(), weight.clone(), None, options.clone());
        let burns = module::conv2d(input, weight.clone(), None, options.clone());
        check(Operation::Forward, &geometry, ours, burns);
    }
}

#[test]
fn tensors_of_another_thread_are_complete() {
    let case = Case::new([1, 16, 30, 30], [16, 16, 3, 3]).padding((1, 1), (1, 1));
    // What the other thread queues need not have been submitted when this one reads it.
    let (input, weight, _) = std::thread::spawn({
        let tensors = case.tensors(&device());
        move || (tensors.0 * 3.0 + 1.0, tensors.1 * 0.5, tensors.2)
    })
    .join()
    .unwrap();
    let ours = conv2d(input.clone(), weight.clone(), None, case.options.clone());
    let burns = module::conv2d(input, weight, None, case.options.clone());
    check(Operation::Forward, &case.geometry(), ours, burns);
}

#[test]
fn new_weights_are_packed_anew() {
    let case = Case::new([1, 64, 28, 28], [64, 64, 3, 3]).padding((1, 1), (1, 1));
    let (input, mut weight, _) = case.tensors(&device());
    for _ in 0..4 {
        let ours = conv2d(input.clone(), weight.clone(), None, case.options.clone());
        let burns = module::conv2d(input.clone(), weight.clone(), None, case.options.clone());
        check(Operation::Forward, &case.geometry(), ours, burns);
        // Burn may write this where the old weights were.
        weight = weight * -1.5;
    }
    let Ran::Winoconv { plan } = entry(&device(), Operation::Forward, &case.geometry()).ran else { unreachable!() };
    assert!(plan.packed_bytes() > 0, "nothing is packed: take another convolution for this test");
}

#[test]
fn burns_own_runs_visibly_on_a_device_that_was_not_attached() {
    // The same device of wgpu under another identity, which winoconv was not told of.
    let device = Device::wgpu_options().setup(DEVICE.1.clone()).init().unwrap();
    let case = Case::new([1, 4, 8, 8], [4, 4, 3, 3]).bias();
    let (input, weight, bias) = case.tensors(&device);
    let ours = conv2d(input.clone(), weight.clone(), bias.clone(), case.options.clone());
    let burns = module::conv2d(input, weight, bias, case.options.clone());
    let found = entry(&device, Operation::Forward, &case.geometry());
    assert!(matches!(found.ran, Ran::Burn { why: Why::NotAttached }), "{found}");
    assert_eq!((found.runs, difference(ours, burns)), (1, 0.0));
    assert!(found.to_string().contains("burn (the device was not given to winoconv_burn::attach)"), "{found}");

    // Once it is attached, winoconv runs.
    attach(&device, &DEVICE.1).unwrap();
    let (input, weight, bias) = case.tensors(&device);
    let _ours = conv2d(input, weight, bias, case.options.clone());
    let found = entry(&device, Operation::Forward, &case.geometry());
    assert!(matches!(found.ran, Ran::Winoconv { .. }), "{found}");
}

#[test]
fn burns_own_runs_visibly_for_other_types() {
    let case = Case::new([1, 4, 7, 8], [4, 4, 3, 3]);
    if !device().supports_dtype(DType::F16) {
        eprintln!("skipped: the device has no f16");
        return;
    }
    let (input, weight, _) = case.tensors(&device());
    let (input, weight) = (input.cast(DType::F16), weight.cast(DType::F16));
    let _ours = conv2d(input, weight, None, case.options.clone());
    let found = entry(&device(), Operation::Forward, &case.geometry());
    assert!(matches!(found.ran, Ran::Burn { why: Why::Dtype(DType::F16) }), "{found}");
}

#[test]
#[should_panic(expected = "the filter reaches beyond the padded input")]
fn sizes_that_do_not_fit_are_refused() {
    let case = Case::new([1, 4, 2, 8], [4, 4, 3, 3]);
    let (input, weight, _) = case.tensors(&device());
    conv2d(input, weight, None, case.options);
}

/// A convolution of burn's or ours, so that one network can be both.
trait Convolution: Module + ModuleDisplay {
    fn convolve(&self, input: Tensor<4>) -> Tensor<4>;
}

impl Convolution for Conv2d {
    fn convolve(&self, input: Tensor<4>) -> Tensor<4> {
        self.forward(input)
    }
}

impl Convolution for nn::conv::Conv2d {
    fn convolve(&self, input: Tensor<4>) -> Tensor<4> {
        self.forward(input)
    }
}

/// Three convolutions and a mean over the image.
#[derive(Module, Debug)]
struct Network<C: Module> {
    first: C,
    second: C,
    last: C,
}

/// Trains a network to tell four classes of images apart; the losses.
fn train<C: Convolution>(mut network: Network<C>, images: &Tensor<4>, targets: &Tensor<2>, steps: usize) -> Vec<f32> {
    let mut optimizer = SgdConfig::new().init();
    (0..steps)
        .map(|_| {
            let hidden = activation::relu(network.first.convolve(images.clone()));
            let hidden = activation::relu(network.second.convolve(hidden));
            let output = network.last.convolve(hidden);
            let [n, k, ..] = output.dims();
            let scores = output.mean_dim(2).mean_dim(3).reshape([n, k]);
            let loss = -(activation::log_softmax(scores, 1) * targets.clone()).sum() / n as f32;
            let gradients = GradientsParams::from_grads(loss.backward(), &network);
            network = optimizer.step(0.1, network.clone(), gradients);
            loss.into_scalar::<f32>()
        })
        .collect()
}

#[test]
fn a_network_learns_the_same() {
    const STEPS: usize = 12;
    let device = device().autodiff();
    let [first, second, last] = [([3, 16], [1, 1]), ([16, 32], [2, 2]), ([32, 4], [1, 1])].map(|(channels, stride)| {
        let config = nn::conv::Conv2dConfig::new(channels, [3, 3]).with_stride(stride);
        config.with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1)).init(&device)
    });
    let images = normal([8, 3, 16, 16], &device);
    let targets = Tensor::<2>::eye(4, &device).repeat(&[2, 1]);

    let burns = Network { first: first.clone(), second: second.clone(), last: last.clone() };
    let ours = Network::<Conv2d> { first: first.into(), second: second.into(), last: last.into() };
    let burns = train(burns, &images, &targets, STEPS);
    let ours = train(ours, &images, &targets, STEPS);
    // A step adds an error of about that of its gradients, and later steps keep it.
    let ran = report(&device).into_iter().filter_map(|entry| match entry.ran {
        Ran::Winoconv { plan } if entry.geometry.input[0] == 8 => Some(tolerance(&plan)),
        _ => None,
    });
    let worst = ran.fold(0.0, f64::max);
    for (step, (ours, burns)) in ours.iter().zip(&burns).enumerate() {
        let difference = f64::from((ours - burns).abs() / burns);
        let tolerance = worst * (step + 1) as f64;
        assert!(difference <= tolerance, "step {step}: {ours} instead of {burns}, differs by {difference:.2e}");
    }
    // What was learned in each step is more than the losses may differ by.
    for losses in burns.windows(2) {
        let learned = f64::from((losses[0] - losses[1]) / losses[0]);
        assert!(learned > worst * STEPS as f64, "too little is learned for a comparison: {burns:?}");
    }
}

#[test]
fn a_module_is_configured_as_burns() {
    let device = device();
    let config = Conv2dConfig::new([4, 6], [3, 3]).with_stride([2, 1]).with_padding(PaddingConfig2d::Same);
    let ours = config.with_bias(false).init(&device);
    let burns = nn::conv::Conv2dConfig::new([4, 6], [3, 3]).with_stride([2, 1]).with_padding(PaddingConfig2d::Same);
    let burns = nn::conv::Conv2d { weight: ours.weight.clone(), ..burns.with_bias(false).init(&device) };
    let input = normal([1, 4, 11, 11], &device);
    let [ours, burns] = [ours.forward(input.clone()), burns.forward(input)];
    assert_eq!(ours.dims(), burns.dims());
    let largest = (ours - burns.clone()).abs().max().into_scalar::<f32>() / burns.abs().max().into_scalar::<f32>();
    assert!(largest < 1e-5, "{largest}");
}
