//! Kernels as HLSL: written by naga as wgpu's DX12 backend has it write them, compiled and validated by DXC.

use std::path::Path;

use anyhow::{Context as _, ensure};
use naga::back::hlsl::{BindTarget, Options, PipelineOptions, ShaderModel, Writer};
use naga::{ResourceBinding, ShaderStage};
use rayon::iter::ParallelIterator as _;
use rayon::slice::ParallelSlice as _;
use winoconv::caps::Limits;
use winoconv::gpu::ShaderChecks;
use winoconv::kernel::{Access, KernelSpec, Storage};
use winoconv::wgsl::{self, Checked, ENTRY_POINT};

use crate::dxc::{Answer, Dxc, Job};

/// What DX12 gives a workgroup, whatever the device: variants for larger ones are compiled, and validation would refuse them.
const WORKGROUP_BYTES: u32 = 32 << 10;
const CHECKS: [ShaderChecks; 2] = [ShaderChecks::Trusted, ShaderChecks::Checked];
/// Of so many variants one is also optimised, as wgpu has it, which takes seven times as long as the rest of DXC's work
/// (measured on the multiply and the fused kernels); what is valid does not depend on it.
const OPTIMIZED: usize = 40;
/// What DXC says of itself, not of a text: only Microsoft's `dxil.dll` signs.
const UNSIGNED: &str = "Resulting DXIL will not be signed";
/// naga writes parentheses around comparisons.
const PARENTHESES: &str = "-Wno-parentheses-equality";
/// A shader that compiles and must not pass validation: it takes more memory than a workgroup has.
const FLAWED: &str = "RWByteAddressBuffer o : register(u0); groupshared uint s[9000]; [numthreads(64, 1, 1)] \
    void main(uint i : SV_GroupIndex) { s[i] = i; GroupMemoryBarrierWithGroupSync(); o.Store(i * 4, s[8999 - i]); }";
const SHOWN: usize = 10;

pub(crate) fn judge(root: &Path, specs: &[KernelSpec], no_install: bool) -> anyhow::Result<()> {
    let dxc = &Dxc::find(root, no_install)?;
    let flawed = Job { text: FLAWED.to_owned(), arguments: arguments(ShaderModel::V6_0, true, false) };
    let is_accepted = dxc.compile(&[flawed])?.iter().any(|answer| answer.accepted);
    ensure!(!is_accepted, "this DXC does not validate: it accepts a workgroup with more memory than there is");
    let judge = |specs: &[KernelSpec]| judge_chunk(dxc, specs).with_context(|| format!("from {} on", specs[0]));
    let found: Vec<Vec<String>> = specs.par_chunks(OPTIMIZED).map(judge).collect::<anyhow::Result<_>>()?;
    let found = found.concat();
    found.iter().take(SHOWN).for_each(|finding| println!("{finding}"));
    ensure!(found.is_empty(), "DXC refuses, or warns of, {} of {} texts", found.len(), specs.len() * CHECKS.len());
    let large = specs.iter().filter(|spec| !fits(spec)).count();
    println!("{large} of them are for devices with more workgroup memory than DX12 has: compiled, and not validated");
    println!("DXC: {} variants", specs.len());
    Ok(())
}

fn judge_chunk(dxc: &Dxc, specs: &[KernelSpec]) -> anyhow::Result<Vec<String>> {
    let (mut names, mut jobs) = (Vec::new(), Vec::new());
    for (i, spec) in specs.iter().enumerate() {
        let kernel = wgsl::check(spec, &Limits::LARGEST)?;
        let model = shader_model(spec);
        for checks in CHECKS {
            let is_sample = i == 0 && checks == ShaderChecks::default();
            for &optimize in if is_sample { [false, true].as_slice() } else { &[false] } {
                names.push(format!("{spec}, {checks:?}"));
                let text = write(&kernel, spec, checks, model)?;
                jobs.push(Job { text, arguments: arguments(model, fits(spec), optimize) });
            }
        }
    }
    let answers = dxc.compile(&jobs)?;
    let complaints = names.iter().zip(&answers).filter_map(|(name, answer)| Some((name, complaint(answer)?)));
    Ok(complaints.map(|(name, words)| format!("{name}:\n  {words}")).collect())
}

fn complaint(Answer { accepted, words }: &Answer) -> Option<String> {
    let words: Vec<&str> = words.lines().filter(|line| !line.trim().is_empty() && !line.contains(UNSIGNED)).collect();
    (!accepted || !words.is_empty()).then(|| words.join("\n  "))
}

fn fits(spec: &KernelSpec) -> bool {
    spec.workgroup_bytes() <= WORKGROUP_BYTES
}

/// The oldest that has what a variant needs.
fn shader_model(spec: &KernelSpec) -> ShaderModel {
    if spec.storage() == Storage::F16 { ShaderModel::V6_2 } else { ShaderModel::V6_0 }
}

/// wgpu's arguments, without the one that silences all warnings.
fn arguments(model: ShaderModel, validate: bool, optimize: bool) -> Vec<&'static str> {
    let profile = if model == ShaderModel::V6_2 { "cs_6_2" } else { "cs_6_0" };
    let mut arguments = vec!["-E", ENTRY_POINT, "-T", profile, "-HV", "2018", "-Ges", PARENTHESES];
    let others = [("-enable-16bit-types", model == ShaderModel::V6_2), ("-Vd", !validate), ("-Od", !optimize)];
    arguments.extend(others.iter().filter(|(_, is_needed)| *is_needed).map(|(argument, _)| argument));
    arguments
}

/// A kernel as wgpu has it written for DX12: registers are counted up in the order of the bindings, those of each kind by
/// themselves; after the parameters' comes the one of wgpu's own constants.
fn write(kernel: &Checked, spec: &KernelSpec, checks: ShaderChecks, model: ShaderModel) -> anyhow::Result<String> {
    let guard = checks == ShaderChecks::Checked;
    let target = |register| BindTarget { register, ..Default::default() };
    let mut registers = [0, 0];
    let storage = spec.bindings().into_iter().map(|binding| {
        let register = &mut registers[usize::from(binding.access == Access::Read)];
        *register += 1;
        (ResourceBinding { group: 0, binding: binding.index }, target(*register - 1))
    });
    let params = (ResourceBinding { group: 0, binding: 0 }, target(0));
    let options = Options {
        shader_model: model,
        binding_map: [params].into_iter().chain(storage).collect(),
        fake_missing_bindings: false,
        special_constants_binding: Some(target(1)),
        zero_initialize_workgroup_memory: guard,
        restrict_indexing: guard,
        force_loop_bounding: guard,
        ..Default::default()
    };
    let pipeline = PipelineOptions { entry_point: Some((ShaderStage::Compute, ENTRY_POINT.to_owned())) };
    let mut text = String::new();
    let info = Writer::new(&mut text, &options, &pipeline).write(&kernel.module, &kernel.info, None)?;
    ensure!(matches!(&info.entry_point_names[..], [Ok(name)] if name == ENTRY_POINT), "the entry point is renamed");
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_written_with_the_registers_that_wgpu_gives() {
        let spec = KernelSpec::all().into_iter().find(|spec| spec.bindings().len() > 2).expect("such a variant");
        let kernel = wgsl::check(&spec, &Limits::LARGEST).expect("checked");
        for checks in CHECKS {
            let text = write(&kernel, &spec, checks, shader_model(&spec)).expect("written");
            for register in ["register(b0)", "register(b1)", "register(t0)", "register(t1)", "register(u0)"] {
                assert!(text.contains(register), "no {register} in:\n{text}");
            }
            assert_eq!(text.contains("loop_bound"), checks == ShaderChecks::Checked);
        }
    }

    #[test]
    fn arguments_are_wgpus_and_complaints_are_dxcs() {
        let told = |model, validate, optimize| arguments(model, validate, optimize).join(" ");
        let usual = "-E main -T cs_6_0 -HV 2018 -Ges -Wno-parentheses-equality";
        assert_eq!(told(ShaderModel::V6_0, true, true), usual);
        let halves = usual.replace("6_0", "6_2") + " -enable-16bit-types -Vd -Od";
        assert_eq!(told(ShaderModel::V6_2, false, false), halves, "of a large workgroup");
        let said = |accepted, words: &str| complaint(&Answer { accepted, words: words.to_owned() });
        let unsigned =
            "warning: DXIL.dll not found.  Resulting DXIL will not be signed for use in release environments.\r\n\n";
        assert_eq!(said(true, unsigned), None);
        assert_eq!(said(true, &format!("{unsigned}x: warning: y")).as_deref(), Some("x: warning: y"));
        assert!(said(false, unsigned).is_some(), "refused without a word");
    }
}
