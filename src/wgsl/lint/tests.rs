//! What each lint accepts and rejects: a real kernel passes, and a planted flaw in it is found by its lint alone.

use super::{EXCEPTIONS, LINTS, run};
use crate::activation::Activation;
use crate::conv::Conv;
use crate::kernel::{
    Blocking, Buffers, Direct, Epilogue, KernelSpec, Reading, Storage, Variant, WinogradInlined, WinogradMultiply,
};
use crate::wgsl::checked::Checked;
use crate::wgsl::{Source, source, source_of_variant};
use crate::winograd::{F, Nested};

fn direct() -> KernelSpec {
    let problem = Conv::new(8, 8, [3, 3]).activation(Activation::Relu).on([1, 8, 9, 9]).expect("legal");
    {
        let storage = Storage::F32;
        Direct::of(&problem.correlations()[0], Epilogue::of(&problem.conv), storage).spec()
    }
}

fn multiply() -> KernelSpec {
    WinogradMultiply { blocking: Blocking::ALL[2], adds: false }.spec()
}

fn inlined() -> KernelSpec {
    WinogradInlined { algorithm: Nested::square(F::new(2, 3)), reading: Reading::PerOutput, epilogue: Epilogue::NONE }
        .spec()
}

/// The findings after `from` became `to` in the text.
fn findings(spec: &KernelSpec, from: &str, to: &str) -> Vec<String> {
    let mut source = source(spec).expect("source");
    assert!(source.text.contains(from), "{from} is not in the text");
    source.text = source.text.replace(from, to);
    run(spec, &checked(source))
}

fn checked(source: Source) -> Checked {
    let module = naga::front::wgsl::parse_str(&source.text).expect("parses");
    let flags = naga::valid::ValidationFlags::all();
    let info = naga::valid::Validator::new(flags, naga::valid::Capabilities::empty()).validate(&module);
    Checked { source, module, info: info.expect("valid") }
}

fn only(findings: &[String], lint: &str) {
    assert!(!findings.is_empty(), "{lint} found nothing");
    assert!(findings.iter().all(|finding| finding.starts_with(lint)), "{lint} alone: {findings:?}");
}

#[test]
fn real_kernels_pass() {
    for spec in [direct(), multiply(), inlined()] {
        assert_eq!(findings(&spec, "main", "main"), Vec::<String>::new(), "{spec}");
    }
}

#[test]
fn an_excused_kernel_needs_it_and_is_excused_from_nothing_else() {
    for &(kernel, lint, _) in EXCEPTIONS {
        let excused: Vec<KernelSpec> = KernelSpec::all().into_iter().filter(|spec| spec.kernel() == kernel).collect();
        let lint = LINTS.iter().find(|other| other.name == lint).expect("a lint's name");
        let checked = checked(source(excused.first().expect("a kernel's name")).expect("source"));
        assert!(!(lint.check)(&excused[0], &checked).is_empty(), "{kernel} passes {}: strike the exception", lint.name);
    }
    only(&findings(&inlined(), "@binding(2)", "@binding(7)"), "bindings");
    only(&findings(&inlined(), "var y0 = 0.0f;", "var y0 = array(0.0f, 1.0f)[k % 2u];"), "register_index");
    // Its loops are as long as those of any other kernel may be.
    let term = "u[(0u * params.c + c_first + c) * params.k_stride + k_row]";
    only(&findings(&inlined(), term, &vec![term; 120].join(" * ")), "body_size");
}

#[test]
fn bindings_find_a_wrong_number_and_a_wrong_access() {
    only(&findings(&direct(), "@binding(2)", "@binding(7)"), "bindings");
    only(&findings(&direct(), "storage, read> weights", "storage, read_write> weights"), "bindings");
    let mut shared = source_of_variant(&Variant { kernel: direct(), buffers: Buffers::Shared }).expect("source");
    assert_eq!(run(&direct(), &checked(shared.clone())), Vec::<String>::new(), "for tensors in one buffer");
    shared.text = shared.text.replace("storage, read_write> weights", "storage, read> weights");
    only(&run(&direct(), &checked(shared)), "bindings");
}

#[test]
fn resources_find_more_memory_and_another_size() {
    only(
        &findings(&multiply(), "array<vec4<f32>, 2u * SLICES * STEP_U>", "array<vec4<f32>, 3u * STEP_U>"),
        "resources",
    );
    only(&findings(&direct(), "@workgroup_size(WORKGROUP)", "@workgroup_size(32)"), "resources");
}

#[test]
fn register_index_finds_a_computed_index() {
    only(
        &findings(&direct(), "let column = position", "let column = filters[position % 4u] + position"),
        "register_index",
    );
    only(&findings(&direct(), "(*acc)[0] = fma(x,", "(*acc)[tap % 4u] = fma(x,"), "register_index");
}

#[test]
fn straight_line_finds_a_branch_in_a_leaf() {
    let from = "(*filters)[0] = min(first + 0u, last);";
    only(&findings(&direct(), from, &format!("if (first < last) {{ {from} }}")), "straight_line");
}

#[test]
fn no_select_of_load_finds_a_guard_that_is_none() {
    let from = "    return 0.0;\n";
    let to = "    return select(0.0, src[channel + y * params.src_h + x], x < params.w);\n";
    only(&findings(&direct(), from, to), "no_select_of_load");
}

#[test]
fn body_size_finds_a_long_loop() {
    let from = "buffer ^= SLICES;";
    let step = "multiply_step(buffer * STEP_U + row, buffer * STEP_V + column, &acc);";
    only(&findings(&multiply(), from, &format!("{step}\n{from}")), "body_size");
}

#[test]
fn bounded_loops_find_a_loop_that_may_not_end() {
    let from = "for (var c = 0u; c < params.group_c; c++) {";
    let weight = "read_weight(c)";
    for to in [
        "for (var c = 0u; c < params.group_c; c *= 2u) {",
        "for (var c = 0u; c < params.group_c; c += params.src_c) {",
        "for (var c = 0u; c != params.group_c; c++) {",
        "for (var c = params.group_c; c > 0u; c /= 1u) {",
        "for (var c = params.group_c; c > 0u; c++) {",
        "for (var c = 0u; c < params.group_c; c++) { c = 0u;",
        "for (var c = 0u; c < params.group_c; c++) { if (c > 9u) { continue; } c--;",
        "var end = params.group_c; for (var c = 0u; c < end; c++) { end++;",
        "for (var c = 0u; f32(c) < params.act_a; c++) {",
        &format!("for (var c = 0u; f32(c) < {weight}; c++) {{"),
        "for (var c = 0u; ; c++) {",
        "loop { if (column > 3u) { break; } } for (var c = 0u; c < params.group_c; c++) {",
    ] {
        only(&findings(&direct(), from, to), "bounded_loops");
    }
}
