//! `winoconv`: enlarges and denoises pictures, and runs ONNX models, on any GPU or the CPU.

mod args;
mod array;
mod bench;
mod denoise;
mod device;
mod error;
mod files;
mod model;
mod output;
mod picture;
mod progress;
mod run;
mod upscale;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Arguments, Verb};
use crate::error::Result;

fn main() -> ExitCode {
    // Wrong usage ends here, with clap's own code: 2.
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<()> {
    output::clean_up_on_interrupt()?;
    match arguments.verb {
        Verb::Upscale(options) => upscale::verb(&options),
        Verb::Denoise(options) => denoise::verb(&options),
        Verb::Run(options) => run::verb(&options),
        Verb::Bench(options) => bench::verb(&options),
        Verb::Devices => {
            device::list();
            Ok(())
        }
    }
}
