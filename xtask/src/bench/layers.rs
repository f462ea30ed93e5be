//! The layers that are measured, by suite: any convolution, or a gradient of one.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};
use winoconv::{Conv, DType, Layout, Padding, Problem, Spatial};

use crate::files;

/// Suites that are measured unless something else is asked for come first.
const SUITES: [&str; 10] = ["seed", "resnet", "vgg", "sr", "mobilenet", "resnet50", "unet", "audio", "train", "others"];
/// Suites of 3x3 filters with stride 1: the benchmark's table.
const TABLE: [&str; 4] = ["seed", "resnet", "vgg", "sr"];

/// What is computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Operation {
    /// The convolution.
    #[default]
    Forward,
    /// Its input's gradient.
    InputGradient,
    /// Its weights' gradient.
    WeightGradient,
}

/// How tensors are stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stored {
    /// In 32 bits.
    #[default]
    F32,
    /// In 16 bits.
    F16,
}

/// How input and output lie in memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// A plane after the other: NCHW.
    #[default]
    ChannelsFirst,
    /// The channels of a place side by side: NHWC.
    ChannelsLast,
}

/// A layer, as files of layers have it. Sizes have a number for each dimension: one to three.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Layer {
    pub name: String,
    #[serde(default = "custom")]
    pub suite: String,
    #[serde(default)]
    pub operation: Operation,
    /// Images, channels, and the size of an image.
    pub input: Vec<usize>,
    pub filters: usize,
    pub kernel: Vec<usize>,
    #[serde(default)]
    pub stride: Option<Vec<usize>>,
    #[serde(default)]
    pub dilation: Option<Vec<usize>>,
    #[serde(default)]
    pub padding: Option<Vec<usize>>,
    #[serde(default)]
    pub groups: Option<usize>,
    /// The output's padding of a transposed convolution.
    #[serde(default)]
    pub transposed: Option<Vec<usize>>,
    #[serde(default)]
    pub dtype: Stored,
    #[serde(default)]
    pub layout: Order,
}

fn custom() -> String {
    "custom".to_owned()
}

impl Layer {
    pub(crate) fn problem(&self) -> anyhow::Result<Problem> {
        let problem = self.forward().with_context(|| format!("the layer {}", self.name))?;
        Ok(match self.operation {
            Operation::Forward => problem,
            Operation::InputGradient => problem.input_gradient()?,
            Operation::WeightGradient => problem.weight_gradient()?,
        })
    }

    fn forward(&self) -> anyhow::Result<Problem> {
        let rank = self.kernel.len();
        let sizes = [&self.stride, &self.dilation, &self.padding, &self.transposed];
        let wrong = sizes.into_iter().flatten().find(|sizes| sizes.len() != rank);
        ensure!(
            (1..=3).contains(&rank) && self.input.len() == rank + 2 && wrong.is_none(),
            "expected one to three dimensions, the same in all sizes, and images and channels before those of the input; got a \
             kernel of {:?} on {:?}{}",
            self.kernel,
            self.input,
            wrong.map(|sizes| format!(" and {sizes:?}")).unwrap_or_default()
        );
        let spatial = |sizes: &[usize]| -> anyhow::Result<Spatial> {
            Ok(match *sizes {
                [w] => [w].into(),
                [h, w] => [h, w].into(),
                [d, h, w] => [d, h, w].into(),
                _ => bail!("expected one to three sizes, got {sizes:?}"),
            })
        };
        let mut conv = Conv::new(self.input[1], self.filters, spatial(&self.kernel)?);
        if let Some(stride) = &self.stride {
            conv = conv.stride(spatial(stride)?);
        }
        if let Some(dilation) = &self.dilation {
            conv = conv.dilation(spatial(dilation)?);
        }
        if let Some(padding) = &self.padding {
            let padding = spatial(padding)?;
            conv = conv.padding(Padding::sides(padding, padding));
        }
        if let Some(groups) = self.groups {
            conv = conv.groups(groups);
        }
        if let Some(padding) = &self.transposed {
            conv = conv.transposed(spatial(padding)?);
        }
        if self.dtype == Stored::F16 {
            conv.dtype = DType::F16;
        }
        if self.layout == Order::ChannelsLast {
            conv = conv.layout(Layout::ChannelsLast);
        }
        Ok(conv.on(winoconv::Shape::new(self.input[0], self.input[1], spatial(&self.input[2..])?))?)
    }
}

impl FromStr for Layer {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let numbers: Vec<usize> = text
            .split(',')
            .map(|part| part.trim().parse().with_context(|| format!("{part} in {text} is no number")))
            .collect::<anyhow::Result<_>>()?;
        let (n, c, k, h, w, r) = match *numbers.as_slice() {
            [n, c, k, h, w] => (n, c, k, h, w, 3),
            [n, c, k, h, w, r] if r > 0 => (n, c, k, h, w, r),
            _ => bail!("expected N,C,K,H,W or N,C,K,H,W,R with R at least 1, got {text}"),
        };
        Ok(Self {
            name: format!("{n}x{c}x{h}x{w}_k{k}_r{r}"),
            suite: custom(),
            operation: Operation::Forward,
            input: vec![n, c, h, w],
            filters: k,
            kernel: vec![r, r],
            stride: None,
            dilation: None,
            padding: Some(vec![r / 2, r / 2]),
            groups: None,
            transposed: None,
            dtype: Stored::F32,
            layout: Order::ChannelsFirst,
        })
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Selection {
    /// Suites of layers [default: seed, and resnet at N = 1]
    #[arg(long, value_delimiter = ',', value_parser = SUITES)]
    suite: Vec<String>,
    /// A layer of your own: N,C,K,H,W or N,C,K,H,W,R (stride 1, padding R/2)
    #[arg(long, value_name = "N,C,K,H,W,R")]
    layer: Vec<Layer>,
    /// A file of layers of your own, any convolutions or gradients: a JSON list as xtask/src/bench/layers.json
    #[arg(long, value_name = "FILE")]
    layers: Vec<PathBuf>,
    /// Every layer of the suites seed, resnet, vgg and sr: 3x3, stride 1
    #[arg(long)]
    all: bool,
    /// How tensors are stored [default: f32, or as a file of layers says]
    #[arg(long, value_enum)]
    dtype: Option<Stored>,
    /// How input and output lie in memory [default: channels first, or as a file of layers says]
    #[arg(long, value_enum)]
    layout: Option<Order>,
}

impl Selection {
    pub(crate) fn layers(&self) -> anyhow::Result<Vec<Layer>> {
        let own = !self.layer.is_empty() || !self.layers.is_empty();
        let default = self.suite.is_empty() && !own && !self.all;
        let wanted = |layer: &Layer| {
            let usual = default && (layer.suite == "seed" || (layer.suite == "resnet" && layer.input[0] == 1));
            let of_table = self.all && TABLE.contains(&layer.suite.as_str());
            of_table || self.suite.contains(&layer.suite) || usual
        };
        let mut layers: Vec<Layer> = table()?.into_iter().filter(wanted).chain(self.layer.iter().cloned()).collect();
        for path in &self.layers {
            layers.extend(files::read_json::<Vec<Layer>>(path)?);
        }
        ensure!(!layers.is_empty(), "no layer is left to measure");
        if let Some(dtype) = self.dtype {
            layers.iter_mut().for_each(|layer| layer.dtype = dtype);
        }
        if let Some(layout) = self.layout {
            layers.iter_mut().for_each(|layer| layer.layout = layout);
        }
        Ok(layers)
    }
}

/// A layer of the table by its name, or one of your own as `--layer` takes it.
pub(crate) fn named(text: &str) -> anyhow::Result<Layer> {
    match table()?.into_iter().find(|layer| layer.name == text) {
        Some(layer) => Ok(layer),
        None => text.parse().context("no layer of the table has that name"),
    }
}

fn table() -> anyhow::Result<Vec<Layer>> {
    serde_json::from_str(include_str!("layers.json")).context("the table of layers that is built in")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_read() {
        let table = table().expect("reads");
        let names: std::collections::HashSet<_> = table.iter().map(|layer| &layer.name).collect();
        let of_table = table.iter().filter(|layer| TABLE.contains(&layer.suite.as_str()));
        assert_eq!((of_table.count(), table.len(), names.len()), (41, 81, 81), "each has a name of its own");
        for layer in &table {
            let problem = layer.problem().expect("legal");
            assert!(SUITES.contains(&layer.suite.as_str()), "{}: {} is no suite", layer.name, layer.suite);
            if TABLE.contains(&layer.suite.as_str()) {
                let [n, _, h, w] = layer.input[..] else { panic!("{} has other dimensions", layer.name) };
                assert_eq!(problem.output_shape(), [n, layer.filters, h, w], "{}", layer.name);
            }
        }
        let shape = |name: &str| named(name).and_then(|layer| layer.problem()).map(|problem| problem.output_shape());
        assert_eq!(shape("fsrcnn_9x9s3").expect("reads"), [1, 1, 540, 540]);
        assert_eq!(shape("incep_1x7").expect("reads"), [8, 192, 17, 17]);
        assert_eq!(shape("train_1x1_n32_wgrad").expect("reads"), [64, 256, 1, 1], "the gradient's");
        let layer: Layer = "1,8,16,32,24,5".parse().expect("reads");
        assert_eq!((layer.input.as_slice(), layer.filters), (&[1, 8, 32, 24][..], 16));
        assert_eq!(layer.problem().expect("legal").output_shape(), [1, 16, 32, 24]);
        assert_eq!(named("1,8,16,32,24,5").expect("reads"), layer);
        for text in ["vgg9", "1,8,16", "1,8,16,x,3"] {
            assert!(named(text).is_err(), "{text}: neither a name nor numbers");
        }
        let read = |json: &str| -> anyhow::Result<Problem> { serde_json::from_str::<Layer>(json)?.problem() };
        let half = read(r#"{"name": "x", "input": [1, 2, 9], "filters": 4, "kernel": [3], "dtype": "f16"}"#);
        assert_eq!(half.expect("legal").output_shape(), [1, 4, 7]);
        for json in [
            r#"{"name": "x", "input": [1, 2, 9, 9], "filters": 4, "kernel": [3]}"#,
            r#"{"name": "x", "input": [1, 2, 9], "filters": 4, "kernel": [3], "stride": [1, 1]}"#,
            r#"{"name": "x", "input": [1, 2, 9], "filters": 4, "kernel": [3], "size": 4}"#,
        ] {
            assert!(read(json).is_err(), "{json}: dimensions differ, or there is no such field");
        }
    }
}
