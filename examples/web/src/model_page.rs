//! What JavaScript sees of the networks of [`crate::model`].

use std::cell::Cell;

use wasm_bindgen::prelude::{JsError, wasm_bindgen};

use crate::model::{Model, agreement};
use crate::page::{Place, now};

/// A network on a place, for pictures of one size.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Network {
    model: Model,
    opening_ms: f64,
    wall_ms: Cell<f64>,
}

#[wasm_bindgen]
impl Network {
    /// Makes a network ready that enlarges, from the bytes of a safetensors file.
    ///
    /// # Errors
    /// A damaged file, a scale or a size that is none, whatever the device says.
    pub async fn upscaler(
        place: &Place,
        file: Vec<u8>,
        scale: usize,
        width: usize,
        height: usize,
    ) -> Result<Self, JsError> {
        let start = now();
        let model = Model::upscaler(place.device(), &file, scale, [width, height]).await?;
        Ok(Self { model, opening_ms: now() - start, wall_ms: Cell::new(0.0) })
    }

    /// Makes a network ready that denoises, from the bytes of a TZA file.
    ///
    /// # Errors
    /// A damaged file, a size that is none, whatever the device says.
    pub async fn denoiser(place: &Place, file: Vec<u8>, width: usize, height: usize) -> Result<Self, JsError> {
        let start = now();
        let model = Model::denoiser(place.device(), &file, [width, height]).await?;
        Ok(Self { model, opening_ms: now() - start, wall_ms: Cell::new(0.0) })
    }

    /// The bytes of a canvas to those of a canvas of [`Self::width`] and [`Self::height`].
    ///
    /// # Errors
    /// A picture of another size, whatever the device says.
    pub async fn run(&self, bytes: Vec<u8>) -> Result<Vec<u8>, JsError> {
        let start = now();
        let result = self.model.run_bytes(&bytes).await?;
        self.wall_ms.set(now() - start);
        Ok(result)
    }

    /// Pixels of a result's row.
    #[wasm_bindgen(getter)]
    pub fn width(&self) -> usize {
        self.model.output_size()[0]
    }

    /// Rows of a result.
    #[wasm_bindgen(getter)]
    pub fn height(&self) -> usize {
        self.model.output_size()[1]
    }

    /// How long it took to make it ready.
    #[wasm_bindgen(getter)]
    pub fn opening_ms(&self) -> f64 {
        self.opening_ms
    }

    /// How long the last run took by the clock, from bytes to bytes.
    #[wasm_bindgen(getter)]
    pub fn wall_ms(&self) -> f64 {
        self.wall_ms.get()
    }

    /// What runs: steps, algorithms, tiles.
    pub fn explanation(&self) -> String {
        self.model.explanation()
    }
}

/// How far results are from those of ncnn (a signal-to-noise ratio in dB) and of Intel's library (in parts of the range).
///
/// # Errors
/// A damaged file, whatever the device says.
#[wasm_bindgen]
pub async fn compared(
    place: &Place,
    cases: Vec<u8>,
    upscaler: Vec<u8>,
    denoiser: Vec<u8>,
) -> Result<Vec<f64>, JsError> {
    let found = agreement(place.device(), &cases, [&upscaler, &denoiser]).await?;
    Ok(vec![found.psnr, found.apart])
}
