//! Trains two layers to find the edges of pictures, until the loss has fallen to a twentieth: docs/TRAINING.md has the recipe.
//! On a GPU where there is one, else on the CPU.

use winoconv::{Activation, Conv, Device, Error, Layer, Preferences, Weights};

const IMAGES: usize = 8;
const SIZE: usize = 16;
const HIDDEN: usize = 8;
const STEPS: usize = 200;
const RATE: f32 = 0.3;

/// A layer's parameters, in f32, and the convolution that they belong to.
struct Parameters {
    conv: Conv,
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl Parameters {
    fn new(conv: Conv, random: &mut impl FnMut() -> f32) -> Self {
        let scale = (2.0 / conv.weights_len() as f32 * conv.filters as f32).sqrt();
        let weights = (0..conv.weights_len()).map(|_| scale * random()).collect();
        Self { conv, weights, bias: vec![0.0; conv.filters] }
    }

    fn as_weights(&self) -> Weights<'_> {
        Weights::new(&self.weights).bias(&self.bias)
    }

    /// A step of gradient descent.
    fn step(&mut self, layer: &Layer, weights: &[f32], bias: &[f32]) -> Result<(), Error> {
        let moved = |of: &mut [f32], by: &[f32]| of.iter_mut().zip(by).for_each(|(x, by)| *x -= RATE * by);
        moved(&mut self.weights, weights);
        moved(&mut self.bias, bias);
        layer.set_weights_blocking(self.as_weights())
    }
}

fn main() -> Result<(), Error> {
    let device = Device::best_blocking();
    println!("on {}", device.caps());
    let mut state = 1u32;
    // Numbers from -1 to 1.
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };

    // Pictures, and what is to be found: how much each pixel differs from its right neighbour.
    let shape = [IMAGES, 1, SIZE, SIZE];
    let input: Vec<f32> = (0..IMAGES * SIZE * SIZE).map(|_| random()).collect();
    let right = |i: usize| if (i + 1).is_multiple_of(SIZE) { 0.0 } else { input[i + 1] };
    let target: Vec<f32> = (0..input.len()).map(|i| (input[i] - right(i)).abs()).collect();

    let three = |channels, filters| Conv::new(channels, filters, [3, 3]).padding(1).bias(true);
    let mut first = Parameters::new(three(1, HIDDEN).activation(Activation::Relu), &mut random);
    let mut second = Parameters::new(three(HIDDEN, 1), &mut random);
    let hidden_shape = [IMAGES, HIDDEN, SIZE, SIZE];

    let layer = |of: &Parameters| Layer::new_blocking(&device, of.conv, of.as_weights(), Preferences::new());
    let (one, two) = (layer(&first)?, layer(&second)?);
    let (mut start, mut loss) = (f32::NAN, f32::NAN);
    for step in 0..STEPS {
        // Forward. ReLU's gradient is computed from its output, which is kept.
        let hidden = one.run_blocking(shape, &input)?.data;
        let output = two.run_blocking(hidden_shape, &hidden)?.data;

        // The loss is the mean square of what is wrong, and its gradient twice that, divided by the number of outputs.
        let wrong: Vec<f32> = output.iter().zip(&target).map(|(y, t)| y - t).collect();
        loss = wrong.iter().map(|e| e * e).sum::<f32>() / wrong.len() as f32;
        let gradient: Vec<f32> = wrong.iter().map(|e| 2.0 * e / wrong.len() as f32).collect();

        // Backward: the second layer has no activation.
        let weights_two = two.weight_gradient_blocking(hidden_shape, &hidden, &gradient)?.data;
        let bias_two = two.bias_gradient_blocking(hidden_shape, &gradient)?.data;
        let gradient = two.input_gradient_blocking(hidden_shape, &gradient)?.data;
        // The first one has: its other gradients are computed from that before the activation.
        let gradient = one.activation_gradient_blocking(shape, &hidden, &gradient)?.data;
        let weights_one = one.weight_gradient_blocking(shape, &input, &gradient)?.data;
        let bias_one = one.bias_gradient_blocking(shape, &gradient)?.data;

        first.step(&one, &weights_one, &bias_one)?;
        second.step(&two, &weights_two, &bias_two)?;
        if step == 0 {
            start = loss;
        }
        if step % 50 == 0 {
            println!("step {step}: loss {loss:.5}");
        }
    }
    println!("step {STEPS}: loss {loss:.5}, {:.0} times less than at first", start / loss);
    assert!(loss < start / 20.0, "the loss fell from {start} to {loss}");
    Ok(())
}
