//! A caller's own device, encoder and buffers: the convolution is a pass between two of the caller's, its tensors lie
//! at an offset in larger buffers, and nothing is submitted or read back but by the caller.

use std::error::Error;

use winoconv::gpu::{self, CacheSource, Context, ShaderChecks, Tensor, Workspace};
use winoconv::{Conv, Device, Layer, Preferences, Weights, wgpu};

const SHAPE: [usize; 4] = [1, 8, 32, 32];
/// Words in front of the tensors, which are the caller's: no multiple of any device's alignment.
const BEFORE: usize = 67;

/// The caller's own kernel: multiplies a part of a buffer in place.
const SCALE: &str = "
    override FIRST: u32;
    override COUNT: u32;
    override FACTOR: f32;
    @group(0) @binding(0) var<storage, read_write> data: array<f32>;

    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) id: vec3<u32>) {
        if (id.x < COUNT) {
            data[FIRST + id.x] *= FACTOR;
        }
    }";

fn main() -> Result<(), Box<dyn Error>> {
    pollster::block_on(run())
}

async fn run() -> Result<(), Box<dyn Error>> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapter = match instance.request_adapter(&wgpu::RequestAdapterOptions::default()).await {
        Ok(adapter) => adapter,
        Err(error) => {
            println!("nothing to show on this machine: {error}");
            return Ok(());
        }
    };
    // With the defaults instead everything runs too, with smaller workgroups and bindings, and f16 emulated.
    let (device, queue) = adapter.request_device(&gpu::recommended(&adapter)).await?;

    // The library borrows the device: it installs no callbacks on it and submits nothing but the packing of weights.
    let context =
        Context::from_wgpu(device.clone(), queue.clone(), ShaderChecks::default(), CacheSource::off()).await?;
    println!("on {}", context.caps());
    let conv = Conv::new(8, 16, [3, 3]).padding(1);
    let weights: Vec<f32> = (0..conv.weights_len()).map(|i| (i as f32 * 0.7).sin() / 8.0).collect();
    let layer = Layer::new(&Device::from(context.clone()), conv, Weights::new(&weights), Preferences::new()).await?;
    let plan = layer.plan(SHAPE)?;
    let workspace = Workspace::new(&context, &[&plan]).await?;

    let image: Vec<f32> = (0..plan.problem().input_len()).map(|i| (i as f32 * 0.37).cos()).collect();
    let (input_len, output_len) = (plan.problem().input_len(), plan.problem().output_len());
    let before = 4 * BEFORE as u64;
    let buffer = |label, len: usize, usage| {
        let descriptor =
            wgpu::BufferDescriptor { label: Some(label), size: 4 * len as u64, usage, mapped_at_creation: false };
        device.create_buffer(&descriptor)
    };
    let storage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC;
    let input = buffer("input", BEFORE + input_len, storage);
    let output = buffer("output", BEFORE + output_len, storage);
    let readback = buffer("readback", output_len, wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ);
    queue.write_buffer(&input, before, bytemuck::cast_slice(&image));

    // Bound once, encoded as often as one likes: encoding creates no GPU object.
    let bound = layer.bind(SHAPE, (Tensor::at(&input, before), Tensor::at(&output, before)), &workspace).await?;
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    scale(&device, &mut encoder, &input, input_len, 2.0);
    bound.encode(&mut encoder)?;
    scale(&device, &mut encoder, &output, output_len, 0.5);
    encoder.copy_buffer_to_buffer(&output, before, &readback, 0, 4 * output_len as u64);
    queue.submit([encoder.finish()]);

    let (sender, receiver) = std::sync::mpsc::channel();
    readback.map_async(wgpu::MapMode::Read, .., move |result| drop(sender.send(result)));
    device.poll(wgpu::PollType::wait_indefinitely())?;
    receiver.recv()??;
    let result: Vec<f32> = bytemuck::pod_collect_to_vec(&readback.get_mapped_range(..)?);

    let host = Layer::new(&Device::cpu(), conv, Weights::new(&weights), Preferences::new()).await?;
    let expected = host.run(SHAPE, &image).await?.data;
    let off = result.iter().zip(&expected).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
    println!(
        "{} by {} in {} dispatches, first values {:?}",
        plan.problem(),
        plan.algorithm(),
        bound.len(),
        &result[..3]
    );
    println!("at most {off:.1e} off what the CPU gets without the caller's passes, which cancel");
    Ok(())
}

/// A pass of the caller's: multiplies the tensor behind the first [`BEFORE`] words.
fn scale(device: &wgpu::Device, encoder: &mut wgpu::CommandEncoder, buffer: &wgpu::Buffer, count: usize, factor: f64) {
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some("scale"),
        source: wgpu::ShaderSource::Wgsl(SCALE.into()),
    });
    let constants = [("FIRST", BEFORE as f64), ("COUNT", count as f64), ("FACTOR", factor)];
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some("scale"),
        layout: None,
        module: &module,
        entry_point: None,
        compilation_options: wgpu::PipelineCompilationOptions { constants: &constants, ..Default::default() },
        cache: None,
    });
    let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some("scale"),
        layout: &pipeline.get_bind_group_layout(0),
        entries: &[wgpu::BindGroupEntry { binding: 0, resource: buffer.as_entire_binding() }],
    });
    let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
    pass.set_pipeline(&pipeline);
    pass.set_bind_group(0, &group, &[]);
    pass.dispatch_workgroups((count as u32).div_ceil(64), 1, 1);
}
