//! `cargo xtask web`: the pages of `examples/web` as files under `target/web`; served on this machine with `--serve`; and with
//! `--test` opened in a headless Chromium, where one checks every filter by every algorithm on WebGPU, the other compares its networks
//! with other programs, and both report back. With `--package` the npm package alone, with `--compare` the package against another.

mod browser;
mod build;
mod compare;
mod package;
mod pictures;
mod report;
mod server;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

pub(crate) use self::package::test as test_package;

use self::browser::{Browser, Gpu};
use self::report::Report;
use self::server::Told;

const FOLDER: &str = "target/web";
/// The page of filters, and that of networks; with what their windows look like when everything is reported.
const FILTERS: (&str, &str) = ("index.html?test", "screenshot.png");
const PICTURES: (&str, &str) = ("pictures.html?test", "screenshot-pictures.png");
/// A page that is silent for so long hangs: SwiftShader compiles the slowest kernels for seconds.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug, clap::Args)]
#[group(id = "web")]
pub(crate) struct Options {
    /// Serve the page on this machine until stopped
    #[arg(long)]
    serve: bool,
    /// Open the pages in a headless Chromium, on SwiftShader's WebGPU and without any, and judge what they report; then the same with a
    /// program that installs the npm package, which needs npm
    #[arg(long, conflicts_with = "serve")]
    test: bool,
    /// Only the npm package: pack it, or with --test test it
    #[arg(long, conflicts_with = "serve")]
    package: bool,
    /// Time the npm package against oidn-web, which is fetched, on SwiftShader's WebGPU
    #[arg(long, conflicts_with_all = ["serve", "test", "package"])]
    compare: bool,
    /// Columns and rows of the picture, with --compare
    #[arg(long, default_value_t = 128)]
    size: usize,
    /// How often each takes its turn, with --compare
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// The port, with --serve
    #[arg(long, default_value_t = 8910)]
    port: u16,
    /// Install nothing; only say what is missing
    #[arg(long)]
    no_install: bool,
}

pub(crate) fn verb(root: &Path, options: &Options) -> anyhow::Result<()> {
    let no_install = options.no_install;
    match options {
        Options { compare: true, size, rounds, .. } => return compare::compare(root, *size, *rounds, no_install),
        Options { package: true, test: true, .. } => return package::test(root, no_install),
        Options { package: true, .. } => {
            println!("packed as {}", package::pack(root, no_install)?.display());
            return Ok(());
        }
        Options { test: true, .. } => {
            test(root, no_install)?;
            return package::test(root, no_install);
        }
        _ => {}
    }
    let folder = root.join(FOLDER);
    build::page(root, &folder, no_install)?;
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
        let judged = open(&folder, &browser, gpu, FILTERS).and_then(|text| Report::parse(&text)?.judge(gpu));
        let (right, words) = judged.with_context(|| format!("the page of filters with {gpu}"))?;
        pairs = right;
        println!("{gpu}: {words}, {:.1} s", start.elapsed().as_secs_f64());
        let start = Instant::now();
        let judged = open(&folder, &browser, gpu, PICTURES).and_then(|text| pictures::Report::parse(&text)?.judge(gpu));
        let words = judged.with_context(|| format!("the page of networks with {gpu}"))?;
        println!("{gpu}: {words}, {:.1} s", start.elapsed().as_secs_f64());
    }
    println!("what they looked like: {}, {}", folder.join(FILTERS.1).display(), folder.join(PICTURES.1).display());
    Ok(pairs)
}

/// Serves the pages, opens one, and waits for its report and, on WebGPU, for a picture of the window.
fn open(folder: &Path, browser: &Browser, gpu: Gpu, (page, picture): (&str, &str)) -> anyhow::Result<String> {
    // A free port; the system does not give the same one to the next who asks.
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let (tell, told) = channel();
    // It serves until this process ends: nothing that a browser asks later may hang.
    let _server = server::start(folder, address, tell)?;
    let picture = if gpu == Gpu::None { format!("host-{picture}") } else { picture.to_owned() };
    let run = browser.open(&format!("http://{address}/{page}"), folder, gpu, &picture)?;
    let mut last = "nothing".to_owned();
    let text = loop {
        let told = told.recv_timeout(PATIENCE);
        match told.with_context(|| format!("silent after: {last}; {}", run.words()))? {
            Told::Progress(what) => last = what,
            Told::Report(text) => break text,
        }
    };
    run.finish()?;
    if gpu != Gpu::None {
        let picture = folder.join(picture);
        ensure!(picture.is_file(), "Chromium left no {}; {}", picture.display(), run.words());
    }
    Ok(text)
}
