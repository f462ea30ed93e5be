//! Every kernel variant there is, without a device: it passes our checks for WebGPU's default limits, its text is a
//! pure function of its spec, and naga writes it as SPIR-V (which `spirv-val` judges), MSL, HLSL and GLSL.

use std::fmt::Write;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};

use crate::support::{skipped, some};
use naga::back::{glsl, hlsl, msl, spv};
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{ShaderStage, front::wgsl::parse_str};
use winoconv::caps::Limits;
use winoconv::error::{Error, Resource};
use winoconv::kernel::{Access, Buffers, KernelSpec, Storage, Variant};
use winoconv::wgsl::{Checked, ENTRY_POINT, check, check_variant, source};

/// Two threads, each with its half of the grid; what they find wrong.
fn over_the_grid(find: impl Fn(&KernelSpec) -> Vec<String> + Sync) -> Vec<String> {
    let all = KernelSpec::all();
    let (even, odd): (Vec<_>, Vec<_>) = all.iter().enumerate().partition(|(i, _)| i % 2 == 0);
    let find = |part: Vec<(usize, &KernelSpec)>| -> Vec<String> {
        part.into_iter()
            .flat_map(|(_, spec)| find(spec).into_iter().map(move |what| format!("{spec}: {what}")))
            .collect()
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| find(odd));
        let mut found = find(even);
        found.extend(other.join().unwrap_or_else(|_| vec!["a thread of this test panicked".to_owned()]));
        found
    })
}

fn assert_none(found: &[String], what: &str) {
    let first = found.iter().take(5).map(String::as_str).collect::<Vec<_>>().join("\n  ");
    assert!(found.is_empty(), "{what}: {} of {} variants:\n  {first}", found.len(), KernelSpec::all().len());
}

fn checked(spec: &KernelSpec) -> Result<Checked, String> {
    check(spec, &Limits::LARGEST).map_err(|error| error.to_string())
}

/// The grid has few of the kernels for tensors in f16: here are those of every transform and blocking.
#[test]
fn every_variant_passes_our_checks_however_tensors_are_stored() {
    let found = over_the_grid(|spec| {
        let other = some(vec![Storage::F16, Storage::Packed], spec.name().len(), 2);
        let other = other.into_iter().filter(|_| spec.storage() == Storage::F32);
        other.filter_map(|storage| spec.stored_as(storage)).filter_map(|spec| checked(&spec).err()).collect()
    });
    assert_none(&found, "not fit for every WebGPU device");
}

/// A kernel for tensors in one buffer has the text of the kernel for tensors in separate buffers, all of them declared to be written.
#[test]
fn every_variant_has_a_text_for_tensors_in_one_buffer() {
    let found = over_the_grid(|&kernel| {
        let variant = Variant { kernel, buffers: Buffers::Shared };
        let checked = match check_variant(&variant, &Limits::LARGEST) {
            Ok(checked) => checked,
            Err(error) => return vec![error.to_string()],
        };
        // The other languages have another word for what is not written.
        let is_written = kernel.name().len().is_multiple_of(8);
        let mut found = if is_written { written_as_text(&kernel, &checked) } else { Vec::new() };
        found.extend(is_written.then(|| written_as_spirv(&kernel, &checked, false)).into_iter().flatten());
        let shared = checked.source;
        let plain = source(&kernel).map(|source| source.text).unwrap_or_default();
        let differ = plain.lines().zip(shared.text.lines()).filter(|(plain, shared)| plain != shared);
        let (reads, others): (Vec<_>, Vec<_>) =
            differ.partition(|(plain, shared)| plain.replace("<storage, read>", "<storage, read_write>") == **shared);
        let expected = kernel.bindings().iter().filter(|binding| binding.access == Access::Read).count();
        let is_right = (reads.len(), others.len()) == (expected, 0) && shared.name == format!("{kernel}_shared");
        found.extend((!is_right).then(|| format!("{} differs: {reads:?}, {others:?}", shared.name)));
        found
    });
    assert_none(&found, "not fit for tensors in one buffer");
}

/// How wgpu has shaders written for checked and for trusted modules.
fn policies(checked: bool) -> BoundsCheckPolicies {
    let policy = if checked { BoundsCheckPolicy::Restrict } else { BoundsCheckPolicy::Unchecked };
    BoundsCheckPolicies { index: policy, buffer: policy, ..Default::default() }
}

fn write_msl(kernel: &Checked, guard: bool) -> Result<String, String> {
    let options = msl::Options {
        lang_version: (2, 4),
        fake_missing_bindings: true,
        bounds_check_policies: policies(guard),
        zero_initialize_workgroup_memory: guard,
        force_loop_bounding: guard,
        ..Default::default()
    };
    let pipeline = msl::PipelineOptions {
        entry_point: Some((ShaderStage::Compute, ENTRY_POINT.to_owned())),
        ..Default::default()
    };
    let written = msl::write_string(&kernel.module, &kernel.info, &options, &pipeline);
    let (text, info) = written.map_err(|error| error.to_string())?;
    info.entry_point_names.into_iter().collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
    Ok(text)
}

fn write_hlsl(kernel: &Checked, guard: bool) -> Result<String, String> {
    let options = hlsl::Options {
        shader_model: hlsl::ShaderModel::V6_0,
        fake_missing_bindings: true,
        special_constants_binding: Some(hlsl::BindTarget { space: 255, ..Default::default() }),
        zero_initialize_workgroup_memory: guard,
        restrict_indexing: guard,
        force_loop_bounding: guard,
        ..Default::default()
    };
    let pipeline = hlsl::PipelineOptions { entry_point: Some((ShaderStage::Compute, ENTRY_POINT.to_owned())) };
    let mut text = String::new();
    let written = hlsl::Writer::new(&mut text, &options, &pipeline).write(&kernel.module, &kernel.info, None);
    let info = written.map_err(|error| error.to_string())?;
    info.entry_point_names.into_iter().collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
    Ok(text)
}

fn write_glsl(kernel: &Checked, guard: bool) -> Result<String, String> {
    let options = glsl::Options {
        version: glsl::Version::new_gles(310),
        zero_initialize_workgroup_memory: guard,
        ..Default::default()
    };
    let pipeline = glsl::PipelineOptions {
        shader_stage: ShaderStage::Compute,
        entry_point: ENTRY_POINT.to_owned(),
        multiview: None,
    };
    let mut text = String::new();
    let writer = glsl::Writer::new(&mut text, &kernel.module, &kernel.info, &options, &pipeline, policies(guard));
    writer.and_then(|mut writer| writer.write()).map_err(|error| error.to_string())?;
    Ok(text)
}

/// A back end's way from a kernel to text.
type Write4 = fn(&Checked, bool) -> Result<String, String>;

/// What is wrong with a kernel in naga's other languages. Trusted and checked modules by turns.
fn written_as_text(spec: &KernelSpec, kernel: &Checked) -> Vec<String> {
    let languages: [(&str, Write4); 3] = [("MSL", write_msl), ("HLSL", write_hlsl), ("GLSL", write_glsl)];
    let mut found = Vec::new();
    for (i, (language, write)) in languages.into_iter().enumerate() {
        // OpenGL ES has no 16-bit floats: there, as wherever shaders have none, tensors in f16 are read as words.
        if language == "GLSL" && spec.storage() == Storage::F16 {
            continue;
        }
        for guard in some(vec![false, true], spec.name().len() + i, 2) {
            match catch_unwind(AssertUnwindSafe(|| write(kernel, guard))) {
                Err(_) => found.push(format!("naga panics writing {language}")),
                Ok(Err(message)) => found.push(format!("no {language}: {message}")),
                Ok(Ok(text)) => {
                    if !text.contains("main") {
                        found.push(format!("{language} without its entry point"));
                    }
                    // What is trusted carries no check: that is what it is trusted for.
                    let check = ["loop_bound", "metal::min(unsigned("].into_iter().find(|mark| text.contains(mark));
                    if let (false, Some(mark)) = (guard, check) {
                        found.push(format!("{language} of a trusted module has {mark}"));
                    }
                }
            }
        }
    }
    found
}

fn write_spirv(kernel: &Checked, guard: bool) -> Result<Vec<u32>, String> {
    let zero = if guard {
        spv::ZeroInitializeWorkgroupMemoryMode::Polyfill
    } else {
        spv::ZeroInitializeWorkgroupMemoryMode::None
    };
    let options = spv::Options {
        lang_version: (1, 3),
        flags: spv::WriterFlags::empty(),
        bounds_check_policies: policies(guard),
        zero_initialize_workgroup_memory: zero,
        force_loop_bounding: guard,
        ..Default::default()
    };
    let pipeline = spv::PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: ENTRY_POINT.to_owned() };
    spv::write_vec(&kernel.module, &kernel.info, &options, Some(&pipeline)).map_err(|error| error.to_string())
}

/// `spirv-val` on one module, through a pipe.
fn validate_spirv(words: &[u32]) -> Result<(), String> {
    let mut child = Command::new("spirv-val")
        .args(["--target-env", "vulkan1.1", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let sent = child.stdin.take().map_or(Ok(()), |mut pipe| pipe.write_all(bytemuck::cast_slice(words)));
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return sent.map_err(|error| error.to_string());
    }
    let mut message = String::from_utf8_lossy(&output.stderr).into_owned();
    message.push_str(&String::from_utf8_lossy(&output.stdout));
    Err(message)
}

/// What is wrong with a kernel as SPIR-V, judged only where a validator `is_there`.
fn written_as_spirv(spec: &KernelSpec, kernel: &Checked, is_there: bool) -> Vec<String> {
    let guard = spec.name().len().is_multiple_of(2);
    match catch_unwind(AssertUnwindSafe(|| write_spirv(kernel, guard))) {
        Err(_) => vec!["naga panics writing SPIR-V".to_owned()],
        Ok(Err(message)) => vec![format!("no SPIR-V: {message}")],
        Ok(Ok(words)) if is_there => {
            validate_spirv(&words).err().map(|message| format!("not valid SPIR-V: {message}")).into_iter().collect()
        }
        Ok(Ok(_)) => Vec::new(),
    }
}

#[test]
fn every_variant_passes_our_checks_and_is_portable() {
    let there = Command::new("spirv-val").arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        let test = "every_variant_passes_our_checks_and_is_portable";
        skipped(test, "no spirv-val: the modules are written, and not judged");
    }
    let found = over_the_grid(|spec| {
        let kernel = match checked(spec) {
            Ok(kernel) => kernel,
            Err(message) => return vec![message],
        };
        let mut found = written_as_text(spec, &kernel);
        found.extend(written_as_spirv(spec, &kernel, there));
        if source(spec).map(|source| source.text) != source(spec).map(|source| source.text) {
            found.push("two texts of one spec".to_owned());
        }
        found
    });
    assert_none(&found, "not fit for every device");
}

fn naga_accepts(text: &str) -> Result<(), String> {
    let module = parse_str(text).map_err(|error| error.message().to_owned())?;
    let validated = Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(&module);
    validated.map(|_| ()).map_err(|error| {
        let mut message = error.to_string();
        let mut cause = std::error::Error::source(error.as_inner());
        while let Some(inner) = cause {
            let _ = write!(message, ": {inner}");
            cause = inner.source();
        }
        message
    })
}

fn multiply() -> KernelSpec {
    let all = KernelSpec::all().into_iter();
    all.into_iter().find(|spec| spec.name() == "winograd_multiply_f32_128x64x8_8x8").expect("a kernel of the grid")
}

/// What the checks find, and what they do not.
#[test]
fn planted_flaws() {
    let text = source(&multiply()).expect("the text of a kernel").text;
    let plant = |from: &str, to: &str| {
        assert!(text.contains(from), "{from} is not in the text any more: plant the flaw elsewhere");
        text.replacen(from, to, 1)
    };
    assert_eq!(naga_accepts(&text), Ok(()), "the kernel itself");

    let message = naga_accepts(&plant("fn load_v(", "fn load_w(")).expect_err("a slot that nothing fills");
    assert!(message.contains("load_v"), "names what is not defined: {message}");

    // A barrier that only some invocations reach: WGSL forbids it, browsers refuse it, and naga accepts it. Our
    // barriers stand where all invocations pass; `cargo xtask shaders --tint` has the front end that knows.
    let divergent = plant("    workgroupBarrier();\n", "    if (local < 3u) {\n        workgroupBarrier();\n    }\n");
    assert_eq!(naga_accepts(&divergent), Ok(()), "naga has learnt to refuse it: say so here and in the docs");

    let spirv = |text: &str| {
        let module = parse_str(text).expect("parses");
        let info = Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(&module).expect("valid");
        let mut kernel = checked(&multiply()).expect("checked");
        (kernel.module, kernel.info) = (module, info);
        write_spirv(&kernel, false).expect("written")
    };
    if Command::new("spirv-val").arg("--version").output().is_err() {
        return skipped("planted_flaws", "no spirv-val: a flawed module is not shown to it");
    }
    let mut words = spirv(&text);
    assert_eq!(validate_spirv(&words), Ok(()), "the kernel itself");
    let last = words.len() - 1;
    words[last] = u32::MAX;
    assert!(validate_spirv(&words).is_err(), "spirv-val accepts a broken last word");
}

#[test]
fn a_kernel_beyond_a_device_is_refused_with_the_numbers() {
    let spec = multiply();
    let small = |limits: Limits| match check(&spec, &limits) {
        Err(Error::Limit(error)) => (error.who.clone(), error.resource, error.need, error.bound),
        other => panic!("expected a limit, got {:?}", other.map(|kernel| kernel.source.name)),
    };
    let base = Limits::WEBGPU_DEFAULT;
    let bytes = u64::from(spec.workgroup_bytes());
    let limits = Limits { max_compute_workgroup_storage_size: 8 << 10, ..base };
    assert_eq!(small(limits), (spec.name(), Resource::WorkgroupBytes, bytes, 8 << 10), "workgroup memory");
    let limits = Limits { max_compute_invocations_per_workgroup: 64, ..base };
    let need = u64::from(spec.workgroup_size());
    assert_eq!(small(limits), (spec.name(), Resource::Invocations, need, 64), "invocations");
    let limits = Limits { max_compute_workgroup_size: [32, 256, 64], ..base };
    assert_eq!(small(limits), (spec.name(), Resource::WorkgroupSize, need, 32), "one dimension of a workgroup");
    let limits = Limits { max_storage_buffers_per_shader_stage: 2, ..base };
    assert_eq!(small(limits), (spec.name(), Resource::StorageBuffers, 3, 2), "storage buffers");
}
