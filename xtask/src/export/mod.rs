//! `cargo xtask export`: a plan or a network as files that a program in another language can run: `plan.json` or `network.json` with
//! everything but the texts, a `.wgsl` file for each kernel, and, if asked for, data with the results that are expected.
//! `examples/web_plan` runs them in JavaScript.

mod cases;
mod data;
mod dawn;
mod network;
mod networks;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use fs_err as fs;
use winoconv::caps::{Caps, Profile};
use winoconv::gpu::ContextOptions;
use winoconv::plan::{Dispatch, Document, Slot};
use winoconv::{Algorithm, DType, Plan, Preferences, Tolerance, wgsl};

use self::data::Data;
use self::dawn::Dawn;
use crate::bench::adapter::Adapter;
use crate::bench::layers;
use crate::bench::measure::all_kernels;
use crate::files;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A layer of the bench by its name, or N,C,K,H,W or N,C,K,H,W,R (stride 1, padding R/2)
    #[arg(long, required_unless_present_any = ["plan", "network", "check"])]
    layer: Option<String>,
    /// Any plan, by its document: what serde writes, or `plan` in a plan.json, or such a file itself
    #[arg(long, value_name = "FILE", conflicts_with_all = ["layer", "algorithm", "adapter", "caps"])]
    plan: Option<PathBuf>,
    /// A small network by its name: `unet`, `super_resolution` or `elementwise`
    #[arg(long, value_name = "NAME", conflicts_with_all = ["layer", "plan", "algorithm"])]
    network: Option<String>,
    /// Force an algorithm, whatever its error: direct, staged:f4x3, ...
    #[arg(long)]
    algorithm: Option<Algorithm>,
    /// Plan for an adapter of this machine, by part of its name [default: a device with WebGPU's default limits]
    #[arg(long)]
    pub(crate) adapter: Option<String>,
    /// Plan for a device that need not be here, by name: apple-m1, warp, ...
    #[arg(long, value_name = "NAME", conflicts_with = "adapter")]
    caps: Option<Profile>,
    /// Where the files go
    #[arg(long, value_name = "DIR", default_value = "target/export/plan")]
    out: PathBuf,
    /// Also random data as they are stored, and the expected results as f32
    #[arg(long)]
    data: bool,
    /// Export a few plans of all kinds and the networks, and run them on Dawn, through Node and the npm package `webgpu`
    #[arg(long, conflicts_with_all = ["layer", "plan", "network", "caps"])]
    check: bool,
}

pub(crate) fn verb(root: &Path, options: &Options) -> anyhow::Result<()> {
    if options.check {
        return check(root, false).map(drop);
    }
    if let Some(name) = &options.network {
        let known = networks::ALL.iter().find(|(known, _)| known == name);
        let names = networks::ALL.map(|(name, _)| name).join(", ");
        let (_, make) = known.with_context(|| format!("no network is named {name}, expected one of: {names}"))?;
        let listing = network::export(&make()?, &options.caps()?, &options.out, options.data)?;
        let (kernels, dispatches) = (listing.kernels.len(), listing.run.len());
        println!("{name}: {dispatches} dispatches of {kernels} kernels, written to {}", options.out.display());
        return Ok(());
    }
    let plan = match (&options.plan, &options.layer) {
        (Some(file), _) => read(file)?,
        (None, layer) => options.make(layer.as_deref().unwrap_or_default())?,
    };
    export(&plan, &options.out, options.data)?;
    print!("{plan}");
    println!("written to {}", options.out.display());
    Ok(())
}

impl Options {
    fn make(&self, layer: &str) -> anyhow::Result<Plan> {
        let forced = |algorithm| Preferences::new().tolerance(Tolerance::Any).algorithm(algorithm);
        let preferences = self.algorithm.map_or_else(Preferences::new, forced);
        Ok(Plan::new(&layers::named(layer)?.problem()?, &self.caps()?, &preferences)?)
    }

    /// The device that is planned for.
    fn caps(&self) -> anyhow::Result<Caps> {
        Ok(match (&self.adapter, self.caps) {
            (Some(name), _) => Adapter::named(name).open(&ContextOptions::default())?.caps().clone(),
            (None, Some(profile)) => profile.caps(),
            (None, None) => Caps::webgpu_default(),
        })
    }
}

fn read(file: &Path) -> anyhow::Result<Plan> {
    #[derive(serde::Deserialize)]
    struct Around {
        plan: Document,
    }
    let text = fs::read_to_string(file)?;
    // The second error is of a document, as the file then has to be one.
    let around = serde_json::from_str(&text).map(|Around { plan }| plan);
    let document = around.or_else(|_| serde_json::from_str(&text)).with_context(|| file.display().to_string())?;
    Ok(document.plan()?)
}

/// What stands in plan.json: the document, and what a runner needs beside it.
#[derive(serde::Serialize)]
struct Exported<'a> {
    plan: &'a Plan,
    entry_point: &'static str,
    shaders: BTreeMap<String, String>,
    tensors: BTreeMap<String, Tensor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<Expected>,
}

/// A tensor's buffer: elements and their type, bytes in whole words, WebGPU's names of what it is used for, and what is in
/// it before the run.
#[derive(serde::Serialize)]
struct Tensor {
    len: usize,
    r#type: &'static str,
    bytes: u64,
    usage: &'static [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
}

#[derive(serde::Serialize)]
struct Expected {
    file: &'static str,
    bound: &'static str,
}

fn export(plan: &Plan, out: &Path, with_data: bool) -> anyhow::Result<()> {
    let write = |name: &str, bytes: &[u8]| fs::write(out.join(name), bytes);
    fs::create_dir_all(out)?;
    let packing = plan.packing().dispatches(plan.problem());
    let all = || packing.iter().chain(plan.dispatches());
    let mut shaders = BTreeMap::new();
    for kernel in all_kernels(plan) {
        let file = format!("{kernel}.wgsl");
        write(&file, wgsl::check(&kernel, &plan.caps().limits)?.source.text.as_bytes())?;
        shaders.insert(kernel.name(), file);
    }
    let data = with_data.then(|| Data::new(plan)).transpose()?;
    let mut tensors = BTreeMap::new();
    for slot in all().flat_map(Dispatch::operands).map(|operand| operand.slot).chain([Slot::Output]) {
        let Entry::Vacant(new) = tensors.entry(slot.to_string()) else { continue };
        let (len, dtype) = (plan.operand_len(slot).unwrap_or(0), plan.operand_type(slot));
        let mut tensor = Tensor { len, r#type: dtype.name(), bytes: dtype.bytes(len), usage: usage(slot), file: None };
        if let Some(values) = data.as_ref().and_then(|data| data.operand(slot)) {
            let file = format!("{slot}.{dtype}");
            write(&file, &dtype.to_bytes(values))?;
            tensor.file = Some(file);
        }
        new.insert(tensor);
    }
    let expected = data.as_ref().map(|_| Expected { file: "expected.f32", bound: "bound.f32" });
    if let (Some(files), Some(data)) = (&expected, &data) {
        write(files.file, &DType::F32.to_bytes(&data.expected))?;
        write(files.bound, &DType::F32.to_bytes(&data.bound))?;
    }
    let exported = Exported { plan, entry_point: wgsl::ENTRY_POINT, shaders, tensors, expected };
    Ok(write("plan.json", files::to_json(&exported)?.as_bytes())?)
}

fn usage(slot: Slot) -> &'static [&'static str] {
    match slot {
        Slot::Output => &["STORAGE", "COPY_DST", "COPY_SRC"],
        Slot::Packed | Slot::Workspace(_) => &["STORAGE"],
        _ => &["STORAGE", "COPY_DST"],
    }
}

pub(crate) fn find_dawn(root: &Path, no_install: bool) -> anyhow::Result<()> {
    Dawn::find(root, no_install).map(drop)
}

/// Exports plans of every kind and networks, has Dawn run them, and returns how many there are.
pub(crate) fn check(root: &Path, no_install: bool) -> anyhow::Result<usize> {
    let folder = root.join("target/export");
    let folders = export_cases(&folder)?;
    println!("{} plans and networks in {}", folders.len(), folder.display());
    Dawn::find(root, no_install)?.run(&folders)?;
    Ok(folders.len())
}

fn export_cases(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    let emptied = |name: &str| -> anyhow::Result<PathBuf> {
        let out = folder.join(name);
        if out.exists() {
            fs::remove_dir_all(&out)?;
        }
        Ok(out)
    };
    for (name, make) in networks::ALL {
        let out = emptied(name)?;
        network::export(&make()?, &Caps::webgpu_default(), &out, true).with_context(|| format!("exporting {name}"))?;
        folders.push(out);
    }
    for (name, plan) in cases::all()? {
        let out = emptied(name)?;
        export(&plan, &out, true).with_context(|| format!("exporting {name}"))?;
        ensure!(read(&out.join("plan.json"))? == plan, "{name} does not read back");
        folders.push(out);
    }
    Ok(folders)
}
