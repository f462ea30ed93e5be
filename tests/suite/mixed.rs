//! Layers in f16 with gradients in f32: what is below the smallest half survives.
#![cfg(feature = "gpu")]

use crate::support::data::{Case, Data, assert_within};
use crate::support::entry::EntryPoint;
use crate::support::gpus::on_gpus;
use crate::support::problems::{forced, legal, one_of_each_kind};
use winoconv::caps::Caps;
use winoconv::error::Error;
use winoconv::kernel::{KernelSpec, Storage};
use winoconv::plan::Slot;
use winoconv::{Algorithm, Conv, DType, Device, Plan, Preferences, Problem, Residual};

fn conv() -> Conv {
    Conv::new(4, 4, [3, 3]).padding(1).dtype(DType::F16)
}

/// The weight gradient of an input of about 1e-4 and an output gradient with one element of about 1e-4 for each filter:
/// each of the 144 elements is one product, of about 1e-8.
fn tiny(problem: Problem) -> Case {
    let mut case = Case::new(problem, Data::Normal, 1);
    let stored = |value: f32| DType::F16.rounded(value);
    for (i, x) in case.input.iter_mut().enumerate() {
        *x = stored(1e-4 * (1.0 + (i % 7) as f32 / 8.0));
    }
    let plane = case.weights.len() / 4;
    case.weights.fill(0.0);
    for k in 0..4 {
        case.weights[k * plane + 15] = stored(1e-4 * (1.0 + k as f32 / 8.0));
    }
    case
}

fn survives(device: &Device, label: &str) {
    let problem = conv().on([1, 4, 6, 6]).expect("legal").weight_gradient().expect("always");
    let case = tiny(problem);
    let exact = case.reference().all();
    for algorithm in legal(&problem, device) {
        let what = format!("{label}, {algorithm}");
        let layer = case.layer(device, forced(algorithm)).expect("a layer");
        let got = layer.weight_gradient_blocking([1, 4, 6, 6], &case.input, &case.weights).expect("a run").data;
        let left = got.iter().filter(|&&x| x != 0.0).count();
        assert_eq!(left, 144, "{what}: elements that are not zero");
        assert_within(&got, &exact, &case.bound(algorithm), &what);
        if algorithm == Algorithm::Direct {
            let off = got.iter().zip(&exact).map(|(&got, exact)| (f64::from(got) - exact).abs() / exact);
            let worst = off.fold(0.0, f64::max);
            assert!(worst < 1e-6, "{what}: {worst:e} of a gradient");
        }
    }
}

#[test]
fn small_weight_gradients_survive_on_the_processor() {
    survives(&Device::cpu(), "CPU");
}

#[test]
fn small_weight_gradients_survive_on_gpus() {
    on_gpus("small_weight_gradients_survive_on_gpus", |gpu| survives(&gpu.device(), &gpu.label));
}

/// Any result may be in f32: what is asked for is what is stored, from every entry point.
fn results_in_f32(device: &Device, label: &str, entries: &[EntryPoint]) {
    let conv = conv().residual(Residual::InPlace).bias(true);
    let forward = conv.on([2, 4, 9, 7]).expect("legal");
    for problem in [forward, forward.input_gradient().expect("zero border"), forward.weight_gradient().expect("always")]
    {
        let problem = problem.with_result_type(DType::F32).expect("f32 of f16");
        let case = Case::new(problem, Data::Normal, 5);
        let exact = case.reference().all();
        for (algorithm, entry) in one_of_each_kind(&problem, device).into_iter().zip(entries.iter().cycle()) {
            let layer = case.layer(device, forced(algorithm)).expect("a layer");
            let what = format!("{label}, {problem}, {algorithm}, {entry:?}");
            let got = entry.run(&layer, &case, &what);
            assert_within(&got, &exact, &case.bound(algorithm), &what);
            let rounded = got.iter().filter(|&&x| DType::F16.rounded(x).to_bits() == x.to_bits()).count();
            assert!(rounded < got.len() / 2, "{what}: {rounded} of {} are halves", got.len());
        }
    }
}

#[test]
fn the_processor_stores_results_in_f32() {
    results_in_f32(&Device::cpu(), "CPU", &EntryPoint::HOST);
}

#[test]
fn gpus_store_results_in_f32() {
    on_gpus("gpus_store_results_in_f32", |gpu| results_in_f32(&gpu.device(), &gpu.label, &EntryPoint::ALL));
}

/// On a device with 16-bit floats and on one without, kernels read words and write f32, which nothing packs.
#[test]
fn nothing_is_packed_for_a_result_in_f32() {
    let problem = conv().on([1, 4, 9, 7]).expect("legal").weight_gradient().expect("always");
    for f16 in [true, false] {
        let caps = Caps { f16, ..Caps::webgpu_default() };
        let plan = |problem: &Problem| Plan::new(problem, &caps, &Preferences::new()).expect("a plan");
        let single = plan(&problem);
        assert_eq!((single.operand_type(Slot::Input), single.operand_type(Slot::Output)), (DType::F16, DType::F32));
        let of = |plan: &Plan, storage| plan.kernels().iter().filter(|kernel| kernel.storage() == storage).count();
        assert!(of(&single, Storage::F16) == 0 && of(&single, Storage::Packed) > 0, "{single}");
        let packs = |plan: &Plan| plan.kernels().iter().any(|kernel| matches!(kernel, KernelSpec::PackHalves(_)));
        assert!(!packs(&single), "{single}");
        let half = plan(&problem.with_result_type(DType::F16).expect("as the tensors"));
        assert_eq!((half.operand_type(Slot::Output), packs(&half)), (DType::F16, !f16));
    }
}

#[test]
fn a_result_in_f16_of_tensors_in_f32_is_refused() {
    let problem = conv().dtype(DType::F32).on([1, 4, 9, 7]).expect("legal");
    let error = problem.with_result_type(DType::F16).expect_err("less than the tensors have");
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    assert_eq!(
        error.to_string(),
        "unsupported: an f16 result for f32 tensors (the result is stored in the type of the tensors, or in f32)"
    );
}

/// A layer that has made a gradient in one type makes it in the other when it is asked to.
#[test]
fn a_layer_tells_result_types_apart() {
    let problem = conv().on([1, 4, 6, 6]).expect("legal").weight_gradient().expect("always");
    let case = tiny(problem);
    let layer = case.layer(&Device::cpu(), Preferences::new()).expect("a layer");
    let left = |gradient: &[f32]| gradient.iter().filter(|&&x| x != 0.0).count();
    let half = problem.with_result_type(DType::F16).expect("as the tensors");
    let in_half = pollster::block_on(layer.solve(&half, case.inputs())).expect("a run");
    let single = layer.weight_gradient_blocking([1, 4, 6, 6], &case.input, &case.weights).expect("a run");
    assert_eq!((left(&in_half.data), left(&single.data)), (0, 144));
}
