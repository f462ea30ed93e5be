//! The fuzzers' seeds, and mutations of them, without a fuzzer: so the invariants of what is read from files are held on every
//! machine. `cargo xtask fuzz` goes on from the same seeds.
#![cfg(all(feature = "gpu", feature = "serde"))]

#[path = "../../fuzz/src/invariants.rs"]
#[allow(unreachable_pub, reason = "public in the fuzzers' crate")]
mod invariants;
#[path = "../../fuzz/src/mutate.rs"]
#[allow(unreachable_pub, reason = "public in the fuzzers' crate")]
mod mutate;

use std::fs;
use std::path::{Path, PathBuf};

use winoconv::caps::Caps;
use winoconv::plan::{Slot, Wisdom};
use winoconv::{Activation, Algorithm, Border, Conv, DType, Layout, Padding, Plan, Preferences, Residual, Tolerance};

const BLESS: &str = "WINOCONV_BLESS=1 cargo test --all-features --test suite corpus::";
/// Mutations of each seed.
const MUTATIONS: u64 = 100;

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target)
}

/// The seeds of a target, by name.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = folder(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}; run {BLESS}", folder.display()));
    let mut all: Vec<_> = entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            (name, fs::read(&path).expect("a seed"))
        })
        .collect();
    all.sort();
    assert!(!all.is_empty(), "no seeds in {}; run {BLESS}", folder.display());
    all
}

/// Seeds are written anew where that is asked for; those that begin with `hostile` are kept.
fn bless(target: &str, all: &[(String, Vec<u8>)]) {
    if std::env::var_os("WINOCONV_BLESS").is_none() {
        return;
    }
    let folder = folder(target);
    fs::create_dir_all(&folder).expect("a folder");
    for (name, _) in seeds_there(&folder).filter(|(name, _)| !name.starts_with("hostile")) {
        fs::remove_file(folder.join(name)).expect("an old seed");
    }
    for (name, bytes) in all {
        fs::write(folder.join(name), bytes).expect("written");
    }
}

fn seeds_there(folder: &Path) -> impl Iterator<Item = (String, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()))
}

/// Plans of every sort: each algorithm's steps, operands in parts, each attribute that a document names.
fn documents() -> Vec<(String, Vec<u8>)> {
    let three = |c, k| Conv::new(c, k, [3, 3]).padding(1);
    let image = |conv: Conv| conv.on([2, conv.channels, 12, 9]).expect("legal");
    let mut all = vec![
        ("direct", image(three(3, 8).bias(true).activation(Activation::Clamp { low: -1.0, high: 1.0 }))),
        ("implicit_gemm", image(three(8, 16).stride(2).layout(Layout::ChannelsLast).residual(Residual::Tensor))),
        ("depthwise", image(three(4, 4).groups(4).dtype(DType::F16).padding(Padding::SameUpper))),
        ("staged:f4x3", image(three(8, 8).border(Border::Reflect).weights_layout(Layout::ChannelsLast))),
        ("staged:f2x3", image(three(8, 8).activation(Activation::PRelu)).input_gradient().expect("legal")),
        ("staged:f3x2", image(three(4, 6)).weight_gradient().expect("legal")),
        ("fused:f2x3", image(three(6, 8).groups(2).activation(Activation::LeakyRelu { slope: 0.25 }))),
        ("fused_filter:f2x3", image(three(4, 8).dtype(DType::F16).residual(Residual::InPlace))),
        ("fused_output:f4x3", image(three(8, 16).activation(Activation::Silu))),
    ];
    all.push(("direct", Conv::new(4, 2, [4]).transposed(1).stride(2).padding(1).on([1, 4, 9]).expect("legal")));
    all.push(("direct", Conv::new(2, 3, [3, 2, 2]).dilation(2).on([1, 2, 7, 5, 5]).expect("legal")));
    let mut documents = Vec::new();
    let mut parts = Caps::webgpu_default();
    parts.limits.max_storage_buffer_binding_size = 2048;
    parts.limits.max_compute_workgroups_per_dimension = 16;
    for (i, (label, problem)) in all.into_iter().enumerate() {
        let algorithm: Algorithm = label.parse().expect("a label");
        for (device, caps) in
            [("host", Caps { threads: 2, ..Caps::cpu() }), ("webgpu", Caps::webgpu_default()), ("parts", parts.clone())]
        {
            let preferences = Preferences::new().tolerance(Tolerance::RelativeL2(1.0)).algorithm(algorithm);
            let Ok(plan) = Plan::new(&problem, &caps, &preferences) else { continue };
            // The steps are what makes a document long.
            if plan.operand_len(Slot::Output).is_some() && plan.dispatches().len() <= 12 {
                let caps = Caps { name: "a device".to_owned(), driver: String::new(), ..caps };
                let plan = Plan::new(&problem, &caps, &preferences).expect("as before");
                let name = format!("{i:02}-{}-{device}.json", label.replace(':', "-"));
                let text = serde_json::to_string(&plan).expect("JSON has a form for it");
                documents.push((name, format!("{text}\n").into_bytes()));
            }
        }
    }
    documents
}

#[test]
fn documents_hold_the_invariants() {
    bless("document", &documents());
    let mut accepted = 0;
    for (name, seed) in seeds("document") {
        let hostile = name.starts_with("hostile");
        assert!(invariants::document(&seed) != hostile, "{name}; if plans are others now, run {BLESS}");
        for number in 0..if hostile { 0 } else { MUTATIONS } {
            let mutated = mutate::json(&seed, number).expect("a seed is JSON");
            accepted += u64::from(invariants::document(&mutated));
        }
    }
    println!("{accepted} mutations are documents of other plans");
}

#[test]
fn wisdom_holds_the_invariants() {
    // Some of what was measured, in texts of three lines.
    let shipped = Wisdom::shipped().to_string();
    let measured: Vec<&str> = shipped.lines().filter(|line| !line.starts_with('#')).collect();
    let few: Vec<&str> = measured.iter().copied().step_by(measured.len() / 12).collect();
    let text = |(i, lines): (usize, &[&str])| (format!("{i:02}.txt"), format!("{}\n", lines.join("\n")).into_bytes());
    bless("wisdom", &few.chunks(3).enumerate().map(text).collect::<Vec<_>>());
    for (name, seed) in seeds("wisdom") {
        assert!(invariants::wisdom(&seed) > 0, "{name}; run {BLESS}");
        for number in 0..MUTATIONS {
            invariants::wisdom(&mutate::bytes(&seed, number));
        }
    }
}

#[test]
fn pipeline_caches_hold_the_invariants() {
    let data: [&[u8]; 4] = [b"", b"x", b"what a driver compiled", &[0xa5; 300]];
    let bodies = data.iter().enumerate().map(|(i, data)| (format!("body-{i}.bin"), mutate::body(data)));
    let sealed =
        data.iter().enumerate().map(|(i, data)| (format!("sealed-{i}.bin"), mutate::envelope(&mutate::body(data))));
    bless("pipeline_cache", &bodies.chain(sealed).collect::<Vec<_>>());
    for (name, seed) in seeds("pipeline_cache") {
        assert!(invariants::pipeline_cache(&seed), "{name}; run {BLESS}");
        for number in 0..MUTATIONS {
            invariants::pipeline_cache(&mutate::bytes(&seed, number));
        }
    }
}
