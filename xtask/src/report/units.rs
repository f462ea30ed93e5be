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

/// A number in the unit that keeps it short, of those from the largest on. Bounds sit below the round number so that
/// 0.9996 ms is `1.00 ms` and not `1000 µs`.
fn scaled(x: f64, units: &[(f64, &str)]) -> String {
    let fits = units.iter().find(|(scale, _)| x.abs() >= 0.9995 * scale || !x.is_finite());
    let (scale, unit) = fits.unwrap_or(&units[units.len() - 1]);
    significant(x / scale) + unit
}

/// A time given in milliseconds.
pub(crate) fn time(ms: f64) -> String {
    scaled(ms, if ms == 0.0 { &[(1.0, " ms")] } else { &[(1e3, " s"), (1.0, " ms"), (1e-3, " µs"), (1e-6, " ns")] })
}

/// A rate given in TFLOP/s.
pub(super) fn rate(tflops: f64) -> String {
    scaled(tflops, &[(1.0, " TFLOP/s"), (1e-3, " GFLOP/s"), (1e-6, " MFLOP/s")])
}

/// Bytes, in powers of 1024.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [(f64, &str); 4] =
        [((1_u64 << 40) as f64, " TiB"), ((1 << 30) as f64, " GiB"), ((1 << 20) as f64, " MiB"), (1024.0, " KiB")];
    if bytes < 1024 { format!("{bytes} B") } else { scaled(bytes as f64, &UNITS) }
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
