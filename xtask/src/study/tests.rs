//! A small study in, exact pieces of the page out; and a page that its files do not give is noticed.

use super::record::{Entry, Study};
use super::{FOLDER, PAGE, load, render, stale};
use crate::compile::CompileOutcome;
use crate::files::to_json;
use crate::report::{Adapter, Row};

/// Three algorithms on a layer, the last of which did not compile, and another one's time, which the planner picks.
fn study() -> Study {
    serde_json::from_str(include_str!("fixture.json")).expect("a study")
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
    study.entries[2].row.time_ms = Some(0.5);
    study.entries[2].row.verified = true;
    study.entries[2].row.max_abs_error = Some(1.0);
    let (device, kernels) = ("Card|1".to_owned(), Vec::new());
    study.entries[2].cold =
        Some(CompileOutcome::Compiled { device, cold_ms: 900.0, kernels, run: None, together: None });
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
fn software_comes_last_and_without_compile_times_of_large_images() {
    let mut software = study();
    let large =
        Entry { row: Row { layer: "large".into(), ..software.entries[1].row.clone() }, ..software.entries[1].clone() };
    software.entries.push(large);
    software.notes = vec!["a note".into()];
    let hardware = software.clone();
    software.adapter = Adapter { name: "A".into(), backend: "Vulkan".into(), software: true, ..Adapter::default() };
    let page = render::page(&[software, hardware]);
    let [first, second] = ["### Card\\|1, Vulkan", "### A, Vulkan"].map(|head| page.find(head).expect("a table"));
    assert!(first < second, "{page}");
    assert_eq!(page.matches("| large: 1x8x32x32 -> 8 |").count(), 3, "run times of both, compile times of hardware");
    assert_eq!(page.matches("a note").count(), 1, "{page}");
}

#[test]
fn every_outcome_survives_its_file_and_a_stale_page_is_noticed() {
    let root = tempfile::tempdir().expect("a folder for the test");
    let (root, folder) = (root.path(), root.path().join(FOLDER));
    std::fs::create_dir_all(&folder).expect("a folder in it");
    assert_eq!(stale(root).expect("reads"), None, "nothing studied, nothing written");
    let mut study = study();
    study.entries[0].cold = Some(CompileOutcome::Refused { message: "too many registers".into() });
    let (status, during, stderr) = ("signal: 11".into(), "running".into(), String::new());
    study.entries[1].cold = Some(CompileOutcome::Crashed { status, during, stderr });
    assert_eq!(study.slug(), "card-1-vulkan");
    std::fs::write(folder.join("card-1-vulkan.json"), to_json(&study).expect("writes")).expect("written");
    assert_eq!(load(root).expect("reads"), [study.clone()]);
    assert!(stale(root).expect("reads").is_some_and(|words| words.contains("--render")), "no page");
    for (more, is_stale) in [("", false), ("by hand\n", true)] {
        std::fs::write(root.join(PAGE), render::page(std::slice::from_ref(&study)) + more).expect("written");
        assert_eq!(stale(root).expect("reads").is_some(), is_stale);
    }
    std::fs::write(folder.join("broken.json"), "{}").expect("written");
    let error = stale(root).expect_err("no study").to_string();
    assert!(error.contains("broken.json"), "{error}");
}
