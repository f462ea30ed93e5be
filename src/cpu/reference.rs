//! The root of trust: direct convolution, every product and sum in f64, one output at a time.

use crate::shape::{Conv, Problem};

/// A problem with its operands, whose outputs can be asked for.
#[derive(Debug, Clone, Copy)]
pub struct Reference<'a> {
    /// The problem.
    pub problem: &'a Problem,
    /// NCHW.
    pub input: &'a [f32],
    /// `[K, C / groups, R, S]`.
    pub weights: &'a [f32],
    /// K elements, or none.
    pub bias: &'a [f32],
    /// K elements, or none.
    pub slopes: &'a [f32],
}

/// Outputs at some positions, to compare a large result with.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Position in the output.
    pub index: usize,
    /// The exact value, to f64's precision.
    pub value: f64,
}

impl Reference<'_> {
    /// The sum for one output, before bias and activation, and the sum of the terms' absolute values.
    pub fn sums(&self, index: usize) -> (f64, f64) {
        let (mut sum, mut size) = (0.0, 0.0);
        self.each_term(index, |value, weight| {
            let term = f64::from(value) * f64::from(weight);
            sum += term;
            size += term.abs();
        });
        (sum, size)
    }

    /// The same sum in f32, one term after the other and each product rounded: what the errors of others are held against.
    pub fn sequential(&self, index: usize) -> f32 {
        let mut sum = 0.0f32;
        self.each_term(index, |value, weight| sum += value * weight);
        sum
    }

    /// The factors of one output's terms, in the order of the weights.
    fn each_term(&self, index: usize, mut visit: impl FnMut(f32, f32)) {
        let Problem { conv, h, w, p: p_size, q: q_size, .. } = *self.problem;
        let Conv { channels, filters, kernel: [r_size, s_size], stride, dilation, padding, .. } = conv;
        let (group_c, group_k) = (self.problem.channels_per_group(), self.problem.filters_per_group());
        let (q, rest) = (index % q_size, index / q_size);
        let (p, rest) = (rest % p_size, rest / p_size);
        let (k, n) = (rest % filters, rest / filters);
        for c in 0..group_c {
            let image = (n * channels + k / group_k * group_c + c) * h * w;
            let filter = (k * group_c + c) * r_size * s_size;
            for r in 0..r_size {
                let y = (p * stride[0] + r * dilation[0]).wrapping_sub(padding.top);
                if y >= h {
                    continue;
                }
                for s in 0..s_size {
                    let x = (q * stride[1] + s * dilation[1]).wrapping_sub(padding.left);
                    if x >= w {
                        continue;
                    }
                    visit(self.input[image + y * w + x], self.weights[filter + r * s_size + s]);
                }
            }
        }
    }

    /// One output.
    pub fn at(&self, index: usize) -> f64 {
        let k = index / (self.problem.p * self.problem.q) % self.problem.conv.filters;
        let sum = self.sums(index).0 + self.bias.get(k).map_or(0.0, |&bias| f64::from(bias));
        self.problem.conv.activation.apply(sum, self.slopes.get(k).map_or(0.0, |&slope| f64::from(slope)))
    }

    /// All outputs.
    pub fn all(&self) -> Vec<f64> {
        (0..self.problem.output_len()).map(|index| self.at(index)).collect()
    }

    /// `count` outputs spread over the whole, always with the first and the last; all if there are fewer.
    pub fn sample(&self, count: usize) -> Vec<Sample> {
        let len = self.problem.output_len();
        let sample = |index| Sample { index, value: self.at(index) };
        if len <= count {
            return (0..len).map(sample).collect();
        }
        // A golden-section sequence: evenly spread, and in step with no row or tile.
        let mut position = 0.5f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "any position will do"
        )]
        let spread = (0..count - 2).map(|_| {
            position = (position + 0.618_033_988_749_895).fract();
            ((position * len as f64) as usize).min(len - 1)
        });
        [0, len - 1].into_iter().chain(spread).map(sample).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known by hand: the chain of trust starts here.
    #[test]
    fn a_small_convolution_by_hand() {
        let problem = Conv::new(1, 1, [2, 2]).padding(1).on([1, 1, 2, 2]).expect("legal");
        let reference = Reference {
            problem: &problem,
            input: &[1.0, 2.0, 3.0, 4.0],
            weights: &[1.0, 10.0, 100.0, 1000.0],
            bias: &[],
            slopes: &[],
        };
        // Each output is 1 a + 10 b + 100 c + 1000 d of the window (a b / c d).
        let expected = [1000.0, 2100.0, 200.0, 3010.0, 4321.0, 402.0, 30.0, 43.0, 4.0];
        assert_eq!(reference.all(), expected);
        let sequential: Vec<f64> = (0..9).map(|index| reference.sequential(index).into()).collect();
        assert_eq!(sequential, expected, "small integers are exact in f32 too");
    }

    /// 2^24 + 1 + 1 is 2^24 in f32, one after the other.
    #[test]
    fn the_sequential_sum_rounds_after_each_term() {
        let problem = Conv::new(3, 1, [1, 1]).on([1, 3, 1, 1]).expect("legal");
        let reference = Reference {
            problem: &problem,
            input: &[16_777_216.0, 1.0, 1.0],
            weights: &[1.0; 3],
            bias: &[],
            slopes: &[],
        };
        assert_eq!((f64::from(reference.sequential(0)), reference.at(0)), (16_777_216.0, 16_777_218.0));
    }

    #[test]
    fn groups_stride_and_dilation_by_hand() {
        let conv = Conv::new(2, 2, [1, 2]).groups(2).stride([1, 2]).dilation([1, 2]).bias(true);
        let problem = conv.on([1, 2, 1, 5]).expect("legal");
        let input = [1.0, 2.0, 3.0, 4.0, 5.0, 10.0, 20.0, 30.0, 40.0, 50.0];
        let reference = Reference {
            problem: &problem,
            input: &input,
            weights: &[1.0, 1.0, 1.0, -1.0],
            bias: &[0.5, 0.0],
            slopes: &[],
        };
        assert_eq!(reference.all(), [4.5, 8.5, -20.0, -20.0]);
    }

    #[test]
    fn samples_hold_both_ends() {
        let problem = Conv::new(1, 1, [1, 1]).on([1, 1, 64, 64]).expect("legal");
        let input: Vec<f32> = (0..4096u16).map(f32::from).collect();
        let reference = Reference { problem: &problem, input: &input, weights: &[1.0], bias: &[], slopes: &[] };
        let sample = reference.sample(100);
        assert_eq!((sample.len(), sample[0].index, sample[1].index), (100, 0, 4095));
        assert!(sample.iter().all(|s| (s.value - f64::from(input[s.index])).abs() < 1e-12), "values");
    }
}
