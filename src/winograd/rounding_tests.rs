//! Small f32 simulations of whole two-dimensional algorithms, which hold the two error numbers to
//! what they promise: the expected error is near the simulated one, and the bounds are never
//! exceeded, with and without fused multiply-adds, on data made to round badly.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "random numbers and small indices may lose bits"
)]

use super::error_bound::{abs_transforms, expected_error, gamma, roundings, worst_case_bound};
use super::{Coefficient, F, Lane, Matrix, Nested, Program, Rational, Transform};

/// `SplitMix64`, as the search has it, and normal numbers from it.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in (0, 1).
    fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Normal, by Box and Muller.
    fn normal(&mut self) -> f32 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        (radius * (std::f64::consts::TAU * self.uniform()).cos()) as f32
    }

    fn sign(&mut self) -> f32 {
        if self.next() & 1 == 0 { 1.0 } else { -1.0 }
    }

    /// Any sign, magnitude from 2^-12 to 2^12.
    fn wide(&mut self) -> f32 {
        self.sign() * ((self.uniform() - 0.5) * 24.0).exp2() as f32
    }
}

/// An `f32` whose multiply-adds round once, as on a device that fuses.
#[derive(Copy, Clone)]
struct Fused(f32);

impl Lane for Fused {
    fn add(self, rhs: Self) -> Self {
        Self(self.0 + rhs.0)
    }

    fn sub(self, rhs: Self) -> Self {
        Self(self.0 - rhs.0)
    }

    fn scale(self, c: &Coefficient) -> Self {
        Self(c.f32 * self.0)
    }

    fn scale_add(self, c: &Coefficient, rhs: Self) -> Self {
        Self(f32::mul_add(c.f32, self.0, rhs.0))
    }

    fn scale_sub(self, c: &Coefficient, rhs: Self) -> Self {
        Self(f32::mul_add(c.f32, self.0, -rhs.0))
    }
}

/// How the sums over channels round.
trait Number: Lane + From<f32> {
    fn value(self) -> f32;
    fn multiply_add(self, x: Self, y: Self) -> Self;
}

impl Number for f32 {
    fn value(self) -> f32 {
        self
    }

    fn multiply_add(self, x: Self, y: Self) -> Self {
        self + x * y
    }
}

impl From<f32> for Fused {
    fn from(x: f32) -> Self {
        Self(x)
    }
}

impl Number for Fused {
    fn value(self) -> f32 {
        self.0
    }

    fn multiply_add(self, x: Self, y: Self) -> Self {
        Self(f32::mul_add(x.0, y.0, self.0))
    }
}

/// `rows * data * cols^T`, columns first.
fn transform_2d<T: Number>(rows: &Program, cols: &Program, data: &[T]) -> Vec<T> {
    let zero = T::from(0.0);
    let (height, width) = (rows.outputs().len(), cols.outputs().len());
    let mut half = vec![zero; height * cols.inputs()];
    let mut scratch = vec![zero; rows.ops().len().max(cols.ops().len())];
    let mut line = vec![zero; height];
    for x in 0..cols.inputs() {
        let column: Vec<T> = (0..rows.inputs()).map(|y| data[y * cols.inputs() + x]).collect();
        rows.eval(&column, &mut scratch, &mut line).unwrap();
        (0..height).for_each(|y| half[y * cols.inputs() + x] = line[y]);
    }
    let mut out = vec![zero; height * width];
    for (from, to) in half.chunks_exact(cols.inputs()).zip(out.chunks_exact_mut(width)) {
        cols.eval(from, &mut scratch, to).unwrap();
    }
    out
}

/// One tile's outputs, channels summed in order. Inputs and weights are planes, one a channel.
fn winograd<T: Number>(alg: Nested, inputs: &[Vec<f32>], weights: &[Vec<f32>]) -> Vec<f64> {
    let (rows, cols) = (alg.rows.programs().unwrap(), alg.cols.programs().unwrap());
    let lanes = |plane: &Vec<f32>| plane.iter().map(|&x| T::from(x)).collect::<Vec<T>>();
    let mut sums = vec![T::from(0.0); alg.products()];
    for (d, g) in inputs.iter().zip(weights) {
        let v = transform_2d(&rows.input, &cols.input, &lanes(d));
        let u = transform_2d(&rows.filter, &cols.filter, &lanes(g));
        sums.iter_mut().zip(u).zip(v).for_each(|((sum, u), v)| *sum = sum.multiply_add(u, v));
    }
    let outputs = transform_2d(&rows.output, &cols.output, &sums);
    outputs.into_iter().map(|y| f64::from(y.value())).collect()
}

fn direct(alg: Nested, inputs: &[Vec<f32>], weights: &[Vec<f32>]) -> Vec<f64> {
    let (p, q) = (usize::from(alg.rows.m()), usize::from(alg.cols.m()));
    let (r, s, width) = (usize::from(alg.rows.r()), usize::from(alg.cols.r()), alg.cols.span());
    let mut out = vec![0.0; p * q];
    for (i, out) in out.iter_mut().enumerate() {
        for (d, g) in inputs.iter().zip(weights) {
            for j in 0..r * s {
                let input = d[(i / q + j / s) * width + i % q + j % s];
                *out += f64::from(input) * f64::from(g[j]);
            }
        }
    }
    out
}

fn planes(count: usize, size: usize, mut next: impl FnMut() -> f32) -> Vec<Vec<f32>> {
    (0..count).map(|_| (0..size).map(|_| next()).collect()).collect()
}

#[test]
fn small_integers_are_exact_in_the_algorithms_without_rounding() {
    for f in [F::new(2, 3), F::quadratic(4, 3), F::quadratic(2, 5)] {
        let alg = Nested::square(f);
        let mut random = Random(3);
        let mut small = || (random.next() % 9) as f32 - 4.0;
        let (d, g) = (planes(5, alg.inputs(), &mut small), planes(5, alg.weights(), &mut small));
        assert_eq!(winograd::<f32>(alg, &d, &g), direct(alg, &d, &g), "{alg}");
    }
}

#[test]
fn expected_error_is_near_the_simulated_one() {
    let fs = [
        F::new(2, 3),
        F::new(4, 3),
        F::textbook(4, 3),
        F::new(6, 3),
        F::quadratic(4, 3),
        F::quadratic(6, 3),
        F::new(4, 5),
        F::new(1, 3),
    ];
    let mixed = Nested::new(F::quadratic(6, 3), F::quadratic(4, 3));
    for alg in fs.into_iter().map(Nested::square).chain([mixed]) {
        for channels in [8, 64] {
            let mut random = Random(channels as u64);
            let (mut error, mut norm) = (0.0, 0.0);
            for _ in 0..60 {
                let inputs = planes(channels, alg.inputs(), || random.normal());
                let weights = planes(channels, alg.weights(), || random.normal());
                let found = winograd::<f32>(alg, &inputs, &weights);
                for (y, exact) in found.into_iter().zip(direct(alg, &inputs, &weights)) {
                    error += (y - exact).powi(2);
                    norm += exact * exact;
                }
            }
            let simulated = f64::sqrt(error / norm);
            let ratio = simulated / expected_error(alg, channels);
            assert!((0.5..2.0).contains(&ratio), "{alg}, {channels} channels: {simulated:.2e}, {ratio:.2} expected");
        }
    }
}

/// `rows * data * cols^T` for row-major matrices of the given widths.
fn sandwich(rows: &[f64], data: &[f64], cols: &[f64], inner: (usize, usize)) -> Vec<f64> {
    let mut out = Vec::new();
    for row in rows.chunks_exact(inner.0) {
        for col in cols.chunks_exact(inner.1) {
            let line = |y: usize| -> f64 { col.iter().zip(&data[y * inner.1..]).map(|(c, d)| c * d).sum() };
            out.push(row.iter().enumerate().map(|(y, r)| r * line(y)).sum());
        }
    }
    out
}

/// The bound of `error_bound`'s opening paragraph.
fn componentwise_bound(alg: Nested, inputs: &[Vec<f32>], weights: &[Vec<f32>]) -> Vec<f64> {
    let (rows, cols) = (abs_transforms(alg.rows).unwrap(), abs_transforms(alg.cols).unwrap());
    let abs = |plane: &Vec<f32>| plane.iter().map(|x| f64::from(x.abs())).collect::<Vec<_>>();
    let mut sums = vec![0.0; alg.products()];
    for (d, g) in inputs.iter().zip(weights) {
        let v = sandwich(&rows.b_t, &abs(d), &cols.b_t, (alg.rows.span(), alg.cols.span()));
        let u = sandwich(&rows.g, &abs(g), &cols.g, (alg.rows.r().into(), alg.cols.r().into()));
        sums.iter_mut().zip(u).zip(v).for_each(|((sum, u), v)| *sum += u * v);
    }
    let growth = gamma(roundings(alg, inputs.len()));
    let outputs = sandwich(&rows.a_t, &sums, &cols.a_t, (alg.rows.products(), alg.cols.products()));
    outputs.into_iter().map(|y| y * growth).collect()
}

/// Data that rounds badly: by name, so that a failure says which.
fn hostile_data(alg: Nested, channels: usize, random: &mut Random) -> Vec<(&'static str, [Vec<Vec<f32>>; 2])> {
    let (inputs, weights) = (alg.inputs(), alg.weights());
    let transforms = [alg.rows, alg.cols].map(|f| f.transform().unwrap());
    let product = transforms.each_ref().map(|t| (random.next() % t.g.rows() as u64) as usize);
    // The signs of one product's rows, so that all of its terms add up and all other products'
    // cancel.
    let aligned = |pick: fn(&Transform) -> &Matrix, jitter: f32| {
        let [row, col] = [0, 1].map(|i| pick(&transforms[i]).row(product[i]).to_vec());
        let sign = |x: Rational| if x.is_negative() { -jitter } else { jitter };
        row.iter().flat_map(|&y| col.iter().map(move |&x| sign(y) * sign(x))).collect::<Vec<f32>>()
    };
    let jitter: Vec<f32> = (0..channels).map(|_| 1.0 + random.uniform() as f32 / 3.0).collect();
    let along = |pick| jitter.iter().map(|&j| aligned(pick, j)).collect::<Vec<_>>();
    // Each channel undoes the one before, all but a little.
    let mut paired = planes(channels, inputs, || random.normal());
    for c in (1..channels).step_by(2) {
        paired[c] = paired[c - 1].iter().map(|x| -x * (1.0 + 1e-6)).collect();
    }
    let first = planes(1, weights, || random.normal()).concat();
    let same = vec![first; channels];
    vec![
        ("normal", [planes(channels, inputs, || random.normal()), planes(channels, weights, || random.normal())]),
        ("wide range", [planes(channels, inputs, || random.wide()), planes(channels, weights, || random.wide())]),
        (
            "signs",
            [planes(channels, inputs, || random.sign() / 3.0), planes(channels, weights, || random.sign() / 7.0)],
        ),
        (
            "constant",
            [planes(channels, inputs, || 1.0 + random.normal() * 1e-6), planes(channels, weights, || 1.0 / 3.0)],
        ),
        ("aligned", [along(|t| &t.b_t), along(|t| &t.g)]),
        ("aligned input", [along(|t| &t.b_t), planes(channels, weights, || random.sign() * 0.1)]),
        ("undone", [paired, same]),
    ]
}

#[test]
fn bounds_are_never_exceeded() {
    let mixed = [
        Nested::new(F::quadratic(6, 3), F::new(2, 3)),
        Nested::new(F::new(1, 3), F::new(6, 3)),
        Nested::new(F::new(4, 1), F::new(4, 3)),
    ];
    for alg in F::shipped().iter().copied().map(Nested::square).chain(mixed) {
        for channels in [1, 2, 9] {
            let mut random = Random(11 + channels as u64);
            for (kind, [inputs, weights]) in (0..3).flat_map(|_| hostile_data(alg, channels, &mut random)) {
                let exact = direct(alg, &inputs, &weights);
                let bounds = componentwise_bound(alg, &inputs, &weights);
                let largest =
                    |planes: &[Vec<f32>]| planes.iter().flatten().fold(0.0_f64, |most, x| most.max(x.abs().into()));
                let worst = worst_case_bound(alg, channels, largest(&inputs), largest(&weights));
                let plain = winograd::<f32>(alg, &inputs, &weights);
                let fused = winograd::<Fused>(alg, &inputs, &weights);
                for (i, (exact, bound)) in exact.iter().zip(&bounds).enumerate() {
                    for (how, found) in [("plain", plain[i]), ("fused", fused[i])] {
                        let error = (found - exact).abs();
                        assert!(error <= *bound, "{alg}, {kind}, {how}, output {i}: {error:e} above {bound:e}");
                    }
                    assert!(*bound <= worst * (1.0 + 1e-12), "{alg}, {kind}: {bound:e} above {worst:e}");
                }
            }
        }
    }
}
