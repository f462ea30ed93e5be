//! For each rule, trees that it accepts and trees that it refuses.

use std::path::Path;

use tempfile::TempDir;

use super::{versions::MSRV, violations};

/// A tree of files that lives as long as one test.
fn tree(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().expect("a folder for the test");
    for (path, text) in files {
        let file = root.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap_or(Path::new(""))).expect("a folder for the test");
        std::fs::write(file, text).expect("a file for the test");
    }
    root
}

#[track_caller]
fn accepts(files: &[(&str, &str)]) {
    let found = violations(tree(files).path()).expect("the tree can be read");
    assert!(found.is_empty(), "refused: {found:#?}");
}

/// Exactly one violation, at `place` (`path:line`), whose text holds `words`.
#[track_caller]
fn refuses(files: &[(&str, &str)], place: &str, words: &str) {
    let found = violations(tree(files).path()).expect("the tree can be read");
    let [only] = &found[..] else { panic!("expected one violation, found {found:#?}") };
    let text = only.to_string();
    assert!(text.starts_with(&format!("{place}: ")) && text.contains(words), "found {text}");
}

/// One file of Rust with the given body below its opening comment, so that the body starts in line 2.
#[track_caller]
fn accepts_rust(path: &str, body: &str) {
    accepts(&[(path, &format!("//! Doc.\n{body}\n"))]);
}

#[track_caller]
fn refuses_rust(path: &str, body: &str, line: usize, words: &str) {
    refuses(&[(path, &format!("//! Doc.\n{body}\n"))], &format!("{path}:{line}"), words);
}

#[test]
fn arrows_that_go_down_are_accepted() {
    accepts_rust("src/layer.rs", "use crate::gpu::Context;\nuse crate::{plan::Plan, spatial, error::{self, Error}};");
    accepts_rust("src/tune/measure.rs", "use super::super::layer::Layer;\nuse super::choose::Choice;");
    accepts_rust("src/gpu/context.rs", "pub(crate) fn f() { crate::plan::f(); super::g(); self::h(); }");
    accepts_rust("src/spatial.rs", "use super::error::Error;\nuse crate::dtype::Dtype;");
    accepts_rust(
        "src/twin/reference.rs",
        "// use crate::gpu::x;\nconst S: &str = \"crate::gpu\";\n/// See [`crate::gpu`].\nfn f() {}",
    );
}

#[test]
fn arrows_that_go_up_are_refused() {
    refuses_rust("src/plan/cost.rs", "use crate::gpu::Context;", 2, "`plan` (floor 2) names `gpu` (floor 4)");
    refuses_rust("src/plan/cost.rs", "\nuse crate::{spatial::Shape,\n    wgsl};", 4, "names `wgsl`");
    refuses_rust("src/winograd/points.rs", "fn f() -> crate::plan::Plan { g() }", 2, "names `plan`");
    refuses_rust("src/kernel/spec.rs", "use super::super::cpu::x;", 2, "names `cpu`");
    refuses_rust("src/kernel/spec.rs", "use super::super::{cpu::x, spatial};", 2, "names `cpu`");
    refuses_rust("src/error.rs", "use super::plan::Plan;", 2, "names `plan`");
    refuses_rust("src/error.rs", "mod inner { use super::super::plan::Plan; }", 2, "names `plan`");
    refuses_rust("src/dtype.rs", "macro_rules! m { () => { $crate::gpu::x() }; }", 2, "names `gpu`");
    refuses_rust("src/dtype.rs", "pub(in crate::gpu) fn f() {}", 2, "names `gpu`");
}

#[test]
fn strangers_are_refused() {
    refuses_rust("src/twin/direct.rs", "use crate::wgsl::header;", 2, "strangers");
    refuses_rust("src/wgsl/mod.rs", "use crate::twin::Twin;", 2, "strangers");
    refuses_rust("src/cpu/mod.rs", "use crate::gpu::Context;", 2, "strangers");
    accepts_rust("src/kernel.rs", "use crate::winograd::Matrix;");
    accepts_rust("src/layout.rs", "use crate::spatial::Shape;");
}

#[test]
fn a_room_without_a_floor_is_refused() {
    refuses_rust("src/helpers.rs", "fn f() {}", 1, "no floor");
    refuses_rust("src/helpers/strings.rs", "fn f() {}", 1, "no floor");
    refuses_rust("src/layer.rs", "use crate::Plan;", 2, "no room");
    refuses_rust("src/layer.rs", "use crate::*;", 2, "no room");
    accepts_rust("src/lib.rs", "mod layer;\npub use layer::Layer;\nuse crate::gpu::x;\nuse crate::Layer as L;");
}

#[test]
fn tests_may_look_upstairs() {
    let tests = "#[cfg(test)]\nmod tests { use crate::gpu::Context; use super::super::super::cpu; }";
    accepts_rust("src/plan/cost.rs", tests);
    accepts_rust("src/plan/tests.rs", "use crate::gpu::Context;");
    refuses_rust("src/plan/cost.rs", "#[cfg(unix)]\nmod tests { use crate::gpu::Context; }", 3, "names `gpu`");
}

#[test]
fn wgpu_is_named_in_one_place() {
    for path in
        ["src/gpu/context.rs", "src/lib.rs", "tests/gpu.rs", "examples/a.rs", "xtask/src/a.rs", "bridges/a/src/b.rs"]
    {
        accepts_rust(path, "use wgpu::Device;");
    }
    refuses_rust("src/layer.rs", "use wgpu::Device;", 2, "`wgpu` outside src/gpu");
    refuses_rust("src/plan/a.rs", "fn f(l: &::wgpu_types::Limits) {}", 2, "`wgpu_types` outside");
    accepts_rust("src/layer.rs", "// wgpu\nfn from_wgpu() -> &'static str { \"wgpu\" }");
}

#[test]
fn unsafe_is_for_listed_files() {
    for path in ["src/gpu/trusted.rs", "src/gpu/cache/driver.rs", "tests/suite/pipelines.rs"] {
        accepts_rust(path, "fn f() { unsafe { g() } }");
    }
    accepts_rust("src/gpu/timing.rs", "#![deny(unsafe_code)]\n// unsafe\nconst S: &str = \"unsafe\";");
    refuses_rust("src/gpu/timing.rs", "fn f() {\n    unsafe { g() }\n}", 3, "`unsafe` outside");
    refuses_rust("tests/a.rs", "unsafe fn f() {}", 2, "`unsafe` outside");
    refuses_rust("src/dtype.rs", "m! { unsafe }", 2, "`unsafe` outside");
}

#[test]
fn a_file_opens_with_what_it_is() {
    refuses(&[("src/layer.rs", "fn f() {}\n")], "src/layer.rs:1", "`//!`");
    refuses(&[("src/layer.rs", "//!\nfn f() {}\n")], "src/layer.rs:1", "`//!`");
    refuses(&[("shaders/part/pad.wgsl", "fn f() {}\n")], "shaders/part/pad.wgsl:1", "`//`");
    accepts(&[("shaders/part/pad.wgsl", "// Padding.\nfn f() {}\n"), ("tests/golden/a.wgsl", "fn f() {}\n")]);
}

#[test]
fn files_and_folders_stay_small() {
    let of = |lines: usize| "// Long.\n".to_owned() + &"const C = 1;\n".repeat(lines - 1);
    accepts(&[("shaders/part/a.wgsl", &of(600)), ("tests/golden/a.wgsl", &of(900))]);
    refuses(&[("shaders/part/a.wgsl", &of(601))], "shaders/part/a.wgsl:601", "601 lines");
    accepts_rust("src/gpu/buffers/readback.rs", "fn f() {}");
    refuses_rust("src/gpu/buffers/map/readback.rs", "fn f() {}", 1, "3 folders");
}

#[test]
fn shaders_are_plain() {
    for mark in ["{{ N }}", "{% if x %}", "#if X", "#import a", "#define N 4"] {
        let text = format!("// Adds.\n{mark}\n");
        refuses(&[("shaders/part/a.wgsl", &text)], "shaders/part/a.wgsl:2", "template syntax");
    }
    let looped = |inside: &str| {
        format!(
            "// A loop.\nfn f() {{\n    var a: i32;\n    for (;;) {{\n        if (b) {{\n            {inside}\n        }}\n    }}\n    var c: i32;\n}}\n"
        )
    };
    refuses(&[("shaders/part/a.wgsl", &looped("var x: i32;"))], "shaders/part/a.wgsl:6", "without a value");
    accepts(&[("shaders/part/a.wgsl", &looped("var x = i32(); // var y: i32;"))]);
    accepts(&[("shaders/part/a.wgsl", "// Takes the place of {{x}} and #define.\nfn f() { if (a) { b(); } }\n")]);
}

#[test]
fn a_kernel_has_its_twin() {
    let kernel = ("shaders/kernel/direct.wgsl", "// Direct.\n");
    accepts(&[kernel, ("src/twin/direct.rs", "//! Direct.\n")]);
    let other = ("src/twin/other.rs", "//! Other.\n");
    refuses(&[kernel, other], "shaders/kernel/direct.wgsl:1", "no twin `src/twin/direct.rs`");
}

#[test]
fn refusals_have_rows() {
    let page = |message: &str| {
        format!("# Bad inputs\n\n| given | error | message |\n|---|---|---|\n| a | `Graph` | {message} |\n")
    };
    let code = "//! Doc.\nfn f() { refusal!(\"axis {axis} of {}, expected {{less}} \\\"now\\\"\", 3); }\n";
    let refused = |message: &str| {
        let words = "add a case to tests/suite/errors";
        refuses(&[("src/graph/a.rs", code), ("docs/ERRORS.md", &page(message))], "src/graph/a.rs:2", words);
    };
    for row in ["axis 4 of 2x3, expected {less} \"now\"", "body.3 (softmax): axis 4 of 3, expected {less} \"now\""] {
        accepts(&[("src/graph/a.rs", code), ("docs/ERRORS.md", &page(row))]);
    }
    refused("axis 4 of 2x3, expected {less} \"now\" or later");
    refused("axis 4 of 2x3");
    refused("the axis 4 of 2x3, expected {less} \"now\"");
    let variant = "//! Doc.\n#[derive(Error)]\nenum E {\n    #[error(\"no {name}\")]\n    A { name: String },\n}\n";
    accepts(&[("onnx/src/error.rs", variant), ("docs/ERRORS.md", &page("no input"))]);
    refuses(&[("onnx/src/error.rs", variant), ("docs/ERRORS.md", &page("one"))], "onnx/src/error.rs:4", "no {name}");
}

#[test]
fn leftovers_are_refused() {
    refuses_rust("tests/a.rs", "#[test]\n#[ignore]\nfn f() {}", 3, "`#[ignore]`");
    refuses_rust("tests/a.rs", "#[test]\n#[ignore = \"slow\"]\nfn f() {}", 3, "`#[ignore]`");
    refuses_rust("tests/a.rs", "#[cfg_attr(miri, ignore)]\nfn f() {}", 2, "`#[ignore]`");
    refuses_rust("tests/a.rs", "fn f() {\n    todo!()\n}", 3, "`todo!`");
    refuses_rust("tests/a.rs", "fn f() { unimplemented!(\"later\") }", 2, "`unimplemented!`");
    refuses_rust("tests/a.rs", "fn f() { dbg!(1); }", 2, "`dbg!`");
    refuses_rust("tests/a.rs", concat!("// FIX", "ME: later"), 2, "mend it now");
    refuses(&[("docs/A.md", concat!("FIX", "ME\n"))], "docs/A.md:1", "mend it now");
    refuses_rust("src/layer.rs", "/// ```ignore\n/// f();\n/// ```\nfn f() {}", 2, "ignored example");
    accepts_rust("tests/a.rs", "// todo!() and #[ignore]\nconst S: &str = \"dbg!(x)\";\nfn ignore(todo: u32) {}");
}

#[test]
fn exceptions_have_reasons() {
    refuses_rust("tests/a.rs", "#[allow(dead_code)]\nfn f() {}", 2, "without `reason");
    refuses_rust("tests/a.rs", "#![allow(dead_code)]", 2, "without `reason");
    refuses_rust("tests/a.rs", "#[expect(dead_code)]\nfn f() {}", 2, "without `reason");
    refuses_rust("tests/a.rs", "#[cfg_attr(test, allow(dead_code))]\nfn f() {}", 2, "without `reason");
    accepts_rust("tests/a.rs", "#[allow(dead_code, reason = \"kept for the tests\")]\nfn f() {}");
    accepts_rust("tests/a.rs", "#[cfg_attr(test, allow(dead_code, reason = \"as above\"))]\nfn f() {}");
}

#[test]
fn lines_end_cleanly() {
    refuses(&[("a.toml", "x = 1 \n")], "a.toml:1", "white space at the end");
    refuses(&[("a.toml", "x = 1\n\ty = 2\n")], "a.toml:2", "a tab");
    refuses(&[("a.toml", "x = 1\r\n")], "a.toml:1", "CRLF");
    refuses(&[("a.toml", "x = 1\ny = 2")], "a.toml:2", "no line end");
    refuses(&[("a.toml", "x = 1\n\n")], "a.toml:2", "empty line at the end");
    refuses(&[(".ci/run", "cargo test \n")], ".ci/run:1", "white space");
    accepts(&[("target/a.toml", "x = 1 \n"), ("Cargo.lock", "x = 1 \n"), ("data/a.csv", "1\t2")]);
}

#[test]
fn links_lead_somewhere() {
    let tree = |text| [("docs/A.md", text), ("docs/B.md", "# B\n"), ("README.md", "# R\n")];
    accepts(&tree("[b](B.md) [r](../README.md#top) [d](../docs) [w](https://x.org/y.md) [h](#here) `[n](no.md)`\n"));
    accepts(&tree("```\n[x](no.md)\n```\n\n[b]: B.md\n[^1]: a note\n"));
    refuses(&tree("# A\n\n[b](B.md) and [c](C.md \"title\")\n"), "docs/A.md:3", "`C.md` leads nowhere");
    refuses(&tree("[r](README.md)\n"), "docs/A.md:1", "leads nowhere");
    refuses(&tree("[up](../../etc)\n"), "docs/A.md:1", "leads nowhere");
    refuses(&tree("[c]: C.md\n"), "docs/A.md:1", "leads nowhere");
}

#[test]
fn versions_are_the_manifests() {
    let readme = |text: &str| ("README.md", text.replace("MSRV", &format!("The MSRV is Rust {MSRV}")));
    for text in ["MSRV.\n", "MSRV.0.\n", "wgpu 30.1 is newer than Rust 1.95.\n"] {
        let (path, text) = readme(text);
        accepts(&[(path, &text)]);
    }
    refuses(&[("README.md", "# W\nThe MSRV is Rust 1.67.\n")], "README.md:2", "Rust 1.67, but");
    let workflow = "# CI\nsteps:\n  - run: rustup toolchain install 1.67\n";
    refuses(&[(".github/workflows/ci.yml", workflow)], ".github/workflows/ci.yml:3", "1.67, but");
    let own = winoconv::VERSION;
    let short = own.rsplit_once('.').expect("three numbers").0;
    let text = format!("winoconv = \"{short}\"\nwinoconv = {{ version = \"{own}\", features = [] }}\n");
    accepts(&[("README.md", &text)]);
    refuses(&[("README.md", "winoconv = \"0.0\"\n")], "README.md:1", "winoconv 0.0, but");
}

#[test]
fn what_is_no_rust_is_told_once() {
    refuses_rust("src/layer.rs", "fn f() { (", 2, "is no Rust");
}

#[test]
fn the_study_is_what_its_files_give() {
    accepts(&[("docs/OTHER.md", "# No study\n")]);
    let file = ("docs/study/card.json", "{\"adapter\": {}, \"host\": {}, \"entries\": []}\n");
    refuses(&[file], "docs/STUDY.md:1", "cargo xtask study --render");
    refuses(&[file, ("docs/STUDY.md", "# By hand\n")], "docs/STUDY.md:1", "cargo xtask study --render");
}

#[test]
fn wisdom_reads_and_comes_with_the_crate() {
    accepts(&[("wisdom/llvmpipe.txt", "# nothing yet\n")]);
    refuses(&[("wisdom/llvmpipe.txt", "# a\nnonsense\n")], "wisdom/llvmpipe.txt:2", "wisdom, line 2");
    refuses(&[("wisdom/other.txt", "# nothing yet\n")], "wisdom/other.txt:1", "SHIPPED_FILES");
}

/// It fails nothing: a machine that has not the device could not mend it.
#[test]
fn outdated_wisdom_is_a_note() {
    let line = |version| {
        let set = winoconv::plan::candidate_set(Some(winoconv::plan::Sizes::Taps([3, 3])), false);
        format!(
            "card, Vulkan, 49152, 1024 | 1x8x9x9 -> 8, 3x3, padding 1x1; taps=3x3 \
             error=2xdirect workspace=94371840 | direct | 1.000 us | {version} {set:016x} | driver\n"
        )
    };
    let [current, outdated] = [line(winoconv::VERSION), line("0.0.9")];
    assert_eq!(super::wisdom::notes(&[("card.txt", &current)]), [""; 0]);
    let notes = super::wisdom::notes(&[("card.txt", &current), ("old.txt", &outdated)]);
    let [note] = notes.as_slice() else { panic!("one note, got {notes:?}") };
    assert!(note.starts_with("note: wisdom/old.txt: 1 of 1 entries are not believed"), "{note}");
    assert!(note.contains("on card run `cargo xtask hwbench --wisdom wisdom/old.txt`"), "{note}");
}

#[test]
fn circles_are_refused() {
    let doc = |body: &str| format!("//! Doc.\n{body}\n");
    let [a, b] = [doc("use super::b::B;\npub struct A;"), doc("use crate::gpu::A;\npub struct B;")];
    let shows = doc("mod a;\nmod b;\npub use a::A;");
    // Two of one folder; what the folder's own file shows is no need of it.
    accepts(&[("src/gpu/mod.rs", &shows), ("src/gpu/a.rs", &a), ("src/gpu/b.rs", &b)]);
    let [far, near] =
        [doc("use crate::gpu::inner::B;\npub struct A;"), doc("fn f() { crate::gpu::a::A; }\npub struct B;")];
    let room = ("src/gpu/mod.rs", "//! Doc.\nmod a;\nmod inner;\n");
    let files = [room, ("src/gpu/a.rs", &*far), ("src/gpu/inner/mod.rs", &*near)];
    refuses(&files, "src/gpu/a.rs:1", "need each other");
    let names = ["a", "b", "c", "d"];
    let ring = |i: usize| doc(&format!("use super::{}::f;\npub fn f() {{}}", names[(i + 1) % names.len()]));
    let ring: Vec<(String, String)> = (0..4).map(|i| (format!("src/gpu/{}.rs", names[i]), ring(i))).collect();
    let files: Vec<(&str, &str)> = ring.iter().map(|(path, text)| (&**path, &**text)).chain([room]).collect();
    refuses(&files, "src/gpu/a.rs:1", "gpu::a, gpu::b, gpu::c, gpu::d");
}

#[test]
fn a_folder_of_many_files_is_refused() {
    let paths: Vec<String> = (0..16).map(|i| format!("src/gpu/f{i:02}.rs")).collect();
    let files: Vec<(&str, &str)> = paths.iter().map(|path| (&**path, "//! Doc.\n")).collect();
    accepts(&files[1..]);
    refuses(&files, "src/gpu/f00.rs:1", "16 files");
}
