//! What Winograd makes of one value that is far from all others, and what direct sums and F(2,3) make of it: the effects that
//! docs/WINOGRAD.md describes under "Values far from the others".
#![cfg(feature = "gpu")]

use crate::support::data::{Case, Data, assert_exact, assert_within};
use crate::support::gpus::on_one_gpu;
use crate::support::problems::forced;
use winoconv::{Algorithm, Conv, Device, Preferences};

/// The algorithms whose outputs depend on nothing that they do not see.
const SAFE: [&str; 3] = ["direct", "implicit_gemm", "staged:f2x3"];
/// One that the default tolerance admits, with large tiles.
const LARGE: &str = "staged:f6qx3";

fn algorithm(label: &str) -> Algorithm {
    label.parse().expect("a label")
}

fn run(device: &Device, case: &Case, preferences: Preferences) -> (Vec<f32>, Algorithm) {
    let layer = case.layer(device, preferences).expect("a layer");
    let shape = case.problem.input_shape();
    let chosen = layer.plan(shape).expect("a plan").algorithm();
    (layer.run_blocking(shape, &case.input).expect("a run").data, chosen)
}

fn on_devices(test: &str, check: impl Fn(&Device)) {
    check(&Device::cpu());
    on_one_gpu(test, |gpu| check(&gpu.device()));
}

/// Integers from 0 to 255, few of them, and weights of one: sums are integers, and most are zero.
#[test]
fn sparse_integers_stay_integers_in_direct_sums_and_in_f2() {
    let conv = Conv::new(16, 16, [3, 3]).padding(1);
    let mut case = Case::new(conv.on([1, 16, 32, 32]).expect("legal"), Data::Normal, 11);
    case.weights.fill(1.0);
    for (i, x) in case.input.iter_mut().enumerate() {
        // One pixel of 89, the same in all channels.
        let pixel = i % 1024;
        *x = if pixel % 89 == 0 { (pixel * 7 % 256) as f32 } else { 0.0 };
    }
    let exact = case.reference().all();
    let zeros = exact.iter().filter(|&&x| x == 0.0).count();
    assert!(zeros > exact.len() / 2, "{zeros} of {}", exact.len());
    on_devices("sparse_integers_stay_integers_in_direct_sums_and_in_f2", |device| {
        for label in SAFE {
            let (got, _) = run(device, &case, forced(algorithm(label)));
            assert_exact(&got, &exact, label);
        }
        let (got, chosen) = run(device, &case, Preferences::new());
        assert_within(&got, &exact, &case.bound(chosen), "the default");
        let (got, _) = run(device, &case, forced(algorithm(LARGE)));
        assert_within(&got, &exact, &case.bound(algorithm(LARGE)), LARGE);
        let missed = got.iter().zip(&exact).filter(|&(&got, &exact)| exact == 0.0 && got != 0.0).count();
        let negative = got.iter().filter(|&&x| x < 0.0).count();
        assert!(missed > 0 && negative > 0, "{missed} zeros missed, {negative} negative: the documentation says so");
    });
}

/// One pixel of 1e4 among normal numbers: how far the outputs that do not see it are off.
#[test]
fn a_large_pixel_is_seen_by_its_neighbours_alone_in_direct_sums_and_in_f2() {
    let conv = Conv::new(64, 64, [3, 3]).padding(1);
    let mut case = Case::new(conv.on([1, 64, 28, 28]).expect("legal"), Data::Normal, 12);
    let (y, x) = (13usize, 14usize);
    case.input[y * 28 + x] = 1e4;
    let exact = case.reference().all();
    let sees = |index: usize| (index / 28 % 28).abs_diff(y) < 2 && (index % 28).abs_diff(x) < 2;
    on_devices("a_large_pixel_is_seen_by_its_neighbours_alone_in_direct_sums_and_in_f2", |device| {
        let worst = |preferences| {
            let (got, chosen) = run(device, &case, preferences);
            assert_within(&got, &exact, &case.bound(chosen), &chosen.to_string());
            let off = got.iter().zip(&exact).map(|(&got, exact)| (f64::from(got) - exact).abs()).enumerate();
            off.filter(|(index, _)| !sees(*index)).map(|(_, off)| off).fold(0.0, f64::max)
        };
        for label in SAFE {
            let off = worst(forced(algorithm(label)));
            assert!(off < 1e-5, "{label}: {off:e}");
        }
        worst(Preferences::new());
        let off = worst(forced(algorithm(LARGE)));
        assert!((1e-4..1e-1).contains(&off), "{LARGE}: {off:e}, and the documentation says some 1e-3");
    });
}

/// One infinity: in direct sums the outputs that see it are infinite; Winograd's tiles around it are NaN, F(2,3)'s too, and
/// nothing else is.
#[test]
fn an_infinity_stays_with_its_neighbours_in_direct_sums_and_in_its_tiles_in_winograd() {
    let conv = Conv::new(64, 64, [3, 3]).padding(1);
    let mut case = Case::new(conv.on([1, 64, 14, 14]).expect("legal"), Data::Normal, 13);
    let (y, x) = (7usize, 8usize);
    case.input[y * 14 + x] = f32::INFINITY;
    let sees = |index: usize| (index / 14 % 14).abs_diff(y) < 2 && (index % 14).abs_diff(x) < 2;
    on_devices("an_infinity_stays_with_its_neighbours_in_direct_sums_and_in_its_tiles_in_winograd", |device| {
        for label in ["direct", "implicit_gemm"] {
            let (got, _) = run(device, &case, forced(algorithm(label)));
            for (index, got) in got.iter().enumerate() {
                assert!(if sees(index) { got.is_infinite() } else { got.is_finite() }, "{label}: {got} at {index}");
            }
            assert_eq!(got.iter().filter(|got| got.is_infinite()).count(), 576, "{label}: 64 filters, nine places");
        }
        // An output of a tile of m by m is at most m - 1 places from its tile's others, and the tile from the value.
        for (label, tile) in [("staged:f2x3", 2), ("staged:f4qx3", 4), (LARGE, 6)] {
            let (got, _) = run(device, &case, forced(algorithm(label)));
            let near = |index: usize| (index / 14 % 14).abs_diff(y) <= tile && (index % 14).abs_diff(x) <= tile;
            for (index, got) in got.iter().enumerate() {
                assert!(
                    if sees(index) { !got.is_finite() } else { got.is_finite() || near(index) },
                    "{label}: {got} at {index}"
                );
            }
            let lost = got.iter().filter(|got| !got.is_finite()).count();
            assert!(lost >= 576 && lost <= 64 * 4 * tile * tile, "{label}: {lost} outputs are no numbers");
        }
    });
}
