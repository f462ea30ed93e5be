//! A sheet of SVG for horizontal bars: plotters draws rectangles, lines and words at pixels, this file decides
//! where an axis has its ticks. Colours are a fixed palette of presentation attributes that any viewer shows;
//! a style sheet inside the file exchanges them where the reader prefers dark.

use anyhow::Result;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::units::clean;

/// Words and the frame.
pub(super) const INK: RGBColor = RGBColor(0x1C, 0x20, 0x24);
/// Words that explain.
pub(super) const FAINT: RGBColor = RGBColor(0x69, 0x70, 0x7A);
/// Grid lines.
const GRID: RGBColor = RGBColor(0xE1, 0xE4, 0xE8);
/// Something is wrong.
pub(super) const ALERT: RGBColor = RGBColor(0xC6, 0x28, 0x28);
const PAPER: RGBColor = RGBColor(0xFF, 0xFF, 0xFF);

/// Light colour, dark colour: the exchange for `prefers-color-scheme: dark`.
const DARK: [(&str, &str); 5] = [
    ("#1C2024", "#E6E9EC"),
    ("#69707A", "#9AA3AD"),
    ("#E1E4E8", "#30363D"),
    ("#C62828", "#FF7B72"),
    ("#FFFFFF", "#14181C"),
];

/// What an axis measures along x, from `from` to `to`, between two pixels.
pub(super) struct Axis {
    log: bool,
    from: f64,
    to: f64,
    pixels: (i32, i32),
}

impl Axis {
    /// A logarithmic axis around positive values, ending on 1, 2 or 5 times a power of ten, with room on its left so
    /// that the smallest bar still has a length. `None` where no value is positive.
    pub(super) fn log(values: impl IntoIterator<Item = f64>, pixels: (i32, i32)) -> Option<Axis> {
        let positive = values.into_iter().filter(|x| x.is_finite() && *x > 0.0);
        let (min, max) = positive.fold((f64::INFINITY, 0.0_f64), |(lo, hi), x| (lo.min(x), hi.max(x)));
        (max > 0.0).then(|| Axis {
            log: true,
            from: round_125(min * 0.7, false),
            to: round_125(max * 1.05, true),
            pixels,
        })
    }

    /// A linear axis from 0 to `to`.
    pub(super) fn linear(to: f64, pixels: (i32, i32)) -> Axis {
        Axis { log: false, from: 0.0, to, pixels }
    }

    /// The pixel of a value, held within the axis.
    #[expect(clippy::cast_possible_truncation, reason = "held within the axis, which is pixels wide")]
    pub(super) fn at(&self, x: f64) -> i32 {
        let share = if self.log { (x / self.from).ln() / (self.to / self.from).ln() } else { x / self.to };
        let (left, right) = (f64::from(self.pixels.0), f64::from(self.pixels.1));
        (left + share.clamp(0.0, 1.0) * (right - left)).round() as i32
    }

    /// Where lines and labels stand: every 1, 2 and 5 on a short log axis, powers of ten on a longer one, at most
    /// about ten in all; fifths on a linear one.
    pub(super) fn ticks(&self) -> Vec<f64> {
        if !self.log {
            return (0..=5).map(|i| self.to * f64::from(i) / 5.0).collect();
        }
        #[expect(clippy::cast_possible_truncation, reason = "an exponent of an f64")]
        let (first, last) = (self.from.log10().floor() as i32, self.to.log10().ceil() as i32);
        let digits: &[f64] = if last - first <= 3 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let step = usize::try_from((last - first + 9) / 10).unwrap_or(1).max(1);
        let inside = |x: &f64| *x >= self.from * 0.999 && *x <= self.to * 1.001;
        let decades = (first..=last).step_by(step);
        decades.flat_map(|e| digits.iter().map(move |d| d * 10_f64.powi(e))).filter(inside).collect()
    }
}

/// The nearest 1, 2 or 5 times a power of ten above or below.
fn round_125(x: f64, up: bool) -> f64 {
    let power = 10_f64.powf(x.log10().floor());
    let digit = x / power;
    let pick = if up {
        [1.0, 2.0, 5.0, 10.0].into_iter().find(|d| *d >= digit * 0.999)
    } else {
        [5.0, 2.0, 1.0].into_iter().find(|d| *d <= digit * 1.001)
    };
    power * pick.unwrap_or(1.0)
}

/// How words stand to the pixel they are given.
#[derive(Clone, Copy)]
pub(super) enum Stand {
    /// The pixel is their left end.
    Right,
    /// The pixel is their middle.
    Middle,
    /// The pixel is their right end.
    Left,
}

/// The sheet while it is drawn.
pub(super) struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
}

/// Makes one SVG file of the given size; `title` is what a screen reader says.
pub(super) fn draw(title: &str, size: (u32, u32), paint: impl FnOnce(&Canvas<'_>) -> Result<()>) -> Result<String> {
    let mut svg = String::new();
    {
        let canvas = Canvas { area: SVGBackend::with_string(&mut svg, size).into_drawing_area() };
        canvas.area.fill(&PAPER)?;
        paint(&canvas)?;
        canvas.area.present()?;
    }
    let style = DARK.map(|(light, dark)| {
        format!(".winoconv [fill=\"{light}\"]{{fill:{dark}}}.winoconv [stroke=\"{light}\"]{{stroke:{dark}}}")
    });
    let open = format!("<svg class=\"winoconv\" role=\"img\" aria-label=\"{}\" ", super::html::escape(title));
    let style = format!(">\n<style>@media (prefers-color-scheme: dark){{{}}}</style>\n", style.concat());
    // The backend's first tag is the only one that these two replacements can meet first.
    Ok(svg.replacen("<svg ", &open, 1).replacen(">\n", &style, 1))
}

impl Canvas<'_> {
    /// One line of words, vertically centred on `y`.
    pub(super) fn words(&self, text: &str, (x, y): (i32, i32), size: u32, color: RGBColor, stand: Stand) -> Result<()> {
        self.styled(text, (x, y), size, color, stand, FontStyle::Normal)
    }

    /// The same in bold.
    pub(super) fn bold(&self, text: &str, at: (i32, i32), size: u32) -> Result<()> {
        self.styled(text, at, size, INK, Stand::Right, FontStyle::Bold)
    }

    fn styled(
        &self,
        text: &str,
        at: (i32, i32),
        size: u32,
        color: RGBColor,
        stand: Stand,
        style: FontStyle,
    ) -> Result<()> {
        let anchor = match stand {
            Stand::Right => HPos::Left,
            Stand::Middle => HPos::Center,
            Stand::Left => HPos::Right,
        };
        // plotters divides by 1.24 to make points of pixels.
        let font = FontDesc::new(FontFamily::SansSerif, f64::from(size) * 1.24, style);
        let style = TextStyle::from(font).color(&color).pos(Pos::new(anchor, VPos::Center));
        Ok(self.area.draw(&Text::new(clean(text), at, style))?)
    }

    /// A filled rectangle; never thinner than a pixel.
    pub(super) fn bar(&self, (x0, y0): (i32, i32), (x1, y1): (i32, i32), color: RGBColor, opacity: f64) -> Result<()> {
        Ok(self.area.draw(&Rectangle::new([(x0, y0), (x1.max(x0 + 1), y1)], color.mix(opacity).filled()))?)
    }

    /// A dot, filled or a ring.
    pub(super) fn dot(&self, at: (i32, i32), radius: i32, color: RGBColor, filled: bool) -> Result<()> {
        let style = if filled { color.filled() } else { color.stroke_width(2) };
        Ok(self.area.draw(&Circle::new(at, radius, style))?)
    }

    /// A straight line.
    pub(super) fn line(&self, from: (i32, i32), to: (i32, i32), color: RGBColor) -> Result<()> {
        Ok(self.area.draw(&PathElement::new([from, to], color.stroke_width(1)))?)
    }

    /// The axis' grid lines between two heights, with its labels above and below and its name at the foot.
    pub(super) fn axis(
        &self,
        axis: &Axis,
        (top, foot): (i32, i32),
        name: &str,
        label: impl Fn(f64) -> String,
    ) -> Result<()> {
        for tick in axis.ticks() {
            let x = axis.at(tick);
            self.line((x, top), (x, foot), GRID)?;
            self.words(&label(tick), (x, top - 9), 11, FAINT, Stand::Middle)?;
            self.words(&label(tick), (x, foot + 11), 11, FAINT, Stand::Middle)?;
        }
        let middle = i32::midpoint(axis.pixels.0, axis.pixels.1);
        self.words(name, (middle, foot + 30), 12, INK, Stand::Middle)
    }
}
