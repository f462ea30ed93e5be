//! The networks of `winoconv-models` on the pictures of a canvas, which have four bytes a pixel, and on numbers.

use std::ops::ControlFlow;

use safetensors::SafeTensors;
use winoconv::Device;
use winoconv_models::{Compact, Denoiser, Frame, ModelError, Options, Progress, Range, UNet, Upscaler};

/// A browser gives a page less memory than a program has.
const MEMORY: u64 = 512 << 20;

/// A network for pictures of one size.
#[derive(Debug)]
pub enum Model {
    /// It enlarges.
    Upscaler(Upscaler),
    /// It removes noise; with the size of its pictures.
    Denoiser(Denoiser, [usize; 2]),
}

impl Model {
    /// A network that enlarges, from a safetensors file.
    ///
    /// # Errors
    /// A damaged file, a scale or a size that is none, whatever the device says.
    pub async fn upscaler(device: &Device, file: &[u8], scale: usize, size: [usize; 2]) -> Result<Self, ModelError> {
        let network = Compact::from_safetensors(file)?.at_scale(scale)?;
        Ok(Self::Upscaler(Upscaler::new(&network, size, &Options::new(device).memory(MEMORY)).await?))
    }

    /// A network that denoises colours of this range, from a TZA file.
    ///
    /// # Errors
    /// A damaged file, a size that is none, whatever the device says.
    pub async fn denoiser(device: &Device, file: &[u8], range: Range, size: [usize; 2]) -> Result<Self, ModelError> {
        let network = UNet::from_tza(file)?;
        let options = Options::new(device).memory(MEMORY);
        Ok(Self::Denoiser(Denoiser::new(&network, range, size, &options).await?, size))
    }

    /// Columns and rows of its results.
    pub const fn output_size(&self) -> [usize; 2] {
        match self {
            Self::Upscaler(upscaler) => upscaler.output_size(),
            Self::Denoiser(_, size) => *size,
        }
    }

    /// Its steps with their algorithms, and its tiles.
    pub fn explanation(&self) -> String {
        match self {
            Self::Upscaler(upscaler) => upscaler.to_string(),
            Self::Denoiser(denoiser, _) => denoiser.to_string(),
        }
    }

    /// A picture of three numbers a pixel to such a picture. `told` is called after each tile. An upscaler reads only the colours.
    ///
    /// # Errors
    /// A picture of another size; albedo or normals that the network does not read, or reads and does not get; whatever the device
    /// says; [`Cancelled`](ModelError::Cancelled) if `told` answers with a `Break`.
    pub async fn run(
        &self,
        frame: &Frame<'_>,
        told: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Vec<f32>, ModelError> {
        match self {
            Self::Upscaler(upscaler) => upscaler.run_with(frame.colour, told).await,
            Self::Denoiser(denoiser, _) => denoiser.run_with(frame, told).await,
        }
    }
}

/// The colours of a canvas, from 0 to 1. Opacity is left out.
pub fn to_colours(bytes: &[u8]) -> Vec<f32> {
    let colours = |pixel: &[u8; 4]| [pixel[0], pixel[1], pixel[2]].map(|byte| f32::from(byte) / 255.0);
    bytes.as_chunks().0.iter().flat_map(colours).collect()
}

/// The canvas of such colours, which is opaque.
pub fn to_canvas(colours: &[f32]) -> Vec<u8> {
    // The conversion saturates.
    let byte = |value: f32| (value * 255.0).round() as u8;
    colours.as_chunks().0.iter().flat_map(|&[r, g, b]| [byte(r), byte(g), byte(b), u8::MAX]).collect()
}

/// What a program is to do about an error, in a word.
pub const fn code(error: &ModelError) -> &'static str {
    match error {
        ModelError::Damaged { .. } => "damaged",
        ModelError::Unsupported { .. } => "unsupported",
        ModelError::NotShipped { .. } => "not-shipped",
        ModelError::Scale { .. } => "scale",
        ModelError::Length { .. } => "length",
        ModelError::Size { .. } => "size",
        ModelError::Inputs { .. } => "inputs",
        ModelError::Winoconv(winoconv::Error::Limit(_)) => "limit",
        ModelError::Winoconv(winoconv::Error::Device(_)) => "device",
        // A new kind is the library's own until it has a word here.
        _ => "internal",
    }
}

/// How far results are from those of other programs, which a file of cases holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement {
    /// Of the enlarged picture with ncnn's, as a signal-to-noise ratio in dB.
    pub psnr: f64,
    /// Of the denoised picture with Intel's, the largest difference in parts of the range.
    pub apart: f64,
}

/// Why there is no agreement to speak of.
#[derive(Debug, thiserror::Error)]
pub enum NoAgreement {
    /// A network that cannot run.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The file of cases is not one.
    #[error("the file of cases: {0}")]
    Cases(String),
}

/// Runs both networks on the cases of `models/tests`, and compares.
///
/// # Errors
/// What is wrong with a file; whatever the device says.
pub async fn agreement(device: &Device, cases: &[u8], weights: [&[u8]; 2]) -> Result<Agreement, NoAgreement> {
    let wrong = |error: safetensors::SafeTensorError| NoAgreement::Cases(error.to_string());
    let cases = SafeTensors::deserialize(cases).map_err(wrong)?;
    let picture = |name: &str| -> Result<([usize; 2], Vec<f32>), NoAgreement> {
        let tensor = cases.tensor(name).map_err(wrong)?;
        let &[height, width, 3] = tensor.shape() else {
            return Err(NoAgreement::Cases(format!("{name} is no picture")));
        };
        let numbers = tensor.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        Ok(([width, height], numbers))
    };
    let go_on = |_| ControlFlow::Continue(());
    let (size, cat) = picture("cat")?;
    let (_, expected) = picture("cat.large")?;
    let large = Model::upscaler(device, weights[0], 4, size).await?.run(&Frame::new(&cat), go_on).await?;
    let apart = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a - b)).collect::<Vec<f64>>();
    let squares: f64 = apart(&large, &expected).iter().map(|apart| apart * apart).sum();
    let psnr = -10.0 * (squares / expected.len().max(1) as f64).log10();

    let (size, noisy) = picture("ldr")?;
    let (_, expected) = picture("clean.srgb")?;
    let denoiser = Model::denoiser(device, weights[1], Range::Srgb, size).await?;
    let clean = denoiser.run(&Frame::new(&noisy), go_on).await?;
    let largest = apart(&clean, &expected).iter().fold(0.0f64, |most, apart| most.max(apart.abs()));
    Ok(Agreement { psnr, apart: largest })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASES: &[u8] = include_bytes!("../../../models/tests/cases.safetensors");
    const UPSCALER: &[u8] = include_bytes!("../../../models/weights/realesr/realesr-animevideov3-x4.safetensors");
    const DENOISER: &[u8] = include_bytes!("../../../models/weights/oidn/rt_ldr.tza");

    #[test]
    fn results_agree_with_those_of_other_programs() {
        let found = pollster::block_on(agreement(&Device::cpu(), CASES, [UPSCALER, DENOISER])).expect("files of ours");
        assert!(found.psnr > 60.0 && found.apart < 1e-3, "{found:?}");
        let damaged = pollster::block_on(agreement(&Device::cpu(), &CASES[..100], [UPSCALER, DENOISER]));
        assert!(matches!(damaged, Err(NoAgreement::Cases(_))), "{damaged:?}");
    }

    #[test]
    fn canvases_become_canvases() {
        let model = pollster::block_on(Model::upscaler(&Device::cpu(), UPSCALER, 2, [6, 5])).expect("a network");
        let grey = to_colours(&[90, 100, 110, 0].repeat(30));
        let mut tiles = 0;
        let large = pollster::block_on(model.run(&Frame::new(&grey), |progress| {
            tiles += progress.done;
            ControlFlow::Continue(())
        }));
        let large = to_canvas(&large.expect("a picture"));
        assert_eq!((model.output_size(), large.len(), tiles), ([12, 10], 4 * 120, 1));
        assert!(large.as_chunks().0.iter().all(|[r, g, b, a]| r < g && g < b && *a == 255));
        assert!(model.explanation().contains("conv 3 -> 64"));
        assert_eq!(to_canvas(&[-1.0, 0.5, 2.0]), [0, 128, 255, 255]);
    }

    #[test]
    fn errors_have_words() {
        let device = Device::cpu();
        let of = |model: Result<Model, ModelError>| code(&model.expect_err("it cannot be had"));
        assert_eq!(of(pollster::block_on(Model::upscaler(&device, &UPSCALER[..9], 2, [6, 5]))), "damaged");
        assert_eq!(of(pollster::block_on(Model::upscaler(&device, UPSCALER, 5, [6, 5]))), "scale");
        assert_eq!(of(pollster::block_on(Model::denoiser(&device, DENOISER, Range::Ldr, [0, 5]))), "size");
        let model = pollster::block_on(Model::denoiser(&device, DENOISER, Range::Ldr, [6, 5])).expect("a network");
        let grey = [0.5; 90];
        let run = |frame: Frame<'_>, told| code(&pollster::block_on(model.run(&frame, told)).expect_err("it cannot"));
        let go_on = |_: Progress| ControlFlow::Continue(());
        assert_eq!(run(Frame::new(&grey[..89]), go_on), "length");
        assert_eq!(run(Frame::new(&grey).albedo(&grey), go_on), "inputs");
        let stopped = pollster::block_on(model.run(&Frame::new(&grey), |_| ControlFlow::Break(())));
        assert!(matches!(stopped, Err(ModelError::Cancelled)), "{stopped:?}");
    }
}
