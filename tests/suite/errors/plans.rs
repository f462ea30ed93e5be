//! Demands that cannot be met, devices that are too small, texts that make no sense.

use std::str::FromStr;

use winoconv::caps::{Caps, Limits};
use winoconv::kernel::{Blocking, FusedBlocking, MultiplyCut};
use winoconv::plan::{Choice, Cut, Wisdom};
use winoconv::winograd::{F, Nested};
use winoconv::{
    Activation, Algorithm, Border, Conv, Error, Layout, Plan, Preferences, Problem, Shape, Spatial, Tolerance,
};

use super::Section;

fn conv() -> Conv {
    Conv::new(4, 4, [3, 3]).padding(1)
}

fn any() -> Preferences {
    Preferences::new().tolerance(Tolerance::Any)
}

fn forced(label: &str) -> Preferences {
    any().algorithm(label.parse().unwrap_or_else(|error: Error| panic!("{label}: {error}")))
}

fn problem(conv: Conv) -> Problem {
    let shape = Shape::new(1, conv.channels, Spatial::all(conv.rank(), 12));
    conv.on(shape).unwrap_or_else(|error| panic!("{error}"))
}

fn plan(problem: &Problem, preferences: &Preferences) -> Result<Plan, Error> {
    Plan::new(problem, &Caps::cpu(), preferences)
}

/// Every reason why an algorithm does not apply.
fn inapplicable(table: &mut Section) {
    let square = |m, r| Nested::square(F::new(m, r));
    let gradient = problem(conv()).weight_gradient().expect("legal");
    let solid = Conv::new(4, 4, [3, 3, 3]).padding(1);
    let transposed = conv().transposed(1).stride(2);
    let twelve = Conv::new(4, 4, [12, 12]);
    for (given, problem, preferences) in [
        (
            "staged with a stride and a dilation",
            problem(conv().stride(2).dilation(2)),
            any().algorithm(Algorithm::Staged(square(2, 2))),
        ),
        (
            "staged with a stride beyond the filter",
            problem(conv().stride([1, 4])),
            any().algorithm(Algorithm::Staged(Nested { rows: F::new(2, 3), cols: F::new(1, 1) })),
        ),
        ("staged with a dilation beyond the output", problem(conv().dilation(6)), forced("staged:f2x3")),
        ("fused with a dilation", problem(conv().dilation(2)), forced("fused:f2x3")),
        ("depthwise with groups of several channels", problem(conv().groups(2)), forced("depthwise")),
        ("staged with a filter of another size", problem(Conv::new(4, 4, [5, 5])), forced("staged:f4x3")),
        ("staged on a transposed convolution with stride", problem(transposed), forced("staged:f2x3")),
        ("staged on the gradient of weights of another size", gradient, forced("staged:f5x2")),
        (
            "staged on the gradient of weights under a dilation",
            problem(conv().dilation(2)).weight_gradient().expect("legal"),
            forced("staged:f3x4"),
        ),
        ("fused on the gradient of weights", gradient, any().algorithm(Algorithm::Fused(square(3, 4)))),
        (
            "staged with a transform that does not exist",
            problem(conv()),
            any().algorithm(Algorithm::Staged(square(14, 3))),
        ),
        ("fused with a stride", problem(conv().stride(2)), any().algorithm(Algorithm::Fused(square(2, 2)))),
        ("fused in three dimensions", problem(solid), forced("fused:f2x3")),
        ("fused_output in three dimensions", problem(solid), forced("fused_output:f2x3")),
        ("fused with a reflecting border", problem(conv().border(Border::Reflect)), forced("fused:f2x3")),
        ("fused with channels last", problem(conv().layout(Layout::ChannelsLast)), forced("fused:f2x3")),
        (
            "fused_filter with weights in OHWI",
            problem(conv().weights_layout(Layout::ChannelsLast)),
            forced("fused_filter:f2x3"),
        ),
        ("fused with a tile of 100 values", problem(conv()), any().algorithm(Algorithm::Fused(square(8, 3)))),
        ("the exhibit with a tile of 64 values", problem(conv()), forced("inlined:f6x3")),
        (
            "direct with a fused kernel's blocking",
            problem(conv()),
            forced("direct").cut(cut("fused:f2x3@32x16x16_8x8_4")),
        ),
        (
            "fused in blocks that do not divide",
            problem(conv()),
            forced("fused:f2x3").cut(cut("fused:f2x3@30x16x16_10x8_4")),
        ),
        (
            "staged in more parts than channels",
            problem(conv()),
            forced("staged:f2x3").cut(cut("staged:f2x3@16x16x16_4x4/64")),
        ),
        (
            "a transform beyond the tolerance",
            problem(conv()),
            Preferences::new().algorithm(Algorithm::Staged(square(6, 3))),
        ),
        ("a tolerance that nothing meets", problem(twelve), Preferences::new().tolerance(Tolerance::RelativeL2(1e-12))),
        ("staged with 1000 bytes of workspace", problem(conv()), forced("staged:f4x3").workspace_limit(1000)),
    ] {
        table.row(given, "NoPlan", plan(&problem, &preferences));
    }
}

fn cut(label: &str) -> Cut {
    label.parse::<Choice>().unwrap_or_else(|error| panic!("{label}: {error}")).cut
}

/// Devices with less than a kernel or a tensor needs.
fn limits(table: &mut Section) {
    let base = Limits::WEBGPU_DEFAULT;
    let small_buffer = Limits { max_buffer_size: 2048, ..base };
    let small_binding = Limits { max_storage_buffer_binding_size: 1500, ..base };
    let tiny_binding = Limits { max_storage_buffer_binding_size: 512, ..base };
    let workgroups = Limits { max_compute_workgroups_per_dimension: 15, ..base };
    let storage = Limits { max_compute_workgroup_storage_size: 64, ..base };
    let invocations = Limits { max_compute_invocations_per_workgroup: 16, ..base };
    let one_dimension = Limits { max_compute_workgroup_size: [16, 256, 64], ..base };
    let buffers = Limits { max_storage_buffers_per_shader_stage: 4, ..base };
    let sums = Limits { max_accumulators_per_invocation: 15, ..base };
    let full = conv().bias(true).activation(Activation::PRelu);
    for (given, limits, conv, label) in [
        ("a tensor larger than a buffer", small_buffer, conv(), "direct"),
        (
            "an input larger than a binding, of which fused_filter reads all channels",
            small_binding,
            Conv::new(8, 8, [3, 3]).padding(1),
            "fused_filter:f2x3",
        ),
        (
            "an output larger than a binding, of which fused writes all filters",
            small_binding,
            Conv::new(2, 12, [3, 3]).padding(1),
            "fused:f2x3",
        ),
        (
            "a tile of a transformed input larger than a binding",
            tiny_binding,
            Conv::new(4, 1, [3, 3]).padding(1),
            "staged:f4x3",
        ),
        ("more points than workgroups in a dimension", workgroups, conv(), "staged:f2x3"),
        ("too little workgroup memory for any cut", storage, conv(), "fused:f2x3"),
        ("workgroups of 16 invocations", invocations, conv(), "direct"),
        ("workgroups of 16 invocations in x", one_dimension, conv(), "direct"),
        ("4 storage buffers, for 5 tensors", buffers, full, "direct"),
        ("at most 15 accumulators per invocation", sums, conv(), "implicit_gemm"),
        ("a loop body that is too long for an Apple GPU", base.of_apple_gpu(), conv(), "fused:f6qx3"),
    ] {
        let caps = Caps { limits, ..Caps::webgpu_default() };
        table.row(given, "NoPlan", Plan::new(&problem(conv), &caps, &forced(label)));
    }
}

/// Preferences that make no sense, or allow too little.
fn preferences(table: &mut Section) {
    let problem = problem(conv());
    for (given, tolerance) in [
        ("a tolerance that is not a number", Tolerance::TimesDirect(f64::NAN)),
        ("a negative tolerance", Tolerance::RelativeL2(-1e-6)),
        ("an infinite tolerance", Tolerance::TimesDirect(f64::INFINITY)),
    ] {
        table.row(given, "Preference", plan(&problem, &Preferences::new().tolerance(tolerance)));
    }
    table.row("no workspace at all, on the CPU", "NoPlan", plan(&problem, &Preferences::new().workspace_limit(0)));
}

/// Preferences, algorithms that do not apply, devices that are too small.
pub(crate) fn demands() -> Section {
    let mut table = Section::new("Demands and devices");
    preferences(&mut table);
    inapplicable(&mut table);
    limits(&mut table);
    table
}

/// Labels and files.
pub(crate) fn texts() -> Section {
    let mut table = Section::new("Texts");
    for (given, text) in [
        ("an unknown algorithm", "winograd"),
        ("an algorithm without its transform", "staged"),
        ("a transform that is not shipped", "fused:f9x9"),
    ] {
        table.row(given, "Unsupported", Algorithm::from_str(text));
    }
    for (given, text) in [
        ("a choice without its blocking", "fused:f4x3"),
        ("a blocking for an algorithm that has none", "direct@64x64x8_8x8/1"),
        ("a fused kernel cut as a multiply", "fused:f4x3@64x64x8_8x8/1"),
        ("a multiply cut as a fused kernel", "staged:f4x3@32x16x16_8x8_4"),
        ("a multiply cut into 0 parts", "staged:f4x3@64x64x8_8x8/0"),
        ("a fused block of 4294967295 filters", "fused:f4x3@4294967295x32x8_8x8_2"),
    ] {
        table.row(given, "Unsupported", Choice::from_str(text));
    }
    let block = |text: &str| text.parse::<Blocking>().expect("a blocking");
    table.row("a block of zeros", "Unsupported", Blocking::new([0; 3], [0; 2]));
    table.row("a block of three slices", "Unsupported", Blocking::with_slices([64, 64, 8], [8, 8], 3));
    table.row(
        "an invocation's filters that do not divide the block's",
        "Unsupported",
        Blocking::new([64, 64, 8], [7, 8]),
    );
    table.row("a multiply in 0 parts", "Unsupported", MultiplyCut::new(block("64x64x8_8x8"), 0));
    table.row("a fused block of zeros", "Unsupported", FusedBlocking::new([0, 4, 1], [0, 4], 1));
    table.row("a fused block beyond 1024 filters", "Unsupported", FusedBlocking::new([1_073_741_840, 4, 1], [4, 4], 1));
    let good = [
        "GPU, Vulkan, 16384, 256",
        "1x4x8x8 -> 4, 3x3, padding 1x1; taps=3x3 error=2xdirect workspace=94371840",
        "direct",
        "41.236 us",
        "0.1.0 0123456789abcdef",
        "driver",
    ];
    assert!(Wisdom::parse(&good.join(" | ")).is_ok(), "so that only what is altered is wrong");
    for (given, at, text) in [
        ("wisdom of a device without its limits", 0, "GPU, Vulkan"),
        ("wisdom with a problem that cannot be parsed", 1, "something"),
        ("wisdom with an unknown algorithm", 2, "winograd"),
        ("wisdom with a time in another unit", 3, "41.236 ms"),
        ("wisdom whose candidates' hash is not a number", 4, "0.1.0 many"),
    ] {
        let mut parts = good;
        parts[at] = text;
        table.row(given, "Wisdom", Wisdom::parse(&format!("# a comment\n{}\n", parts.join(" | "))));
    }
    table.row("wisdom with a line of other parts", "Wisdom", Wisdom::parse("GPU | direct\n"));
    let twice = good.join(" | ");
    table.row("wisdom of one problem twice", "Wisdom", Wisdom::parse(&format!("{twice}\n{twice}\n")));
    table
}
