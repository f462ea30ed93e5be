//! The studies of all adapters as one page of Markdown: the verdict, the investigation's statements, its three tables
//! with our figures beside its own, and what inlining does to a program. The page follows from the studies alone.

use std::fmt::Write as _;

use super::investigation::{self as old, NOTES, Shape};
use super::record::{Entry, Study, in_order};
use super::verdict;
use crate::explosion::Explosion;
use crate::report::Row;
use crate::report::markdown::{escape, table};
use crate::report::units::{ABSENT, bytes, or_absent, time};

/// The page from its template; nothing of no studies.
pub(super) fn page(studies: &[Study]) -> String {
    // Hardware first, then by name.
    let mut studies = studies.to_vec();
    studies.sort_by_key(|study| (study.adapter.software, study.slug()));
    let Some(first) = studies.first() else { return String::new() };
    let slower = || old::REPORT.iter().map(|shape| shape.inlined / shape.baseline);
    let run_times =
        studies.iter().map(|study| times(study, &study.layers(), |shape| [shape.baseline, shape.inlined], Entry::time));
    let compile_times = studies.iter().map(|study| {
        let mut layers = study.layers();
        layers.retain(|layer| !study.adapter.software || old::of(layer).is_some());
        times(study, &layers, |shape| [shape.baseline_compile, shape.inlined_compile], Entry::compile)
    });
    format!(
        include_str!("page.txt"),
        verdict = verdict::lines(&studies).iter().map(|line| format!("- {line}\n")).collect::<String>(),
        least = slower().fold(f64::INFINITY, f64::min),
        most = slower().fold(0.0, f64::max),
        report_error = old::REPORT_ERROR,
        lines = thousands(NOTES.lines),
        values = NOTES.values,
        plain_lines = NOTES.plain_lines,
        plain_values = NOTES.plain_values,
        us = thousands(NOTES.us),
        other_us = NOTES.other_us,
        run_times = run_times.collect::<String>(),
        compile_times = compile_times.collect::<String>(),
        first = name(first),
        kernels = kernels(first),
        shape = first.entries.first().map(label).unwrap_or_default(),
        explosion = explosion(first),
        adapters = adapters(&studies).trim_end(),
    )
}

fn times(
    study: &Study,
    layers: &[&str],
    olds: impl Fn(&Shape) -> [f64; 2],
    ours: impl Fn(&Entry) -> Option<f64>,
) -> String {
    let families = study.families();
    let mut heads = ["convolution", "its report: 4 kernels", "its report: inlined"].map(ToOwned::to_owned).to_vec();
    heads.extend(families.iter().map(|family| format!("`{family}`")));
    // A pick that was not studied has been timed, but not compiled apart.
    let has_picks = study.entries.iter().any(|entry| entry.cold.is_none() && ours(entry).is_some());
    if has_picks {
        heads.push("the planner's pick".to_owned());
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
        failures.extend(failed.map(|e| format!("- `{}`, {}: {}\n", e.family(), label(e), escape(&e.failure().1))));
    }
    let mut out = format!("\n### {}\n\n{}", name(study), table(&heads, &[0], &rows));
    if !failures.is_empty() {
        let _ = write!(out, "\n{}", failures.concat());
    }
    out
}

/// Kernels and buffers do not depend on the adapter but through its bounds: one is enough.
fn kernels(study: &Study) -> String {
    let [per_run, once] = ["kernels a run", "for the weights, once"];
    let heads = ["", per_run, once, "buffers written", "buffers bound", "dispatches a run", "workspace"];
    let mut rows = Vec::new();
    for (who, (kernels, written)) in ["4 kernels", "inlined"].into_iter().zip(old::REPORT_KERNELS) {
        let cells = [&format!("its report: {who}"), kernels, ABSENT, written, ABSENT, ABSENT, ABSENT];
        rows.push(cells.map(ToOwned::to_owned).to_vec());
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
    table(&heads.map(ToOwned::to_owned), &[0, 3, 4], &rows)
}

fn explosion(study: &Study) -> String {
    let heads =
        ["", "WGSL lines", "statements", "expressions", "SPIR-V", "MSL", "MSL lines", "compiled in", "a run takes"];
    let layer = study.entries.first().map(|entry| entry.row.layer.as_str()).unwrap_or_default();
    let noted = |who: &str, lines: usize, time: String| {
        let [a, b, c, d, e, f] = [ABSENT; 6].map(ToOwned::to_owned);
        vec![format!("its notes: {who}"), a, b, c, d, e, thousands(lines), f, time]
    };
    let mut rows = vec![
        noted("plain convolution", NOTES.plain_lines, format!("{} µs", NOTES.other_us)),
        noted("inlined", NOTES.lines, format!("{} µs", thousands(NOTES.us))),
    ];
    for family in study.families() {
        let Some(entry) = study.get(layer, family) else { continue };
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
    table(&heads.map(ToOwned::to_owned), &[0], &rows)
}

fn adapters(studies: &[Study]) -> String {
    let heads = ["adapter", "driver", "machine", "winoconv", "day"].map(ToOwned::to_owned);
    let row = |study: &Study| {
        let (host, software) = (&study.host, if study.adapter.software { " (software)" } else { "" });
        vec![
            format!("{}{software}", name(study)),
            escape(&study.adapter.driver),
            escape(&host.machine()),
            host.crate_version(),
            host.date.split('T').next().unwrap_or_default().to_owned(),
        ]
    };
    let notes = in_order(studies.iter().flat_map(|study| &study.notes).map(String::as_str));
    let notes: String = notes.into_iter().map(|note| format!("\n{}\n", escape(note))).collect();
    table(&heads, &[0, 1, 2, 3, 4], &studies.iter().map(row).collect::<Vec<_>>()) + &notes
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
    ms.map_or_else(|| entry.failure().0.to_owned(), time)
}

/// `4: U, V, M, output`.
fn listed(names: &[String]) -> String {
    format!("{}: {}", names.len(), escape(&names.join(", ")))
}

/// The least and the most, once where they are the same.
fn range(numbers: impl Iterator<Item = u64> + Clone, show: fn(u64) -> String) -> String {
    let (least, most) = (or_absent(numbers.clone().min(), show), or_absent(numbers.max(), show));
    if least == most { least } else { format!("{least} to {most}") }
}

/// `2,471`.
fn thousands(number: usize) -> String {
    match (number / 1000, number % 1000) {
        (0, below) => below.to_string(),
        (above, below) => format!("{},{below:03}", thousands(above)),
    }
}
