//! `cargo xtask web`: the page of `examples/web` as files under `target/web`; served on this machine with `--serve`; and with
//! `--test` opened in a headless Chromium, where it checks every filter by every algorithm on WebGPU and reports back.

mod browser;
mod build;
mod report;
mod server;

use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use self::browser::{Browser, Gpu, Run};
use self::report::Report;
use self::server::{Server, Told};
use crate::steps::Outcome;

/// Where the page goes, below the root.
const FOLDER: &str = "target/web";
/// What the window looked like when everything was reported.
const SCREENSHOT: &str = "screenshot.png";
/// A page that is silent for so long hangs: SwiftShader compiles the slowest kernels for seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// Options of `web`.
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

/// Builds the page, and serves or tests it.
pub(crate) fn verb(root: &Path, options: &Options) -> anyhow::Result<()> {
    if options.test {
        return match test(root, options.no_install) {
            Outcome::Passed => Ok(()),
            other => Err(anyhow::anyhow!("{other}")),
        };
    }
    let folder = root.join(FOLDER);
    build::page(root, &folder, options.no_install)?;
    println!("written to {}", folder.display());
    if options.serve {
        let server = Server::new(&folder, options.port)?;
        println!("serving http://{} (stop with Ctrl-C)", server.address());
        server.run(|_| {});
    }
    Ok(())
}

/// The page's own test in a browser: on WebGPU, and where the browser has none.
pub(crate) fn test(root: &Path, no_install: bool) -> Outcome {
    let browser = match Browser::find(no_install) {
        Ok(browser) => browser,
        Err(missing) => return Outcome::Skipped(format!("{missing:#}; the page was not opened")),
    };
    let folder = root.join(FOLDER);
    if let Err(missing) = build::target(no_install) {
        return Outcome::Skipped(format!("{missing}; the page was not built"));
    }
    let result = build::page(root, &folder, no_install).and_then(|()| {
        for gpu in [Gpu::SwiftShader, Gpu::None] {
            let start = Instant::now();
            let report = open(&folder, &browser, gpu).with_context(|| format!("the page with {gpu}"))?;
            let took = start.elapsed().as_secs_f64();
            println!("{gpu}: {}, {took:.1} s", report.judge(gpu).with_context(|| format!("the page with {gpu}"))?);
        }
        println!("what it looked like: {}", folder.join(SCREENSHOT).display());
        Ok(())
    });
    result.into()
}

/// Serves the page, opens it, and waits for its report and, on WebGPU, for a picture of the window.
fn open(folder: &Path, browser: &Browser, gpu: Gpu) -> anyhow::Result<Report> {
    let server = Server::new(folder, 0)?;
    let page = format!("http://{}/?test", server.address());
    let (sender, told) = channel();
    // It serves until this process ends: nothing that a browser asks later may hang.
    std::thread::spawn(move || {
        server.run(|what| {
            // Nobody listens any more once the report is there.
            let _ = sender.send(what);
        });
    });
    let mut run: Run = browser.open(&page, folder, gpu)?;
    let mut last = "nothing".to_owned();
    let text = loop {
        match told.recv_timeout(PATIENCE) {
            Ok(Told::Progress(what)) => last = what,
            Ok(Told::Report(text)) => break text,
            Err(RecvTimeoutError::Timeout) => {
                bail!("silent for {} s after: {last}; {}", PATIENCE.as_secs(), run.words())
            }
            Err(RecvTimeoutError::Disconnected) => bail!("the server ended"),
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
