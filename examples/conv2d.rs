//! A convolution in twenty lines: describe it, put it on a device, run it, see what ran.

use winoconv::{Activation, Conv, Device, Error, Layer, Preferences, Weights};

fn main() -> Result<(), Error> {
    let device = Device::best_blocking();
    if let Some(fallback) = device.fallback() {
        println!("{fallback}");
    }
    let conv = Conv::new(3, 16, [3, 3]).padding(1).bias(true).activation(Activation::Relu);
    let weights: Vec<f32> = (0..conv.weights_len()).map(|i| (i as f32 * 0.7).sin() / 5.0).collect();
    let layer = Layer::new_blocking(&device, conv, Weights::new(&weights).bias(&[0.1; 16]), Preferences::new())?;

    let image: Vec<f32> = (0..3 * 64 * 64).map(|i| (i as f32 * 0.37).cos()).collect();
    let output = layer.run_blocking([1, 3, 64, 64], &image)?;
    println!("{:?}, values {:?}", output.shape, &output.data[500..504]);
    println!("{}", output.account);
    Ok(())
}
