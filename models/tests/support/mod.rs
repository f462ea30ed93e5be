//! What the tests share: small networks as files, cases from other programs, and the devices of this machine.

#![allow(dead_code, reason = "each test program uses a part")]

use std::fs::OpenOptions;
use std::io::Write as _;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use winoconv::Device;
use winoconv::gpu::{AdapterChoice, ContextOptions, adapters};

/// `SplitMix64`.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// Below a number that is not 0.
    pub(crate) fn below(&mut self, number: usize) -> usize {
        (self.next() % number as u64) as usize
    }

    /// From -1 to 1, in steps that 16 bits hold.
    pub(crate) fn numbers(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.below(513) as f32 / 256.0 - 1.0).collect()
    }
}

/// A convolution of a compact network, with the slopes behind it.
pub(crate) struct Part {
    pub(crate) channels: usize,
    pub(crate) filters: usize,
    pub(crate) weights: Vec<f32>,
    pub(crate) bias: Vec<f32>,
    pub(crate) slopes: Vec<f32>,
}

/// A network that enlarges by 2: three convolutions, five features.
pub(crate) fn parts() -> Vec<Part> {
    let mut random = Random(1);
    [(3, 5), (5, 5), (5, 12)]
        .into_iter()
        .enumerate()
        .map(|(i, (channels, filters))| Part {
            channels,
            filters,
            weights: random.numbers(filters * channels * 9),
            bias: random.numbers(filters),
            slopes: if i < 2 { random.numbers(filters) } else { Vec::new() },
        })
        .collect()
}

fn f32_bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

pub(crate) fn f16_bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|&number| half::f16::from_f32(number).to_le_bytes()).collect()
}

/// The network in a safetensors file, with names of either kind.
pub(crate) fn safetensors_file(is_pytorch: bool, is_half: bool) -> Vec<u8> {
    let dtype = if is_half { Dtype::F16 } else { Dtype::F32 };
    let bytes = |numbers: &[f32]| if is_half { f16_bytes(numbers) } else { f32_bytes(numbers) };
    let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    for (i, part) in parts().iter().enumerate() {
        let conv = if is_pytorch { format!("params.body.{}", 2 * i) } else { i.to_string() };
        let slopes = if is_pytorch { format!("params.body.{}.weight", 2 * i + 1) } else { format!("{i}.slopes") };
        tensors.push((format!("{conv}.weight"), vec![part.filters, part.channels, 3, 3], bytes(&part.weights)));
        tensors.push((format!("{conv}.bias"), vec![part.filters], bytes(&part.bias)));
        if !part.slopes.is_empty() {
            tensors.push((slopes, vec![part.filters], bytes(&part.slopes)));
        }
    }
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (name.clone(), TensorView::new(dtype, shape.clone(), bytes).expect("a tensor of its size"))
    });
    safetensors::serialize(views, None).expect("tensors that fit together")
}

/// The network in ncnn's files.
pub(crate) fn ncnn_files(is_half: bool) -> (String, Vec<u8>) {
    let mut lines = vec![
        "Input in 0 1 data".to_owned(),
        "Split split 1 2 data data_0 data_1".to_owned(),
        "Interp up 1 1 data_0 large 0=1 1=2.0 2=2.000000e+00".to_owned(),
    ];
    let (mut at, mut bin) = ("data_1".to_owned(), Vec::new());
    for (i, part) in parts().iter().enumerate() {
        let count = part.weights.len();
        let filters = part.filters;
        lines.push(format!("Convolution conv{i} 1 1 {at} c{i} 0={filters} 1=3 4=1 5=1 6={count}"));
        at = format!("c{i}");
        if is_half {
            bin.extend(0x0130_6B47_u32.to_le_bytes());
            bin.extend(f16_bytes(&part.weights));
            bin.resize(bin.len().next_multiple_of(4), 0);
        } else {
            bin.extend(0_u32.to_le_bytes());
            bin.extend(f32_bytes(&part.weights));
        }
        bin.extend(f32_bytes(&part.bias));
        if !part.slopes.is_empty() {
            lines.push(format!("PReLU slope{i} 1 1 {at} p{i} 0={filters}"));
            at = format!("p{i}");
            bin.extend(f32_bytes(&part.slopes));
        }
    }
    lines.push(format!("PixelShuffle shuffle 1 1 {at} details 0=2"));
    lines.push("BinaryOp sum 2 1 details large output".to_owned());
    (format!("7767517\n{} {}\n{}\n", lines.len(), lines.len() + 2, lines.join("\n")), bin)
}

/// A U-Net of colours with two filters in most convolutions.
pub(crate) fn tza_file() -> Vec<u8> {
    let mut random = Random(2);
    let mut layers = vec![("enc_conv0", 3, 2)];
    layers.extend(["enc_conv1", "enc_conv2", "enc_conv3", "enc_conv4", "enc_conv5a", "enc_conv5b"].map(|n| (n, 2, 2)));
    for (a, b, skip) in [
        ("dec_conv4a", "dec_conv4b", 2),
        ("dec_conv3a", "dec_conv3b", 2),
        ("dec_conv2a", "dec_conv2b", 2),
        ("dec_conv1a", "dec_conv1b", 3),
    ] {
        layers.extend([(a, 2 + skip, 2), (b, 2, 2)]);
    }
    layers.push(("dec_conv0", 2, 3));
    let (mut data, mut table) = (Vec::new(), Vec::new());
    let head = 12;
    table.extend((2 * layers.len() as u32).to_le_bytes());
    for (name, channels, filters) in layers {
        for (ending, axes, dims) in [("weight", "oihw", vec![filters, channels, 3, 3]), ("bias", "x", vec![filters])] {
            let name = format!("{name}.{ending}");
            table.extend((name.len() as u16).to_le_bytes());
            table.extend(name.bytes());
            table.push(dims.len() as u8);
            table.extend(dims.iter().flat_map(|&size: &u32| size.to_le_bytes()));
            table.extend(axes.bytes());
            table.push(b'h');
            table.extend(((head + data.len()) as u64).to_le_bytes());
            data.extend(f16_bytes(&random.numbers(dims.iter().product::<u32>() as usize)));
        }
    }
    let mut file = vec![0xD7, 0x41, 2, 0];
    file.extend(((head + data.len()) as u64).to_le_bytes());
    file.extend(data);
    file.extend(table);
    file
}

/// What other programs give, see `write_cases.py`.
pub(crate) struct Cases(SafeTensors<'static>);

impl Cases {
    pub(crate) fn read() -> Self {
        let file = include_bytes!("../cases.safetensors");
        Self(SafeTensors::deserialize(file).expect("a file of this repository"))
    }

    /// A picture's width, height and numbers.
    pub(crate) fn picture(&self, name: &str) -> ([usize; 2], Vec<f32>) {
        let tensor = self.0.tensor(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        let numbers = tensor.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        ([tensor.shape()[1], tensor.shape()[0]], numbers)
    }
}

/// The CPU, and every adapter of this machine, software ones too. `WINOCONV_GPU` and `WINOCONV_ADAPTER` mean what they mean to the
/// library's tests.
pub(crate) fn devices(test: &str) -> Vec<Device> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let mut devices = vec![Device::cpu()];
    let is_ci = set("CI").is_some_and(|value| value != "false");
    let policy = set("WINOCONV_GPU").unwrap_or_else(|| if is_ci { "require" } else { "auto" }.to_owned());
    if policy == "off" {
        skipped(test, "WINOCONV_GPU=off");
        return devices;
    }
    let wanted = set("WINOCONV_ADAPTER").unwrap_or_default().to_lowercase();
    let mut names: Vec<String> = pollster::block_on(adapters()).into_iter().map(|caps| caps.name).collect();
    names.retain(|name| name.to_lowercase().contains(&wanted));
    names.sort();
    names.dedup();
    assert!(!names.is_empty() || policy != "require", "{test}: no adapter, and WINOCONV_GPU=require");
    if names.is_empty() {
        skipped(test, "no adapter");
    }
    for name in names {
        let options = ContextOptions::default().adapter(AdapterChoice::Named(name));
        devices.push(pollster::block_on(Device::gpu(&options)).unwrap_or_else(|error| panic!("{test}: {error}")));
    }
    devices
}

/// Says that a part of a test did not run, on the terminal and in the file that `WINOCONV_SKIP_LOG` names.
fn skipped(test: &str, reason: &str) {
    let line = format!("SKIPPED {test}: {reason}");
    println!("{line}");
    if let Some(path) = std::env::var_os("WINOCONV_SKIP_LOG") {
        let log = OpenOptions::new().append(true).create(true).open(&path);
        log.and_then(|mut log| writeln!(log, "{line}"))
            .unwrap_or_else(|error| panic!("WINOCONV_SKIP_LOG {}: {error}", path.display()));
    }
}
