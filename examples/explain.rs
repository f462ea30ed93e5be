//! What would run, and why nothing else: the plan of a convolution with what its kernels do and need, every rejected
//! candidate, and on request a kernel's full text. Planning touches no device, so plans for devices that are not here can be read too.
//!
//! `cargo run --example explain -- [N,C,H,W,K,R] [--caps NAME] [--shader NAME]`

use std::process::ExitCode;

use winoconv::caps::Profile;
use winoconv::kernel::KernelSpec;
use winoconv::plan::Verdict;
use winoconv::{Conv, Device, Error, Plan, Preferences, wgsl};

const USAGE: &str = "usage: explain [N,C,H,W,K,R] [--caps NAME] [--shader NAME]
  N,C,H,W,K,R    batch, channels, height, width, filters, filter size (default 1,64,56,56,64,3; padding R/2)
  --caps NAME    plan for a device that need not be here (apple-m1, warp, webgpu-default, ...) instead of this machine's best
  --shader NAME  print the text of the plan's kernels whose name contains NAME";

struct Asked {
    sizes: [usize; 6],
    profile: Option<String>,
    shader: Option<String>,
}

fn main() -> ExitCode {
    let Some(asked) = read(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::FAILURE;
    };
    match explain(&asked) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn explain(asked: &Asked) -> Result<(), Error> {
    let [n, c, h, w, k, r] = asked.sizes;
    let caps = match &asked.profile {
        Some(name) => name.parse::<Profile>()?.caps(),
        None => {
            let device = Device::best_blocking();
            if let Some(fallback) = device.fallback() {
                println!("{fallback}\n");
            }
            device.caps().clone()
        }
    };
    let problem = Conv::new(c, k, [r, r]).padding(r / 2).on([n, c, h, w])?;
    let plan = Plan::new(&problem, &caps, &Preferences::new())?;
    println!("{plan}");

    let packing: Vec<_> = plan.packing().dispatches(&problem).iter().map(winoconv::plan::Dispatch::kernel).collect();
    println!("kernels, for the weights once: {}", names(&packing)?);
    let on_cpu = plan.cpu_steps().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    println!("kernels, for each run: {}", if on_cpu.is_empty() { names(&plan.kernels())? } else { on_cpu });
    let is_out = |verdict: &Verdict| matches!(verdict, Verdict::Rejected(_));
    let out = plan.candidates().iter().filter(|candidate| is_out(&candidate.verdict)).count();
    println!("{out} of {} candidates are rejected, each with its reason above", plan.candidates().len());
    if let Some(name) = &asked.shader {
        let kernels = packing.into_iter().chain(plan.kernels());
        for kernel in kernels.filter(|kernel| kernel.name().contains(name)) {
            println!("\n{}", wgsl::source(&kernel)?.text);
        }
    }
    Ok(())
}

fn names(kernels: &[KernelSpec]) -> Result<String, Error> {
    let name = |kernel| Ok(format!("{kernel} ({} bytes of WGSL)", wgsl::source(kernel)?.text.len()));
    let names: Vec<String> = kernels.iter().map(name).collect::<Result<_, Error>>()?;
    Ok(if names.is_empty() { "none".to_owned() } else { names.join(", ") })
}

fn read(mut words: impl Iterator<Item = String>) -> Option<Asked> {
    let mut asked = Asked { sizes: [1, 64, 56, 56, 64, 3], profile: None, shader: None };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--caps" => asked.profile = Some(words.next()?),
            "--shader" => asked.shader = Some(words.next()?),
            sizes => {
                let sizes: Option<Vec<usize>> = sizes.split(',').map(|size| size.parse().ok()).collect();
                asked.sizes = sizes?.try_into().ok()?;
            }
        }
    }
    Some(asked)
}
