//! The layers that are measured, by suite.

use std::str::FromStr;

use anyhow::{Context as _, bail};
use winoconv::{Conv, Problem};

/// A layer: a square filter, stride 1, padding that keeps the size.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Layer {
    pub name: String,
    pub suite: String,
    pub n: usize,
    pub c: usize,
    pub k: usize,
    pub h: usize,
    pub w: usize,
    pub r: usize,
    pub padding: usize,
}

impl Layer {
    pub(crate) fn problem(&self) -> Result<Problem, winoconv::Error> {
        self.conv().on([self.n, self.c, self.h, self.w])
    }

    pub(crate) fn conv(&self) -> Conv {
        Conv::new(self.c, self.k, [self.r, self.r]).padding(self.padding)
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
        let name = format!("{n}x{c}x{h}x{w}_k{k}_r{r}");
        Ok(Self { name, suite: "custom".to_owned(), n, c, k, h, w, r, padding: r / 2 })
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Selection {
    /// Suites of layers [default: seed, and resnet at N = 1]
    #[arg(long, value_delimiter = ',', value_parser = ["seed", "vgg", "resnet", "sr"])]
    suite: Vec<String>,
    /// A layer of your own: N,C,K,H,W or N,C,K,H,W,R (stride 1, padding R/2)
    #[arg(long, value_name = "N,C,K,H,W,R")]
    layer: Vec<Layer>,
    /// Every layer of every suite
    #[arg(long)]
    all: bool,
}

impl Selection {
    pub(crate) fn layers(&self) -> anyhow::Result<Vec<Layer>> {
        let table = table()?;
        let default = self.suite.is_empty() && self.layer.is_empty() && !self.all;
        let wanted = |layer: &Layer| {
            let usual = default && (layer.suite == "seed" || (layer.suite == "resnet" && layer.n == 1));
            self.all || self.suite.contains(&layer.suite) || usual
        };
        let layers: Vec<Layer> = table.into_iter().filter(wanted).chain(self.layer.iter().cloned()).collect();
        anyhow::ensure!(!layers.is_empty(), "no layer is left to measure");
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
        assert_eq!((table.len(), names.len()), (41, 41), "each has a name of its own");
        for layer in &table {
            let problem = layer.problem().expect("legal");
            assert_eq!(problem.output_shape(), [layer.n, layer.k, layer.h, layer.w], "{}", layer.name);
        }
        let layer: Layer = "1,8,16,32,24,5".parse().expect("reads");
        assert_eq!((layer.c, layer.k, layer.h, layer.w, layer.r, layer.padding), (8, 16, 32, 24, 5, 2));
        assert_eq!(named("1,8,16,32,24,5").expect("reads"), layer);
        for text in ["vgg9", "1,8,16", "1,8,16,x,3"] {
            assert!(named(text).is_err(), "{text}: neither a name nor numbers");
        }
    }
}
