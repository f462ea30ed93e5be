//! `cargo xtask explosion`: what a kernel comes to in numbers, as text, in naga's IR and in two languages that drivers
//! take. The investigation counted lines of Metal; these are the same counts of ours.

use anyhow::Context as _;
use comfy_table::presets;
use naga::back::{msl, spv};
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::{Block, Function, ShaderStage, Statement};
use winoconv::caps::Limits;
use winoconv::kernel::KernelSpec;
use winoconv::wgsl::{self, Checked, ENTRY_POINT};

use crate::report::table::numbers;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only variants whose name contains one of these texts
    #[arg(default_value = "winograd_inlined")]
    name: Vec<String>,
}

/// A kernel in numbers. Its entry point and all its functions count, each function once however often it is called.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Explosion {
    pub(crate) kernel: String,
    pub(crate) text_lines: usize,
    pub(crate) text_bytes: usize,
    pub(crate) statements: usize,
    pub(crate) loops: usize,
    pub(crate) expressions: usize,
    pub(crate) spirv_bytes: usize,
    pub(crate) msl_lines: usize,
    pub(crate) msl_bytes: usize,
}

pub(crate) fn verb(options: &Options) -> anyhow::Result<()> {
    let wanted = |spec: &KernelSpec| options.name.iter().any(|name| spec.name().contains(name));
    let all: Vec<Explosion> = KernelSpec::all().iter().filter(|spec| wanted(spec)).map(of).collect::<Result<_, _>>()?;
    anyhow::ensure!(!all.is_empty(), "no variant's name contains {}", options.name.join(" or "));
    let heads =
        ["kernel", "WGSL lines", "bytes", "statements", "loops", "expressions", "SPIR-V bytes", "MSL lines", "bytes"];
    let mut table = numbers(presets::NOTHING, &heads, &[0]);
    for e in &all {
        let Explosion {
            text_lines, text_bytes, statements, loops, expressions, spirv_bytes, msl_lines, msl_bytes, ..
        } = e;
        let counts = [text_lines, text_bytes, statements, loops, expressions, spirv_bytes, msl_lines, msl_bytes];
        table.add_row([e.kernel.clone()].into_iter().chain(counts.map(ToString::to_string)));
    }
    println!("{table}");
    Ok(())
}

pub(crate) fn of(spec: &KernelSpec) -> anyhow::Result<Explosion> {
    let checked = wgsl::check(spec, &Limits::LARGEST)?;
    let entries = checked.module.entry_points.iter().map(|entry| &entry.function);
    let functions: Vec<&Function> = checked.module.functions.iter().map(|(_, f)| f).chain(entries).collect();
    let (mut statements, mut loops) = (0, 0);
    functions.iter().for_each(|function| count(&function.body, &mut statements, &mut loops));
    let msl = msl_of(&checked).with_context(|| format!("{spec} as MSL"))?;
    let spirv = spirv_of(&checked).with_context(|| format!("{spec} as SPIR-V"))?;
    Ok(Explosion {
        kernel: spec.name(),
        text_lines: checked.source.text.lines().count(),
        text_bytes: checked.source.text.len(),
        statements,
        loops,
        expressions: functions.iter().map(|function| function.expressions.len()).sum(),
        spirv_bytes: 4 * spirv.len(),
        msl_lines: msl.lines().count(),
        msl_bytes: msl.len(),
    })
}

fn count(block: &Block, statements: &mut usize, loops: &mut usize) {
    for statement in block {
        *statements += 1;
        let inner = match statement {
            Statement::Block(inner) => vec![inner],
            Statement::If { accept, reject, .. } => vec![accept, reject],
            Statement::Switch { cases, .. } => cases.iter().map(|case| &case.body).collect(),
            Statement::Loop { body, continuing, .. } => {
                *loops += 1;
                vec![body, continuing]
            }
            _ => continue,
        };
        inner.into_iter().for_each(|block| count(block, statements, loops));
    }
}

/// As a device gets trusted shaders: naga's own checks would be counted, and are no kernel's doing.
fn unchecked() -> BoundsCheckPolicies {
    let policy = BoundsCheckPolicy::Unchecked;
    BoundsCheckPolicies { index: policy, buffer: policy, ..Default::default() }
}

fn msl_of(kernel: &Checked) -> anyhow::Result<String> {
    let options = msl::Options {
        lang_version: (2, 4),
        fake_missing_bindings: true,
        bounds_check_policies: unchecked(),
        zero_initialize_workgroup_memory: false,
        force_loop_bounding: false,
        ..Default::default()
    };
    let entry_point = Some((ShaderStage::Compute, ENTRY_POINT.to_owned()));
    let pipeline = msl::PipelineOptions { entry_point, ..Default::default() };
    Ok(msl::write_string(&kernel.module, &kernel.info, &options, &pipeline)?.0)
}

fn spirv_of(kernel: &Checked) -> anyhow::Result<Vec<u32>> {
    let options = spv::Options {
        lang_version: (1, 3),
        flags: spv::WriterFlags::empty(),
        bounds_check_policies: unchecked(),
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        force_loop_bounding: false,
        ..Default::default()
    };
    let pipeline = spv::PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: ENTRY_POINT.to_owned() };
    Ok(spv::write_vec(&kernel.module, &kernel.info, &options, Some(&pipeline))?)
}

#[cfg(test)]
mod tests {
    use winoconv::kernel::{Reading, WinogradInlined};
    use winoconv::winograd::{F, Nested};

    use super::*;

    #[test]
    fn the_exhibit_explodes_and_what_does_the_same_work_does_not() {
        let count = |m, reading| {
            let exhibit = WinogradInlined::new(Nested::square(F::new(m, 3)), reading).spec();
            of(&exhibit).expect("counted")
        };
        // A loop for each reduce.
        let [a, b] = [2, 4].map(|m| [Reading::PerOutput, Reading::PerNonzero].map(|reading| count(m, reading).loops));
        assert_eq!([a, b], [[4, 36], [16, 324]]);
        let algorithm = Nested::square(F::new(4, 3));
        let same = |spec: &KernelSpec| match spec {
            KernelSpec::WinogradFused(fused) => {
                fused.algorithm() == algorithm && spec.kernel() == "winograd_fused_output"
            }
            _ => false,
        };
        let fused = KernelSpec::all().into_iter().find(same).expect("a fused variant");
        let (exhibit, fused) = (count(4, Reading::PerOutput), of(&fused).expect("counted"));
        assert!(exhibit.expressions > 3 * fused.expressions, "{exhibit:?}\n{fused:?}");
    }
}
