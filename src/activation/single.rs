//! The functions behind the activations in f32, as the CPU's kernels compute them: without branches or calls, so that a loop
//! over a slice becomes vector instructions; with fused multiply-adds where the processor has them, and without elsewhere, where a
//! call would take their place. They are functions with names because closures that are called through a constant are not always
//! inlined.
//!
//! Each is within five roundings of the exact value; what that is of, and exceptions, are in the test below.

/// Adding it rounds to an integer, which then stands in the lowest bits: 3 * 2^22.
const ROUND: f32 = 12_582_912.0;

type Numbers = [f32; 2];

#[inline(always)]
pub(super) fn identity<const FUSED: bool>(x: f32, _: Numbers) -> f32 {
    x
}

#[inline(always)]
pub(super) fn relu<const FUSED: bool>(x: f32, _: Numbers) -> f32 {
    // Written with `if` this becomes, in place, a store through a mask, and the next load waits for it.
    f32::from_bits(x.to_bits() & u32::from(x < 0.0).wrapping_sub(1))
}

#[inline(always)]
pub(super) fn leaky<const FUSED: bool>(x: f32, [slope, _]: Numbers) -> f32 {
    if x > 0.0 { x } else { slope * x }
}

#[inline(always)]
pub(super) fn clamped<const FUSED: bool>(x: f32, [low, high]: Numbers) -> f32 {
    clamp(x, low, high)
}

#[inline(always)]
pub(super) fn sigmoid<const FUSED: bool>(x: f32, _: Numbers) -> f32 {
    logistic::<FUSED>(x)
}

#[inline(always)]
pub(super) fn silu<const FUSED: bool>(x: f32, _: Numbers) -> f32 {
    x * logistic::<FUSED>(x)
}

#[inline(always)]
pub(super) fn gelu<const FUSED: bool>(x: f32, _: Numbers) -> f32 {
    0.5 * x * one_plus_erf::<FUSED>(x)
}

/// As the logistic function of twice the tangent's argument.
#[inline(always)]
pub(super) fn gelu_tanh<const FUSED: bool>(x: f32, _: Numbers) -> f32 {
    // Beyond 16 the logistic function is 0 or 1, and a larger cube could overflow.
    let near = clamp(x, -16.0, 16.0);
    x * logistic::<FUSED>(1.595_769_2 * (near + 0.044_715 * near * near * near))
}

#[inline(always)]
pub(super) fn hard_swish<const FUSED: bool>(x: f32, _: Numbers) -> f32 {
    x * (clamp(x + 3.0, 0.0, 6.0) / 6.0)
}

#[inline(always)]
pub(super) fn hard_sigmoid<const FUSED: bool>(x: f32, [slope, offset]: Numbers) -> f32 {
    clamp(slope * x + offset, 0.0, 1.0)
}

#[inline(always)]
pub(super) fn elu<const FUSED: bool>(x: f32, [alpha, _]: Numbers) -> f32 {
    if x > 0.0 { x } else { alpha * exp_m1::<FUSED>(x) }
}

#[inline(always)]
pub(super) fn mish<const FUSED: bool>(x: f32, _: Numbers) -> f32 {
    x * mish_gate::<FUSED>(x)
}

#[inline(always)]
pub(super) fn softplus<const FUSED: bool>(x: f32, [beta, threshold]: Numbers) -> f32 {
    let z = beta * x;
    if z > threshold { x } else { ln_1p_exp::<FUSED>(z) / beta }
}

/// Between two bounds, and NaN for NaN.
#[inline(always)]
fn clamp(x: f32, low: f32, high: f32) -> f32 {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

/// `a * b + c`, rounded once or twice.
#[inline(always)]
fn mul_add<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// A polynomial, from the highest coefficient on.
#[inline(always)]
fn polynomial<const FUSED: bool, const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut sum = coefficients[0];
    for coefficient in &coefficients[1..] {
        sum = mul_add::<FUSED>(sum, x, *coefficient);
    }
    sum
}

/// `exp(x)`, subnormal results too. x is an integer times ln 2 and a rest of at most half of it, whose exponential is a
/// polynomial (that of Cephes' `expf`).
#[inline(always)]
pub(crate) fn exp<const FUSED: bool>(x: f32) -> f32 {
    // ln 2 in two parts: products of the first one with integers are exact.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    let x = clamp(x, -104.0, 89.0);
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let rest = mul_add::<FUSED>(-n, LN_2[1], x - n * LN_2[0]);
    let tail = polynomial::<FUSED, _>(
        rest,
        [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5],
    );
    let power = rounded.to_bits().wrapping_sub(ROUND.to_bits()).cast_signed();
    // Two factors, of which each is a normal number.
    let half = power >> 1;
    let factor = |power: i32| f32::from_bits((power + 127).cast_unsigned() << 23);
    (mul_add::<FUSED>(tail, rest * rest, rest) + 1.0) * factor(half) * factor(power - half)
}

/// `exp(-|x|)`: at most 1.
#[inline(always)]
fn exp_down<const FUSED: bool>(x: f32) -> f32 {
    exp::<FUSED>(-x.abs())
}

/// `1 / (1 + exp(-x))`
#[inline(always)]
fn logistic<const FUSED: bool>(x: f32) -> f32 {
    let e = exp_down::<FUSED>(x);
    (if x < 0.0 { e } else { 1.0 }) / (1.0 + e)
}

/// `tanh(x)`: near zero a polynomial (that of Cephes' `tanhf`).
#[inline(always)]
pub(super) fn tanh<const FUSED: bool>(x: f32, _: Numbers) -> f32 {
    const COEFFICIENTS: [f32; 5] = [-5.704_988_7e-3, 2.063_908_8e-2, -5.373_971_6e-2, 1.333_144_2e-1, -0.333_332_8];
    let e = exp_down::<FUSED>(2.0 * x);
    let far = (1.0 - e) / (1.0 + e);
    let square = x * x;
    let near = x + x * square * polynomial::<FUSED, _>(square, COEFFICIENTS);
    if x.abs() < 0.625 { near } else { far.copysign(x) }
}

/// `exp(x) - 1` for x that are not positive: down to -1/2 the Taylor polynomial.
#[inline(always)]
fn exp_m1<const FUSED: bool>(x: f32) -> f32 {
    let near = clamp(x, -0.5, 0.0);
    let taylor = [1.0 / 40_320.0, 1.0 / 5_040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5];
    let near = near + near * near * polynomial::<FUSED, _>(near, taylor);
    if x > -0.5 { near } else { exp::<FUSED>(x) - 1.0 }
}

/// `ln(1 + exp(x))`. With `e = exp(-|x|)` and `t = e / (2 + e)` that is `max(x, 0) + 2 atanh(t)`, here the Taylor polynomial:
/// t is at most 1/3.
#[inline(always)]
fn ln_1p_exp<const FUSED: bool>(x: f32) -> f32 {
    let e = exp_down::<FUSED>(x);
    let t = e / (2.0 + e);
    let square = t * t;
    let taylor = [1.0 / 13.0, 1.0 / 11.0, 1.0 / 9.0, 1.0 / 7.0, 1.0 / 5.0, 1.0 / 3.0];
    let tail = t + t * square * polynomial::<FUSED, _>(square, taylor);
    (if x > 0.0 { x } else { 0.0 }) + 2.0 * tail
}

/// `tanh(ln(1 + exp(x)))`. With `e = exp(x)` that is `n / (n + 2)` with `n = e (e + 2)`; above zero with `e = exp(-x)` both
/// sides times its square.
#[inline(always)]
fn mish_gate<const FUSED: bool>(x: f32) -> f32 {
    let e = exp_down::<FUSED>(x);
    let (n, rest) = if x > 0.0 { (1.0 + 2.0 * e, 2.0 * e * e) } else { (e * (e + 2.0), 2.0) };
    n / (n + rest)
}

/// `1 - erf(z)` for z that are not negative, from z and its square. With `t = 1 / (1 + z / 2)` that is `t exp(-z^2)` times a
/// polynomial of t, here that of the least relative error for z up to 10.5. Beyond, it is 0 in f32.
#[inline(always)]
fn one_minus_erf<const FUSED: bool>(z: f32, square: f32) -> f32 {
    const COEFFICIENTS: [f32; 10] = [
        0.010_816_275,
        -0.115_472_81,
        0.411_132_78,
        -0.647_052_05,
        0.402_886_45,
        -0.088_881_14,
        0.222_447_22,
        0.239_268_27,
        0.282_787_2,
        0.282_067_8,
    ];
    let t = 1.0 / (1.0 + 0.5 * z);
    t * polynomial::<FUSED, _>(t, COEFFICIENTS) * exp::<FUSED>(-square)
}

/// `erf(x)` for x up to 1/2, as its Taylor polynomial.
#[inline(always)]
fn erf_near_zero<const FUSED: bool>(x: f32) -> f32 {
    let square = x * x;
    let taylor = [1.0 / 9_360.0, -1.0 / 1_320.0, 1.0 / 216.0, -1.0 / 42.0, 0.1, -1.0 / 3.0];
    std::f32::consts::FRAC_2_SQRT_PI * (x + x * square * polynomial::<FUSED, _>(square, taylor))
}

/// `1 + erf(x / sqrt 2)`
#[inline(always)]
fn one_plus_erf<const FUSED: bool>(x: f32) -> f32 {
    let z = x * std::f32::consts::FRAC_1_SQRT_2;
    let tail = one_minus_erf::<FUSED>(z.abs(), 0.5 * x * x);
    let far = if x > 0.0 { 2.0 - tail } else { tail };
    if z.abs() < 0.5 { 1.0 + erf_near_zero::<FUSED>(z) } else { far }
}

/// `erf(x)`
#[inline(always)]
pub(crate) fn erf<const FUSED: bool>(x: f32) -> f32 {
    let far = (1.0 - one_minus_erf::<FUSED>(x.abs(), x * x)).copysign(x);
    if x.abs() < 0.5 { erf_near_zero::<FUSED>(x) } else { far }
}

#[cfg(test)]
mod tests {
    use crate::activation::Activation;

    /// One of so many f32 values is tried. All of them take twenty minutes in a release build.
    const STEP: usize = if cfg!(miri) { 40_000_003 } else { 1_009 };
    /// Values of a slice.
    const LEN: usize = 64;

    /// The largest error, in units of 2^-24 of [`size`].
    fn stated(activation: Activation) -> f64 {
        match activation {
            Activation::None | Activation::Relu | Activation::Clamp { .. } => 0.0,
            Activation::LeakyRelu { .. } | Activation::PRelu => 1.0,
            _ => 5.0,
        }
    }

    /// What errors are relative to: the result, where that is not nearly subnormal.
    fn size(activation: Activation, x: f64, exact: f64) -> f64 {
        let exact = exact.abs().max(2f64.powi(-118));
        match activation {
            // A sum that is zero at -3.
            Activation::HardSigmoid { .. } => 1.0,
            // Of exponentials whose arguments are rounded.
            Activation::Gelu | Activation::GeluTanh => exact * (1.0 + x * x),
            _ => exact,
        }
    }

    #[test]
    #[expect(clippy::cast_possible_truncation, reason = "bits of f32, and rounding to it")]
    fn errors_are_as_stated() {
        let mut failures = Vec::new();
        for activation in Activation::ALL {
            let mut worst = (0.0, 0.0);
            for first in (0..=u32::MAX).step_by(STEP * LEN) {
                let arguments: [f32; LEN] =
                    std::array::from_fn(|i| f32::from_bits(first.wrapping_add((i * STEP) as u32)));
                let [mut fused, mut apart] = [arguments; 2];
                activation.apply_in_place::<true>(&mut fused, |_| 0.25);
                activation.apply_in_place::<false>(&mut apart, |_| 0.25);
                for (x, got) in [arguments; 2].into_iter().flatten().zip(fused.into_iter().chain(apart)) {
                    let exact = activation.apply(x.into(), 0.25);
                    if exact as f32 == got || exact.is_nan() && got.is_nan() {
                        continue;
                    }
                    let error = (f64::from(got) - exact).abs() * f64::from(1 << 24) / size(activation, x.into(), exact);
                    // A NaN is the worst of all.
                    if error.is_nan() || error > worst.0 {
                        worst = (error, x);
                    }
                }
            }
            println!("{activation}: {:.2} at {:e}", worst.0, worst.1);
            if worst.0.is_nan() || worst.0 > stated(activation) {
                failures.push(activation);
            }
        }
        assert!(failures.is_empty(), "{failures:?}");
    }
}
