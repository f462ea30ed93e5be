//! A filter on a device: its layers with their weights, and on a GPU all buffers and bind groups, so that a run is an upload,
//! one submission and a readback, and what is between the layers never leaves the device.

use std::time::Duration;

use winoconv::gpu::{self, Bound, Context};
use winoconv::{
    Account, Algorithm, DType, Device, Layer, Plan, Preferences, Result, Shape, Tolerance, Weights, Workspace,
};

use crate::filter::{Filter, Stage};

/// A filter for pictures of one size, on a device.
#[derive(Debug)]
pub struct Stack {
    device: Device,
    stages: Vec<Stage>,
    layers: Vec<Layer>,
    /// What goes in, and what comes out of each layer.
    shapes: Vec<Shape>,
    on_gpu: Option<OnGpu>,
    /// Of layers that run on the CPU.
    workspace: Workspace,
}

#[derive(Debug)]
struct OnGpu {
    context: Context,
    /// The input, and each layer's output.
    tensors: Vec<gpu::Buffer>,
    layers: Vec<Bound>,
}

/// An algorithm that a filter could be computed by, and why not, if so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// Why it is no use on this device.
    pub refused: Option<String>,
}

/// Preferences that force an algorithm, or leave the choice to the planner.
fn preferences(algorithm: Option<Algorithm>) -> Preferences {
    match algorithm {
        None => Preferences::new(),
        Some(algorithm) => Preferences::new().tolerance(Tolerance::Any).algorithm(algorithm),
    }
}

/// What each algorithm says to a filter on planes of this height and width, margins included: one that any layer refuses is
/// refused.
///
/// # Errors
/// A size that is none.
pub fn offers(device: &Device, filter: Filter, size: [usize; 2]) -> Result<Vec<Offer>> {
    let mut offers: Vec<Offer> = Vec::new();
    for (index, stage) in filter.stages().iter().enumerate() {
        let shape = Shape::from([1, stage.conv.channels, size[0], size[1]]);
        let plan = stage.conv.on(shape)?.plan(device, &Preferences::new().tolerance(Tolerance::Any))?;
        for candidate in plan.candidates() {
            let refused = match &candidate.verdict {
                winoconv::plan::Verdict::Rejected(why) => Some(format!("layer {}: {why}", index + 1)),
                _ => None,
            };
            match offers.iter_mut().find(|offer| offer.algorithm == candidate.algorithm) {
                Some(offer) => offer.refused = offer.refused.take().or(refused),
                None => offers.push(Offer { algorithm: candidate.algorithm, refused }),
            }
        }
    }
    Ok(offers)
}

impl Stack {
    /// Puts a filter on a device, for planes of this height and width, margins included. Everything is compiled here.
    ///
    /// # Errors
    /// An algorithm that cannot run, a size that is none, whatever the device says.
    pub async fn new(device: &Device, filter: Filter, algorithm: Option<Algorithm>, size: [usize; 2]) -> Result<Self> {
        let stages = filter.stages();
        let mut shapes = vec![Shape::from([1, 3, size[0], size[1]])];
        let mut layers = Vec::with_capacity(stages.len());
        for (index, Stage { conv, weights, bias }) in stages.iter().enumerate() {
            let mut operands = Weights::new(weights);
            if conv.bias {
                operands = operands.bias(bias);
            }
            layers.push(Layer::new(device, *conv, operands, preferences(algorithm)).await?);
            shapes.push(conv.on(shapes[index])?.output_shape());
        }
        let on_gpu = match device.context() {
            Some(context) => Some(OnGpu::new(context, &layers, &shapes).await?),
            None => None,
        };
        let stack = Self { device: device.clone(), stages, layers, shapes, on_gpu, workspace: Workspace::new() };
        // On the CPU an algorithm that cannot run is to be told here too.
        stack.plans()?;
        Ok(stack)
    }

    /// The layers' descriptions and weights.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// What goes in, and what comes out of each layer.
    pub fn shapes(&self) -> &[Shape] {
        &self.shapes
    }

    /// The layers' plans.
    ///
    /// # Errors
    /// No candidate left.
    pub fn plans(&self) -> Result<Vec<Plan>> {
        let layers = self.layers.iter().zip(&self.shapes);
        layers.map(|(layer, shape)| layer.plan(*shape).map(|plan| (*plan).clone())).collect()
    }

    /// What runs, a line for each layer, and why nothing else.
    ///
    /// # Errors
    /// As [`Self::plans`].
    pub fn explanation(&self) -> Result<String> {
        let mut text = String::new();
        for (index, plan) in self.plans()?.iter().enumerate() {
            text.push_str(&format!("Layer {}: {}\n\n{plan}\n", index + 1, Account::new(plan, &self.device)));
        }
        Ok(text)
    }

    /// Runs all layers on planes of red, green and blue; returns the last one's output.
    ///
    /// # Errors
    /// Planes of another size, whatever the device says.
    pub async fn run(&mut self, planes: &[f32]) -> Result<Vec<f32>> {
        let outputs = self.trace_from(planes, self.layers.len() - 1).await?;
        Ok(outputs.into_iter().next_back().unwrap_or_default())
    }

    /// As [`Self::run`], with every layer's output, so that each can be judged by what it was given.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn trace(&mut self, planes: &[f32]) -> Result<Vec<Vec<f32>>> {
        self.trace_from(planes, 0).await
    }

    /// The outputs of the layers from `first` on.
    async fn trace_from(&mut self, planes: &[f32], first: usize) -> Result<Vec<Vec<f32>>> {
        let expected = self.shapes[0].elements();
        if planes.len() != expected {
            let got = planes.len();
            return Err(winoconv::error::ShapeError::Length { what: "the picture", expected, got }.into());
        }
        let mut outputs: Vec<Vec<f32>> = Vec::with_capacity(self.layers.len());
        if let Some(on_gpu) = &self.on_gpu {
            on_gpu.submit(planes)?;
            for (tensor, shape) in on_gpu.tensors.iter().zip(&self.shapes).skip(1 + first) {
                outputs.push(on_gpu.context.download(tensor, shape.elements()).await?);
            }
            return Ok(outputs);
        }
        for (index, layer) in self.layers.iter().enumerate() {
            let mut output = vec![0.0; self.shapes[index + 1].elements()];
            let input = outputs.last().map_or(planes, Vec::as_slice);
            layer.run_with_workspace(self.shapes[index], input, &mut output, &mut self.workspace).await?;
            outputs.push(output);
        }
        Ok(outputs.split_off(first))
    }

    /// How long all layers take on the device itself, in the mean of `runs` in one pass. None where the device has no
    /// timestamps, which the CPU has not.
    ///
    /// # Errors
    /// Whatever the device says.
    pub async fn device_time(&self, runs: u32) -> Result<Option<Duration>> {
        let Some(on_gpu) = self.on_gpu.as_ref().filter(|_| self.device.caps().timestamps) else { return Ok(None) };
        let all = |pass: &mut winoconv::wgpu::ComputePass<'_>| {
            (0..runs).try_for_each(|_| on_gpu.layers.iter().try_for_each(|layer| layer.encode_pass(pass)))
        };
        Ok(Some(on_gpu.context.time(all).await? / runs.max(1)))
    }
}

impl OnGpu {
    async fn new(context: &Context, layers: &[Layer], shapes: &[Shape]) -> Result<Self> {
        let mut tensors = Vec::with_capacity(shapes.len());
        for (index, shape) in shapes.iter().enumerate() {
            tensors.push(context.create_buffer(&format!("tensor {index}"), shape.elements()).await?);
        }
        let mut plans = Vec::with_capacity(layers.len());
        for (layer, shape) in layers.iter().zip(shapes) {
            plans.push(layer.plan(*shape)?);
        }
        let plans: Vec<&Plan> = plans.iter().map(AsRef::as_ref).collect();
        let workspace = gpu::Workspace::new(context, &plans).await?;
        let mut bound = Vec::with_capacity(layers.len());
        for (index, layer) in layers.iter().enumerate() {
            let [input, output] = [&tensors[index], &tensors[index + 1]];
            bound.push(layer.bind(shapes[index], (input, output), &workspace).await?);
        }
        Ok(Self { context: context.clone(), tensors, layers: bound })
    }

    fn submit(&self, planes: &[f32]) -> Result<()> {
        let queue = self.context.queue();
        queue.write_buffer(&self.tensors[0], 0, &DType::F32.to_bytes(planes));
        let descriptor = winoconv::wgpu::CommandEncoderDescriptor { label: Some("filter") };
        let mut encoder = self.context.device().create_command_encoder(&descriptor);
        self.layers.iter().try_for_each(|layer| layer.encode(&mut encoder))?;
        queue.submit([encoder.finish()]);
        Ok(())
    }
}
