//! The studies of all adapters as one page of Markdown: the verdict, the investigation's statements, its three tables
//! with our figures beside its own, and what inlining does to a program. The page follows from the studies alone.

use std::fmt::Write as _;

use super::investigation::{self as old, NOTES, Shape};
use super::record::{Entry, Study, in_order};
use super::verdict;
use crate::explosion::Explosion;
use crate::report::Row;
use crate::report::markdown::escape;
use crate::report::units::{ABSENT, bytes, or_absent, time};

/// The whole page.
pub(super) fn page(studies: &[Study]) -> String {
    let studies = &in_reading_order(studies);
    let mut out = format!("# One kernel?\n\n{INTRODUCTION}\n\n## Verdict\n\n");
    for line in verdict::lines(studies) {
        let _ = writeln!(out, "- {line}");
    }
    let _ = write!(out, "\n## What the investigation said\n\n{}", statements());
    let _ = write!(out, "\n## Run time\n\n{RUN_TIME}\n");
    for study in studies {
        out += &times(study, &study.layers(), |shape| [shape.baseline, shape.inlined], Entry::time);
    }
    let _ = write!(out, "\n## Compile time\n\n{COMPILE_TIME}\n");
    for study in studies {
        let mut layers = study.layers();
        layers.retain(|layer| !study.adapter.software || old::of(layer).is_some());
        out += &times(study, &layers, |shape| [shape.baseline_compile, shape.inlined_compile], Entry::compile);
    }
    if let Some(study) = studies.first() {
        let _ = write!(out, "\n## Kernels and buffers\n\n{}", kernels(study));
        let _ = write!(out, "\n## What inlining does to the program\n\n{}", explosion(study));
    }
    let _ = write!(out, "\n## How it was measured\n\n{METHOD}\n\n{}", adapters(studies));
    out
}

const INTRODUCTION: &str = "\
This project began with an investigation in tinygrad on Apple's Metal: can a whole Winograd convolution be one kernel? It
substituted the multiply-and-reduce into the output transform, saw the expression explode, and answered no. This page has
its figures and ours side by side. `cargo xtask study` measures and writes it from the files in [study](study): no figure of
ours is typed by hand.";

const RUN_TIME: &str = "\
Ours are medians on the device, each of a result that was verified first. The report does not say what its clock
enclosed; its notes give a kernel some microseconds, so its milliseconds hold much else: read its ratios, and ours. All Winograd
forms are F(4x4,3x3) but the planner's pick, which is what the library runs when nothing is forced.";

const COMPILE_TIME: &str = "\
All kernels of a plan, the filter transform's included, in a process of their own with the driver's cache off where it can
be: writing and checking the text, translation, the driver's compiler, and what the first run takes longer than later ones,
since some drivers compile no sooner. Convolutions that share their kernels share this figure. Of software adapters only the
investigation's shapes are shown: on large images their first run is slow for other reasons.";

const EXHIBITS: &str = "\
`inlined` repeats the reduce for each of the 16 outputs of a tile, as the notes have it; `inlined_nonzero` for each of the 324
products of nonzero numbers that the Kronecker product has.";

const METHOD: &str = "\
Every result of the device that is timed is compared with a reference in f64. `cargo xtask study` repeats all of it on the
adapter at hand and replaces its file; `--adapter NAME` takes another one, `--render` only writes this page,
`cargo xtask tidy` refuses a page that the files do not give. Software adapters run kernels on the processor: their figures
show that the kernels are right and how large they are, not how fast any GPU is.";

/// Hardware first, then by name.
fn in_reading_order(studies: &[Study]) -> Vec<Study> {
    let mut studies = studies.to_vec();
    studies.sort_by_key(|study| (study.adapter.software, study.slug()));
    studies
}

fn statements() -> String {
    let slower = || old::REPORT.iter().map(|shape| shape.inlined / shape.baseline);
    format!(
        "Its two statements contradict each other; both are dated 2025-11-08.\n\n\
         - **Its report**: Metal refuses the kernel, and the runtime falls back to a Python interpreter in silence, which a \
         search in a debug log brought to light: {:.0} to {:.0} times slower, errors below {:.0e}. It \"CANNOT be made into \
         a single kernel on METAL\".\n\
         - **Its later notes**: Metal compiles and runs it: {} lines of Metal and {} local values, beside {} and {} of its \
         plain convolution; {} µs, beside {} µs for each of the other kernels. The output transform repeats the reduce 16 \
         times in place of a buffer, and no memory of the workgroup is used.\n\n\
         By its text what was inlined is the multiply-reduce alone, and the input and filter transforms stayed kernels of\n\
         their own; the piece of Metal that the notes print binds the image and the weights as they were given, so that\n\
         kernel seems to have had those in it as well.\n",
        slower().fold(f64::INFINITY, f64::min),
        slower().fold(0.0, f64::max),
        old::REPORT_ERROR,
        thousands(NOTES.lines),
        NOTES.values,
        NOTES.plain_lines,
        NOTES.plain_values,
        thousands(NOTES.us),
        NOTES.other_us,
    )
}

/// One adapter's table of times, with two of the report's.
fn times(
    study: &Study,
    layers: &[&str],
    olds: impl Fn(&Shape) -> [f64; 2],
    ours: impl Fn(&Entry) -> Option<f64>,
) -> String {
    let families = study.families();
    let mut heads = vec![words("convolution"), number("its report: 4 kernels"), number("its report: inlined")];
    heads.extend(families.iter().map(|family| number(format!("`{family}`"))));
    // A pick that was not studied has been timed, but not compiled apart.
    let has_picks = study.entries.iter().any(|entry| entry.cold.is_none() && ours(entry).is_some());
    if has_picks {
        heads.push(number("the planner's pick"));
    }
    let mut failures = Vec::new();
    let mut rows = Vec::new();
    for &layer in layers {
        let entries: Vec<_> = families.iter().map(|family| study.get(layer, family)).collect();
        let old = old::of(layer).map(&olds);
        let mut row = vec![study.any_of(layer).map(label).unwrap_or_default()];
        row.extend([0, 1].map(|i| or_absent(old.map(|old| old[i]), time)));
        row.extend(entries.iter().map(|entry| or_absent(*entry, |entry| time_or_failure(ours(entry), entry))));
        if has_picks {
            let pick = |pick: &Entry| format!("{} `{}`", time_or_failure(ours(pick), pick), pick.row.algorithm);
            row.push(or_absent(study.pick(layer), pick));
        }
        rows.push(row);
        let failed = entries.into_iter().flatten().filter(|entry| ours(entry).is_none());
        failures.extend(failed.map(|e| format!("- `{}`, {}: {}\n", e.family(), label(e), escape(&e.reason()))));
    }
    let mut out = format!("\n### {}\n\n{}", name(study), table(&heads, &rows));
    if !failures.is_empty() {
        let _ = write!(out, "\n{}", failures.concat());
    }
    out
}

/// Kernels and buffers do not depend on the adapter but through its bounds: one is enough.
fn kernels(study: &Study) -> String {
    let heads = [
        words(""),
        number("kernels a run"),
        number("for the weights, once"),
        words("buffers written"),
        words("buffers bound"),
        number("dispatches a run"),
        number("workspace"),
    ];
    let mut rows = Vec::new();
    for (who, (kernels, written)) in ["4 kernels", "inlined"].into_iter().zip(old::REPORT_KERNELS) {
        let mut row = [ABSENT; 7].map(ToOwned::to_owned);
        row[0] = format!("its report: {who}");
        row[1] = kernels.to_owned();
        row[3] = written.to_owned();
        rows.push(row.to_vec());
    }
    for family in study.families() {
        let entries: Vec<_> = study.of(family).filter_map(|entry| Some((entry, entry.program.as_ref()?))).collect();
        let Some((_, first)) = entries.first() else { continue };
        rows.push(vec![
            format!("`{family}`"),
            first.kernels.len().to_string(),
            first.packing_kernels.len().to_string(),
            listed(&first.written),
            listed(&first.bound),
            range(entries.iter().map(|(_, program)| program.dispatches as u64), |n| n.to_string()),
            range(entries.iter().filter_map(|(entry, _)| entry.row.workspace_bytes), bytes),
        ]);
    }
    format!(
        "The report's kernels transform the filters in every run, ours once. Where there are two figures, they are the \
         least and the most over the convolutions above, as planned for {}: large ones are worked off in chunks.\n\n{}",
        name(study),
        table(&heads, &rows),
    )
}

/// The kernels of a run in numbers, on the first layer.
fn explosion(study: &Study) -> String {
    let heads = ["WGSL lines", "statements", "expressions", "SPIR-V", "MSL", "MSL lines", "compiled in", "a run takes"];
    let heads: Vec<_> = [words("")].into_iter().chain(heads.map(number)).collect();
    let layer = study.layers().first().copied().unwrap_or_default().to_owned();
    let noted = |who: &str, lines: usize, time: String| {
        let mut row = [ABSENT; 9].map(ToOwned::to_owned);
        row[0] = format!("its notes: {who}");
        row[6] = thousands(lines);
        row[8] = time;
        row.to_vec()
    };
    let mut rows = vec![
        noted("plain convolution", NOTES.plain_lines, format!("{} µs", NOTES.other_us)),
        noted("inlined", NOTES.lines, format!("{} µs", thousands(NOTES.us))),
    ];
    for family in study.families() {
        let Some(entry) = study.get(&layer, family) else { continue };
        let Some(program) = &entry.program else { continue };
        let sum = |of: fn(&Explosion) -> usize| program.kernels.iter().map(of).sum::<usize>();
        rows.push(vec![
            format!("`{family}`"),
            thousands(sum(|kernel| kernel.text_lines)),
            thousands(sum(|kernel| kernel.statements)),
            thousands(sum(|kernel| kernel.expressions)),
            bytes(sum(|kernel| kernel.spirv_bytes) as u64),
            bytes(sum(|kernel| kernel.msl_bytes) as u64),
            thousands(sum(|kernel| kernel.msl_lines)),
            time_or_failure(entry.compile(), entry),
            time_or_failure(entry.time(), entry),
        ]);
    }
    format!(
        "The kernels of a run on {}, added up: our text, naga's validated program, and what becomes of it for Vulkan and \
         Metal, without run-time checks. {EXHIBITS} Times are those of {}; the filter transform is compiled, too.\n\n{}",
        study.any_of(&layer).map(label).unwrap_or_default(),
        name(study),
        table(&heads, &rows),
    )
}

fn adapters(studies: &[Study]) -> String {
    let heads = ["adapter", "driver", "machine", "winoconv", "day"].map(words);
    let row = |study: &Study| {
        let host = &study.host;
        let revision = host.git_revision.as_deref().map(|revision| format!(" at {revision}")).unwrap_or_default();
        let software = if study.adapter.software { " (software)" } else { "" };
        vec![
            format!("{}{software}", name(study)),
            escape(&study.adapter.driver),
            escape(&format!("{}, {} cores, {} {}", host.cpu, host.cores, host.os, host.arch)),
            format!("{}{revision}", host.version),
            host.date.split('T').next().unwrap_or_default().to_owned(),
        ]
    };
    let notes = in_order(studies.iter().flat_map(|study| &study.notes).map(String::as_str));
    let notes: String = notes.into_iter().map(|note| format!("\n{}\n", escape(note))).collect();
    table(&heads, &studies.iter().map(row).collect::<Vec<_>>()) + &notes
}

/// `NVIDIA H100 80GB HBM3, Vulkan`.
pub(super) fn name(study: &Study) -> String {
    escape(&format!("{}, {}", study.adapter.name, study.adapter.backend))
}

/// `1x8x32x32 -> 8`, after its name in the benchmark where it is none of the investigation's.
pub(super) fn label(entry: &Entry) -> String {
    let Row { layer, n, c, k, h, w, .. } = &entry.row;
    let shape = format!("{n}x{c}x{h}x{w} -> {k}");
    if old::of(layer).is_some() { shape } else { format!("{}: {shape}", escape(layer)) }
}

fn time_or_failure(ms: Option<f64>, entry: &Entry) -> String {
    ms.map_or_else(|| entry.failure().to_owned(), time)
}

/// `4: U, V, M, output`.
fn listed(names: &[String]) -> String {
    format!("{}: {}", names.len(), escape(&names.join(", ")))
}

/// The least and the most, once where they are the same.
fn range(numbers: impl Iterator<Item = u64> + Clone, show: impl Fn(u64) -> String) -> String {
    match (numbers.clone().min(), numbers.max()) {
        (Some(least), Some(most)) if least != most => format!("{} to {}", show(least), show(most)),
        (Some(same), _) => show(same),
        _ => ABSENT.to_owned(),
    }
}

/// `2,471`.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A column's head: words stand left, numbers right.
#[derive(Clone)]
enum Head {
    Words(String),
    Number(String),
}

fn words(head: impl Into<String>) -> Head {
    Head::Words(head.into())
}

fn number(head: impl Into<String>) -> Head {
    Head::Number(head.into())
}

fn table(heads: &[Head], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let (texts, alignments): (Vec<String>, Vec<String>) = heads
        .iter()
        .map(|head| match head {
            Head::Words(text) => (text.clone(), ":--".to_owned()),
            Head::Number(text) => (text.clone(), "--:".to_owned()),
        })
        .unzip();
    [texts, alignments].iter().chain(rows).map(|row| line(row)).collect()
}
