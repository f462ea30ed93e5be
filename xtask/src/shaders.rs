//! `cargo xtask shaders`: the full texts that devices see, written out, checked, and judged by a second front end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use fs_err as fs;
use winoconv::caps::{Limits, Profile};
use winoconv::kernel::{Buffers, KernelSpec, Storage, Variant};
use winoconv::{Error, wgsl};

use crate::hlsl;
use crate::node::Node;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only variants whose name contains this text
    #[arg(default_value = "")]
    name: String,
    /// The texts for tensors that lie in one buffer
    #[arg(long, conflicts_with_all = ["caps", "dxc"])]
    shared: bool,
    /// Print the texts instead of writing them to files
    #[arg(long)]
    print: bool,
    /// Check the texts and write nothing
    #[arg(long, conflicts_with = "print")]
    check: bool,
    /// Have Dawn's Tint judge them too, through Node and the npm package `webgpu`, without a GPU
    #[arg(long)]
    tint: bool,
    /// Check those that fit a device, by name (apple-m1, warp, ...), and say what the others need too much of
    #[arg(long, value_name = "NAME", requires = "check", conflicts_with_all = ["tint", "dxc"])]
    caps: Option<Profile>,
    /// Have Microsoft's DXC compile them too, as naga's HLSL, through Python and the library that `WINOCONV_DXC` names, the
    /// system's, or a fetched one
    #[arg(long)]
    dxc: bool,
    /// Install nothing for --dxc; only say what is missing
    #[arg(long)]
    no_install: bool,
    /// Where the texts go
    #[arg(long, value_name = "DIR", default_value = "target/shaders")]
    out: PathBuf,
}

pub(crate) fn verb(root: &Path, options: &Options) -> anyhow::Result<()> {
    let specs: Vec<KernelSpec> =
        KernelSpec::all().into_iter().filter(|spec| spec.name().contains(&options.name)).collect();
    ensure!(!specs.is_empty(), "no variant's name contains {}", options.name);
    let buffers = if options.shared { Buffers::Shared } else { Buffers::Separate };
    let variants: Vec<Variant> = specs.iter().map(|&kernel| Variant { kernel, buffers }).collect();
    if options.print {
        for variant in &variants {
            println!("{}", wgsl::source_of_variant(variant)?.text);
        }
        return Ok(());
    }
    if let Some(profile) = options.caps {
        return check_for(&specs, profile);
    }
    check_all(&variants)?;
    println!("{} variants pass naga, our lints, and fit the largest device", variants.len());
    if options.dxc {
        hlsl::judge(root, &specs, options.no_install)?;
    }
    if !options.check {
        write_all(&variants, &options.out)?;
        println!("written to {}", options.out.display());
    }
    if options.tint { tint(root, &variants) } else { Ok(()) }
}

fn check_all(variants: &[Variant]) -> anyhow::Result<()> {
    let check = |variant| wgsl::check_variant(variant, &Limits::LARGEST).err().map(|error| error.to_string());
    let refused: Vec<String> = variants.iter().filter_map(check).collect();
    let all = variants.len();
    ensure!(refused.is_empty(), "{} of {all} variants are refused:\n{}", refused.len(), refused.join("\n"));
    Ok(())
}

/// Those variants that fit a device pass the check as they would there; the others are counted by the bound they exceed.
fn check_for(specs: &[KernelSpec], profile: Profile) -> anyhow::Result<()> {
    let (mut fits, mut out) = (0, BTreeMap::<String, usize>::new());
    for spec in specs {
        let why = match wgsl::check(spec, &profile.limits) {
            _ if spec.storage() == Storage::F16 && !profile.f16 => "16-bit floats in shaders".to_owned(),
            Err(Error::Limit(error)) => format!("more than {} {}", error.bound, error.resource),
            result => {
                result.with_context(|| spec.to_string())?;
                fits += 1;
                continue;
            }
        };
        *out.entry(why).or_default() += 1;
    }
    let all = specs.len();
    println!("{fits} of {all} variants fit {} and pass naga and our lints", profile.caps());
    for (why, count) in out {
        println!("{count} need {why}");
    }
    Ok(())
}

/// Writes texts into a folder, which has nothing else then: those of variants that are no more must not be judged again.
fn write_all(variants: &[Variant], out: &Path) -> anyhow::Result<()> {
    if out.exists() {
        fs::remove_dir_all(out)?;
    }
    fs::create_dir_all(out)?;
    for variant in variants {
        fs::write(out.join(format!("{}.wgsl", variant.name())), wgsl::source_of_variant(variant)?.text)?;
    }
    Ok(())
}

/// Texts that one process judges: of some thousands in one, Dawn's Node package dies (signal 11).
const BATCH: usize = 160;

pub(crate) fn tint(root: &Path, variants: &[Variant]) -> anyhow::Result<()> {
    let node = Node::with_webgpu(root, false)?;
    let batch = root.join("target/tint/batch");
    for variants in variants.chunks(BATCH) {
        write_all(variants, &batch)?;
        let status = node.run(&[("judge.mjs", include_str!("tint.mjs"))], std::slice::from_ref(&batch), &[])?;
        // Its own end says 1; a script that died judged nothing.
        ensure!(status.code() != Some(1), "Tint refuses some variants");
        ensure!(status.success(), "the script that asks Tint ended with {status}");
    }
    println!("Tint: {} variants", variants.len());
    Ok(())
}
