//! What JavaScript sees of the networks of [`crate::model`].

use std::cell::Cell;
use std::ops::ControlFlow;

use js_sys::{Error, Function, Reflect};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::{JsError, wasm_bindgen};
use winoconv_models::{Frame, ModelError, Progress, Range};

use crate::model::{Model, agreement, code, to_canvas, to_colours};
use crate::page::{Place, now};

/// A network on a place, for pictures of one size.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Network {
    model: Model,
    opening_ms: f64,
    wall_ms: Cell<f64>,
}

/// What a network reads beside the colours of a picture, and whom it tells how far it is.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Inputs {
    albedo: Option<Vec<f32>>,
    normal: Option<Vec<f32>>,
    scale: Option<f32>,
    told: Function,
}

#[wasm_bindgen]
impl Inputs {
    /// Albedo and normals have three numbers a pixel. `scale` is what colours are multiplied by for the network. `told` is called
    /// after each tile with the number of finished tiles and of all; if it answers with anything true, the run ends.
    #[wasm_bindgen(constructor)]
    pub fn new(albedo: Option<Vec<f32>>, normal: Option<Vec<f32>>, scale: Option<f32>, told: Function) -> Self {
        Self { albedo, normal, scale, told }
    }

    fn frame<'a>(&'a self, colour: &'a [f32]) -> Frame<'a> {
        let mut frame = Frame::new(colour);
        (frame.albedo, frame.normal, frame.scale) = (self.albedo.as_deref(), self.normal.as_deref(), self.scale);
        frame
    }

    fn tell(&self, Progress { done, count, .. }: Progress) -> ControlFlow<()> {
        let answer = self.told.call2(&JsValue::NULL, &done.into(), &count.into());
        // One that throws wants no more of it, either.
        if answer.is_ok_and(|answer| answer.is_falsy()) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

/// An `Error` of JavaScript with a property `code`.
pub(crate) fn failure(error: ModelError) -> JsValue {
    let failure = Error::new(&error.to_string());
    // Properties of an object that was just made can be set.
    let _ = Reflect::set(&failure, &"code".into(), &code(&error).into());
    failure.into()
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
    ) -> Result<Self, JsValue> {
        let start = now();
        let model = Model::upscaler(place.device(), &file, scale, [width, height]).await.map_err(failure)?;
        Ok(Self { model, opening_ms: now() - start, wall_ms: Cell::new(0.0) })
    }

    /// Makes a network ready that denoises, from the bytes of a TZA file. The range is `hdr`, `ldr` or `srgb`.
    ///
    /// # Errors
    /// A damaged file, an unknown range, a size that is none, whatever the device says.
    pub async fn denoiser(
        place: &Place,
        file: Vec<u8>,
        range: &str,
        width: usize,
        height: usize,
    ) -> Result<Self, JsValue> {
        let range = match range {
            "hdr" => Range::Hdr,
            "ldr" => Range::Ldr,
            "srgb" => Range::Srgb,
            _ => return Err(JsError::new(&format!("the range is {range}, expected hdr, ldr or srgb")).into()),
        };
        let start = now();
        let model = Model::denoiser(place.device(), &file, range, [width, height]).await.map_err(failure)?;
        Ok(Self { model, opening_ms: now() - start, wall_ms: Cell::new(0.0) })
    }

    /// Three numbers a pixel to such numbers, of [`Self::width`] and [`Self::height`].
    ///
    /// # Errors
    /// As [`Model::run`].
    pub async fn run(&self, colour: Vec<f32>, inputs: Inputs) -> Result<Vec<f32>, JsValue> {
        let start = now();
        let result = self.model.run(&inputs.frame(&colour), |progress| inputs.tell(progress)).await.map_err(failure)?;
        self.wall_ms.set(now() - start);
        Ok(result)
    }

    /// The bytes of a canvas to those of a canvas of [`Self::width`] and [`Self::height`].
    ///
    /// # Errors
    /// As [`Model::run`].
    pub async fn run_bytes(&self, bytes: Vec<u8>, inputs: Inputs) -> Result<Vec<u8>, JsValue> {
        let start = now();
        let colour = to_colours(&bytes);
        let result = self.model.run(&inputs.frame(&colour), |progress| inputs.tell(progress)).await.map_err(failure)?;
        let bytes = to_canvas(&result);
        self.wall_ms.set(now() - start);
        Ok(bytes)
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
