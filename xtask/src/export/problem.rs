//! A problem by attributes, as the command line has them.

use std::str::FromStr;

use anyhow::{Context as _, bail, ensure};
use winoconv::{Activation, Border, Conv, DType, Layout, Padding, Problem, Residual, Shape, Spatial};

use crate::bench::layers;

/// Which problem.
#[derive(Debug, clap::Args)]
pub(crate) struct Attributes {
    /// A layer of the bench by its name, or N,C,K,H,W or N,C,K,H,W,R (stride 1, padding R/2)
    #[arg(long, conflicts_with = "input")]
    layer: Option<String>,
    /// The input's sizes: N,C,W or N,C,H,W or N,C,D,H,W
    #[arg(long, requires_all = ["filters", "kernel"])]
    input: Option<Sizes>,
    /// Filters
    #[arg(long)]
    filters: Option<usize>,
    /// Size of a filter, a number for each dimension (as all of the following, or one number for all dimensions)
    #[arg(long)]
    kernel: Option<Sizes>,
    /// Step between outputs
    #[arg(long)]
    stride: Option<Sizes>,
    /// Step between taps
    #[arg(long)]
    dilation: Option<Sizes>,
    /// Padding, or `same_upper` or `same_lower`
    #[arg(long)]
    padding: Option<String>,
    /// Padding after the last element, where that is another
    #[arg(long, requires = "padding")]
    padding_after: Option<Sizes>,
    /// What lies in the padding: zero, reflect, replicate, circular
    #[arg(long)]
    border: Option<String>,
    /// Groups
    #[arg(long)]
    groups: Option<usize>,
    /// Transposed, with this output padding
    #[arg(long, value_name = "OUTPUT_PADDING")]
    transposed: Option<Sizes>,
    /// With a bias
    #[arg(long)]
    bias: bool,
    /// A residual: `tensor`, `in_place`
    #[arg(long)]
    residual: Option<String>,
    /// `relu`, `leaky_relu:0.1`, `prelu`, `clamp:-1:1`, `sigmoid`, `tanh`, `silu`, `gelu`, `gelu_tanh`
    #[arg(long)]
    activation: Option<String>,
    /// Channels last in input and output: NHWC
    #[arg(long)]
    nhwc: bool,
    /// Channels last in the weights: OHWI
    #[arg(long)]
    ohwi: bool,
    /// Tensors are stored in f16
    #[arg(long)]
    f16: bool,
    /// `forward`, `input_gradient`, `weight_gradient`
    #[arg(long, default_value = "forward")]
    operation: String,
}

/// Numbers with commas between them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sizes(Vec<usize>);

impl FromStr for Sizes {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split(',').map(|part| part.trim().parse()).collect::<Result<_, _>>().map(Self)
    }
}

impl Sizes {
    /// By dimension; a single number is all of them.
    fn spatial(&self) -> anyhow::Result<Spatial> {
        match *self.0.as_slice() {
            [all] => Ok(all.into()),
            ref sizes => Spatial::from_slice(sizes).context("expected 1 to 3 numbers"),
        }
    }
}

impl Attributes {
    /// The problem.
    pub(crate) fn problem(&self) -> anyhow::Result<Problem> {
        if let Some(layer) = &self.layer {
            return Ok(layers::named(layer)?.problem()?);
        }
        let (Some(Sizes(input)), Some(filters), Some(kernel)) = (&self.input, self.filters, &self.kernel) else {
            bail!("expected --layer, or --input, --filters and --kernel");
        };
        let shape = Shape::from_slice(input).context("--input: expected 3 to 5 numbers")?;
        // One number is no square here: the input says how many dimensions there are.
        let kernel = kernel.spatial()?.of_rank(shape.spatial().rank());
        let problem = self.conv(Conv::new(shape[1], filters, kernel))?.on(shape)?;
        Ok(match self.operation.as_str() {
            "forward" => problem,
            "input_gradient" => problem.input_gradient()?,
            "weight_gradient" => problem.weight_gradient()?,
            other => bail!("--operation {other}: expected forward, input_gradient or weight_gradient"),
        })
    }

    fn conv(&self, mut conv: Conv) -> anyhow::Result<Conv> {
        if let Some(stride) = &self.stride {
            conv = conv.stride(stride.spatial()?);
        }
        if let Some(dilation) = &self.dilation {
            conv = conv.dilation(dilation.spatial()?);
        }
        if let Some(padding) = &self.padding {
            conv = conv.padding(read_padding(padding, self.padding_after.as_ref())?);
        }
        if let Some(border) = &self.border {
            conv = conv.border(one_of("--border", border, &Border::ALL, Border::name)?);
        }
        if let Some(groups) = self.groups {
            conv = conv.groups(groups);
        }
        if let Some(extra) = &self.transposed {
            conv = conv.transposed(extra.spatial()?);
        }
        if let Some(residual) = &self.residual {
            conv = conv.residual(one_of("--residual", residual, &Residual::ALL, Residual::name)?);
        }
        if let Some(activation) = &self.activation {
            conv = conv.activation(read_activation(activation)?);
        }
        let layout = |last| if last { Layout::ChannelsLast } else { Layout::ChannelsFirst };
        let dtype = if self.f16 { DType::F16 } else { DType::F32 };
        Ok(conv.bias(self.bias).dtype(dtype).layout(layout(self.nhwc)).weights_layout(layout(self.ohwi)))
    }
}

fn one_of<T: Copy>(what: &str, text: &str, all: &[T], name: fn(T) -> &'static str) -> anyhow::Result<T> {
    let names = || all.iter().map(|&one| name(one)).collect::<Vec<_>>().join(", ");
    let found = all.iter().copied().find(|&one| name(one) == text);
    found.with_context(|| format!("{what} {text}: expected one of {}", names()))
}

fn read_padding(text: &str, after: Option<&Sizes>) -> anyhow::Result<Padding> {
    let named = match text {
        "same_upper" => Padding::SameUpper,
        "same_lower" => Padding::SameLower,
        numbers => {
            let before = numbers.parse::<Sizes>().with_context(|| format!("--padding {text}"))?.spatial()?;
            return Ok(Padding::sides(before, after.map_or(Ok(before), Sizes::spatial)?));
        }
    };
    ensure!(after.is_none(), "--padding-after: {text} shares it out");
    Ok(named)
}

fn read_activation(text: &str) -> anyhow::Result<Activation> {
    let mut parts = text.split(':');
    let name = parts.next().unwrap_or_default();
    let numbers: Vec<f32> = parts.map(str::parse).collect::<Result<_, _>>().with_context(|| format!("in {text}"))?;
    let activation =
        Activation::from_name(name).filter(|activation| activation.argument_names().len() == numbers.len());
    let activation = activation.with_context(|| {
        format!("--activation {text}: expected a name, and its numbers behind colons, as in clamp:-1:1")
    })?;
    let number = |i: usize| numbers.get(i).copied().unwrap_or_default();
    Ok(activation.with_arguments([number(0), number(1)]))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        attributes: Attributes,
    }

    fn read(line: &str) -> anyhow::Result<Problem> {
        let words = ["export"].into_iter().chain(line.split_whitespace());
        Line::try_parse_from(words)?.attributes.problem()
    }

    #[test]
    fn attributes_are_read() {
        let conv = Conv::new(8, 4, [4, 4]).transposed(0).stride([2, 1]).padding(1).bias(true);
        let conv = conv.activation(Activation::Clamp { low: -1.0, high: 1.0 }).layout(Layout::ChannelsLast);
        let line = "--input 1,8,10,20 --filters 4 --kernel 4 --transposed 0 --stride 2,1 --padding 1 --bias --nhwc \
                    --activation clamp:-1:1";
        assert_eq!(read(line).expect("reads"), conv.on([1, 8, 10, 20]).expect("legal"));
        let conv = Conv::new(6, 6, [3, 3, 3]).groups(3).border(Border::Circular).dilation(2);
        let conv = conv.padding(Padding::sides(2, [1, 2, 0])).weights_layout(Layout::ChannelsLast);
        let gradient = conv.on([2, 6, 5, 6, 7]).and_then(|problem| problem.weight_gradient()).expect("legal");
        let line = "--input 2,6,5,6,7 --filters 6 --kernel 3,3,3 --groups 3 --border circular --dilation 2 --padding 2 \
                    --padding-after 1,2,0 --ohwi --operation weight_gradient";
        assert_eq!(read(line).expect("reads"), gradient);
        let conv = Conv::new(2, 2, [3]).dtype(DType::F16).padding(Padding::SameUpper).residual(Residual::InPlace);
        let line = "--input 1,2,9 --filters 2 --kernel 3 --padding same_upper --residual in_place --f16";
        assert_eq!(read(line).expect("reads"), conv.on([1, 2, 9]).expect("legal"));
        assert_eq!(read("--layer 1,8,16,32,24").expect("reads").output_shape(), [1, 16, 32, 24]);
    }

    #[test]
    fn what_is_no_attribute_is_refused() {
        let refused = |more: &str| {
            let line = format!("--input 1,8,10,20 --filters 4 --kernel 3 {more}");
            format!("{:#}", read(&line).expect_err("no problem"))
        };
        for (more, says) in [
            ("--stride 1,2,3", "stride has 3 spatial dimensions, the kernel has 2"),
            ("--padding one", "--padding one"),
            ("--padding same_upper --padding-after 1", "same_upper shares it out"),
            ("--border mirror", "expected one of zero, reflect"),
            ("--activation clamp:1", "clamp:-1:1"),
            ("--operation backward", "expected forward"),
            ("--layer seed1", "cannot be used with"),
        ] {
            let error = refused(more);
            assert!(error.contains(says), "{more}: {error}");
        }
    }
}
