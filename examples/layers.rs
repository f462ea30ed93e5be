//! Three layers in one compute pass: each reads what the one before wrote, all share one workspace, and the host waits
//! once, at the end.

use winoconv::gpu::{AdapterChoice, ContextOptions, Workspace};
use winoconv::{Activation, Conv, Device, Error, Layer, Preferences, Weights, wgpu};

const SIZE: usize = 48;

fn main() -> Result<(), Error> {
    // A software adapter will do here, as long as it is called one: `caps` says so.
    let open = |choice| Device::gpu_blocking(&ContextOptions::default().adapter(choice));
    match open(AdapterChoice::Hardware).or_else(|_| open(AdapterChoice::Software)) {
        Ok(device) => pollster::block_on(run(&device)),
        Err(error) => {
            println!("nothing to show on this machine: {error}");
            Ok(())
        }
    }
}

async fn run(device: &Device) -> Result<(), Error> {
    let Some(context) = device.context() else { return Ok(()) };
    println!("on {}", device.caps());

    let channels = [3, 32, 32, 3];
    let mut layers = Vec::new();
    for pair in channels.windows(2) {
        let conv = Conv::new(pair[0], pair[1], [3, 3]).padding(1).bias(true).activation(Activation::Relu);
        let weights: Vec<f32> = (0..conv.weights_len()).map(|i| (i as f32 * 0.7).sin() / 16.0).collect();
        let bias = vec![0.1; conv.filters];
        layers.push(Layer::new(device, conv, Weights::new(&weights).bias(&bias), Preferences::new()).await?);
    }
    let shape = |layer: &Layer| [1, layer.conv().channels, SIZE, SIZE];
    let plans = layers.iter().map(|layer| layer.plan(shape(layer))).collect::<Result<Vec<_>, _>>()?;

    // Room for the largest of the three, and a buffer for each tensor between them.
    let workspace = Workspace::new(context, &plans.iter().map(AsRef::as_ref).collect::<Vec<_>>()).await?;
    let image: Vec<f32> = (0..channels[0] * SIZE * SIZE).map(|i| (i as f32 * 0.37).cos()).collect();
    let mut tensors = vec![context.upload("image", &image).await?];
    for plan in &plans {
        tensors.push(context.create_buffer("tensor", plan.problem().output_len()).await?);
    }
    let mut bound = Vec::new();
    for (i, layer) in layers.iter().enumerate() {
        bound.push(layer.bind(shape(layer), (&tensors[i], &tensors[i + 1]), &workspace).await?);
    }

    let mut encoder = context.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
    for layer in &bound {
        layer.encode_pass(&mut pass)?;
    }
    drop(pass);
    context.queue().submit([encoder.finish()]);
    let len = channels[3] * SIZE * SIZE;
    let output = context.download(&tensors[3], len).await?;

    for (plan, bound) in plans.iter().zip(&bound) {
        println!("{} by {} in {} dispatches", plan.problem(), plan.algorithm(), bound.len());
    }
    println!("one pass, one workspace of {} bytes; values {:?}", workspace.bytes(), &output[500..504]);
    Ok(())
}
