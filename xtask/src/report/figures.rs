//! The three figures: time per algorithm, what the stages take of it, and the error against the expected one. All have a
//! line for each row under its layer's name, because algorithms have long names; a figure without data is not drawn.

use std::ops::Range;

use anyhow::Result;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::layers::{self, Layer};
use super::markdown::escape;
use super::units::{self, clean};
use super::{Device, Report, Row};

pub(super) struct Figure {
    /// The name of the SVG file in the report's folder.
    pub file: String,
    pub title: String,
    pub svg: String,
}

impl Figure {
    fn new(file: &str, title: &str, svg: String) -> Self {
        Self { file: file.to_owned(), title: title.to_owned(), svg }
    }

    /// As Markdown shows it.
    pub(super) fn link(&self) -> String {
        format!("![{}]({})", escape(&self.title), self.file)
    }
}

pub(super) const INK: RGBColor = RGBColor(0x1C, 0x20, 0x24);
pub(super) const FAINT: RGBColor = RGBColor(0x69, 0x70, 0x7A);
const GRID: RGBColor = RGBColor(0xE1, 0xE4, 0xE8);
const ALERT: RGBColor = RGBColor(0xC6, 0x28, 0x28);
const PEER: RGBColor = RGBColor(0x8A, 0x90, 0x99);
/// Light colours, and those that a style sheet in the file puts in their place where the reader prefers dark.
const DARK: [(&str, &str); 5] = [
    ("#1C2024", "#E6E9EC"),
    ("#69707A", "#9AA3AD"),
    ("#E1E4E8", "#30363D"),
    ("#C62828", "#FF7B72"),
    ("#FFFFFF", "#14181C"),
];
pub(super) const WIDTH: u32 = 1000;
const LINE: u32 = 19;

pub(super) fn all(report: &Report) -> Result<Vec<Figure>> {
    let groups = layers::layers(report);
    Ok([times(&groups)?, stages(&groups)?, errors(&groups)?].into_iter().flatten().collect())
}

pub(super) fn color(device: Device) -> RGBColor {
    match device {
        Device::Gpu => RGBColor(0x2F, 0x6F, 0xDE),
        Device::Cpu => RGBColor(0xD9, 0x7B, 0x16),
    }
}

/// Words of one line; the point is at their left or right end, or in their middle.
pub(super) fn style(size: u32, color: impl Color, at: HPos) -> TextStyle<'static> {
    // plotters divides by 1.24 to make points of pixels.
    ("sans-serif", f64::from(size) * 1.24).into_font().color(&color).pos(Pos::new(at, VPos::Center))
}

pub(super) fn shorten(text: &str, most: usize) -> String {
    let text = clean(text);
    if text.chars().count() <= most { text } else { text.chars().take(most - 1).chain(['…']).collect() }
}

/// Makes one SVG file; `title` is what a screen reader says.
pub(super) fn draw(
    title: &str,
    height: u32,
    paint: impl FnOnce(&DrawingArea<SVGBackend<'_>, Shift>) -> Result<()>,
) -> Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        area.fill(&WHITE)?;
        paint(&area)?;
        area.present()?;
    }
    let style = DARK.map(|(light, dark)| {
        format!(".winoconv [fill=\"{light}\"]{{fill:{dark}}}.winoconv [stroke=\"{light}\"]{{stroke:{dark}}}")
    });
    let title = escape(title).replace('"', "&quot;");
    let open = format!("<svg class=\"winoconv\" role=\"img\" aria-label=\"{title}\" ");
    let style = format!(">\n<style>@media (prefers-color-scheme: dark){{{}}}</style>\n", style.concat());
    // The backend's first tag is the only one that these two replacements can meet first.
    Ok(svg.replacen("<svg ", &open, 1).replacen(">\n", &style, 1))
}

enum Line<'a> {
    Layer,
    Row(&'a Row),
    Peer(f64),
}

/// The lines of a figure with their names: the rows that `keep` accepts, under their layers.
fn lines<'a>(groups: &[Layer<'a>], peers: bool, keep: impl Fn(&Row) -> bool) -> Vec<(String, Line<'a>)> {
    let mut lines = Vec::new();
    for layer in groups {
        let rows: Vec<&Row> = layer.rows.iter().copied().filter(|row| keep(row)).collect();
        if rows.is_empty() {
            continue;
        }
        lines.push((shorten(&format!("{}: {}", layer.name(), layer.shape()), 120), Line::Layer));
        lines.extend(rows.into_iter().map(|row| {
            let chosen = if row.chosen { "* " } else { "" };
            (shorten(&format!("{chosen}{} {}", row.device.name(), layer.full_label(row)), 46), Line::Row(row))
        }));
        let peers = layer.peers().into_iter().filter(|(_, ms)| peers && *ms > 0.0);
        lines.extend(peers.map(|(name, ms)| (shorten(&name, 46), Line::Peer(ms))));
    }
    lines
}

struct Head<'a> {
    title: &'a str,
    explanation: &'a str,
    legend: Vec<(String, RGBAColor)>,
}

impl Head<'_> {
    fn draw(&self, area: &DrawingArea<SVGBackend<'_>, Shift>) -> Result<u32> {
        area.draw_text(self.title, &style(17, INK, HPos::Left), (16, 20))?;
        area.draw_text(self.explanation, &style(12, FAINT, HPos::Left), (16, 42))?;
        let (mut x, mut y) = (16, 44);
        for (name, color) in &self.legend {
            let width = i32::try_from(name.chars().count())? * 7 + 24;
            if y == 44 || x + width > WIDTH.cast_signed() {
                (x, y) = (16, y + 18);
            }
            area.draw_text(&format!("■ {name}"), &style(12, *color, HPos::Left), (x, y))?;
            x += width;
        }
        Ok(u32::try_from(y)? + 12)
    }
}

enum Mark {
    Bar(Range<f64>, RGBAColor),
    /// To the right of a value.
    Words(f64, String, RGBColor),
    Dot(f64, RGBColor),
    Ring(f64, RGBColor),
    Between(f64, f64),
}

fn chart<X: AsRangedCoord<Value = f64>>(
    head: &Head<'_>,
    lines: &[(String, Line<'_>)],
    (axis, axis_name, label): (X, &str, fn(&f64) -> String),
    marks: impl Fn(&Line<'_>) -> Vec<Mark>,
) -> Result<String>
where
    X::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let longest = lines.iter().filter(|(_, line)| !matches!(line, Line::Layer)).map(|(name, _)| name.chars().count());
    let left = u32::try_from(longest.max().unwrap_or(0))? * 13 / 2 + 28;
    let count = lines.len();
    let height = u32::try_from(count)? * LINE + 130 + 18 * u32::from(!head.legend.is_empty());
    draw(head.title, height, |area| {
        let mut builder = ChartBuilder::on(area);
        builder.margin_top(head.draw(area)?).margin_right(170).set_label_area_size(LabelAreaPosition::Left, left);
        builder.set_label_area_size(LabelAreaPosition::Bottom, 45);
        let mut chart = builder.build_cartesian_2d(axis, 0.0..count as f64)?;
        let mut mesh = chart.configure_mesh();
        mesh.disable_y_mesh().disable_y_axis().x_labels(10).light_line_style(TRANSPARENT).bold_line_style(GRID);
        mesh.axis_style(GRID).x_desc(axis_name).x_label_formatter(&label);
        mesh.x_label_style(style(11, FAINT, HPos::Center)).axis_desc_style(style(12, INK, HPos::Center)).draw()?;
        for (place, (name, line)) in (0..count).rev().zip(lines) {
            let place = place as f64;
            let middle = |x| (x, place + 0.5);
            let (_, y) = chart.backend_coord(&middle(1.0));
            let (at, names) = match line {
                Line::Layer => (16, style(13, INK, HPos::Left)),
                Line::Row(row) if row.chosen => (left.cast_signed() - 8, style(12, INK, HPos::Right)),
                _ => (left.cast_signed() - 8, style(12, FAINT, HPos::Right)),
            };
            area.draw_text(name, &names, (at, y))?;
            for mark in marks(line) {
                match mark {
                    Mark::Bar(Range { start, end }, color) => {
                        let corners = [(start, place), (end, place + 1.0)];
                        let mut bar = Rectangle::new(corners, color.filled());
                        bar.set_margin(4, 4, 0, 0);
                        chart.draw_series([bar])?
                    }
                    Mark::Words(at, words, color) => {
                        let words = Text::new(words, (6, 0), style(11, color, HPos::Left));
                        chart.draw_series([EmptyElement::at(middle(at)) + words])?
                    }
                    Mark::Dot(at, color) => chart.draw_series([Circle::new(middle(at), 4, color.filled())])?,
                    Mark::Ring(at, color) => chart.draw_series([Circle::new(middle(at), 6, color.stroke_width(2))])?,
                    Mark::Between(from, to) => {
                        chart.draw_series([PathElement::new([middle(from), middle(to)], FAINT)])?
                    }
                };
            }
        }
        Ok(())
    })
}

fn positive(x: Option<f64>) -> Option<f64> {
    x.filter(|x| x.is_finite() && *x > 0.0)
}

/// A logarithmic axis around positive values, with room on its left so that the smallest bar still has a length.
fn around(values: impl Iterator<Item = f64>) -> Option<Range<f64>> {
    let (min, max) = values.fold((f64::INFINITY, 0.0_f64), |(least, most), x| (least.min(x), most.max(x)));
    (max > 0.0).then_some(min * 0.5..max * 1.2)
}

/// A round time without the digits behind its point: `10 µs`, not `10.0 µs`.
fn tick(ms: &f64) -> String {
    units::time(*ms).replace(".00 ", " ").replace(".0 ", " ")
}

fn times(groups: &[Layer<'_>]) -> Result<Option<Figure>> {
    let lines = lines(groups, true, |_| true);
    let time = |line: &Line<'_>| match line {
        Line::Row(row) => positive(row.time_ms),
        Line::Peer(ms) => positive(Some(*ms)),
        Line::Layer => None,
    };
    let Some(range) = around(lines.iter().filter_map(|(_, line)| time(line))) else { return Ok(None) };
    let start = range.start;
    let title = "Time per algorithm";
    let explanation = "Median of one run, shorter is better: GPU blue, CPU orange, others grey; * is the planner's choice; \
                       pale is not verified.";
    let axis = (range.log_scale(), "time of one run (logarithmic)", tick as fn(&f64) -> String);
    let svg = chart(&Head { title, explanation, legend: Vec::new() }, &lines, axis, |line| {
        let (color, words, ink) = match (line, time(line)) {
            (Line::Layer, _) => return Vec::new(),
            (_, None) => return vec![Mark::Words(start, "refused".to_owned(), FAINT)],
            (Line::Peer(_), Some(ms)) => (PEER.mix(1.0), units::time(ms), INK),
            (Line::Row(row), Some(ms)) if row.verified => {
                let rate = row.tflops_effective.map(|rate| format!(", {}", units::rate(rate))).unwrap_or_default();
                (color(row.device).mix(1.0), units::time(ms) + &rate, INK)
            }
            (Line::Row(row), Some(ms)) => (color(row.device).mix(0.35), units::time(ms) + ", NOT VERIFIED", ALERT),
        };
        let end = time(line).unwrap_or(start);
        vec![Mark::Bar(start..end, color), Mark::Words(end, words, ink)]
    })?;
    Ok(Some(Figure::new("time.svg", title, svg)))
}

fn stages(groups: &[Layer<'_>]) -> Result<Option<Figure>> {
    const FLOW: [&str; 4] = ["filter_transform", "input_transform", "multiply", "output_transform"];
    let place = |name: &&String| FLOW.iter().position(|known| known == name).unwrap_or(FLOW.len());
    let mut names: Vec<&String> = groups.iter().flat_map(|g| &g.rows).flat_map(|row| row.stage_ms.keys()).collect();
    names.sort_by_key(|name| (place(name), *name));
    names.dedup();
    let sum = |row: &Row| positive(Some(row.stage_ms.values().filter(|ms| **ms > 0.0).sum()));
    let lines = lines(groups, false, |row| sum(row).is_some());
    if lines.is_empty() {
        return Ok(None);
    }
    let title = "Where the time goes";
    let explanation = "Share of each stage in the sum of the stages, which are timed apart; * is the planner's choice.";
    let colors = names.iter().enumerate().map(|(i, name)| (name, Palette99::pick(i).mix(1.0)));
    let legend = colors.clone().map(|(name, color)| (shorten(&name.replace('_', " "), 40), color)).collect();
    let axis = (0.0..100.0, "share of the stages' sum (%)", (|x| format!("{x:.0} %")) as fn(&f64) -> String);
    let svg = chart(&Head { title, explanation, legend }, &lines, axis, |line| {
        let Line::Row(row) = line else { return Vec::new() };
        let total = sum(row).unwrap_or(1.0);
        let mut marks = vec![Mark::Words(100.0, format!("sum {}", units::time(total)), INK)];
        let mut before = 0.0;
        for (name, color) in colors.clone() {
            let share = row.stage_ms.get(*name).copied().unwrap_or(0.0).max(0.0) / total * 100.0;
            marks.push(Mark::Bar(before..before + share, color));
            before += share;
        }
        marks
    })?;
    Ok(Some(Figure::new("stages.svg", title, svg)))
}

fn errors(groups: &[Layer<'_>]) -> Result<Option<Figure>> {
    let lines = lines(groups, false, |row| positive(row.rel_l2_error).is_some());
    let rows = lines.iter().filter_map(|(_, line)| if let Line::Row(row) = line { Some(*row) } else { None });
    let values = rows.flat_map(|row| [positive(row.rel_l2_error), positive(row.expected_error)]).flatten();
    let Some(range) = around(values) else { return Ok(None) };
    let end = range.end;
    let title = "Error, measured against expected";
    let explanation = "Relative L2 error against the f64 reference: dot measured, ring expected; blue GPU, orange CPU.";
    let axis = (range.log_scale(), "relative L2 error (logarithmic)", (|x| format!("{x:.0e}")) as fn(&f64) -> String);
    let svg = chart(&Head { title, explanation, legend: Vec::new() }, &lines, axis, |line| {
        let Line::Row(row) = line else { return Vec::new() };
        let Some(measured) = positive(row.rel_l2_error) else { return Vec::new() };
        let color = color(row.device);
        let over = layers::error_ratio(row).map(|r| format!(", {} expected", units::ratio(r)));
        let mut marks = vec![Mark::Words(end, units::error(measured) + &over.unwrap_or_default(), INK)];
        let expected = positive(row.expected_error);
        marks.extend(expected.into_iter().flat_map(|at| [Mark::Between(measured, at), Mark::Ring(at, color)]));
        marks.push(Mark::Dot(measured, color));
        marks
    })?;
    Ok(Some(Figure::new("errors.svg", title, svg)))
}
