//! A small study in, exact pieces of the page out; and a page that its files do not give is noticed.

use super::record::{Entry, Program, Study};
use super::{FOLDER, PAGE, load, render, stale};
use crate::compile::{CompileOutcome, Run};
use crate::explosion::Explosion;
use crate::report::{Adapter, Row};

fn kernel(lines: usize) -> Explosion {
    Explosion {
        kernel: "kernel".into(),
        text_lines: lines,
        text_bytes: 40 * lines,
        statements: 2 * lines,
        loops: 1,
        expressions: 3 * lines,
        spirv_bytes: 2048,
        msl_lines: 4 * lines,
        msl_bytes: 512,
    }
}

/// A compilation that took so long, a quarter of it in the first run.
fn compiled(ms: f64) -> CompileOutcome {
    let run = Run { first_ms: 2.0 + ms / 4.0, ms: 2.0, verified: true, rel_l2_error: 1e-7 };
    let kernels = vec![("kernel".to_owned(), ms * 0.75)];
    CompileOutcome::Compiled { device: "Card|1".into(), cold_ms: ms * 0.75, kernels, run: Some(run) }
}

/// A verified result of a Winograd algorithm of so many kernels a run.
fn entry(algorithm: &str, ms: f64, compile_ms: f64, kernels: usize) -> Entry {
    let row = Row {
        layer: "seed1".into(),
        n: 1,
        c: 8,
        k: 8,
        h: 32,
        w: 32,
        algorithm: algorithm.into(),
        points: Some("default".into()),
        verified: true,
        time_ms: Some(ms),
        rel_l2_error: Some(1e-7),
        max_abs_error: Some(2e-6),
        workspace_bytes: Some(2048),
        ..Row::default()
    };
    let written: Vec<String> = ["U", "output"].map(ToOwned::to_owned).into();
    let program = Program {
        dispatches: kernels,
        packing_dispatches: 1,
        bound: [&["weights".to_owned(), "input".to_owned()], &written[..]].concat(),
        written,
        kernels: vec![kernel(700); kernels],
        packing_kernels: vec![kernel(9)],
    };
    Entry { row, program: Some(program), cold: Some(compiled(compile_ms)) }
}

fn study() -> Study {
    let mut exhibit = entry("inlined F(4x4,3x3)", 0.0, 0.0, 2);
    exhibit.row.time_ms = None;
    exhibit.row.verified = false;
    let during = "compiling <it>".to_owned();
    exhibit.cold = Some(CompileOutcome::TookLonger { limit_ms: 60e3, during, gone: true });
    let mut pick = entry("fused F(2x2,3x3)", 0.005, 0.0, 1);
    pick.row.chosen = true;
    pick.cold = None;
    let adapter = Adapter { name: "Card|1".into(), backend: "Vulkan".into(), ..Adapter::default() };
    let entries =
        vec![entry("staged F(4x4,3x3)", 0.02, 100.0, 3), entry("fused F(4x4,3x3)", 0.01, 40.0, 1), exhibit, pick];
    Study { adapter, entries, ..Study::default() }
}

#[track_caller]
fn holds(page: &str, piece: &str) {
    assert!(page.contains(piece), "no\n{piece}\nin\n{page}");
}

#[test]
fn tables_have_old_figures_and_new_ones() {
    let page = render::page(&[study()]);
    holds(
        &page,
        "### Card\\|1, Vulkan\n\n\
         | convolution | its report: 4 kernels | its report: inlined | `staged` | `fused` | `inlined` | the planner's pick |\n\
         | :-- | --: | --: | --: | --: | --: | --: |\n\
         | 1x8x32x32 -> 8 | 2.30 ms | 1.30 s | 20.0 µs | 10.0 µs | given up | 5.00 µs `fused F(2x2,3x3)` |\n\
         \n- `inlined`, 1x8x32x32 -> 8: ended after 60 s, compiling &lt;it&gt;\n",
    );
    holds(&page, "| 1x8x32x32 -> 8 | 19.9 ms | 1.84 s | 100 ms | 40.0 ms | given up |\n");
    holds(&page, "| `staged` | 3 | 1 | 2: U, output | 4: weights, input, U, output | 3 | 2.00 KiB |\n");
    holds(&page, "| its notes: inlined | – | – | – | – | – | 2,471 | – | 1,146 µs |\n");
    holds(&page, "| `fused` | 700 | 1,400 | 2,100 | 2.00 KiB | 512 B | 2,800 | 40.0 ms | 10.0 µs |\n");
}

#[test]
fn the_verdict_comes_from_the_figures() {
    let mut study = study();
    let page = render::page(std::slice::from_ref(&study));
    holds(
        &page,
        "- **Yes, a run of a Winograd convolution can be one kernel**: 1 of 1 results of `fused` are verified, on 1 adapter, \
         1 of hardware. What the report says is refused, as we read it, was compiled and run in 0 of 1 cases.\n\
         - **Card\\|1, Vulkan**\n  \
         - `fused` (one kernel a run, and one for the weights, once) takes 10.0 µs on 1x8x32x32 -> 8, \
         `staged` 20.0 µs; over 1 convolution 0.50 to 0.50 times `staged`'s time, faster on 1.\n  \
         - the exhibit `inlined` on 1x8x32x32 -> 8: ended after 60 s, compiling &lt;it&gt;.\n\
         - The largest absolute error of any of them on the investigation's three shapes is 2.0e-6, within its 1.0e-4.\n",
    );
    study.adapter.software = true;
    study.entries[1].program.as_mut().expect("planned").packing_kernels.clear();
    let page = render::page(std::slice::from_ref(&study));
    holds(
        &page,
        "- **Yes, a whole Winograd convolution can be one kernel**: 1 of 1 results of `fused` are verified, on 1 adapter, 0 of",
    );
    holds(&page, "`fused` (one kernel and nothing else) takes");
    study.entries[1].row.verified = false;
    study.entries[2] = entry("inlined F(4x4,3x3)", 0.5, 900.0, 2);
    study.entries[2].row.max_abs_error = Some(1.0);
    let page = render::page(&[study]);
    holds(&page, "- **Not shown**: 0 of 1 results of `fused` are verified");
    holds(&page, "compiled and run everywhere.\n");
    holds(
        &page,
        "`fused` has no time beside `staged`'s.\n  - the exhibit `inlined` compiles in 900 ms and runs in 500 µs",
    );
    holds(&page, "up to 9.00 times `staged`'s compile time and 25.0 times its run time.\n");
    holds(&page, "is 1.0e0, beyond its 1.0e-4.\n");
    holds(&page, "| 1x8x32x32 -> 8 | 2.30 ms | 1.30 s | 20.0 µs | WRONG | 500 µs |");
}

#[test]
fn compile_times_on_software_are_those_of_small_images() {
    let mut study = study();
    let mut large = study.entries[1].clone();
    large.row.layer = "large".into();
    study.entries.push(large);
    let rows = |study: &Study| render::page(std::slice::from_ref(study)).matches("| large: 1x8x32x32 -> 8 |").count();
    assert_eq!(rows(&study), 2, "run and compile time");
    study.adapter.software = true;
    assert_eq!(rows(&study), 1, "run time");
}

#[test]
fn hardware_comes_first_and_notes_once() {
    let mut software = study();
    software.adapter = Adapter { name: "A".into(), backend: "Vulkan".into(), software: true, ..Adapter::default() };
    software.notes = vec!["a note".into()];
    let hardware = Study { notes: software.notes.clone(), ..study() };
    let page = render::page(&[software, hardware]);
    let [first, second] = ["### Card\\|1, Vulkan", "### A, Vulkan"].map(|head| page.find(head).expect("a table"));
    assert!(first < second, "{page}");
    assert_eq!(page.matches("a note").count(), 1, "{page}");
}

#[test]
fn every_outcome_survives_its_file_and_a_stale_page_is_noticed() {
    let root = std::env::temp_dir().join(format!("winoconv-study-{}", std::process::id()));
    let folder = root.join(FOLDER);
    std::fs::create_dir_all(&folder).expect("a folder for the test");
    assert_eq!(stale(&root).expect("reads"), None, "nothing studied, nothing written");
    let mut study = study();
    for (entry, cold) in study.entries.iter_mut().zip([
        compiled(1.5),
        CompileOutcome::Refused { message: "too many registers".into() },
        CompileOutcome::Crashed { status: "signal: 11".into(), during: "running".into(), stderr: String::new() },
    ]) {
        entry.cold = Some(cold);
    }
    assert_eq!(study.slug(), "card-1-vulkan");
    std::fs::write(folder.join("card-1-vulkan.json"), study.to_json().expect("writes")).expect("written");
    assert_eq!(load(&root).expect("reads"), [study.clone()]);
    assert!(stale(&root).expect("reads").is_some_and(|words| words.contains("--render")), "no page");
    std::fs::write(root.join(PAGE), render::page(&[study.clone()])).expect("written");
    assert_eq!(stale(&root).expect("reads"), None, "as the files give it");
    std::fs::write(root.join(PAGE), render::page(&[study]) + "by hand\n").expect("written");
    assert!(stale(&root).expect("reads").is_some(), "edited by hand");
    std::fs::write(folder.join("broken.json"), "{}").expect("written");
    let error = stale(&root).expect_err("no study").to_string();
    assert!(error.contains("broken.json"), "{error}");
    std::fs::remove_dir_all(&root).expect("clean up");
}
