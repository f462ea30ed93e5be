//! What the page can do to a picture: stacks of convolutions with weights that are computed here, so that nobody has to
//! take a file of numbers on trust.

use std::f32::consts::{FRAC_PI_4, TAU};

use winoconv::{Activation, Conv};

/// Directions in which edges are looked for.
const DIRECTIONS: usize = 8;
/// Of red, green and blue (ITU-R BT.601).
const LUMINANCE: [f32; 3] = [0.299, 0.587, 0.114];
/// The binomial approximation of a Gaussian.
const BINOMIAL: [f32; 9] =
    [1.0 / 16.0, 2.0 / 16.0, 1.0 / 16.0, 2.0 / 16.0, 4.0 / 16.0, 2.0 / 16.0, 1.0 / 16.0, 2.0 / 16.0, 1.0 / 16.0];
/// Brightness as it is shown.
const SHOWN: Activation = Activation::Clamp { low: 0.0, high: 1.0 };

/// A filter that the page offers. All take and give three channels, and keep the picture's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Filter {
    /// A Gaussian over 7 x 7, each colour by itself.
    Blur,
    /// The slope of the brightness in 8 directions, each shown in its own colour: two layers of 3 x 3.
    Edges,
    /// A drawing in ink over softened colours: a network of three layers of 3 x 3.
    Ink,
}

/// A convolution with its weights.
#[derive(Debug, Clone)]
pub struct Stage {
    /// What it is.
    pub conv: Conv,
    /// In the convolution's order.
    pub weights: Vec<f32>,
    /// K elements, or none.
    pub bias: Vec<f32>,
}

impl Filter {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Blur, Self::Edges, Self::Ink];

    /// Its name in the page.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blur => "blur",
            Self::Edges => "edges",
            Self::Ink => "ink",
        }
    }

    /// What it does, in a line.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Blur => "Blur: one depthwise 7 x 7 Gaussian",
            Self::Edges => "Edges: two layers of 3 x 3, 3 -> 8 -> 3 channels",
            Self::Ink => "Ink: a network of three layers of 3 x 3, 3 -> 12 -> 12 -> 3 channels",
        }
    }

    /// The filter of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|filter| filter.name() == name)
    }

    /// Its layers, in order.
    pub fn stages(self) -> Vec<Stage> {
        match self {
            Self::Blur => vec![blur()],
            Self::Edges => edges(),
            Self::Ink => ink(),
        }
    }

    /// How many elements around a place its result depends on, to each side.
    pub fn reach(self) -> usize {
        self.stages().iter().map(|stage| stage.conv.kernel.dhw(1)[1] / 2).sum()
    }
}

fn blur() -> Stage {
    const SIZE: usize = 7;
    const DEVIATION: f32 = 1.8;
    let bell: [f32; SIZE] = std::array::from_fn(|i| {
        let distance = i as f32 - (SIZE / 2) as f32;
        (-0.5 * (distance / DEVIATION).powi(2)).exp()
    });
    let sum: f32 = bell.iter().sum();
    let plane = (0..SIZE * SIZE).map(|i| bell[i / SIZE] * bell[i % SIZE] / (sum * sum));
    let conv = Conv::new(3, 3, [SIZE, SIZE]).padding(SIZE / 2).groups(3).activation(SHOWN);
    Stage { conv, weights: (0..3).flat_map(|_| plane.clone()).collect(), bias: Vec::new() }
}

/// The slope of the brightness in direction `k`, between -1 and 1.
fn slope(k: usize) -> [f32; 9] {
    const ACROSS: [f32; 9] = [-1.0, 0.0, 1.0, -2.0, 0.0, 2.0, -1.0, 0.0, 1.0];
    let (sin, cos) = (k as f32 * FRAC_PI_4).sin_cos();
    std::array::from_fn(|i| (cos * ACROSS[i] + sin * ACROSS[i % 3 * 3 + i / 3]) / 4.0)
}

/// Weights of a layer of 3 x 3 from what each pair of filter and channel has.
fn layer(channels: usize, filters: usize, of: impl Fn(usize, usize) -> [f32; 9]) -> Vec<f32> {
    (0..filters * channels).flat_map(|i| of(i / channels, i % channels)).collect()
}

fn scaled(by: f32, taps: [f32; 9]) -> [f32; 9] {
    taps.map(|tap| by * tap)
}

fn three(channels: usize, filters: usize, activation: Activation) -> Conv {
    Conv::new(channels, filters, [3, 3]).padding(1).bias(true).activation(activation)
}

fn edges() -> Vec<Stage> {
    let found = layer(3, DIRECTIONS, |k, c| scaled(LUMINANCE[c], slope(k)));
    // The colour of a direction: red, green and blue a third of a turn apart.
    let hue = |k: usize, c: usize| 0.5 + 0.5 * (k as f32 * FRAC_PI_4 - c as f32 * TAU / 3.0).cos();
    let shown = layer(DIRECTIONS, 3, |c, k| scaled(1.9 * hue(k, c), BINOMIAL));
    vec![
        Stage { conv: three(3, DIRECTIONS, Activation::Relu), weights: found, bias: vec![-0.012; DIRECTIONS] },
        Stage { conv: three(DIRECTIONS, 3, SHOWN), weights: shown, bias: vec![0.02; 3] },
    ]
}

/// Channels between its layers: red, green and blue, the slopes, and the brightness.
fn ink() -> Vec<Stage> {
    const CHANNELS: usize = 3 + DIRECTIONS + 1;
    const BRIGHTNESS: usize = CHANNELS - 1;
    let direction = |channel: usize| (3..BRIGHTNESS).contains(&channel).then(|| channel - 3);
    let first = layer(3, CHANNELS, |k, c| match direction(k) {
        Some(toward) => scaled(LUMINANCE[c], slope(toward)),
        None if k == BRIGHTNESS => scaled(LUMINANCE[c], BINOMIAL),
        None => scaled(if k == c { 1.0 } else { 0.0 }, BINOMIAL),
    });
    // A line is what its neighbours in direction see too.
    let second = layer(CHANNELS, CHANNELS, |k, c| match (direction(k), direction(c)) {
        (Some(to), Some(from)) => match (to + DIRECTIONS - from) % DIRECTIONS {
            0 => scaled(1.6, BINOMIAL),
            1 | 7 => scaled(0.5, BINOMIAL),
            _ => [0.0; 9],
        },
        _ => scaled(if k == c { 1.0 } else { 0.0 }, BINOMIAL),
    });
    // Colours drawn away from grey, minus the lines.
    let third = layer(CHANNELS, 3, |k, c| match direction(c) {
        Some(_) => scaled(-1.1, BINOMIAL),
        None if c == BRIGHTNESS => scaled(-0.45, BINOMIAL),
        None => scaled(if k == c { 1.5 } else { 0.0 }, BINOMIAL),
    });
    let threshold = |low: f32| (0..CHANNELS).map(|k| if direction(k).is_some() { low } else { 0.0 }).collect();
    vec![
        Stage { conv: three(3, CHANNELS, Activation::Relu), weights: first, bias: threshold(-0.012) },
        Stage { conv: three(CHANNELS, CHANNELS, Activation::Relu), weights: second, bias: threshold(-0.01) },
        Stage { conv: three(CHANNELS, 3, SHOWN), weights: third, bias: vec![0.04; 3] },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_follow_one_another_and_keep_the_size() {
        for filter in Filter::ALL {
            assert_eq!(Filter::named(filter.name()), Some(filter));
            let mut shape = winoconv::Shape::from([1, 3, 20, 30]);
            for Stage { conv, weights, bias } in filter.stages() {
                assert_eq!((weights.len(), bias.len()), (conv.weights_len(), if conv.bias { conv.filters } else { 0 }));
                shape = conv.on(shape).expect("the channels that came out before").output_shape();
            }
            assert_eq!(shape, [1, 3, 20, 30], "{filter:?}");
        }
        assert_eq!(Filter::named("other"), None);
        assert_eq!(Filter::ALL.map(Filter::reach), [3, 2, 3]);
    }

    #[test]
    fn a_blur_keeps_the_brightness_and_a_slope_sees_none_in_what_is_flat() {
        for plane in blur().weights.chunks(49) {
            assert!((plane.iter().sum::<f32>() - 1.0).abs() < 1e-6, "{plane:?}");
        }
        for k in 0..DIRECTIONS {
            assert!(slope(k).iter().sum::<f32>().abs() < 1e-6, "direction {k}");
        }
        // Dark above, bright below: a quarter of a turn.
        let ramp: [f32; 9] = [0.0, 0.0, 0.0, 0.5, 0.5, 0.5, 1.0, 1.0, 1.0];
        let seen = |k| slope(k).iter().zip(ramp).map(|(a, b)| a * b).sum::<f32>();
        assert!((seen(2) - 1.0).abs() < 1e-6 && seen(0).abs() < 1e-6 && (seen(6) + 1.0).abs() < 1e-6);
    }
}
