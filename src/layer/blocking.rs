//! Blocking forms, where a thread may block.

#[cfg(feature = "gpu")]
use super::WeightTensors;
use super::{Inputs, Layer, Output, Weights};
use crate::conv::Conv;
use crate::device::Device;
use crate::error::Result;
#[cfg(feature = "gpu")]
use crate::gpu;
use crate::plan::Preferences;
use crate::spatial::Shape;

/// Blocking forms, where a thread may block.
impl Layer {
    /// [`Self::new`], blocking.
    ///
    /// # Errors
    /// As there.
    pub fn new_blocking(device: &Device, conv: Conv, weights: Weights<'_>, preferences: Preferences) -> Result<Self> {
        pollster::block_on(Self::new(device, conv, weights, preferences))
    }

    /// [`Self::run`], blocking.
    ///
    /// # Errors
    /// As there.
    pub fn run_blocking<'a>(&self, shape: impl Into<Shape>, inputs: impl Into<Inputs<'a>>) -> Result<Output> {
        pollster::block_on(self.run(shape, inputs))
    }

    /// [`Self::set_weights`], blocking.
    ///
    /// # Errors
    /// As there.
    pub fn set_weights_blocking(&self, weights: Weights<'_>) -> Result<()> {
        pollster::block_on(self.set_weights(weights))
    }

    /// [`Self::set_weights_from`], blocking.
    ///
    /// # Errors
    /// As there.
    #[cfg(feature = "gpu")]
    pub fn set_weights_from_blocking(&self, weights: WeightTensors<'_>) -> Result<()> {
        pollster::block_on(self.set_weights_from(weights))
    }

    /// [`Self::input_gradient`], blocking.
    ///
    /// # Errors
    /// As there.
    pub fn input_gradient_blocking(&self, shape: impl Into<Shape>, gradient: &[f32]) -> Result<Output> {
        pollster::block_on(self.input_gradient(shape, gradient))
    }

    /// [`Self::weight_gradient`], blocking.
    ///
    /// # Errors
    /// As there.
    pub fn weight_gradient_blocking(&self, shape: impl Into<Shape>, input: &[f32], gradient: &[f32]) -> Result<Output> {
        pollster::block_on(self.weight_gradient(shape, input, gradient))
    }

    /// [`Self::activation_gradient`], blocking.
    ///
    /// # Errors
    /// As there.
    pub fn activation_gradient_blocking(
        &self,
        shape: impl Into<Shape>,
        kept: &[f32],
        gradient: &[f32],
    ) -> Result<Output> {
        pollster::block_on(self.activation_gradient(shape, kept, gradient))
    }

    /// [`Self::bias_gradient`], blocking.
    ///
    /// # Errors
    /// As there.
    pub fn bias_gradient_blocking(&self, shape: impl Into<Shape>, gradient: &[f32]) -> Result<Output> {
        pollster::block_on(self.bias_gradient(shape, gradient))
    }

    /// [`Self::slope_gradient`], blocking.
    ///
    /// # Errors
    /// As there.
    pub fn slope_gradient_blocking(&self, shape: impl Into<Shape>, kept: &[f32], gradient: &[f32]) -> Result<Output> {
        pollster::block_on(self.slope_gradient(shape, kept, gradient))
    }
}

/// Blocking forms, where a thread may block.
impl Device {
    /// [`Self::best`], blocking.
    pub fn best_blocking() -> Self {
        pollster::block_on(Self::best())
    }

    /// [`Self::gpu`], blocking.
    ///
    /// # Errors
    /// As there.
    #[cfg(feature = "gpu")]
    pub fn gpu_blocking(options: &gpu::ContextOptions) -> Result<Self> {
        pollster::block_on(Self::gpu(options))
    }
}
