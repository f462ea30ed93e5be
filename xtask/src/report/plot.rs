//! The three figures: time per algorithm, what the stages take of it, and the error against the expected one. All
//! are horizontal, one line per row under its layer's name, because algorithms have long names; a figure without
//! data is not drawn.

use anyhow::Result;
use plotters::style::RGBColor;

use super::canvas::{ALERT, Axis, Canvas, FAINT, INK, Stand, draw};
use super::layers::{self, Layer};
use super::units::{self, clean};
use super::{Device, Report, Row};

/// One SVG file.
pub(crate) struct Figure {
    /// Its name in the report's folder.
    pub file: &'static str,
    /// What it shows.
    pub title: &'static str,
    /// The SVG's text.
    pub svg: String,
}

const GPU: RGBColor = RGBColor(0x2F, 0x6F, 0xDE);
const CPU: RGBColor = RGBColor(0xD9, 0x7B, 0x16);
const PEER: RGBColor = RGBColor(0x8A, 0x90, 0x99);
/// For stages in the order of their first appearance.
const STAGES: [RGBColor; 8] = [
    RGBColor(0x3B, 0x82, 0xC4),
    RGBColor(0x8E, 0x63, 0xB5),
    RGBColor(0xD9, 0x82, 0x2B),
    RGBColor(0x3F, 0x9E, 0x6B),
    RGBColor(0xC2, 0x4F, 0x7A),
    RGBColor(0x5B, 0x8A, 0x8F),
    RGBColor(0xA6, 0x8A, 0x2D),
    RGBColor(0x70, 0x78, 0x84),
];

const WIDTH: i32 = 1000;
const LINE: i32 = 19;
const HEAD: i32 = 28;
/// Right of the bars: their values in words.
const VALUES: i32 = 175;

/// The figures for which the report has data: `time.svg`, `stages.svg`, `errors.svg`.
pub(crate) fn figures(report: &Report) -> Result<Vec<Figure>> {
    let groups = layers::layers(report);
    let figures = [times(&groups)?, stages(&groups)?, errors(&groups)?];
    Ok(figures.into_iter().flatten().collect())
}

/// What a line of a figure stands for.
enum Line<'a> {
    Layer(String, String),
    Row(String, &'a Row),
    Peer(String, f64),
}

/// The lines of a figure and the places it gives them.
struct Sheet<'a> {
    lines: Vec<Line<'a>>,
    left: i32,
    top: i32,
    foot: i32,
}

impl<'a> Sheet<'a> {
    /// Takes the rows that `keep` accepts, under their layers; `None` where it accepts none.
    fn new(groups: &[Layer<'a>], peers: bool, legend_lines: i32, keep: impl Fn(&Row) -> bool) -> Option<Sheet<'a>> {
        let mut lines = Vec::new();
        for layer in groups {
            let rows: Vec<&Row> = layer.rows.iter().copied().filter(|row| keep(row)).collect();
            if rows.is_empty() {
                continue;
            }
            lines.push(Line::Layer(layer.name(), layer.shape()));
            for row in rows {
                let chosen = if row.chosen { "* " } else { "" };
                let name = format!("{chosen}{} {}", row.device.name(), layer.label_with_type(row));
                lines.push(Line::Row(name, row));
            }
            let peers = layer.peers().into_iter().filter(|(_, ms)| peers && *ms > 0.0);
            lines.extend(peers.map(|(name, ms)| Line::Peer(name, ms)));
        }
        let longest = lines.iter().filter_map(|line| match line {
            Line::Row(name, _) | Line::Peer(name, _) => Some(name.chars().count()),
            Line::Layer(..) => None,
        });
        let left = i32::try_from(longest.max()? * 13 / 2 + 28).unwrap_or(i32::MAX).clamp(140, 330);
        let top = 74 + 20 * legend_lines;
        let height: i32 = lines.iter().map(Line::height).sum();
        Some(Sheet { lines, left, top, foot: top + height + 6 })
    }

    fn pixels(&self) -> (i32, i32) {
        (self.left, WIDTH - VALUES)
    }

    fn size(&self) -> (u32, u32) {
        (WIDTH.unsigned_abs(), (self.foot + 48).unsigned_abs())
    }

    /// Title and explanation above, layer names and row names at the left; `mark` draws what stands in a line.
    fn paint(
        &self,
        canvas: &Canvas<'_>,
        (title, explanation): (&str, &str),
        mark: impl Fn(&Line<'_>, i32) -> Result<()>,
    ) -> Result<()> {
        canvas.bold(title, (16, 22), 17)?;
        canvas.words(explanation, (16, 42), 12, FAINT, Stand::Right)?;
        let mut y = self.top;
        for line in &self.lines {
            let middle = y + line.height() / 2;
            match line {
                Line::Layer(name, shape) => {
                    // The shape stands apart from the name, which is at most 40 bold letters of 7.5 pixels.
                    let name = shorten(name, 40);
                    canvas.bold(&name, (16, middle + 3), 13)?;
                    let beside = 16 + i32::try_from(name.chars().count() * 15 / 2 + 18).unwrap_or(0);
                    canvas.words(&shorten(shape, 80), (beside.max(self.left), middle + 3), 12, FAINT, Stand::Right)?;
                }
                Line::Row(name, row) => {
                    let color = if row.chosen { INK } else { FAINT };
                    canvas.words(&shorten(name, 46), (self.left - 8, middle), 12, color, Stand::Left)?;
                }
                Line::Peer(name, _) => {
                    canvas.words(&shorten(name, 46), (self.left - 8, middle), 12, FAINT, Stand::Left)?;
                }
            }
            mark(line, middle)?;
            y += line.height();
        }
        Ok(())
    }
}

impl Line<'_> {
    fn height(&self) -> i32 {
        if matches!(self, Line::Layer(..)) { HEAD } else { LINE }
    }
}

/// At most so many letters.
pub(super) fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// A device's colour, in every figure.
pub(super) fn color(device: Device) -> RGBColor {
    match device {
        Device::Gpu => GPU,
        Device::Cpu => CPU,
    }
}

/// Coloured squares with names, broken into lines; returns how many lines it takes.
fn legend(canvas: Option<&Canvas<'_>>, entries: &[(String, RGBColor)]) -> Result<i32> {
    let (mut x, mut y, mut lines) = (16, 62, 1);
    for (name, color) in entries {
        let advance = i32::try_from(name.chars().count() * 7 + 36).unwrap_or(WIDTH);
        if x > 16 && x + advance > WIDTH {
            (x, y, lines) = (16, y + 20, lines + 1);
        }
        if let Some(canvas) = canvas {
            canvas.bar((x, y - 6), (x + 12, y + 6), *color, 1.0)?;
            canvas.words(name, (x + 18, y), 12, INK, Stand::Right)?;
        }
        x += advance;
    }
    Ok(lines)
}

/// A round time without the digits behind its point: `10 µs`, not `10.0 µs`.
fn tick(ms: f64) -> String {
    units::time(ms).replace(".00 ", " ").replace(".0 ", " ")
}

/// Time of every row and peer on a logarithmic axis.
fn times(groups: &[Layer<'_>]) -> Result<Option<Figure>> {
    let mut entries = vec![("GPU".to_owned(), GPU), ("CPU".to_owned(), CPU)];
    entries.retain(|(name, _)| groups.iter().flat_map(|g| &g.rows).any(|row| row.device.name() == name));
    if groups.iter().any(|group| !group.peers().is_empty()) {
        entries.push(("other libraries".into(), PEER));
    }
    let Some(sheet) = Sheet::new(groups, true, legend(None, &entries)?, |_| true) else { return Ok(None) };
    let values = sheet.lines.iter().filter_map(|line| match line {
        Line::Row(_, row) => row.time_ms,
        Line::Peer(_, ms) => Some(*ms),
        Line::Layer(..) => None,
    });
    let Some(axis) = Axis::log(values, sheet.pixels()) else { return Ok(None) };
    let title = "Time per algorithm";
    let explanation = "Median of one run, shorter is better; * is the planner's choice; pale is not verified.";
    let svg = draw(title, sheet.size(), |canvas| {
        legend(Some(canvas), &entries)?;
        canvas.axis(&axis, (sheet.top, sheet.foot), "time of one run (logarithmic)", tick)?;
        sheet.paint(canvas, (title, explanation), |line, y| {
            let value = |x, text: &str, color| canvas.words(text, (x + 6, y), 11, color, Stand::Right);
            let (ms, color, opacity, rate) = match line {
                Line::Layer(..) => return Ok(()),
                Line::Peer(_, ms) => (*ms, PEER, 1.0, None),
                Line::Row(_, row) => match row.time_ms.filter(|ms| ms.is_finite() && *ms > 0.0) {
                    None => return value(sheet.left, "refused", FAINT),
                    Some(ms) => (ms, color(row.device), if row.verified { 1.0 } else { 0.35 }, row.tflops_effective),
                },
            };
            let end = axis.at(ms);
            canvas.bar((sheet.left, y - 6), (end, y + 6), color, opacity)?;
            let rate = rate.map(|rate| ", ".to_owned() + &units::rate(rate)).unwrap_or_default();
            if opacity < 1.0 {
                return value(end, &format!("{}, NOT VERIFIED", units::time(ms)), ALERT);
            }
            value(end, &(units::time(ms) + &rate), INK)
        })
    })?;
    Ok(Some(Figure { file: "time.svg", title, svg }))
}

/// What share of the stages' sum each stage takes.
fn stages(groups: &[Layer<'_>]) -> Result<Option<Figure>> {
    let mut names: Vec<&String> = Vec::new();
    for name in groups.iter().flat_map(|g| &g.rows).flat_map(|row| row.stage_ms.keys()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    // In the order in which a convolution flows; what has another name stands behind.
    let place = |name: &str| {
        ["filter_transform", "input_transform", "multiply", "output_transform"].iter().position(|s| *s == name)
    };
    names.sort_by_key(|name| place(name).unwrap_or(usize::MAX));
    let color = |name: &String| STAGES[names.iter().position(|n| *n == name).unwrap_or(0) % STAGES.len()];
    let entries: Vec<_> = names.iter().map(|name| (clean(name).replace('_', " "), color(name))).collect();
    let sum = |row: &Row| row.stage_ms.values().filter(|ms| **ms > 0.0).sum::<f64>();
    let kept = |row: &Row| sum(row).is_finite() && sum(row) > 0.0;
    let Some(sheet) = Sheet::new(groups, false, legend(None, &entries)?, kept) else { return Ok(None) };
    let axis = Axis::linear(100.0, sheet.pixels());
    let title = "Where the time goes";
    let explanation = "Share of each stage in the sum of the stages, which are timed apart; * is the planner's choice.";
    let svg = draw(title, sheet.size(), |canvas| {
        legend(Some(canvas), &entries)?;
        canvas.axis(&axis, (sheet.top, sheet.foot), "share of the stages' sum (%)", |x| format!("{x:.0} %"))?;
        sheet.paint(canvas, (title, explanation), |line, y| {
            let Line::Row(_, row) = line else { return Ok(()) };
            let total = sum(row);
            let mut before = 0.0;
            for name in &names {
                let share = row.stage_ms.get(*name).copied().unwrap_or(0.0).max(0.0) / total * 100.0;
                if share > 0.0 {
                    canvas.bar((axis.at(before), y - 7), (axis.at(before + share), y + 7), color(name), 1.0)?;
                }
                before += share;
            }
            canvas.words(&format!("sum {}", units::time(total)), (axis.at(100.0) + 8, y), 11, INK, Stand::Right)
        })
    })?;
    Ok(Some(Figure { file: "stages.svg", title, svg }))
}

/// Measured relative L2 error as a dot, the expected one as a ring, on a logarithmic axis.
fn errors(groups: &[Layer<'_>]) -> Result<Option<Figure>> {
    let positive = |e: Option<f64>| e.filter(|e| e.is_finite() && *e > 0.0);
    let kept = |row: &Row| positive(row.rel_l2_error).is_some();
    let Some(sheet) = Sheet::new(groups, false, 0, kept) else { return Ok(None) };
    let values = sheet.lines.iter().filter_map(|line| if let Line::Row(_, row) = line { Some(*row) } else { None });
    let values = values.flat_map(|row| [row.rel_l2_error, row.expected_error]).flatten();
    let Some(axis) = Axis::log(values, sheet.pixels()) else { return Ok(None) };
    let title = "Error, measured against expected";
    let explanation = "Relative L2 error against the f64 reference: dot measured, ring expected; blue GPU, orange CPU.";
    let svg = draw(title, sheet.size(), |canvas| {
        canvas.axis(&axis, (sheet.top, sheet.foot), "relative L2 error (logarithmic)", |x| format!("{x:.0e}"))?;
        sheet.paint(canvas, (title, explanation), |line, y| {
            let Line::Row(_, row) = line else { return Ok(()) };
            let (Some(measured), expected) = (positive(row.rel_l2_error), positive(row.expected_error)) else {
                return Ok(());
            };
            if let Some(expected) = expected {
                canvas.line((axis.at(measured), y), (axis.at(expected), y), FAINT)?;
                canvas.dot((axis.at(expected), y), 6, color(row.device), false)?;
            }
            canvas.dot((axis.at(measured), y), 4, color(row.device), true)?;
            let over = layers::error_ratio(row).map(|r| format!(", {} expected", units::ratio(r)));
            let words = units::error(measured) + &over.unwrap_or_default();
            canvas.words(&words, (WIDTH - VALUES + 14, y), 11, INK, Stand::Right)
        })
    })?;
    Ok(Some(Figure { file: "errors.svg", title, svg }))
}
