//! What the report says, in order, as grids of words: the summary, one grid per layer, stages, kernels and buffers,
//! accuracy. Terminal, Markdown and HTML draw the same ones; a section without data does not appear.

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

/// Cells that are one line each, and the columns in which at least one row has something to say.
pub(super) struct Grid {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<String>>,
}

impl Grid {
    pub(super) fn new(columns: &[Column], mut rows: Vec<Vec<String>>) -> Self {
        rows.iter_mut().flatten().for_each(|cell| *cell = clean(cell));
        let has_data = |i: &usize| !columns[*i].numeric || rows.iter().any(|row| row[*i] != ABSENT);
        let kept: Vec<usize> = (0..columns.len()).filter(has_data).collect();
        let rows = rows.iter().map(|row| kept.iter().map(|&i| row[i].clone()).collect()).collect();
        Self { columns: kept.iter().map(|&i| columns[i]).collect(), rows }
    }

    /// Which columns hold words.
    pub(super) fn words(&self) -> Vec<usize> {
        (0..self.columns.len()).filter(|&i| !self.columns[i].numeric).collect()
    }
}

/// A column, and what stands in it.
type Of<T> = (Column, fn(&Layer<'_>, &T) -> String);

fn grid<'a, T: 'a>(of: &[Of<T>], items: impl IntoIterator<Item = (&'a Layer<'a>, &'a T)>) -> Grid {
    let columns: Vec<Column> = of.iter().map(|(column, _)| *column).collect();
    let row = |(layer, item)| of.iter().map(|(_, cell)| cell(layer, item)).collect();
    Grid::new(&columns, items.into_iter().map(row).collect())
}

/// The algorithm's name, with a mark if it is the planner's choice.
fn algorithm(row: &Row) -> String {
    row.algorithm.clone() + if row.chosen { " *" } else { "" }
}

const LAYER: [Of<Row>; 11] = [
    (words("device"), |_, row| row.device.name().to_owned()),
    (words("algorithm"), |_, row| algorithm(row)),
    (number("time"), |_, row| if row.refused() { "refused".to_owned() } else { or_absent(row.time_ms, time) }),
    (number("min"), |_, row| or_absent(row.time_ms_min, time)),
    (number("eff. rate"), |_, row| or_absent(row.tflops_effective, rate)),
    (number("x CPU"), |layer, row| or_absent(layer.over_cpu(row), ratio)),
    (number("workspace"), |_, row| or_absent(row.workspace_bytes, bytes)),
    (number("rel L2"), |_, row| or_absent(row.rel_l2_error, error)),
    (number("/ f32 sum"), |_, row| or_absent(layers::direct_ratios(row)[0], ratio)),
    (number("ReLU / f32 sum"), |_, row| or_absent(layers::direct_ratios(row)[1], ratio)),
    (words("verified"), |_, row| match row.verified {
        _ if row.refused() => ABSENT.to_owned(),
        true => "yes".to_owned(),
        false => "NO".to_owned(),
    }),
];

/// One layer: every row with its numbers, refused ones named below.
pub(super) fn layer(layer: &Layer<'_>) -> Section {
    let remark = |row: &&Row| {
        let remarks = layers::remarks(row).join("; ");
        (!remarks.is_empty()).then(|| format!("{} {}: {remarks}", row.device.name(), row.algorithm))
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
    let columns: [Of<Verdict<'_>>; 9] = [
        (words("layer"), |layer, _| layer.name()),
        (words("device"), |_, verdict| verdict.device.name().to_owned()),
        (words("best"), |_, verdict| verdict.best.map_or("none verified", |row| &row.algorithm).to_owned()),
        (number("time"), |_, verdict| or_absent(verdict.best.and_then(|row| row.time_ms), time)),
        (number("eff. rate"), |_, verdict| or_absent(verdict.best.and_then(|row| row.tflops_effective), rate)),
        (number("x CPU"), |layer, verdict| or_absent(verdict.best.and_then(|row| layer.over_cpu(row)), ratio)),
        (words("chosen"), |_, verdict| or_absent(verdict.chosen, |row| row.algorithm.clone())),
        (number("time"), |_, verdict| or_absent(verdict.chosen.and_then(|row| row.time_ms), time)),
        (number("chosen / best"), |_, verdict| or_absent(verdict.chosen_over_best(), ratio)),
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
pub(super) const LEGEND: &str = "* is the planner's choice. Time is the median of one run. The effective rate counts direct \
    convolution's operations. x CPU is how many times faster than the layer's fastest verified CPU row. / expected is the \
    measured relative L2 error over the predicted one, / f32 sum over that of a sequential direct sum in f32 on the same data, \
    normal or as a ReLU leaves it. Verified are both. Stages are timed apart and need not add up to the time.";

const WHO: [Of<Row>; 3] = [
    (words("layer"), |layer, _| layer.name()),
    (words("device"), |_, row| row.device.name().to_owned()),
    (words("algorithm"), |_, row| algorithm(row)),
];

const STAGES: [Of<Row>; 2] = [
    (number("sum"), |_, row| or_absent((!row.stage_ms.is_empty()).then(|| row.stage_ms.values().sum()), time)),
    // One cell: rows of different algorithms share no stages, so columns would mostly be empty.
    (words("stages"), |_, row| {
        let mut stages: Vec<(&String, &f64)> = row.stage_ms.iter().collect();
        stages.sort_by(|a, b| b.1.total_cmp(a.1));
        let words = stages.iter().map(|(name, ms)| format!("{} {}", name.replace('_', " "), time(**ms)));
        words.collect::<Vec<_>>().join(", ")
    }),
];

const KERNELS: [Of<Row>; 4] = [
    (number("kernels"), |_, row| or_absent((!row.kernels.is_empty()).then_some(row.kernels.len()), |n| n.to_string())),
    (words("in order"), |_, row| row.kernels.join(", ")),
    (number("workspace"), |_, row| or_absent(row.workspace_bytes, bytes)),
    (number("packed weights"), |_, row| or_absent(row.packed_bytes, bytes)),
];

const ACCURACY: [Of<Row>; 10] = [
    (number("rel L2"), |_, row| or_absent(row.rel_l2_error, error)),
    (number("expected"), |_, row| or_absent(row.rel_l2_error.and(row.expected_error), error)),
    (number("rel L2 / expected"), |_, row| or_absent(layers::error_ratio(row), ratio)),
    (number("f32 sum"), |_, row| or_absent(row.direct_error, error)),
    (number("rel L2 / f32 sum"), |_, row| or_absent(layers::direct_ratios(row)[0], ratio)),
    (number("ReLU L2"), |_, row| or_absent(row.relu_rel_l2_error, error)),
    (number("ReLU f32 sum"), |_, row| or_absent(row.relu_direct_error, error)),
    (number("ReLU L2 / f32 sum"), |_, row| or_absent(layers::direct_ratios(row)[1], ratio)),
    (number("max abs"), |_, row| or_absent(row.max_abs_error, error)),
    (number("bound"), |_, row| or_absent(row.error_bound, error)),
];

/// The details that stand behind the layers' grids, each with the rows that have a number in it.
pub(super) fn details(layers: &[Layer<'_>]) -> Vec<Section> {
    let all: [(&str, &str, &[Of<Row>]); 3] = [
        ("Stages", "Each stage timed apart, in the order of the time it took.", &STAGES),
        ("Kernels and buffers", "What a run dispatches, and the memory it needs beside input and output.", &KERNELS),
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
        let words = grid.words();
        grid.rows.retain(|row| row.iter().enumerate().any(|(i, cell)| !words.contains(&i) && cell != ABSENT));
        Section { title: title.into(), intro: vec![intro.into()], grid, remarks: Vec::new() }
    });
    sections.filter(|section| !section.grid.rows.is_empty()).collect()
}
