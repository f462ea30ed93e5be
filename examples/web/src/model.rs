//! The networks of `winoconv-models` on the pictures of a canvas: four bytes a pixel, the last of them ignored.

use safetensors::SafeTensors;
use winoconv::Device;
use winoconv_models::{Compact, Denoiser, Frame, ModelError, Options, Range, UNet, Upscaler};

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

    /// A network that denoises colours as screens show them, from a TZA file.
    ///
    /// # Errors
    /// A damaged file, a size that is none, whatever the device says.
    pub async fn denoiser(device: &Device, file: &[u8], size: [usize; 2]) -> Result<Self, ModelError> {
        let network = UNet::from_tza(file)?;
        let options = Options::new(device).memory(MEMORY);
        Ok(Self::Denoiser(Denoiser::new(&network, Range::Srgb, size, &options).await?, size))
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

    /// Numbers from 0 to 1, three a pixel, to such numbers.
    ///
    /// # Errors
    /// A picture of another size, whatever the device says.
    pub async fn run(&self, pixels: &[f32]) -> Result<Vec<f32>, ModelError> {
        match self {
            Self::Upscaler(upscaler) => upscaler.run(pixels).await,
            Self::Denoiser(denoiser, _) => denoiser.run(&Frame::new(pixels)).await,
        }
    }

    /// The bytes of a canvas to those of another. Nothing of the result can be seen through.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn run_bytes(&self, bytes: &[u8]) -> Result<Vec<u8>, ModelError> {
        let colours = |pixel: &[u8; 4]| [pixel[0], pixel[1], pixel[2]].map(|byte| f32::from(byte) / 255.0);
        let pixels: Vec<f32> = bytes.as_chunks().0.iter().flat_map(colours).collect();
        let result = self.run(&pixels).await?;
        // The conversion saturates.
        let byte = |value: f32| (value * 255.0).round() as u8;
        Ok(result.as_chunks().0.iter().flat_map(|&[r, g, b]| [byte(r), byte(g), byte(b), u8::MAX]).collect())
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
    let (size, cat) = picture("cat")?;
    let (_, expected) = picture("cat.large")?;
    let large = Model::upscaler(device, weights[0], 4, size).await?.run(&cat).await?;
    let apart = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a - b)).collect::<Vec<f64>>();
    let squares: f64 = apart(&large, &expected).iter().map(|apart| apart * apart).sum();
    let psnr = -10.0 * (squares / expected.len().max(1) as f64).log10();

    let (size, noisy) = picture("ldr")?;
    let (_, expected) = picture("clean.srgb")?;
    let clean = Model::denoiser(device, weights[1], size).await?.run(&noisy).await?;
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
        let grey = [90, 100, 110, 0].repeat(30);
        let large = pollster::block_on(model.run_bytes(&grey)).expect("a picture");
        assert_eq!((model.output_size(), large.len()), ([12, 10], 4 * 120));
        assert!(large.as_chunks().0.iter().all(|[r, g, b, a]| r < g && g < b && *a == 255));
        assert!(model.explanation().contains("conv 3 -> 64"));
    }
}
