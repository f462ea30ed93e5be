//! What the report says, in order, as grids of words: the summary, one grid per layer, stages, kernels and buffers, compile
//! time, accuracy. Terminal, Markdown and HTML draw the same ones; a section without data does not appear.

use super::Row;
use super::layers::{self, Layer, Verdict};
use super::units::{ABSENT, bytes, clean, error, or_absent, rate, ratio, time};

/// A heading with sentences and a grid.
pub(super) struct Section {
    pub title: String,
    /// What stands above the grid.
    pub intro: Vec<String>,
    pub grid: Grid,
    /// What stands below it.
    pub remarks: Vec<String>,
}

/// How a cell wants to be seen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    /// The planner's choice.
    Chosen,
    Alert,
}

#[derive(Clone)]
pub(super) struct Cell {
    pub text: String,
    pub tone: Tone,
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Cell {
        Cell { text: clean(&text.into()), tone: Tone::Plain }
    }
}

impl Cell {
    pub(super) fn alert(text: &str) -> Cell {
        Cell { tone: Tone::Alert, ..text.into() }
    }

    fn chosen_if(text: String, chosen: bool) -> Cell {
        Cell { tone: if chosen { Tone::Chosen } else { Tone::Plain }, ..text.into() }
    }

    fn of<T>(x: Option<T>, show: fn(T) -> String) -> Cell {
        or_absent(x, show).into()
    }
}

#[derive(Clone, Copy)]
pub(super) struct Column {
    pub head: &'static str,
    /// Numbers stand right, words left.
    pub numeric: bool,
}

pub(super) const fn words(head: &'static str) -> Column {
    Column { head, numeric: false }
}

pub(super) const fn number(head: &'static str) -> Column {
    Column { head, numeric: true }
}

#[derive(Clone)]
pub(super) struct Grid {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Cell>>,
}

impl Grid {
    /// The columns in which at least one row has something to say.
    pub(super) fn without_empty_columns(&self) -> Grid {
        let has_data = |i: &usize| !self.columns[*i].numeric || self.rows.iter().any(|row| row[*i].text != ABSENT);
        let kept: Vec<usize> = (0..self.columns.len()).filter(has_data).collect();
        let pick = |row: &Vec<Cell>| kept.iter().map(|&i| row[i].clone()).collect();
        Grid { columns: kept.iter().map(|&i| self.columns[i]).collect(), rows: self.rows.iter().map(pick).collect() }
    }
}

/// A column, and what stands in it.
type Of<T> = (Column, fn(&Layer<'_>, &T) -> Cell);

fn grid<'a, T: 'a>(of: &[Of<T>], items: impl IntoIterator<Item = (&'a Layer<'a>, &'a T)>) -> Grid {
    let row = |(layer, item)| of.iter().map(|(_, cell)| cell(layer, item)).collect();
    Grid { columns: of.iter().map(|(column, _)| *column).collect(), rows: items.into_iter().map(row).collect() }
}

const LAYER: [Of<Row>; 12] = [
    (words("device"), |_, row| row.device.name().into()),
    (words("algorithm"), |layer, row| Cell::chosen_if(layer.label(row), row.chosen)),
    (words("type"), |_, row| row.dtype.as_str().into()),
    (number("time"), |_, row| if row.refused() { "refused".into() } else { Cell::of(row.time_ms, time) }),
    (number("min"), |_, row| Cell::of(row.time_ms_min, time)),
    (number("eff. rate"), |_, row| Cell::of(row.tflops_effective, rate)),
    (number("x CPU"), |layer, row| Cell::of(layer.over_cpu(row), ratio)),
    (number("workspace"), |_, row| Cell::of(row.workspace_bytes, bytes)),
    (number("rel L2"), |_, row| Cell::of(row.rel_l2_error, error)),
    (number("/ f32 sum"), |_, row| Cell::of(layers::direct_ratios(row)[0], ratio)),
    (number("ReLU / f32 sum"), |_, row| Cell::of(layers::direct_ratios(row)[1], ratio)),
    (words("verified"), |_, row| match row.verified {
        _ if row.refused() => ABSENT.into(),
        true => "yes".into(),
        false => Cell::alert("NO"),
    }),
];

/// One layer: every row with its numbers, refused ones named below.
pub(super) fn layer(layer: &Layer<'_>) -> Section {
    let remark = |row: &&Row| {
        let remarks = layers::remarks(row).join("; ");
        (!remarks.is_empty()).then(|| format!("{} {}: {remarks}", row.device.name(), layer.full_label(row)))
    };
    let best = layer.rows.iter().filter_map(|row| row.winning_time()).reduce(f64::min);
    let peer = |(name, ms): (String, f64)| {
        let over = best.map(|best| format!(" ({} our best time)", ratio(ms / best)));
        format!("{name} {}{}", time(ms), over.unwrap_or_default())
    };
    let peers: Vec<String> = layer.peers().into_iter().map(peer).collect();
    let mut remarks: Vec<String> = layer.rows.iter().filter_map(remark).collect();
    remarks.extend((!peers.is_empty()).then(|| format!("Others on this layer: {}.", peers.join("; "))));
    let grid = grid(&LAYER, layer.rows.iter().map(|row| (layer, *row)));
    Section { title: layer.name(), intro: vec![layer.shape()], grid, remarks }
}

/// Best and chosen of every layer and device.
pub(super) fn summary(layers: &[Layer<'_>]) -> Section {
    let columns: [Of<Verdict<'_>>; 10] = [
        (words("layer"), |layer, _| layer.name().into()),
        (words("device"), |_, verdict| verdict.device.name().into()),
        (words("type"), |_, verdict| verdict.dtype.into()),
        (words("best"), |layer, verdict| {
            verdict.best.map_or_else(|| Cell::alert("none verified"), |row| layer.label(row).into())
        }),
        (number("time"), |_, verdict| Cell::of(verdict.best.and_then(|row| row.time_ms), time)),
        (number("eff. rate"), |_, verdict| Cell::of(verdict.best.and_then(|row| row.tflops_effective), rate)),
        (number("x CPU"), |layer, verdict| Cell::of(verdict.best.and_then(|row| layer.over_cpu(row)), ratio)),
        (words("chosen"), |layer, verdict| or_absent(verdict.chosen, |row| layer.label(row)).into()),
        (number("time"), |_, verdict| Cell::of(verdict.chosen.and_then(|row| row.time_ms), time)),
        (number("chosen / best"), |_, verdict| Cell::of(verdict.chosen_over_best(), ratio)),
    ];
    let verdicts: Vec<_> = layers.iter().map(|layer| (layer, layer.verdicts())).collect();
    let items = verdicts.iter().flat_map(|(layer, all)| all.iter().map(|verdict| (*layer, verdict)));
    Section {
        title: "Summary".into(),
        intro: [layers::planner_quality(layers), layers::planner_accuracy(layers)].concat(),
        grid: grid(&columns, items),
        remarks: vec![LEGEND.into()],
    }
}

/// Explains the columns, once.
pub(super) const LEGEND: &str = "Time is the median of one run. The effective rate counts direct convolution's operations. \
    Cold and warm are the first and the second compilation in this process (a driver's cache on disk may help both: switch it off to know). x CPU is how many times faster than the layer's fastest verified CPU row. / expected is the measured relative L2 \
    error over the predicted one, / f32 sum over that of a sequential direct sum in f32 on the same data, normal or as a ReLU \
    leaves it. Verified are both. Stages are timed apart and need not add up to the time.";

const WHO: [Of<Row>; 3] = [
    (words("layer"), |layer, _| layer.name().into()),
    (words("device"), |_, row| row.device.name().into()),
    (words("algorithm"), |layer, row| Cell::chosen_if(layer.full_label(row), row.chosen)),
];

const STAGES: [Of<Row>; 2] = [
    (number("sum"), |_, row| Cell::of((!row.stage_ms.is_empty()).then(|| row.stage_ms.values().sum()), time)),
    // One cell: rows of different algorithms share no stages, so columns would mostly be empty.
    (words("stages"), |_, row| {
        let mut stages: Vec<(&String, &f64)> = row.stage_ms.iter().collect();
        stages.sort_by(|a, b| b.1.total_cmp(a.1));
        let words = stages.iter().map(|(name, ms)| format!("{} {}", name.replace('_', " "), time(**ms)));
        words.collect::<Vec<_>>().join(", ").into()
    }),
];

const KERNELS: [Of<Row>; 4] = [
    (number("kernels"), |_, row| Cell::of((!row.kernels.is_empty()).then_some(row.kernels.len()), |n| n.to_string())),
    (words("in order"), |_, row| row.kernels.join(", ").into()),
    (number("workspace"), |_, row| Cell::of(row.workspace_bytes, bytes)),
    (number("packed weights"), |_, row| Cell::of(row.packed_bytes, bytes)),
];

const COMPILE: [Of<Row>; 2] = [
    (number("cold"), |_, row| Cell::of(row.compile_cold_ms, time)),
    (number("warm"), |_, row| Cell::of(row.compile_warm_ms, time)),
];

const ACCURACY: [Of<Row>; 10] = [
    (number("rel L2"), |_, row| Cell::of(row.rel_l2_error, error)),
    (number("expected"), |_, row| Cell::of(row.rel_l2_error.and(row.expected_error), error)),
    (number("rel L2 / expected"), |_, row| Cell::of(layers::error_ratio(row), ratio)),
    (number("f32 sum"), |_, row| Cell::of(row.direct_error, error)),
    (number("rel L2 / f32 sum"), |_, row| Cell::of(layers::direct_ratios(row)[0], ratio)),
    (number("ReLU L2"), |_, row| Cell::of(row.relu_rel_l2_error, error)),
    (number("ReLU f32 sum"), |_, row| Cell::of(row.relu_direct_error, error)),
    (number("ReLU L2 / f32 sum"), |_, row| Cell::of(layers::direct_ratios(row)[1], ratio)),
    (number("max abs"), |_, row| Cell::of(row.max_abs_error, error)),
    (number("bound"), |_, row| Cell::of(row.error_bound, error)),
];

/// The details that stand behind the layers' grids, each with the rows that have a number in it.
pub(super) fn details(layers: &[Layer<'_>]) -> Vec<Section> {
    let all: [(&str, &str, &[Of<Row>]); 4] = [
        ("Stages", "Each stage timed apart, in the order of the time it took.", &STAGES),
        ("Kernels and buffers", "What a run dispatches, and the memory it needs beside input and output.", &KERNELS),
        ("Compile time", "All kernels of a plan: the driver's cache empty (cold) and filled (warm).", &COMPILE),
        (
            "Accuracy",
            "Against the f64 direct reference; the bound is rigorous, the expectation statistical. f32 sum: what a sequential \
             direct sum in f32 has on the same data. ReLU: the same where the input is max(0, x) of the normal data x.",
            &ACCURACY,
        ),
    ];
    let rows = || layers.iter().flat_map(|layer| layer.rows.iter().map(move |row| (layer, *row)));
    let sections = all.into_iter().map(|(title, intro, of)| {
        let mut grid = grid(&[&WHO, of].concat(), rows());
        let numeric: Vec<usize> = (0..grid.columns.len()).filter(|&i| grid.columns[i].numeric).collect();
        grid.rows.retain(|row| numeric.iter().any(|&i| row[i].text != ABSENT));
        Section { title: title.into(), intro: vec![intro.into()], grid, remarks: Vec::new() }
    });
    sections.filter(|section| !section.grid.rows.is_empty()).collect()
}
