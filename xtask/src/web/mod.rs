//! `cargo xtask web`: the page of `examples/web` as files under `target/web`; served on this machine with `--serve`; and with
//! `--test` opened in a headless Chromium, where it checks every filter by every algorithm on WebGPU and reports back.

mod browser;
mod build;
mod report;
mod server;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use self::browser::{Browser, Gpu};
use self::report::Report;
use self::server::Told;

const FOLDER: &str = "target/web";
/// What the window looked like when everything was reported.
const SCREENSHOT: &str = "screenshot.png";
/// A page that is silent for so long hangs: SwiftShader compiles the slowest kernels for seconds.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug, clap::Args)]
#[group(id = "web")]
pub(crate) struct Options {
    /// Serve the page on this machine until stopped
    #[arg(long)]
    serve: bool,
    /// Open the page in a headless Chromium, on SwiftShader's WebGPU and without any, and judge what it reports
    #[arg(long, conflicts_with = "serve")]
    test: bool,
    /// The port, with --serve
    #[arg(long, default_value_t = 8910)]
    port: u16,
    /// Install nothing; only say what is missing
    #[arg(long)]
    no_install: bool,
}

pub(crate) fn verb(root: &Path, options: &Options) -> anyhow::Result<()> {
    if options.test {
        return test(root, options.no_install).map(drop);
    }
    let folder = root.join(FOLDER);
    build::page(root, &folder, options.no_install)?;
    println!("written to {}", folder.display());
    if options.serve {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
        let (tell, _) = channel();
        println!("serving http://{address} (stop with Ctrl-C)");
        server::start(&folder, address, tell)?.join()?;
    }
    Ok(())
}

/// The page's own test in a browser: on WebGPU, and where the browser has none. Returns how many pairs of a filter and an
/// algorithm were right.
pub(crate) fn test(root: &Path, no_install: bool) -> anyhow::Result<usize> {
    let mut pairs = 0;
    let browser = Browser::find(no_install)?;
    let folder = root.join(FOLDER);
    build::page(root, &folder, no_install)?;
    for gpu in [Gpu::SwiftShader, Gpu::None] {
        let start = Instant::now();
        let judged = open(&folder, &browser, gpu).and_then(|report| report.judge(gpu));
        let (right, words) = judged.with_context(|| format!("the page with {gpu}"))?;
        pairs = right;
        println!("{gpu}: {words}, {:.1} s", start.elapsed().as_secs_f64());
    }
    println!("what it looked like: {}", folder.join(SCREENSHOT).display());
    Ok(pairs)
}

/// Serves the page, opens it, and waits for its report and, on WebGPU, for a picture of the window.
fn open(folder: &Path, browser: &Browser, gpu: Gpu) -> anyhow::Result<Report> {
    // A free port; the system does not give the same one to the next who asks.
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let (tell, told) = channel();
    // It serves until this process ends: nothing that a browser asks later may hang.
    let _server = server::start(folder, address, tell)?;
    let run = browser.open(&format!("http://{address}/?test"), folder, gpu)?;
    let mut last = "nothing".to_owned();
    let text = loop {
        let told = told.recv_timeout(PATIENCE);
        match told.with_context(|| format!("silent after: {last}; {}", run.words()))? {
            Told::Progress(what) => last = what,
            Told::Report(text) => break text,
        }
    };
    let report = Report::parse(&text)?;
    run.finish()?;
    if gpu != Gpu::None {
        let picture = folder.join(SCREENSHOT);
        ensure!(picture.is_file(), "Chromium left no {}; {}", picture.display(), run.words());
    }
    Ok(report)
}
