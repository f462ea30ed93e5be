//! The gradients of a convolution's end: of its activation, its bias and its slopes.
#![cfg(feature = "gpu")]

use crate::support::data::{Case, Data, assert_exact, assert_within};
use crate::support::entry::{EntryPoint, run_plan_on_cpu, run_plan_on_gpu};
use crate::support::gpus::{on_gpus, on_one_gpu};
use crate::support::profiles;
use winoconv::caps::{DeviceKind, Limits};
use winoconv::error::Error;
use winoconv::{Activation, Algorithm, Conv, DType, Device, Kept, Layout, Plan, Preferences, Problem, Spatial, View};

/// Each activation with its default arguments, and where that is legal with negative ones.
fn activations() -> impl Iterator<Item = Activation> {
    let negative = |activation: Activation| activation.with_arguments(activation.arguments().map(|number| -number));
    let legal = |activation: &Activation| Conv::new(1, 1, [1]).activation(*activation).on([1, 1, 1]).is_ok();
    let negative =
        Activation::ALL.into_iter().filter(|activation| !activation.argument_names().is_empty()).map(negative);
    Activation::ALL.into_iter().chain(negative.filter(legal))
}

/// The derivative is a difference quotient, but at corners.
#[test]
fn derivatives_are_finite_differences() {
    const STEP: f64 = 1e-5;
    for activation in activations() {
        for slope in [0.25, -1.5] {
            for x in (-2000..2000).map(|i| f64::from(i) / 256.0 + 0.001) {
                let apply = |x| activation.apply(x, slope);
                let difference = (apply(x + STEP) - apply(x - STEP)) / (2.0 * STEP);
                let derivative = activation.derivative(x, slope);
                assert!((difference - derivative).abs() < 1e-8, "{activation} at {x}: {derivative}, not {difference}");
            }
        }
    }
}

/// Far from zero each function is a straight line, and a derivative is its slope; of NaN it is NaN. Where the derivative is
/// zero near zero, not even an infinite gradient comes through.
#[test]
fn derivatives_have_limits() {
    const SLOPE: f64 = 0.5;
    let mut closed = 0;
    for activation in activations() {
        let apply = |x: f64| activation.apply(x, SLOPE);
        assert!(activation.derivative(f64::NAN, SLOPE).is_nan(), "{activation}");
        for sign in [-1.0, 1.0] {
            let limit = (apply(sign * 1001.0) - apply(sign * 1000.0)) * sign;
            for x in [1e3, 1e20, 3e38, f64::INFINITY].map(|x| sign * x) {
                let derivative = activation.derivative(x, SLOPE);
                // Zero where the line is level.
                assert!(
                    (derivative - limit).abs() <= 1e-9 * limit.abs(),
                    "{activation}, {x}: {derivative}, not {limit}"
                );
            }
            let kept = if activation.kept() == Kept::Output { apply(sign * 5.0) } else { sign * 5.0 };
            if activation.derivative(sign * 5.0, SLOPE) == 0.0 {
                assert_eq!(activation.gradient(f64::INFINITY, kept, SLOPE), 0.0, "{activation}");
                closed += 1;
            }
        }
    }
    assert!(closed >= 3, "below ReLU, and beyond both ends of a clamp: {closed}");
}

/// Tensors of one to three dimensions, both layouts, dense and with gaps, in both types.
fn problems(activation: Activation) -> Vec<Problem> {
    let on = |kernel: Spatial, shape: &[usize]| {
        let conv = Conv::new(3, 5, kernel).activation(activation).bias(true);
        let shape = winoconv::Shape::new(shape[0], 3, Spatial::from_slice(&shape[1..]).expect("1 to 3"));
        (conv, shape)
    };
    let flat = on([3].into(), &[2, 41]);
    let image = on([2, 3].into(), &[3, 9, 12]);
    let deep = on([1, 2, 2].into(), &[1, 3, 6, 5]);
    let mut all = Vec::new();
    for (i, (conv, shape)) in [flat, image, deep].into_iter().enumerate() {
        let last = conv.layout(Layout::ChannelsLast);
        all.push(conv.on(shape).expect("legal"));
        all.push(last.dtype(DType::F16).on(shape).expect("legal"));
        if i == 1 {
            all.push(last.on(shape).expect("legal"));
            for conv in [conv, last.dtype(DType::F16)] {
                let problem = conv.on(shape).expect("legal");
                let part = View::channels(problem.output_shape(), conv.layout, 2, 9).expect("within");
                all.push(problem.with_output_view(part).expect("no overlap"));
            }
        }
    }
    all
}

/// The gradients of a problem's end.
fn gradients(problem: &Problem) -> Vec<Problem> {
    let bias = problem.bias_gradient().expect("always");
    let activation = problem.activation_gradient().expect("a forward problem");
    [bias, activation].into_iter().chain(problem.slope_gradient().ok()).collect()
}

fn check(device: &Device, label: &str, entries: &[EntryPoint]) {
    let mut entry = entries.iter().cycle();
    for activation in activations() {
        // A bias's gradient is the same behind each of them.
        for problem in problems(activation).iter().flat_map(gradients) {
            let case = Case::new(problem, Data::Normal, 17);
            let what = format!("{label}, {problem}");
            let layer = case.layer(device, Preferences::new()).unwrap_or_else(|error| panic!("{what}: {error}"));
            let exact = case.reference().all();
            let bound = case.bound(Algorithm::Direct);
            let runs = [entry.next(), entry.next()].map(|entry| entry.expect("a cycle").run(&layer, &case, &what));
            assert_within(&runs[0], &exact, &bound, &what);
            let bits = |run: &[f32]| run.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&runs[0]), bits(&runs[1]), "{what}: the same bits in each run");
        }
    }
}

#[test]
fn the_processor_has_them() {
    check(&Device::cpu(), "CPU", &EntryPoint::HOST);
}

#[test]
fn gpus_have_them() {
    on_gpus("gpus_have_them", |gpu| check(&gpu.device(), &gpu.label, &EntryPoint::ALL));
}

/// Long sums, in parts and not; integers, so that every order gives the same.
fn long() -> Vec<Problem> {
    let conv = Conv::new(1, 2, [1, 1]).activation(Activation::PRelu);
    let few = conv.on([2, 1, 150, 131]).expect("legal");
    let last = conv.layout(Layout::ChannelsLast).on([3, 1, 101, 90]).expect("legal");
    let many = Conv { filters: 300, ..conv }.on([1, 1, 37, 41]).expect("legal");
    [few, last, many].iter().flat_map(gradients).collect()
}

#[test]
fn long_sums_come_in_parts() {
    for problem in long() {
        let case = Case::new(problem, Data::Integer, 3);
        let exact = case.reference().all();
        let plan = Plan::new(&problem, Device::cpu().caps(), &Preferences::new()).expect("a plan");
        assert_exact(&case.gather(&run_plan_on_cpu(&plan, &case)), &exact, &format!("{problem}"));
        on_one_gpu("long_sums_come_in_parts", |gpu| {
            let plan = Plan::new(&problem, gpu.context.caps(), &Preferences::new()).expect("a plan");
            let got = run_plan_on_gpu(&gpu.context, &plan, &case).unwrap_or_else(|error| panic!("{problem}: {error}"));
            assert_exact(&case.gather(&got), &exact, &format!("{problem}"));
        });
    }
}

/// Where a tensor is larger than a binding, it is walked in parts.
#[test]
fn tensors_larger_than_a_binding_are_walked_in_parts() {
    let limits = Limits { max_storage_buffer_binding_size: 64 << 10, ..Limits::WEBGPU_DEFAULT };
    let caps = profiles::with("small bindings", DeviceKind::OtherGpu, limits);
    let mut in_parts = 0;
    for problem in long() {
        let case = Case::new(problem, Data::Integer, 4);
        let exact = case.reference().all();
        let plan = Plan::new(&problem, &caps, &Preferences::new()).unwrap_or_else(|error| panic!("{problem}: {error}"));
        in_parts += usize::from(
            plan.dispatches().iter().flat_map(winoconv::plan::Dispatch::operands).any(|operand| operand.len.is_some()),
        );
        assert_exact(&case.gather(&run_plan_on_cpu(&plan, &case)), &exact, &format!("{problem}"));
        on_one_gpu("tensors_larger_than_a_binding_are_walked_in_parts", |gpu| {
            let got = run_plan_on_gpu(&gpu.context, &plan, &case).unwrap_or_else(|error| panic!("{problem}: {error}"));
            assert_exact(&case.gather(&got), &exact, &format!("{problem}"));
        });
    }
    assert!(in_parts > 5, "{in_parts} plans bind a tensor in parts");
}

/// An empty batch has gradients of zero.
#[test]
fn an_empty_batch_has_gradients_of_zero() {
    let problem = Conv::new(2, 3, [1, 1]).on([0, 2, 4, 4]).expect("legal").bias_gradient().expect("always");
    let case = Case::new(problem, Data::Normal, 1);
    let check = |device: &Device| {
        let layer = case.layer(device, Preferences::new()).expect("a layer");
        assert_eq!(EntryPoint::Run.run(&layer, &case, "an empty batch"), [0.0; 3]);
    };
    check(&Device::cpu());
    on_one_gpu("an_empty_batch_has_gradients_of_zero", |gpu| check(&gpu.device()));
}

#[test]
fn what_is_kept_is_said_and_what_makes_no_sense_is_refused() {
    let kept = |activation: Activation| activation.kept();
    assert_eq!(kept(Activation::Relu), Kept::Output);
    assert_eq!(kept(Activation::LeakyRelu { slope: -0.5 }), Kept::Sum);
    assert_eq!(kept(Activation::Gelu), Kept::Sum);
    let problem = Conv::new(2, 3, [1, 1]).activation(Activation::Relu).on([1, 2, 4, 4]).expect("legal");
    let unsupported = |result: winoconv::Result<Problem>| match result {
        Err(Error::Unsupported { what, why }) => format!("{what}: {why}"),
        other => panic!("{other:?}"),
    };
    assert!(unsupported(problem.slope_gradient()).contains("its activation is relu, expected prelu"));
    let of_input = problem.input_gradient().expect("zero border");
    assert!(unsupported(of_input.activation_gradient()).contains("a gradient has no activation"));
    // Others of a convolution's algorithms do not compute it.
    let forced = Preferences::new().algorithm(Algorithm::ImplicitGemm);
    let error =
        Plan::new(&problem.bias_gradient().expect("always"), Device::cpu().caps(), &forced).expect_err("direct");
    assert!(error.to_string().contains("only direct computes"), "{error}");
}
