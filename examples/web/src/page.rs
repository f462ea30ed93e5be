//! What JavaScript sees: places to compute, filters on them, and their results. Nothing here blocks: a browser's own loop
//! has to turn for a GPU to finish.

use std::cell::Cell;

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::{JsError, wasm_bindgen};
use winoconv::gpu::{AdapterChoice, ContextOptions};
use winoconv::{Algorithm, Device};

use crate::check::check;
use crate::filter::Filter;
use crate::model_page::failure;
use crate::picture::Picture;
use crate::stack::{Stack, offers};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console, js_name = error)]
    fn console_error(text: &str);
    /// Milliseconds.
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    pub(crate) fn now() -> f64;
}

/// Has a panic say where it was: by itself a module that stops says `unreachable`.
#[wasm_bindgen(start)]
pub fn start() {
    std::panic::set_hook(Box::new(|panic| console_error(&panic.to_string())));
}

/// A device to compute on.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Place {
    device: Device,
}

impl Place {
    pub(crate) const fn device(&self) -> &Device {
        &self.device
    }
}

#[wasm_bindgen]
impl Place {
    /// The browser's GPU: a hardware one, else one that the CPU plays, which [`Self::is_software`] then says.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn gpu() -> Result<Self, JsValue> {
        let hardware = Device::gpu(&ContextOptions::default()).await;
        let software = ContextOptions::default().adapter(AdapterChoice::Software);
        let device = match hardware {
            Ok(device) => device,
            Err(_) => Device::gpu(&software).await.map_err(|error| failure(error.into()))?,
        };
        Ok(Self { device })
    }

    /// The CPU: one thread of WebAssembly.
    pub fn host() -> Self {
        Self { device: Device::cpu() }
    }

    /// What it is.
    #[wasm_bindgen(getter)]
    pub fn name(&self) -> String {
        self.device.caps().to_string()
    }

    /// Whether the CPU does the work.
    #[wasm_bindgen(getter, js_name = isSoftware)]
    pub fn is_software(&self) -> bool {
        self.device.caps().is_software()
    }

    /// Whether it is a GPU by its interface.
    #[wasm_bindgen(getter, js_name = isGpu)]
    pub fn is_gpu(&self) -> bool {
        self.device.context().is_some()
    }

    /// Whether work can be timed on the device itself.
    #[wasm_bindgen(getter)]
    pub fn timestamps(&self) -> bool {
        self.device.caps().timestamps
    }

    /// What each algorithm says to a filter on pictures of this size.
    ///
    /// # Errors
    /// An unknown filter, a size that is none.
    pub fn offers(&self, filter: &str, width: usize, height: usize) -> Result<Vec<AlgorithmOffer>, JsError> {
        let filter = named(filter)?;
        let offers = offers(&self.device, filter, size(filter, width, height))?;
        let offer = |offer: crate::stack::Offer| AlgorithmOffer {
            label: offer.algorithm.label(),
            name: offer.algorithm.to_string(),
            refused: offer.refused,
        };
        Ok(offers.into_iter().map(offer).collect())
    }
}

/// An algorithm, and why it is no use here, if so.
#[wasm_bindgen(getter_with_clone)]
#[derive(Debug)]
pub struct AlgorithmOffer {
    /// As [`Session::open`] takes it.
    #[wasm_bindgen(readonly)]
    pub label: String,
    /// As people read it.
    #[wasm_bindgen(readonly)]
    pub name: String,
    /// Why it cannot run.
    #[wasm_bindgen(readonly)]
    pub refused: Option<String>,
}

/// A filter on a place, for pictures of one size.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Session {
    filter: Filter,
    width: usize,
    height: usize,
    stack: Stack,
    wall_ms: Cell<f64>,
    opening_ms: f64,
}

#[wasm_bindgen]
impl Session {
    /// Makes a filter ready: plans, packs weights, compiles. An empty label leaves the algorithm to the planner.
    ///
    /// # Errors
    /// An unknown filter or algorithm, one that cannot run, whatever the device says.
    pub async fn open(place: &Place, filter: &str, label: &str, width: usize, height: usize) -> Result<Self, JsError> {
        let filter = named(filter)?;
        let algorithm = if label.is_empty() { None } else { Some(label.parse::<Algorithm>()?) };
        let start = now();
        let stack = Stack::new(&place.device, filter, algorithm, size(filter, width, height)).await?;
        Ok(Self { filter, width, height, stack, wall_ms: Cell::new(0.0), opening_ms: now() - start })
    }

    /// Convolves the bytes of a canvas.
    ///
    /// # Errors
    /// A picture of another size, whatever the device says.
    pub async fn run(&mut self, bytes: Vec<u8>) -> Result<Vec<u8>, JsError> {
        let picture = self.picture(bytes)?;
        let margin = self.filter.reach();
        let planes = picture.planes(margin);
        let start = now();
        let output = self.stack.run(&planes).await?;
        self.wall_ms.set(now() - start);
        Ok(picture.with_planes(&output, margin).bytes)
    }

    /// How long the last run took by the clock: upload, all layers and readback.
    #[wasm_bindgen(getter)]
    pub fn wall_ms(&self) -> f64 {
        self.wall_ms.get()
    }

    /// How long it took to make the filter ready.
    #[wasm_bindgen(getter)]
    pub fn opening_ms(&self) -> f64 {
        self.opening_ms
    }

    /// How long all layers take on the device itself, in the mean of `runs` in one pass, if it can say.
    ///
    /// # Errors
    /// Whatever the device says.
    pub async fn device_ms(&self, runs: u32) -> Result<Option<f64>, JsError> {
        Ok(self.stack.device_time(runs).await?.map(|time| time.as_secs_f64() * 1e3))
    }

    /// The largest error of a run in parts of its bound, over at most `outputs` values of each layer. With `planted` the
    /// judge has a wrong weight, and must find an error.
    ///
    /// # Errors
    /// What is wrong.
    pub async fn check(&mut self, bytes: Vec<u8>, outputs: usize, planted: bool) -> Result<f64, JsError> {
        let planes = self.picture(bytes)?.planes(self.filter.reach());
        Ok(check(&mut self.stack, &planes, outputs, planted).await?)
    }

    /// The algorithm of each layer.
    ///
    /// # Errors
    /// No candidate left.
    pub fn algorithms(&self) -> Result<Vec<String>, JsError> {
        Ok(self.stack.plans()?.iter().map(|plan| plan.algorithm().to_string()).collect())
    }

    /// What runs, and why nothing else.
    ///
    /// # Errors
    /// As [`Self::algorithms`].
    pub fn explanation(&self) -> Result<String, JsError> {
        Ok(self.stack.explanation()?)
    }

    fn picture(&self, bytes: Vec<u8>) -> Result<Picture, JsError> {
        let (width, height, got) = (self.width, self.height, bytes.len());
        let wrong = || JsError::new(&format!("{got} bytes are no picture of {width} x {height}"));
        Picture::of_bytes(bytes, width, height).ok_or_else(wrong)
    }
}

/// The filters' names, each with what it does behind it.
#[wasm_bindgen]
pub fn filters() -> Vec<String> {
    Filter::ALL.iter().flat_map(|filter| [filter.name(), filter.about()]).map(ToOwned::to_owned).collect()
}

/// A picture that is drawn by formula, as the bytes of a canvas.
#[wasm_bindgen]
pub fn drawn(width: usize, height: usize) -> Vec<u8> {
    Picture::drawn(width, height).bytes
}

/// The library's version.
#[wasm_bindgen]
pub fn version() -> String {
    winoconv::VERSION.to_owned()
}

fn named(name: &str) -> Result<Filter, JsError> {
    Filter::named(name).ok_or_else(|| JsError::new(&format!("no filter is named {name}")))
}

/// Height and width of the planes, margins included.
fn size(filter: Filter, width: usize, height: usize) -> [usize; 2] {
    [height, width].map(|side| side.saturating_add(2 * filter.reach()))
}
