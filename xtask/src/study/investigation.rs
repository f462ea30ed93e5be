//! The figures of the investigation that this project began with, in the one place where they stand. tinygrad on Apple's
//! Metal, F(4x4,3x3), padding 1, dated 2025-11-08. It left two statements that contradict each other, and both are kept:
//! its report, and its later notes.

/// A shape of the report's tables, with its times in milliseconds: of its baseline, and with the multiply-reduce inlined into
/// the output transform.
pub(super) struct Shape {
    pub layer: &'static str,
    pub baseline: f64,
    pub inlined: f64,
    pub baseline_compile: f64,
    pub inlined_compile: f64,
}

/// The report's two tables of times.
pub(super) const REPORT: [Shape; 3] = [
    Shape { layer: "seed1", baseline: 2.300, inlined: 1297.936, baseline_compile: 19.9, inlined_compile: 1844.0 },
    Shape { layer: "seed2", baseline: 2.638, inlined: 1240.836, baseline_compile: 20.7, inlined_compile: 975.5 },
    Shape { layer: "seed3", baseline: 2.223, inlined: 1279.550, baseline_compile: 20.0, inlined_compile: 1997.5 },
];

/// The report's bound on its largest absolute error.
pub(super) const REPORT_ERROR: f64 = 1e-4;

/// The report on kernels, and on buffers that they write: of its baseline, and with the multiply-reduce inlined. Its
/// summary says 2 kernels for the latter, its listing shows 3.
pub(super) const REPORT_KERNELS: [(&str, &str); 2] = [("4", "4"), ("2 (3 are listed)", "3")];

/// What the later notes counted on the first shape: lines of Metal and local values of one kernel with the multiply-reduce
/// inlined, and of a plain convolution; the former's time in microseconds, and that of each other kernel.
pub(super) struct Notes {
    pub lines: usize,
    pub plain_lines: usize,
    pub values: usize,
    pub plain_values: usize,
    pub us: usize,
    pub other_us: &'static str,
}

pub(super) const NOTES: Notes =
    Notes { lines: 2471, plain_lines: 99, values: 561, plain_values: 45, us: 1146, other_us: "10 to 15" };

pub(super) fn of(layer: &str) -> Option<&'static Shape> {
    REPORT.iter().find(|shape| shape.layer == layer)
}
