//! `cargo xtask coverage-table`: each attribute of a convolution by each algorithm on each kind of device: it runs, or the
//! reason why not. docs/COVERAGE.md shows the table, and `test` holds it against what the planner says.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use winoconv::caps::{Caps, Profile};
use winoconv::plan::Verdict;
use winoconv::{
    Activation, Algorithm, Border, Conv, DType, Device, Error, Layout, Padding, Plan, Preferences, Problem, Residual,
    Tolerance, View, Workspace,
};

use crate::bench::adapter::Adapter;
use crate::random::{
    self,
    data::{Case, Data},
};
use crate::readme::Place;
use crate::report::Report;

const PLACE: Place = Place("docs/COVERAGE.md", "coverage", "coverage-table");

/// The table's columns: families of algorithms.
pub(crate) const FAMILIES: [&str; 8] =
    ["direct", "implicit_gemm", "dot", "depthwise", "staged", "fused_output", "fused", "fused_filter"];

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Write the table into docs/COVERAGE.md
    #[arg(long)]
    write: bool,
    /// Also run every cell that runs, on the adapter and on the CPU, against the f64 reference
    #[arg(long)]
    run: bool,
    #[command(flatten)]
    adapter: Adapter,
    /// Print the table of a device that need not be here, by name: apple-m1, warp, ...
    #[arg(long, value_name = "NAME", conflicts_with_all = ["write", "run", "adapter"])]
    caps: Option<Profile>,
}

pub(crate) fn verb(root: &Path, options: &Options) -> anyhow::Result<()> {
    if let Some(profile) = options.caps {
        println!("{}", table(&[(profile.adapter, profile.caps())])?);
        return Ok(());
    }
    let table = table(&devices())?;
    if options.write {
        PLACE.write(root, &table)?;
    } else {
        println!("{table}");
    }
    if options.run {
        let gpu = options.adapter.open_for(&mut Report::default())?.context("no adapter")?;
        for device in [Device::cpu(), gpu] {
            println!("{}: {} cells ran, each within its bound", device.caps(), run_all(&device)?);
        }
    }
    Ok(())
}

fn problems() -> anyhow::Result<Vec<(&'static str, Problem)>> {
    let three = Conv::new(6, 8, [3, 3]).padding(1);
    let image = [2, 6, 9, 10];
    let forward = [
        ("1-D", Conv::new(6, 8, [3]).padding(1).on([2, 6, 19])),
        ("2-D, 3x3", three.on(image)),
        ("3-D", Conv::new(6, 8, [3, 3, 3]).padding(1).on([2, 6, 5, 6, 7])),
        ("1x1", Conv::new(6, 8, [1, 1]).on(image)),
        ("5x5", Conv::new(6, 8, [5, 5]).padding(2).on(image)),
        ("7x7", Conv::new(6, 8, [7, 7]).padding(3).on(image)),
        ("3x5", Conv::new(6, 8, [3, 5]).padding([1, 2]).on(image)),
        ("stride 2, 5x5", Conv::new(6, 8, [5, 5]).padding(2).stride(2).on(image)),
        ("dilation 2", three.dilation(2).padding(2).on(image)),
        ("asymmetric padding", three.padding(Padding::sides([2, 0], [1, 3])).on(image)),
        ("same padding", three.padding(Padding::SameUpper).on(image)),
        ("reflecting border", three.border(Border::Reflect).on(image)),
        ("replicated border", three.border(Border::Replicate).on(image)),
        ("circular border", three.border(Border::Circular).on(image)),
        ("groups", three.groups(2).on(image)),
        ("depthwise, 2 filters a channel", Conv::new(6, 12, [3, 3]).padding(1).groups(6).on(image)),
        ("bias and activation", three.bias(true).activation(Activation::Silu).on(image)),
        ("residual", three.residual(Residual::Tensor).on(image)),
        ("residual in place", three.residual(Residual::InPlace).on(image)),
        ("NHWC", three.layout(Layout::ChannelsLast).on(image)),
        ("weights OHWI", three.weights_layout(Layout::ChannelsLast).on(image)),
        ("f16", three.dtype(DType::F16).on(image)),
        ("transposed", three.transposed(0).on(image)),
        ("transposed, stride 2", Conv::new(6, 8, [4, 4]).padding(1).transposed(0).stride(2).on(image)),
    ];
    let plain = three.on(image)?;
    let slice = View::channels(plain.of_output().shape, Layout::ChannelsFirst, 3, 20)?;
    let gaps = View { n: 6 * 200, c: 200, dhw: [200, 16, 1], offset: 5 };
    let others = [
        ("output in a slice of channels", plain.with_output_view(slice)),
        ("strided input", plain.with_input_view(gaps)),
        ("gradient of the input", plain.input_gradient()),
        ("the same, stride 2", three.stride(2).on(image)?.input_gradient()),
        ("gradient of the weights", plain.weight_gradient()),
        ("gradient of the weights, stride 2", three.stride(2).on(image)?.weight_gradient()),
        ("gradient of the weights, dilation 2", three.dilation(2).on(image)?.weight_gradient()),
    ];
    forward.into_iter().chain(others).map(|(name, problem)| Ok((name, problem?))).collect()
}

fn devices() -> [(&'static str, Caps); 3] {
    let halves = Caps { f16: true, ..Caps::webgpu_default() };
    [
        ("WebGPU's default limits", Caps::webgpu_default()),
        ("the same with 16-bit floats", halves),
        ("the CPU", Caps::cpu()),
    ]
}

fn any() -> Preferences {
    Preferences::new().tolerance(Tolerance::Any)
}

fn ask(problem: &Problem, caps: &Caps, family: &str) -> anyhow::Result<Result<Algorithm, String>> {
    let plan = Plan::new(problem, caps, &any())?;
    let of_family = || plan.candidates().iter().filter(|candidate| candidate.algorithm.family() == family);
    let runs = of_family().find(|candidate| !matches!(candidate.verdict, Verdict::Rejected(_)));
    // Some run where they are forced alone.
    let forced = |algorithm| Plan::new(problem, caps, &any().algorithm(algorithm));
    if let Some(runs) = runs.or_else(|| of_family().find(|candidate| forced(candidate.algorithm).is_ok())) {
        return Ok(Ok(runs.algorithm));
    }
    if let Some(rejected) = of_family().next() {
        return Ok(Err(rejected.verdict.to_string()));
    }
    // Of Winograd's algorithms F(2,3) says why.
    match forced(family.parse().or_else(|_| format!("{family}:f2x3").parse())?) {
        Err(Error::NoPlan(error)) if !error.rejected.is_empty() => Ok(Err(error.rejected[0].1.clone())),
        Err(error) => Ok(Err(error.to_string())),
        Ok(_) => bail!("{problem}: {family} is no candidate, and runs"),
    }
}

fn table(devices: &[(&str, Caps)]) -> anyhow::Result<String> {
    let mut reasons: Vec<String> = Vec::new();
    let heads: String = FAMILIES.iter().map(|family| format!(" `{family}` |")).collect();
    let mut text = format!("| |{heads}\n|---|{}\n", "---|".repeat(FAMILIES.len()));
    for (name, problem) in problems()? {
        let _ = write!(text, "| {name} |");
        for family in FAMILIES {
            let mut cells: Vec<(String, Vec<&str>)> = Vec::new();
            for (device, caps) in devices {
                let cell = match ask(&problem, caps, family)? {
                    Ok(_) => "runs".to_owned(),
                    Err(why) => mark(&mut reasons, why)?,
                };
                match cells.iter_mut().find(|(known, _)| *known == cell) {
                    Some((_, devices)) => devices.push(device),
                    None => cells.push((cell, vec![device])),
                }
            }
            let all_alike = cells.len() == 1;
            let shown =
                |(cell, on): (String, Vec<&str>)| if all_alike { cell } else { format!("{cell} ({})", on.join(", ")) };
            let _ = write!(text, " {} |", cells.into_iter().map(shown).collect::<Vec<_>>().join("; "));
        }
        text.push('\n');
    }
    let devices: Vec<_> = devices.iter().map(|(name, _)| *name).collect();
    let _ = writeln!(text, "\nOn {}, alike where nothing else is said. Why not:\n", devices.join(", on "));
    for (i, reason) in reasons.iter().enumerate() {
        let _ = writeln!(text, "- *{}*: {reason}", letter(i)?);
    }
    Ok(text)
}

fn mark(reasons: &mut Vec<String>, why: String) -> anyhow::Result<String> {
    let at = reasons.iter().position(|reason| *reason == why).unwrap_or_else(|| {
        reasons.push(why);
        reasons.len() - 1
    });
    Ok(format!("*{}*", letter(at)?))
}

fn letter(i: usize) -> anyhow::Result<char> {
    ('a'..='z').nth(i).context("more reasons than letters")
}

pub(crate) fn run_all(device: &Device) -> anyhow::Result<usize> {
    let mut count = 0;
    for (name, problem) in problems()? {
        for family in FAMILIES {
            let Ok(algorithm) = ask(&problem, device.caps(), family)? else { continue };
            run(device, &problem, algorithm).with_context(|| format!("{name} by {algorithm} on {}", device.caps()))?;
            count += 1;
        }
    }
    Ok(count)
}

fn run(device: &Device, problem: &Problem, algorithm: Algorithm) -> anyhow::Result<()> {
    let case = Case::new(*problem, Data::Integer, 1);
    let layer = case.layer(device, any().algorithm(algorithm))?;
    random::run(&case, &layer, &mut Workspace::new(), usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_has_the_table() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
        let (found, table) = (PLACE.read(root).expect("a table"), table(&devices()).expect("a table"));
        assert_eq!(found, table, "run `cargo xtask coverage-table --write`");
    }

    #[test]
    fn what_runs_on_the_processor_is_right() {
        let count = run_all(&Device::cpu()).unwrap_or_else(|error| panic!("{error:#}"));
        assert!(count >= 2 * problems().expect("legal").len(), "{count} cells");
    }

    #[test]
    fn no_cell_is_empty_and_direct_runs_everywhere() {
        for (name, problem) in problems().expect("legal") {
            for family in Algorithm::all_for(&problem).iter().map(Algorithm::family) {
                assert!(FAMILIES.contains(&family), "{name}: {family} has no column");
            }
        }
        let table = table(&devices()).expect("a table");
        for row in table.lines().filter(|line| line.starts_with("| ")).skip(1) {
            let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
            assert!(cells.len() == 1 + FAMILIES.len() && cells.iter().all(|cell| !cell.is_empty()), "{row}");
            assert_eq!(cells[1..3], ["runs", "runs"], "direct and implicit_gemm take anything: {row}");
        }
    }
}
