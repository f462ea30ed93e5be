//! The project's own tool: `cargo xtask VERB`. One file for each verb.

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
mod fuzz;
mod history;
mod hlsl;
mod hwbench;
mod large;
mod matrices;
mod nightly;
mod node;
mod portability;
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

use clap::Parser as _;

#[derive(Debug, clap::Parser)]
#[command(name = "cargo xtask", about = "The tool of the winoconv project")]
enum Verb {
    /// Time the convolutions, verified, on the GPU and on the processor, and write a report
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
    /// What `compile` starts
    #[command(hide = true)]
    CompileOne(compile::Request),
    /// Create all pipelines of plans together, cold and from a stored cache, in processes of their own
    Cold(cold::Options),
    /// What `cold` starts
    #[command(hide = true)]
    ColdOne(cold::Request),
    /// Write a plan and its kernels' texts for programs in other languages
    Export(Box<export::Options>),
    /// Count kernels: text, naga's IR, SPIR-V, MSL
    Explosion(explosion::Options),
    /// Print the transforms with their costs
    Matrices(matrices::Options),
    /// Time everything that the planner could choose, mark what it does choose, and write wisdom
    Hwbench(hwbench::Options),
    /// Print what runs by which algorithm on which device, or why not
    CoverageTable(coverage::Options),
    /// Run a layer whose tensors are larger than a binding, verified on samples
    Large(large::Options),
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
    /// Part of the name of the adapter that is asked for.
    fn adapter(&self) -> Option<&str> {
        match self {
            Self::Bench(options) => options.adapter.as_deref(),
            Self::Test(options) => options.adapter.as_deref(),
            Self::Ci(options) => options.test.adapter.as_deref(),
            Self::Study(options) => options.adapter.as_deref(),
            Self::Hwbench(options) => options.adapter.as_deref(),
            Self::Large(options) => options.adapter.as_deref(),
            Self::CoverageTable(options) => options.adapter.as_deref(),
            Self::Compile(options) => options.request.adapter.as_deref(),
            Self::Cold(options) => options.how.adapter.as_deref(),
            Self::Export(options) => options.adapter.as_deref(),
            Self::Soak(options) => options.adapter.as_deref(),
            Self::ColdOne(_)
            | Self::CompileOne(_)
            | Self::History(_)
            | Self::Shaders(_)
            | Self::Explosion(_)
            | Self::Matrices(_)
            | Self::Fuzz(_)
            | Self::Web(_)
            | Self::Portability(_)
            | Self::Tidy => None,
        }
    }
}

fn main() -> ExitCode {
    if let Some(code) = setup::with_runtime_dir() {
        return code;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let needs = test::Needs {
        adapters: || pollster::block_on(winoconv::gpu::adapters()).into_iter().map(|caps| caps.name).collect(),
        check_shaders: shaders::check,
        find_dawn: export::find_dawn,
        check_exports: export::check,
    };
    let verb = Verb::parse();
    match driver::with_driver_for(verb.adapter()) {
        Ok(None) => {}
        Ok(Some(code)) => return code,
        Err(error) => return failure(&error),
    }
    let result = match verb {
        Verb::Bench(options) => bench::verb(&options),
        Verb::History(options) => history::verb(&options),
        Verb::Test(options) => return test::verb(root, &options, needs),
        Verb::Ci(options) => return ci::verb(root, &options, needs),
        Verb::Shaders(options) => shaders::verb(root, &options),
        Verb::Compile(options) => compile::verb(&options),
        Verb::CompileOne(request) => compile::child(&request),
        Verb::Cold(options) => cold::verb(&options),
        Verb::ColdOne(request) => cold::child(&request),
        Verb::Export(options) => export::verb(root, &options),
        Verb::Explosion(options) => explosion::verb(&options),
        Verb::Matrices(options) => matrices::verb(&options),
        Verb::Hwbench(options) => hwbench::verb(&options),
        Verb::Large(options) => large::verb(&options),
        Verb::Fuzz(options) => fuzz::verb(root, &options),
        Verb::Soak(options) => soak::verb(&options),
        Verb::CoverageTable(options) => coverage::verb(root, &options),
        Verb::Study(options) => study::verb(root, &options),
        Verb::Portability(options) => portability::verb(root, &options),
        Verb::Web(options) => web::verb(root, &options),
        Verb::Tidy => tidy::run(root),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure(&error),
    }
}

fn failure(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}
