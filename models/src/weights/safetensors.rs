//! Compact networks in safetensors files. Two ways to name the tensors are read: `0.weight`, `0.bias`, `0.slopes`, `1.weight` and so
//! on, and that of PyTorch's `SRVGGNetCompact`, where convolutions are `body.0`, `body.2` and so on, and the slopes between them
//! `body.1.weight`, `body.3.weight`. The latter may stand behind a prefix, as in `params.body.0.weight`.

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use super::{Layer, from_bf16, from_f16, from_f32};
use crate::error::{FileKind, ModelError, Result};

const KIND: FileKind = FileKind::Safetensors;

/// How tensors are named.
enum Names {
    /// `3.weight`, `3.slopes`.
    Numbered,
    /// With what stands before `body`.
    PyTorch(String),
}

impl Names {
    fn of(tensors: &SafeTensors<'_>) -> Result<Self> {
        let names = tensors.names();
        if names.contains(&"0.weight") {
            return Ok(Self::Numbered);
        }
        let first = names.iter().find_map(|name| name.strip_suffix("body.0.weight"));
        first.map(|prefix| Self::PyTorch(prefix.to_owned())).ok_or_else(|| {
            let problem = "there is no tensor 0.weight or body.0.weight, with which a compact network begins";
            ModelError::unsupported(KIND, problem)
        })
    }

    fn conv(&self, i: usize) -> String {
        match self {
            Self::Numbered => i.to_string(),
            Self::PyTorch(prefix) => format!("{prefix}body.{}", 2 * i),
        }
    }

    fn slopes(&self, i: usize) -> String {
        match self {
            Self::Numbered => format!("{i}.slopes"),
            Self::PyTorch(prefix) => format!("{prefix}body.{}.weight", 2 * i + 1),
        }
    }
}

/// The convolutions, each but the last with its slopes.
pub(crate) fn compact(file: &[u8]) -> Result<Vec<(Layer, Vec<f32>)>> {
    let tensors = SafeTensors::deserialize(file).map_err(|error| ModelError::damaged(KIND, error.to_string()))?;
    let names = Names::of(&tensors)?;
    let mut layers = Vec::new();
    let mut used = 0;
    // The file ends this: every layer is another tensor of it.
    while tensors.tensor(&format!("{}.weight", names.conv(layers.len()))).is_ok() {
        let name = names.conv(layers.len());
        let weights = tensor(&tensors, &format!("{name}.weight"))?;
        let bias = tensor(&tensors, &format!("{name}.bias"))?;
        let layer = Layer::new(KIND, &name, weights.shape(), numbers(&name, &weights)?, numbers(&name, &bias)?)?;
        let slopes = names.slopes(layers.len());
        let slopes = match tensors.tensor(&slopes) {
            Ok(view) => numbers(&slopes, &view)?,
            Err(_) => Vec::new(),
        };
        used += 2 + usize::from(!slopes.is_empty());
        layers.push((layer, slopes));
    }
    let all = tensors.len();
    if used != all {
        let problem = format!("{} of its {all} tensors are not of a compact network", all - used);
        return Err(ModelError::unsupported(KIND, problem));
    }
    Ok(layers)
}

fn tensor<'a>(tensors: &SafeTensors<'a>, name: &str) -> Result<TensorView<'a>> {
    tensors.tensor(name).map_err(|error| ModelError::damaged(KIND, format!("{name}: {error}")))
}

fn numbers(name: &str, view: &TensorView<'_>) -> Result<Vec<f32>> {
    Ok(match view.dtype() {
        Dtype::F32 => from_f32(view.data()),
        Dtype::F16 => from_f16(view.data()),
        Dtype::BF16 => from_bf16(view.data()),
        other => {
            let problem = format!("{name} is of type {other:?}, expected F32, F16 or BF16");
            return Err(ModelError::unsupported(KIND, problem));
        }
    })
}
