//! Numbers as people read them: three significant digits, and the unit that keeps them short.

/// Stands where nothing was measured.
pub(crate) const ABSENT: &str = "–";

/// Three significant digits without an exponent; `NaN` and `inf` are named.
pub(crate) fn significant(x: f64) -> String {
    match x.abs() {
        a if !a.is_finite() => format!("{x}"),
        a if a >= 99.95 => format!("{x:.0}"),
        a if a >= 9.995 => format!("{x:.1}"),
        a if a >= 0.9995 => format!("{x:.2}"),
        _ => format!("{x:.3}"),
    }
}

/// A time given in milliseconds. Bounds sit below the round number so that 0.9996 ms is `1.00 ms` and not `1000 µs`.
pub(crate) fn time(ms: f64) -> String {
    match ms.abs() {
        a if a >= 999.5 => significant(ms / 1e3) + " s",
        a if a >= 0.9995 || a == 0.0 || !a.is_finite() => significant(ms) + " ms",
        a if a >= 0.000_999_5 => significant(ms * 1e3) + " µs",
        _ => significant(ms * 1e6) + " ns",
    }
}

/// A rate given in TFLOP/s.
pub(super) fn rate(tflops: f64) -> String {
    match tflops.abs() {
        a if a >= 0.9995 || !a.is_finite() => significant(tflops) + " TFLOP/s",
        a if a >= 0.000_999_5 || a == 0.0 => significant(tflops * 1e3) + " GFLOP/s",
        _ => significant(tflops * 1e6) + " MFLOP/s",
    }
}

/// Bytes, in powers of 1024.
pub(crate) fn bytes(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let (mut x, mut unit) = (bytes as f64, "B");
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if x < 1023.5 {
            break;
        }
        (x, unit) = (x / 1024.0, larger);
    }
    significant(x) + " " + unit
}

/// An error: two digits and a power of ten.
pub(crate) fn error(x: f64) -> String {
    if x == 0.0 { "0".into() } else { format!("{x:.1e}") }
}

/// A quotient, for instance `12.3x`; tiny ones keep their leading digit.
pub(super) fn ratio(x: f64) -> String {
    if x != 0.0 && x.abs() < 0.01 { format!("{x:.0e}x") } else { significant(x) + "x" }
}

/// `Some` through `show`, `None` as [`ABSENT`].
pub(crate) fn or_absent<T>(x: Option<T>, show: impl Fn(T) -> String) -> String {
    x.map_or_else(|| ABSENT.into(), show)
}

/// One line without control characters, so that no name can move a cursor, break a table or an XML file.
pub(super) fn clean(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().filter(|c| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}')).collect()
}

/// The geometric mean of positive numbers; `None` of none.
pub(crate) fn geometric_mean(xs: &[f64]) -> Option<f64> {
    (!xs.is_empty()).then(|| (xs.iter().map(|x| x.ln()).sum::<f64>() / xs.len() as f64).exp())
}

pub(crate) fn median(times: &[f64]) -> Option<f64> {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied()
}
