//! The project's own tool: `cargo xtask VERB`. One file for each verb.

mod api;
mod bench;
mod child;
mod ci;
mod cold;
mod compile;
mod coverage;
mod driver;
mod dxc;
mod explosion;
mod export;
mod files;
mod fuzz;
mod history;
mod hlsl;
mod hwbench;
mod matrices;
mod nightly;
mod node;
mod portability;
mod random;
mod readme;
mod report;
mod setup;
mod shaders;
mod soak;
mod steps;
mod study;
mod test;
mod tidy;
mod web;

use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

#[derive(Debug, clap::Parser)]
#[command(name = "cargo xtask", about = "The tool of the winoconv project")]
enum Verb {
    /// Time the convolutions, verified, on the GPU and on the CPU, and write a report
    Bench(bench::Options),
    /// Add benchmark reports to a file of times over the days, and draw its page
    History(history::Options),
    /// Everything that a change must pass
    Test(test::Options),
    /// What the machines run; with --full what they run at night
    Ci(ci::Options),
    /// Write out, check and judge the full text of every kernel variant
    Shaders(shaders::Options),
    /// Compile one algorithm cold, and run it, in a process that is ended if it takes too long
    Compile(compile::Options),
    /// What `compile`, `cold` and `study` start
    #[command(hide = true)]
    CompileOne { request: String },
    /// Create all pipelines of plans together, cold and from a stored cache, in processes of their own
    Cold(cold::Options),
    /// Write a plan and its kernels' texts for programs in other languages
    Export(export::Options),
    /// Count kernels: text, naga's IR, SPIR-V, MSL
    Explosion(explosion::Options),
    /// Print the transforms with their costs
    Matrices(matrices::Options),
    /// Time everything that the planner could choose, mark what it does choose, and write wisdom
    Hwbench(hwbench::Options),
    /// Print what runs by which algorithm on which device, or why not
    CoverageTable(coverage::Options),
    /// List the public items, or hold them against the list
    Api(api::Options),
    /// Fuzz what is read from files: plans' documents, wisdom, stored pipeline caches
    Fuzz(fuzz::Options),
    /// Random problems through long-lived layers, pools and devices, verified, and whether memory stays flat
    Soak(soak::Options),
    /// Measure the investigation's tables anew, and write docs/STUDY.md
    Study(study::Options),
    /// Run what this machine can on every implementation of WebGPU, Vulkan or Metal that it has, and print a table
    Portability(portability::Options),
    /// Build the page of examples/web; serve it, or test it in a browser
    Web(web::Options),
    /// Hold the sources against the rules of the house
    Tidy,
}

impl Verb {
    /// Whether its results are times, or it would take too long unoptimised.
    const fn measures(&self) -> bool {
        matches!(self, Self::Bench(_) | Self::Hwbench(_) | Self::Soak(_) | Self::Study(_) | Self::Portability(_))
    }
}

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let matches = Verb::command().get_matches();
    let verb = Verb::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    if verb.measures() && cfg!(debug_assertions) {
        return driver::optimised(root).unwrap_or_else(|error| failure(&error));
    }
    let options = matches.subcommand().map(|(_, options)| options);
    let adapter = options.and_then(|options| options.try_get_one::<String>("adapter").ok().flatten());
    match driver::with_environment(root, adapter.map(String::as_str), matches!(verb, Verb::Soak(_))) {
        Ok(None) => {}
        Ok(Some(code)) => return code,
        Err(error) => return failure(&error),
    }
    let result = match verb {
        Verb::Bench(options) => bench::verb(&options),
        Verb::History(options) => history::verb(&options),
        Verb::Test(options) => return test::verb(root, &options),
        Verb::Ci(options) => return ci::verb(root, &options),
        Verb::Shaders(options) => shaders::verb(root, &options),
        Verb::Compile(options) => compile::verb(&options),
        Verb::CompileOne { request } => compile::child(&request),
        Verb::Cold(options) => cold::verb(&options),
        Verb::Export(options) => export::verb(root, &options),
        Verb::Explosion(options) => explosion::verb(&options),
        Verb::Matrices(options) => matrices::verb(&options),
        Verb::Hwbench(options) => hwbench::verb(&options),
        Verb::Api(options) => api::verb(root, &options),
        Verb::Fuzz(options) => fuzz::verb(root, &options),
        Verb::Soak(options) => soak::verb(&options),
        Verb::CoverageTable(options) => coverage::verb(root, &options),
        Verb::Study(options) => study::verb(root, &options),
        Verb::Portability(options) => portability::verb(root, &options),
        Verb::Web(options) => web::verb(root, &options),
        Verb::Tidy => tidy::run(root),
    };
    result.map_or_else(|error| failure(&error), |()| ExitCode::SUCCESS)
}

fn failure(error: &anyhow::Error) -> ExitCode {
    let word = if error.is::<steps::Missing>() { "SKIPPED: " } else { "" };
    eprintln!("error: {word}{error:#}");
    ExitCode::FAILURE
}
