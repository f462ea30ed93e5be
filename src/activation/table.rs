//! The table of activations. To add one, write its row here, its function in `single.rs`, and its two parts in `shaders/part`:
//! `activation_<name>.wgsl` and `derivative_<name>.wgsl`.

use super::Kept;
use super::entry::{Entry, UNIT_ROUNDOFF, activations, by_vectors, filled};
use super::single;

activations! {
    /// `x`
    #[default]
    None none = Entry::IDENTITY;

    /// `max(x, 0)`
    Relu relu = Entry {
        value: |x, _| clamp(x, 0.0, f64::INFINITY),
        single: [single::relu::<false>, single::relu::<true>],
        gradient: |gradient, y, _| gate(y > 0.0, gradient),
        ..Entry::IDENTITY
    };

    /// `x` if positive, else `slope * x`
    LeakyRelu leaky_relu {
        /// Factor of the negative side.
        slope: 0.01,
    } = Entry {
        // The output's sign is the sum's unless the slope turns it around.
        kept: |[slope, _]| if slope < 0.0 { Kept::Sum } else { Kept::Output },
        evaluation_error: |size, [slope, _]| 2.0 * UNIT_ROUNDOFF * size * slope.abs().max(1.0),
        problem: |[slope, _]| (!slope.is_finite()).then_some("the slope is not finite"),
        ..LEAKY
    };

    /// Leaky ReLU with a slope for each filter, an operand of its own beside the bias.
    PRelu prelu = Entry {
        slopes: true,
        kept: |_| Kept::Sum,
        evaluation_error: |size, _| 2.0 * UNIT_ROUNDOFF * size * size.max(1.0),
        ..LEAKY
    };

    /// `min(max(x, low), high)`. The derivative is 0 at both bounds.
    Clamp clamp {
        /// Smallest value.
        low: -1.0,
        /// Largest value.
        high: 1.0,
    } = Entry {
        bounds_outputs: true,
        value: |x, [low, high]| clamp(x, low, high),
        single: [single::clamped::<false>, single::clamped::<true>],
        gradient: |gradient, y, [low, high]| gate(y > low && y < high, gradient),
        problem: |[low, high]| {
            if low.is_nan() || high.is_nan() {
                return Some("a bound is not a number");
            }
            (low > high).then_some("the lower bound is above the upper bound")
        },
        counts: [0, 1],
        ..Entry::IDENTITY
    };

    /// `1 / (1 + exp(-x))`
    Sigmoid sigmoid = Entry {
        value: |x, _| sigmoid(x),
        single: [single::sigmoid::<false>, single::sigmoid::<true>],
        gradient: |gradient, y, _| gradient * y * (1.0 - y),
        lipschitz: |_| 0.25,
        counts: [0, 5],
        gradient_counts: [0, 3],
        ..BOUNDED
    };

    /// `tanh(x)`
    Tanh tanh = Entry {
        value: |x, _| x.tanh(),
        single: [single::tanh::<false>, single::tanh::<true>],
        gradient: |gradient, y, _| gradient * (1.0 - y) * (1.0 + y),
        counts: [0, 3],
        gradient_counts: [1, 1],
        ..BOUNDED
    };

    /// `x * sigmoid(x)`
    Silu silu = Entry {
        value: |x, _| x * sigmoid(x),
        single: [single::silu::<false>, single::silu::<true>],
        gradient: |gradient, x, _| {
            // Far from zero these three are 0 or 1; an infinity would give NaN.
            let x = clamp(x, -FAR, FAR);
            let s = sigmoid(x);
            gradient * s * (1.0 + x * (1.0 - s))
        },
        // The largest derivative is 1.0998, at 2.4.
        lipschitz: |_| 1.1,
        counts: [0, 6],
        gradient_counts: [1, 9],
        ..GATED
    };

    /// `x * (1 + erf(x / sqrt 2)) / 2`, the exact form
    Gelu gelu = Entry {
        value: |x, _| 0.5 * x * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2),
        single: [single::gelu::<false>, single::gelu::<true>],
        gradient: |gradient, x, _| {
            let x = clamp(x, -FAR, FAR);
            let bell = (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
            gradient * (0.5 * (1.0 + libm::erf(x * std::f64::consts::FRAC_1_SQRT_2)) + x * bell)
        },
        // The largest derivative is 1.129, at sqrt 2.
        lipschitz: |_| 1.13,
        counts: [5, 11],
        gradient_counts: [6, 13],
        ..GATED
    };

    /// `x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2`, the approximation by tanh
    GeluTanh gelu_tanh = Entry {
        value: |x, _| {
            // (1 + tanh(y)) / 2 is the logistic function of 2y, which does not cancel.
            x * sigmoid((8.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x * x * x))
        },
        single: [single::gelu_tanh::<false>, single::gelu_tanh::<true>],
        gradient: |gradient, x, _| {
            let x = clamp(x, -FAR, FAR);
            let scale = (8.0 / std::f64::consts::PI).sqrt();
            let s = sigmoid(scale * (x + 0.044_715 * x * x * x));
            gradient * s * (1.0 + x * (1.0 - s) * scale * (1.0 + 3.0 * 0.044_715 * x * x))
        },
        lipschitz: |_| 1.13,
        counts: [1, 10],
        gradient_counts: [3, 15],
        ..GATED
    };

    /// `x * clamp(x + 3, 0, 6) / 6`: `HardSwish` in ONNX. As in PyTorch, the derivative is 0 at -3 and 1 at 3.
    HardSwish hard_swish = Entry {
        value: |x, _| x * (clamp(x + 3.0, 0.0, 6.0) / 6.0),
        single: [single::hard_swish::<false>, single::hard_swish::<true>],
        gradient: |gradient, x, _| {
            if x >= 3.0 { gradient } else { gate(x > -3.0, gradient * (x / 3.0 + 0.5)) }
        },
        // The derivative goes from -0.5 to 1.5 between -3 and 3.
        lipschitz: |_| 1.5,
        evaluation_error: |size, _| 8.0 * UNIT_ROUNDOFF * size,
        counts: [0, 4],
        gradient_counts: [1, 1],
        ..GATED
    };

    /// `clamp(slope * x + offset, 0, 1)`. The default slope is 1/6, as in PyTorch; it is 0.2 in ONNX. The derivative is 0 at
    /// both bounds.
    HardSigmoid hard_sigmoid {
        /// Slope between the bounds: `alpha` in ONNX.
        slope: 1.0 / 6.0,
        /// Value at 0: `beta` in ONNX.
        offset: 0.5,
    } = Entry {
        value: |x, [slope, offset]| clamp(slope * x + offset, 0.0, 1.0),
        single: [single::hard_sigmoid::<false>, single::hard_sigmoid::<true>],
        gradient: |gradient, y, [slope, _]| gate(y > 0.0 && y < 1.0, slope * gradient),
        lipschitz: |[slope, _]| slope.abs(),
        // Between the bounds |slope * x| is at most 1 + |offset|: two roundings of numbers of that size.
        evaluation_error: |_, [_, offset]| 8.0 * UNIT_ROUNDOFF * (1.0 + offset.abs()),
        gradient_error: |[slope, _]| 2.0 * UNIT_ROUNDOFF * slope.abs(),
        problem: |numbers| numbers.iter().any(|number| !number.is_finite()).then_some("a number is not finite"),
        counts: [1, 1],
        gradient_counts: [0, 1],
        ..Entry::IDENTITY
    };

    /// `x` if positive, else `alpha * (exp(x) - 1)`
    Elu elu {
        /// Minus the limit at negative infinity.
        alpha: 1.0,
    } = Entry {
        bounds_outputs: true,
        value: |x, [alpha, _]| if x > 0.0 { x } else { alpha * x.exp_m1() },
        single: [single::elu::<false>, single::elu::<true>],
        // The output's sign is the sum's unless alpha turns it around.
        kept: |[alpha, _]| if alpha < 0.0 { Kept::Sum } else { Kept::Output },
        gradient: |gradient, kept, [alpha, _]| {
            let left = if alpha < 0.0 { alpha * kept.exp() } else { kept + alpha };
            gradient * if kept > 0.0 { 1.0 } else { left }
        },
        lipschitz: |[alpha, _]| alpha.abs().max(1.0),
        // Down to -1/2 a polynomial, of a few roundings relative to x; then an exponential, which is below 1.
        evaluation_error: |size, [alpha, _]| 16.0 * UNIT_ROUNDOFF * alpha.abs() * size.min(1.0),
        gradient_error: |[alpha, _]| FEW_ROUNDINGS * alpha.abs().max(1.0),
        problem: |[alpha, _]| (!alpha.is_finite()).then_some("alpha is not finite"),
        counts: [7, 6],
        gradient_counts: [0, 5],
        ..Entry::IDENTITY
    };

    /// `x * tanh(ln(1 + exp(x)))`
    Mish mish = Entry {
        value: |x, _| x * softplus(x).tanh(),
        single: [single::mish::<false>, single::mish::<true>],
        gradient: |gradient, x, _| {
            let x = clamp(x, -FAR, FAR);
            let t = softplus(x).tanh();
            gradient * (t + x * sigmoid(x) * (1.0 - t * t))
        },
        // The largest derivative is 1.0885, at 1.49.
        lipschitz: |_| 1.09,
        counts: [1, 10],
        gradient_counts: [2, 17],
        ..GATED
    };

    /// `ln(1 + exp(beta * x)) / beta`, and `x` where `beta * x` is above the threshold
    Softplus softplus {
        /// How sharp the bend at 0 is.
        beta: 1.0,
        /// Where the straight line begins. The function jumps there by `ln(1 + exp(-threshold)) / beta`, which for the
        /// default is less than a rounding to f32.
        threshold: 20.0,
    } = Entry {
        value: |x, [beta, threshold]| if beta * x > threshold { x } else { softplus(beta * x) / beta },
        single: [single::softplus::<false>, single::softplus::<true>],
        kept: |_| Kept::Sum,
        gradient: |gradient, x, [beta, threshold]| {
            gradient * if beta * x > threshold { 1.0 } else { sigmoid(beta * x) }
        },
        // A device may round beta * x to the other side of the jump.
        evaluation_error: |size, [beta, threshold]| {
            24.0 * UNIT_ROUNDOFF * (size + 1.0 / beta) + softplus(-threshold) / beta
        },
        gradient_error: |[_, threshold]| FEW_ROUNDINGS + sigmoid(-threshold),
        problem: |[beta, threshold]| {
            if !(beta.is_normal() && beta > 0.0) {
                return Some("beta is not a positive normal number");
            }
            (!threshold.is_finite()).then_some("the threshold is not finite")
        },
        counts: [6, 12],
        gradient_counts: [0, 7],
        ..Entry::IDENTITY
    };
}

/// Two straight lines that meet at zero; the first number is the slope of the left one.
const LEAKY: Entry = Entry {
    value: |x, [slope, _]| if x > 0.0 { x } else { slope * x },
    single: [single::leaky::<false>, single::leaky::<true>],
    gradient: |gradient, kept, [slope, _]| gradient * if kept > 0.0 { 1.0 } else { slope },
    lipschitz: |[slope, _]| slope.abs().max(1.0),
    gradient_error: |_| FEW_ROUNDINGS,
    counts: [0, 1],
    gradient_counts: [0, 1],
    ..Entry::IDENTITY
};

/// A smooth function between -1 and 1.
const BOUNDED: Entry =
    Entry { evaluation_error: |_, _| 64.0 * UNIT_ROUNDOFF, gradient_error: |_| FEW_ROUNDINGS, ..Entry::IDENTITY };

/// x times a smooth function between 0 and 1.
const GATED: Entry = Entry {
    kept: |_| Kept::Sum,
    evaluation_error: |size, _| 64.0 * UNIT_ROUNDOFF * size.max(1.0),
    gradient_error: |_| FEW_ROUNDINGS,
    ..Entry::IDENTITY
};

/// The error of a gradient: a rounding of the product, and a hundred at most of a derivative that is of the order of 1:
/// beside exponentials of 3 + 2|x| units in the last place, their products with polynomials of x.
const FEW_ROUNDINGS: f64 = 128.0 * UNIT_ROUNDOFF;

/// Beyond it, logistic functions, error functions and their products with polynomials are at their limits in f64.
const FAR: f64 = 1e3;

/// The gradient where the derivative is 1, and 0 where it is 0, whatever the gradient.
fn gate(open: bool, gradient: f64) -> f64 {
    if open { gradient } else { 0.0 }
}

/// `f64::min` and `f64::max` would make a number of a NaN, and `f64::clamp` panics where `low > high`.
fn clamp(x: f64, low: f64, high: f64) -> f64 {
    if x < low {
        low
    } else if x > high {
        high
    } else {
        x
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// `ln(1 + exp(x))`. A NaN comes through the second term.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}
