//! Kernel texts as files, so that a review sees what the GPU sees: a few in full, all of them by a hash. A change that
//! should not alter kernels proves here that it does not.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use winoconv::kernel::KernelSpec;
use winoconv::wgsl::source;

const BLESS: &str = "WINOCONV_BLESS=1 cargo test --test suite golden::";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join("golden")
}

fn blessing() -> bool {
    std::env::var_os("WINOCONV_BLESS").is_some_and(|value| value == "1")
}

fn text_of(spec: &KernelSpec) -> String {
    source(spec).unwrap_or_else(|error| panic!("{spec}: {error}")).text
}

/// Kernels that stand for the others: each kernel, plain and with everything on, each family of points, two transforms
/// in one, the smallest and the largest blocking, both readings of the exhibit.
fn representatives() -> Vec<KernelSpec> {
    const NAMES: [&str; 25] = [
        "direct_f32_k1",
        "direct_f32_k8_bias_prelu",
        "depthwise_f32_moves_bias_relu",
        "depthwise_patch_f32_3x3s2_2x4_channels",
        "implicit_gemm_f32_32x32x16_4x4",
        "winograd_filter_f4x3_f32",
        "winograd_filter_f4x3_f2x3_f32",
        "winograd_input_f2x3_f32",
        "winograd_input_f4x3_f32",
        "winograd_input_f4qx3_f32",
        "winograd_input_f1x1_f4x3_f32",
        "winograd_inlined_f2x3_f32_per_output_bias_prelu",
        "winograd_inlined_f2x3_f32_per_nonzero",
        "winograd_multiply_f32_64x64x8_8x8",
        "winograd_multiply_f32_16x16x16_4x4",
        "winograd_output_f4x3_f32_bias_relu",
        "winograd_output_f4qx3_f32_gelu",
        "winograd_output_f4x3_f2x3_f32",
        "direct_f16_k4_bias_prelu",
        "direct_packed_k4_bias_prelu",
        "pack_halves_f32",
        "activation_gradient_packed_prelu",
        "activation_gradient_f32_gelu",
        "channel_sums_f32_1",
        "channel_sums_packed_16_negative",
    ];
    let all = KernelSpec::all();
    let named = |name| all.iter().find(|spec| spec.name() == name).copied();
    NAMES.map(|name| named(name).unwrap_or_else(|| panic!("{name} is not in the grid"))).to_vec()
}

/// Compares whole, or writes.
fn hold(path: &Path, text: &str) -> Result<(), String> {
    if blessing() {
        return std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let golden = std::fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?.replace("\r\n", "\n");
    if golden == text {
        return Ok(());
    }
    let mut lines = golden.lines().zip(text.lines()).enumerate();
    let at = lines.find(|(_, (golden, now))| golden != now);
    Err(match at {
        Some((line, (golden, now))) => format!("{name}, line {}:\n  golden: {golden}\n  now:    {now}", line + 1),
        None => format!("{name}: {} lines, now {}", golden.lines().count(), text.lines().count()),
    })
}

fn assert_held(found: &[String]) {
    assert!(
        found.is_empty(),
        "{} golden files differ. If that is meant, rewrite them and read the difference:\n    {BLESS}\n{}",
        found.len(),
        found.join("\n"),
    );
}

#[test]
fn representative_kernels_are_as_they_were() {
    let mut expected: Vec<String> = Vec::new();
    let mut found = Vec::new();
    for spec in representatives() {
        let name = format!("{spec}.wgsl");
        found.extend(hold(&folder().join(&name), &text_of(&spec)).err());
        expected.push(name);
    }
    let files = std::fs::read_dir(folder()).unwrap_or_else(|error| panic!("tests/golden: {error}"));
    for file in files.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()) {
        if file.ends_with(".wgsl") && !expected.contains(&file) {
            found.push(format!("{file}: no kernel of this test, remove it"));
        }
    }
    assert_held(&found);
}

/// FNV-1a, 64 bits: the same on every machine and for every version of Rust.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[test]
fn every_variant_is_as_it_was() {
    assert_eq!(fnv1a("foobar"), 0x8594_4171_f739_67e8, "the published test vector");
    let mut all = KernelSpec::all();
    all.sort_by_cached_key(KernelSpec::name);
    let mut index = String::new();
    for spec in all {
        // Writing into a String cannot fail.
        let _ = writeln!(index, "{:016x} {spec}", fnv1a(&text_of(&spec)));
    }
    assert_held(&hold(&folder().join("index.txt"), &index).err().into_iter().collect::<Vec<_>>());
}
