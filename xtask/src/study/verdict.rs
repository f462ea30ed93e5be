//! What the figures say, in sentences: which of our algorithms are one kernel, how they do beside the staged one, what
//! became of the exhibits. Every number comes from the studies.

use super::investigation::{REPORT, REPORT_ERROR};
use super::record::{Entry, Study, in_order};
use super::render::{label, name};
use crate::report::markdown::escape;
use crate::report::units;

/// What the others are compared with: the investigation's baseline, as we have it.
const BASELINE: &str = "staged";
/// Families that are kept to be looked at, never chosen.
pub(super) const EXHIBIT: &str = "inlined";

/// The verdict as items of a list: the answer, each adapter's findings, the errors.
pub(super) fn lines(studies: &[Study]) -> Vec<String> {
    let mut lines = vec![answer(studies)];
    lines.extend(studies.iter().map(|study| {
        let singles = singles(study).into_iter().map(|family| single(study, family));
        let exhibits = exhibits(study).into_iter().filter_map(|family| exhibit(study, family));
        let findings: Vec<String> = singles.chain(exhibits).map(|finding| format!("\n  - {finding}")).collect();
        format!("**{}**{}", name(study), findings.concat())
    }));
    lines.extend(errors(studies));
    lines
}

/// Winograd algorithms of one kernel a run, the exhibits excepted.
fn singles(study: &Study) -> Vec<&str> {
    let is_single = |entry: &&Entry| {
        let one = entry.program.as_ref().is_some_and(|program| program.kernels.len() == 1);
        one && entry.row.points.is_some() && entry.cold.is_some()
    };
    in_order(study.entries.iter().filter(is_single).map(Entry::family))
}

fn exhibits(study: &Study) -> Vec<&str> {
    study.families().into_iter().filter(|family| family.starts_with(EXHIBIT)).collect()
}

fn answer(studies: &[Study]) -> String {
    let singles: Vec<(&Study, &str)> =
        studies.iter().flat_map(|study| singles(study).into_iter().map(move |family| (study, family))).collect();
    let results = singles.iter().flat_map(|(study, family)| study.of(family));
    let right = results.clone().filter(|entry| entry.time().is_some());
    let (asked, verified) = (results.count(), right.clone().count());
    let is_whole = |entry: &Entry| entry.program.as_ref().is_some_and(|program| program.packing_kernels.is_empty());
    let what =
        if right.clone().any(is_whole) { "a whole Winograd convolution" } else { "a run of a Winograd convolution" };
    let word = match verified {
        0 => "Not shown".to_owned(),
        _ if verified == asked => format!("Yes, {what} can be one kernel"),
        _ => format!("Yes, {what} can be one kernel, but not everywhere"),
    };
    let hardware = studies.iter().filter(|study| !study.adapter.software).count();
    let families = in_order(singles.iter().map(|(_, family)| *family));
    let families: Vec<String> = families.into_iter().map(|family| format!("`{family}`")).collect();
    format!(
        "**{word}**: {verified} of {asked} results of {} are verified, on {}, {hardware} of hardware.{}",
        families.join(" and "),
        counted(studies.len(), "adapter"),
        refusals(studies)
    )
}

fn refusals(studies: &[Study]) -> String {
    let tried = studies.iter().flat_map(|study| exhibits(study).into_iter().flat_map(|family| study.of(family)));
    let (tried, ran) = (tried.clone().count(), tried.filter(|entry| entry.time().is_some()).count());
    let cases = match tried {
        0 => return String::new(),
        _ if ran == tried => "everywhere".to_owned(),
        _ => format!("in {ran} of {tried} cases"),
    };
    format!(" What the report says is refused, as we read it, was compiled and run {cases}.")
}

fn single(study: &Study, family: &str) -> String {
    let pair = |layer| {
        let one = study.get(layer, family)?;
        Some((one, one.time()?, study.get(layer, BASELINE)?.time()?))
    };
    let pairs: Vec<_> = study.layers().into_iter().filter_map(pair).collect();
    let Some(&(first, time, staged)) = pairs.first() else {
        return format!("`{family}` has no time beside `{BASELINE}`'s.");
    };
    let packs = first.program.as_ref().is_some_and(|program| !program.packing_kernels.is_empty());
    let what = if packs { "one kernel a run, and one for the weights, once" } else { "one kernel and nothing else" };
    let ratios: Vec<f64> = pairs.iter().map(|(_, one, staged)| one / staged).collect();
    let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let most = ratios.iter().copied().fold(0.0, f64::max);
    format!(
        "`{family}` ({what}) takes {} on {}, `{BASELINE}` {}; over {} {least:.2} to {most:.2} times `{BASELINE}`'s time, \
         faster on {}.",
        units::time(time),
        label(first),
        units::time(staged),
        counted(ratios.len(), "convolution"),
        ratios.iter().filter(|ratio| **ratio < 1.0).count(),
    )
}

fn exhibit(study: &Study, family: &str) -> Option<String> {
    let layers = REPORT.iter().map(|shape| shape.layer);
    let entries: Vec<&Entry> = layers.filter_map(|layer| study.get(layer, family)).collect();
    let first = *entries.first()?;
    let (shape, reason) = (label(first), escape(&first.failure().1));
    let line = match (first.compile().map(units::time), first.time().map(units::time)) {
        (Some(compile), Some(run)) => {
            format!("the exhibit `{family}` compiles in {compile} and runs in {run} on {shape}")
        }
        (Some(compile), None) => {
            format!("the exhibit `{family}` compiles in {compile} on {shape}, and has no time: {reason}")
        }
        (None, _) => format!("the exhibit `{family}` on {shape}: {reason}"),
    };
    let most = |what: fn(&Entry) -> Option<f64>| {
        let ratio = |entry: &&Entry| Some(what(entry)? / what(study.get(&entry.row.layer, BASELINE)?)?);
        entries.iter().filter_map(ratio).reduce(f64::max).map(units::significant)
    };
    Some(match (most(Entry::compile), most(Entry::time)) {
        (Some(compile), Some(run)) => format!(
            "{line}: on the investigation's shapes up to {compile} times `{BASELINE}`'s compile time and {run} times its \
             run time."
        ),
        _ => line + ".",
    })
}

fn errors(studies: &[Study]) -> Option<String> {
    let is_shape = |entry: &&Entry| REPORT.iter().any(|shape| shape.layer == entry.row.layer);
    let entries = studies.iter().flat_map(|study| &study.entries).filter(is_shape);
    let worst = entries.filter(|entry| entry.time().is_some()).filter_map(|entry| entry.row.max_abs_error);
    let worst = worst.reduce(f64::max)?;
    let word = if worst < REPORT_ERROR { "within" } else { "beyond" };
    Some(format!(
        "The largest absolute error of any of them on the investigation's three shapes is {}, {word} its {}.",
        units::error(worst),
        units::error(REPORT_ERROR)
    ))
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
