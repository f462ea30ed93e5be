//! The right values of activations, written down: of NaN, infinities, zeros, subnormals and the largest numbers, and of some
//! ordinary numbers. They are those of PyTorch, whose definitions they follow from.
#![cfg(feature = "gpu")]

use std::f32::consts::LN_2;

use crate::support::gpus::on_gpus;
use crate::support::problems::{forced, one_of_each_kind};
use winoconv::{Activation, Conv, DType, Device, Layer, Weights};

const NAN: f32 = f32::NAN;
const INF: f32 = f32::INFINITY;
const MAX: f32 = f32::MAX;
const TINY: f32 = f32::MIN_POSITIVE;
/// A subnormal number. A device may take it for zero.
const SUB: f32 = 1e-40;

/// What the functions are applied to.
const X: [f32; 17] =
    [NAN, INF, -INF, 3e38, -3e38, MAX, -MAX, 1e20, -1e20, 1e4, -1e4, 0.0, -0.0, TINY, -TINY, SUB, -SUB];

const SLOPE: f32 = 0.25;

/// An activation's right values.
#[derive(Clone, Copy)]
struct Row {
    activation: Activation,
    /// At each of [`X`].
    special: [f32; 17],
    /// At each of [`ORDINARY`], to 15 digits.
    ordinary: [f64; 6],
    /// The derivative there.
    derivative: [f64; 6],
}

/// No corner of a function, and on both sides of each.
const ORDINARY: [f64; 6] = [-4.0, -1.5, -0.5, 0.25, 2.0, 4.5];

/// Every activation. At negative infinity SiLU, both forms of GELU, `HardSwish` and Mish are `-inf * 0`, which is NaN. The
/// ordinary values were computed with 40 digits (mpmath) from PyTorch's formulas.
const TABLE: &[Row] = {
    let near_zero = [0.0, 0.0, TINY, -TINY, SUB, -SUB];
    // The first eleven values, then those near zero.
    const fn all(far: [f32; 11], near: [f32; 6]) -> [f32; 17] {
        let [a, b, c, d, e, f, g, h, i, j, k] = far;
        let [l, m, n, o, p, q] = near;
        [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q]
    }
    const fn row(activation: Activation, special: [f32; 17], ordinary: [f64; 6], derivative: [f64; 6]) -> Row {
        Row { activation, special, ordinary, derivative }
    }
    let halved = [0.0, 0.0, TINY / 2.0, -TINY / 2.0, SUB / 2.0, -SUB / 2.0];
    let positive = [0.0, 0.0, TINY, 0.0, SUB, 0.0];
    let gate = [NAN, INF, NAN, 3e38, 0.0, MAX, 0.0, 1e20, 0.0, 1e4, 0.0];
    let from_zero = [NAN, INF, 0.0, 3e38, 0.0, MAX, 0.0, 1e20, 0.0, 1e4, 0.0];
    let from_minus_one = [NAN, INF, -1.0, 3e38, -1.0, MAX, -1.0, 1e20, -1.0, 1e4, -1.0];
    let from_zero_to_one = all([NAN, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0], [0.5; 6]);
    let leaky = all(
        [NAN, INF, -INF, 3e38, -3e38 * SLOPE, MAX, -MAX * SLOPE, 1e20, -1e20 * SLOPE, 1e4, -1e4 * SLOPE],
        [0.0, 0.0, TINY, -TINY * SLOPE, SUB, -SUB * SLOPE],
    );
    &[
        row(Activation::None, X, [-4.0, -1.5, -0.5, 0.25, 2.0, 4.5], [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
        row(
            Activation::Relu,
            all(from_zero, positive),
            [0.0, 0.0, 0.0, 0.25, 2.0, 4.5],
            [0.0, 0.0, 0.0, 1.0, 1.0, 1.0],
        ),
        row(
            Activation::LeakyRelu { slope: SLOPE },
            leaky,
            [-1.0, -0.375, -0.125, 0.25, 2.0, 4.5],
            [0.25, 0.25, 0.25, 1.0, 1.0, 1.0],
        ),
        row(
            Activation::LeakyRelu { slope: 0.0 },
            all(gate, positive),
            [0.0, 0.0, 0.0, 0.25, 2.0, 4.5],
            [0.0, 0.0, 0.0, 1.0, 1.0, 1.0],
        ),
        row(Activation::PRelu, leaky, [-1.0, -0.375, -0.125, 0.25, 2.0, 4.5], [0.25, 0.25, 0.25, 1.0, 1.0, 1.0]),
        row(
            Activation::Clamp { low: 0.0, high: 6.0 },
            all([NAN, 6.0, 0.0, 6.0, 0.0, 6.0, 0.0, 6.0, 0.0, 6.0, 0.0], positive),
            [0.0, 0.0, 0.0, 0.25, 2.0, 4.5],
            [0.0, 0.0, 0.0, 1.0, 1.0, 1.0],
        ),
        row(
            Activation::Clamp { low: -1.0, high: INF },
            all(from_minus_one, near_zero),
            [-1.0, -1.0, -0.5, 0.25, 2.0, 4.5],
            [0.0, 0.0, 1.0, 1.0, 1.0, 1.0],
        ),
        row(
            Activation::Sigmoid,
            from_zero_to_one,
            [
                0.017_986_209_962_091_6,
                0.182_425_523_806_356,
                0.377_540_668_798_145,
                0.562_176_500_885_798,
                0.880_797_077_977_882,
                0.989_013_057_369_407,
            ],
            [
                0.017_662_706_213_291_1,
                0.149_146_452_070_333,
                0.235_003_712_201_594,
                0.246_134_082_737_598,
                0.104_993_585_403_507,
                0.010_866_229_722_225_2,
            ],
        ),
        row(
            Activation::Tanh,
            all([NAN, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0], near_zero),
            [
                -0.999_329_299_739_067,
                -0.905_148_253_644_866,
                -0.462_117_157_260_01,
                0.244_918_662_403_709,
                0.964_027_580_075_817,
                0.999_753_210_848_028,
            ],
            [
                0.001_340_950_683_025_9,
                0.180_706_638_923_649,
                0.786_447_732_965_927,
                0.940_014_848_806_378,
                0.070_650_824_853_164_5,
                0.000_493_517_399_059_396,
            ],
        ),
        row(
            Activation::Silu,
            all(gate, halved),
            [
                -0.071_944_839_848_366_2,
                -0.273_638_285_709_535,
                -0.188_770_334_399_073,
                0.140_544_125_221_45,
                1.761_594_155_955_76,
                4.450_558_758_162_33,
            ],
            [
                -0.052_664_614_891_072_9,
                -0.041_294_154_299_142_9,
                0.260_038_812_697_348,
                0.623_710_021_570_198,
                1.090_784_248_784_9,
                1.037_911_091_119_42,
            ],
        ),
        row(
            Activation::Gelu,
            all(gate, halved),
            [
                -0.000_126_684_967_332_48,
                -0.100_210_801_903_287,
                -0.154_268_769_362_993,
                0.149_676_581_420_731,
                1.954_499_736_103_64,
                4.499_984_710_470_94,
            ],
            [
                -0.000_503_649_661_226_421,
                -0.127_469_192_229_98,
                0.132_504_875_343_837,
                0.695_373_354_883_636,
                1.085_231_801_078_2,
                1.000_068_529_161_86,
            ],
        ),
        row(
            Activation::GeluTanh,
            all(gate, halved),
            [
                -0.000_070_245_948_192_372_7,
                -0.100_428_423_019_767,
                -0.154_285_990_174_856,
                0.149_675_350_701_685,
                1.954_597_694_087_78,
                4.499_994_863_262_59,
            ],
            [
                -0.000_335_123_197_122_671,
                -0.127_710_793_151_433,
                0.132_630_096_465_358,
                0.695_354_095_151_06,
                1.086_099_256_623_62,
                1.000_029_322_270_44,
            ],
        ),
        row(
            Activation::HardSwish,
            all(gate, halved),
            [0.0, -0.375, -0.208_333_333_333_333, 0.135_416_666_666_667, 1.666_666_666_666_67, 4.5],
            [0.0, 0.0, 0.333_333_333_333_333, 0.583_333_333_333_333, 1.166_666_666_666_67, 1.0],
        ),
        row(
            Activation::hard_sigmoid(),
            from_zero_to_one,
            [0.0, 0.249_999_992_549_419, 0.416_666_664_183_14, 0.541_666_667_908_43, 0.833_333_343_267_441, 1.0],
            [0.0, 0.166_666_671_633_72, 0.166_666_671_633_72, 0.166_666_671_633_72, 0.166_666_671_633_72, 0.0],
        ),
        row(
            Activation::HardSigmoid { slope: 0.0, offset: 0.5 },
            all([NAN, NAN, NAN, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5], [0.5; 6]),
            [0.5, 0.5, 0.5, 0.5, 0.5, 0.5],
            [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        ),
        row(
            Activation::elu(),
            all(from_minus_one, near_zero),
            [-0.981_684_361_111_266, -0.776_869_839_851_57, -0.393_469_340_287_367, 0.25, 2.0, 4.5],
            [0.018_315_638_888_734_2, 0.223_130_160_148_43, 0.606_530_659_712_633, 1.0, 1.0, 1.0],
        ),
        row(
            Activation::Elu { alpha: -1.0 },
            all([NAN, INF, 1.0, 3e38, 1.0, MAX, 1.0, 1e20, 1.0, 1e4, 1.0], [0.0, 0.0, TINY, TINY, SUB, SUB]),
            [0.981_684_361_111_266, 0.776_869_839_851_57, 0.393_469_340_287_367, 0.25, 2.0, 4.5],
            [-0.018_315_638_888_734_2, -0.223_130_160_148_43, -0.606_530_659_712_633, 1.0, 1.0, 1.0],
        ),
        row(
            Activation::Mish,
            all(gate, [0.0, 0.0, 0.6 * TINY, -0.6 * TINY, 0.6 * SUB, -0.6 * SUB]),
            [
                -0.072_591_740_792_025_4,
                -0.298_099_742_166_807,
                -0.220_743_774_651_73,
                0.169_572_409_663_818,
                1.943_958_959_533_99,
                4.498_913_714_953_32,
            ],
            [
                -0.053_773_209_793_480_3,
                -0.064_097_815_892_258_6,
                0.289_510_677_913_512,
                0.754_172_667_720_593,
                1.069_317_934_279_49,
                1.001_907_044_168_81,
            ],
        ),
        row(
            Activation::softplus(),
            all(from_zero, [LN_2; 6]),
            [
                0.018_149_927_917_809_7,
                0.201_413_277_982_752,
                0.474_076_984_180_107,
                0.825_939_419_878_844,
                2.126_928_011_042_97,
                4.511_047_744_848_59,
            ],
            [
                0.017_986_209_962_091_6,
                0.182_425_523_806_356,
                0.377_540_668_798_145,
                0.562_176_500_885_798,
                0.880_797_077_977_882,
                0.989_013_057_369_407,
            ],
        ),
        row(
            Activation::Softplus { beta: 4.0, threshold: 20.0 },
            all(from_zero, [LN_2 / 4.0; 6]),
            [
                0.000_000_028_133_792_096_794_2,
                0.000_618_921_284_432_612,
                0.031_732_002_760_743_1,
                0.328_315_421_879_556,
                2.000_083_851_593_22,
                4.500_000_003_807_49,
            ],
            [
                0.000_000_112_535_162_055_095,
                0.002_472_623_156_634_77,
                0.119_202_922_022_118,
                0.731_058_578_630_005,
                0.999_664_649_869_534,
                0.999_999_984_770_02,
            ],
        ),
    ]
};

/// Activations whose arguments make no sense.
const REFUSED: &[Activation] = &[
    Activation::LeakyRelu { slope: INF },
    Activation::LeakyRelu { slope: NAN },
    Activation::Clamp { low: 1.0, high: 0.0 },
    Activation::Clamp { low: NAN, high: 0.0 },
    Activation::Clamp { low: 0.0, high: NAN },
    Activation::HardSigmoid { slope: INF, offset: 0.0 },
    Activation::HardSigmoid { slope: 0.0, offset: NAN },
    Activation::Elu { alpha: NAN },
    Activation::Softplus { beta: 0.0, threshold: 20.0 },
    Activation::Softplus { beta: -1.0, threshold: 20.0 },
    Activation::Softplus { beta: SUB, threshold: 20.0 },
    Activation::Softplus { beta: INF, threshold: 20.0 },
    Activation::Softplus { beta: 1.0, threshold: NAN },
];

/// Whether `got` is the value at x, as it is stored: infinities, zeros and limits exactly; near zero but for what a device's
/// own function may be off; a subnormal number may be zero; all others but for a rounding or two.
fn is_value(got: f32, activation: Activation, x: f32, expected: f32, dtype: DType) -> bool {
    let stored = dtype.rounded(expected);
    if stored.is_nan() || stored.is_infinite() {
        return got.is_nan() == stored.is_nan() && (stored.is_nan() || got == stored);
    }
    let (got, expected) = (f64::from(got), f64::from(expected));
    if x.abs() <= TINY {
        let rounding = 2.0 * dtype.unit_roundoff() * expected.abs();
        return (got - expected).abs() <= activation.evaluation_error(x.into()) + rounding + f64::from(TINY);
    }
    let relative = if [1.0, -1.0, 6.0].contains(&expected) { 0.0 } else { 4.0 * dtype.unit_roundoff() };
    (got - expected).abs() <= relative * expected.abs()
}

#[test]
fn every_activation_has_a_row() {
    for activation in Activation::ALL {
        assert!(TABLE.iter().any(|row| row.activation.name() == activation.name()), "{activation}");
    }
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    let on = |activation| Conv::new(1, 1, [1]).activation(activation).on([1, 1, 1]);
    for &activation in REFUSED {
        let error = on(activation).expect_err("no sense").to_string();
        assert!(error.starts_with(&format!("activation {activation}: ")), "{error}");
    }
    for row in TABLE {
        assert!(on(row.activation).is_ok(), "{}", row.activation);
    }
}

#[test]
fn the_reference_has_the_ordinary_values() {
    for &Row { activation, ordinary, derivative, .. } in TABLE {
        for ((x, value), derivative) in ORDINARY.into_iter().zip(ordinary).zip(derivative) {
            let close = |what, got: f64, expected: f64| {
                assert!((got - expected).abs() < 1e-13, "{what} {activation} at {x} is {got}, expected {expected}");
            };
            close("the value of", activation.apply(x, SLOPE.into()), value);
            close("the derivative of", activation.derivative(x, SLOPE.into()), derivative);
        }
    }
}

#[test]
fn the_reference_has_the_values() {
    for &Row { activation, special, .. } in TABLE {
        for (x, expected) in X.into_iter().zip(special) {
            #[expect(clippy::cast_possible_truncation, reason = "rounding to f32")]
            let got = activation.apply(x.into(), SLOPE.into()) as f32;
            assert!(
                is_value(got, activation, x, expected, DType::F32),
                "{activation} of {x:e} is {got:e}, expected {expected:e}"
            );
        }
    }
}

/// All values as the sums of a convolution: the input is zero, and each filter's bias is one of them. So every kernel that
/// writes outputs gets them, whatever its algorithm. Each activation takes one algorithm, two of them one of each kind.
fn check(device: &Device, label: &str) {
    let mut failures = Vec::new();
    for &Row { activation, special, .. } in TABLE {
        let full = matches!(activation, Activation::Relu | Activation::Silu);
        for (groups, dtype) in [(1, DType::F32), (1, DType::F16), (X.len(), DType::F32)] {
            let conv = Conv::new(2 * groups, X.len(), [3, 3]).groups(groups).padding(1).bias(true);
            let conv = conv.activation(activation).dtype(dtype);
            let problem = conv.on([1, 2 * groups, 5, 6]).expect("legal");
            let weights = vec![1.0; conv.weights_len()];
            let slopes = [SLOPE; X.len()];
            let mut given = Weights::new(&weights).bias(&X);
            if activation.has_slopes() {
                given = given.slopes(&slopes);
            }
            let kinds = if full && (groups, dtype) == (1, DType::F32) { 9 } else { 1 };
            for algorithm in one_of_each_kind(&problem, device).into_iter().take(kinds) {
                let layer = Layer::new_blocking(device, conv, given, forced(algorithm)).expect("legal");
                let input = vec![0.0; problem.input_len()];
                let output = layer.run_blocking(problem.input_shape(), &input).expect("a run").data;
                for ((outputs, x), expected) in output.chunks(output.len() / X.len()).zip(X).zip(special) {
                    let found = outputs.iter().find(|&&got| !is_value(got, activation, x, expected, dtype));
                    failures.extend(found.map(|got| {
                        format!(
                            "{label}, {algorithm}, {dtype}: {activation} of {x:e} is {got:e}, expected {expected:e}"
                        )
                    }));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn the_processor_has_the_values() {
    check(&Device::cpu(), "CPU");
}

#[test]
fn gpus_have_the_values() {
    on_gpus("gpus_have_the_values", |gpu| check(&gpu.device(), &gpu.label));
}
