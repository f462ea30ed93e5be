//! The tuner on the devices of this machine: every candidate is verified, and what it finds is wisdom that a layer follows.

use std::time::Duration;

use crate::support::gpus::on_one_gpu;
use winoconv::plan::{Origin, Wisdom, legal_choices};
use winoconv::tune::{Options, Tuning, tune_blocking};
use winoconv::{Activation, Conv, Device, Layer, Preferences, Problem, Weights};

fn problem() -> Problem {
    let conv = Conv::new(20, 24, [3, 3]).padding(1).bias(true).activation(Activation::Relu);
    conv.on([2, 20, 13, 17]).expect("legal")
}

fn tune(device: &Device, options: &Options) -> Tuning {
    tune_blocking(device, &problem(), &Preferences::new(), options).unwrap_or_else(|error| panic!("{error}"))
}

/// The whole way: tuned, written, read, carried by a device, followed by a layer.
fn assert_followed(device: &Device, tuning: &Tuning) {
    let entry = tuning.entry().unwrap_or_else(|| panic!("nobody won: {tuning}"));
    let mut wisdom = Wisdom::new();
    wisdom.insert(entry.clone());
    let wisdom = Wisdom::parse(&wisdom.to_string()).unwrap_or_else(|error| panic!("{error}"));
    let device = device.clone().with_wisdom(wisdom);
    let conv = problem().conv();
    let (weights, bias) = (vec![0.5; conv.weights_len()], vec![0.25; conv.filters]);
    let layer = Layer::new_blocking(&device, conv, Weights::new(&weights).bias(&bias), Preferences::new());
    let layer = layer.unwrap_or_else(|error| panic!("{error}"));
    let input = vec![1.0; problem().input_len()];
    let account = layer.run_blocking(problem().input_shape(), &input).expect("runs").account;
    assert_eq!(account.choice, entry.choice);
    assert!(matches!(account.origin, Origin::Wisdom { time_ns, .. } if time_ns == entry.time_ns), "{account}");
}

#[test]
fn every_candidate_of_the_processor_is_verified() {
    let device = Device::cpu();
    let tuning = tune(&device, &Options::new());
    let legal = legal_choices(&problem(), device.caps(), &Preferences::new());
    assert_eq!((tuning.verified(), tuning.trials.len()), (legal.len(), legal.len()), "{tuning}");
    assert!(tuning.ratio().is_some_and(|ratio| ratio >= 1.0), "{tuning}");
    assert_followed(&device, &tuning);
}

/// A few candidates, since a software adapter compiles for long; `cargo xtask hwbench` tries all.
#[test]
fn candidates_of_a_gpu_are_verified_and_the_fastest_is_wisdom() {
    on_one_gpu("candidates_of_a_gpu_are_verified_and_the_fastest_is_wisdom", |gpu| {
        let tuning = tune(&gpu.device(), &Options::new().budget(Duration::from_secs(2)).within(1.2));
        assert_eq!(tuning.defects().count(), 0, "{tuning}");
        assert!(tuning.verified() > 1 && tuning.pick().is_some_and(|pick| pick.errors.is_some()), "{tuning}");
        assert_followed(&gpu.device(), &tuning);
        println!("{tuning}");
    });
}
