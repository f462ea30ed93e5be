//! Times each convolution layer of ResNet-50: winoconv's kernels against burn's own, in one process, by turns. Prints a table
//! and the geometric mean.
//!
//! Both are warmed up first: burn tunes itself, winoconv compiles and packs the weights. Then they take turns; each turn is a
//! number of calls and a wait for the device. The median over all turns counts. Outputs are compared. The exit status is 1 if
//! an output differs or a layer was not run by winoconv.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use burn::backend::DispatchDevice;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, DeviceKind, Distribution, Tensor, module};
use winoconv_burn::{Operation, Ran, attach, conv2d, report};

const HELP: &str = "\
Times each convolution layer of ResNet-50, winoconv's kernels against burn's own.

  --adapter KIND   discrete, integrated, virtual or cpu, or default: what burn takes [default: default]
  --batch N,N      batch sizes [default: 1,8]
  --turns N        turns of each side [default: 15]
  --millis N       about how long a turn takes [default: 20]
  --quick          images and channels divided by 4, batch size 1, 3 short turns";

/// A layer: channels and side of the image, filters, filter's side, stride.
type Layer = (usize, usize, usize, usize, usize);

/// The distinct convolutions of ResNet-50 (version 1.5, which strides in the 3x3 layers) on 224 x 224.
const LAYERS: [Layer; 23] = [
    (3, 224, 64, 7, 2),
    (64, 56, 64, 1, 1),
    (64, 56, 64, 3, 1),
    (64, 56, 256, 1, 1),
    (256, 56, 64, 1, 1),
    (256, 56, 128, 1, 1),
    (128, 56, 128, 3, 2),
    (128, 28, 512, 1, 1),
    (256, 56, 512, 1, 2),
    (512, 28, 128, 1, 1),
    (128, 28, 128, 3, 1),
    (512, 28, 256, 1, 1),
    (256, 28, 256, 3, 2),
    (256, 14, 1024, 1, 1),
    (512, 28, 1024, 1, 2),
    (1024, 14, 256, 1, 1),
    (256, 14, 256, 3, 1),
    (1024, 14, 512, 1, 1),
    (512, 14, 512, 3, 2),
    (512, 7, 2048, 1, 1),
    (1024, 14, 2048, 1, 2),
    (2048, 7, 512, 1, 1),
    (512, 7, 512, 3, 1),
];

struct Options {
    adapter: Option<DeviceKind>,
    batches: Vec<usize>,
    turns: usize,
    turn: Duration,
    /// What images and channels are divided by.
    divisor: usize,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options =
            Self { adapter: None, batches: vec![1, 8], turns: 15, turn: Duration::from_millis(20), divisor: 1 };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            let number = |text: &str| text.parse::<usize>().ok().filter(|&n| n > 0).ok_or(format!("no number: {text}"));
            match argument.as_str() {
                "--adapter" => {
                    options.adapter = match value()?.as_str() {
                        "default" => None,
                        "discrete" => Some(DeviceKind::DiscreteGpu(0)),
                        "integrated" => Some(DeviceKind::IntegratedGpu(0)),
                        "virtual" => Some(DeviceKind::VirtualGpu(0)),
                        "cpu" => Some(DeviceKind::Cpu),
                        other => return Err(format!("no kind of adapter: {other}")),
                    }
                }
                "--batch" => options.batches = value()?.split(',').map(number).collect::<Result<_, _>>()?,
                "--turns" => options.turns = number(&value()?)?,
                "--millis" => options.turn = Duration::from_millis(number(&value()?)? as u64),
                "--quick" => {
                    options.batches = vec![1];
                    options.turns = 3;
                    options.turn = Duration::from_millis(5);
                    options.divisor = 4;
                }
                _ => return Err(format!("unknown: {argument}\n\n{HELP}")),
            }
        }
        Ok(options)
    }
}

type Convolve = fn(Tensor<4>, Tensor<4>, ConvOptions<2>) -> Tensor<4>;

fn by_winoconv(input: Tensor<4>, weight: Tensor<4>, options: ConvOptions<2>) -> Tensor<4> {
    conv2d(input, weight, None, options)
}

fn by_burn(input: Tensor<4>, weight: Tensor<4>, options: ConvOptions<2>) -> Tensor<4> {
    module::conv2d(input, weight, None, options)
}

/// The mean seconds of a call, `calls` of them in one go.
fn turn(device: &Device, calls: usize, run: &mut dyn FnMut()) -> f64 {
    let start = Instant::now();
    (0..calls).for_each(|_| run());
    device.sync().expect("the device computes");
    start.elapsed().as_secs_f64() / calls as f64
}

/// The median seconds of a call of each side.
fn race(device: &Device, options: &Options, sides: [&mut dyn FnMut(); 2]) -> [f64; 2] {
    // The first calls tune and compile. The calls of a turn are counted only when the times have settled.
    let mut sides = sides.map(|run| {
        let settled = (0..4).map(|_| turn(device, 2, run)).fold(f64::INFINITY, f64::min);
        let calls = (options.turn.as_secs_f64() / settled).ceil().clamp(1.0, 1000.0) as usize;
        turn(device, calls, run);
        (run, calls, Vec::new())
    });
    for _ in 0..options.turns {
        for (run, calls, times) in &mut sides {
            times.push(turn(device, *calls, *run));
        }
    }
    sides.map(|(_, _, mut times)| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    })
}

/// The relative L2 difference.
fn difference(one: Tensor<4>, other: &Tensor<4>) -> f64 {
    let norm = |tensor: Tensor<4>| f64::from(tensor.powi_scalar(2).sum().into_scalar::<f32>()).sqrt();
    norm(one - other.clone()) / norm(other.clone())
}

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--help") {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    match Options::parse(std::env::args().skip(1)).and_then(|options| bench(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all outputs agree and all were computed by winoconv.
fn bench(options: &Options) -> Result<bool, String> {
    let selected = match options.adapter.clone() {
        None => Device::wgpu_options(),
        Some(kind) => Device::wgpu_options().device_kind(kind),
    };
    let (device, setup) = selected.init_with_setup().map_err(|error| error.to_string())?;
    attach(&device, &setup).map_err(|error| error.to_string())?;
    let info = setup.adapter.get_info();
    let runtime = match device.as_dispatch() {
        DispatchDevice::Cube(cube) => cube.client().name(),
        _ => return Err("the device is not one of burn's cubecl backend".to_owned()),
    };
    println!("adapter {} ({:?}, driver {} {})", info.name, info.backend, info.driver, info.driver_info);
    println!("burn's runtime {runtime}");
    let mut agree = true;
    for &batch in &options.batches {
        agree &= table(&device, options, batch);
    }
    Ok(agree)
}

fn table(device: &Device, options: &Options, batch: usize) -> bool {
    println!("\nbatch {batch}, microseconds of a call, forward\n");
    println!("| layer | winoconv | burn | times as fast | algorithm | difference |\n|---|---|---|---|---|---|");
    let mut ratios = Vec::new();
    let mut agree = true;
    for (channels, side, filters, taps, stride) in LAYERS {
        let part = |size: usize| if size > 3 { (size / options.divisor).max(1) } else { size };
        let (channels, side, filters) = (part(channels), part(side), part(filters));
        let of_conv = ConvOptions::new([stride; 2], [taps / 2; 2], [1, 1], 1);
        let normal = |shape| Tensor::<4>::random(shape, Distribution::Normal(0.0, 1.0), device);
        let input = normal([batch, channels, side, side]);
        let weight = normal([filters, channels, taps, taps]);
        let run = |convolve: Convolve| convolve(input.clone(), weight.clone(), of_conv.clone());
        let differs = difference(run(by_winoconv), &run(by_burn));
        let [ours, burns] = race(device, options, [&mut || drop(run(by_winoconv)), &mut || drop(run(by_burn))]);
        let ran = report(device).into_iter().find(|entry| entry.operation == Operation::Forward).expect("it ran").ran;
        // The error that the planner expects, as much for burn's sums, and a margin of 4 for the spread of both.
        let is_close = match &ran {
            Ran::Winoconv { plan } => differs <= 4.0 * 2.0 * plan.expected_error(),
            Ran::Burn { .. } => false,
        };
        agree &= is_close;
        ratios.push(burns / ours);
        println!(
            "| {channels} x {side}² -> {filters}, {taps}x{taps}/{stride} | {:.1} | {:.1} | {:.2} | {ran} | {differs:.1e}{} |",
            ours * 1e6,
            burns * 1e6,
            burns / ours,
            if is_close { "" } else { " TOO MUCH" }
        );
    }
    let mean = (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp();
    let worst = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    println!("\nbatch {batch}: {mean:.2} times as fast as burn's own (geometric mean), at worst {worst:.2}");
    agree
}
