//! What the report says, in order, as grids and sentences: the summary, one grid per layer, stages, kernels and
//! buffers, compile time, accuracy. A section without data does not appear.

use std::collections::BTreeSet;

use super::Row;
use super::grid::{Cell, Column, Grid, Tone};
use super::layers::{self, Layer};
use super::units::{self, ABSENT, clean, or_absent};

/// A heading with sentences and a grid.
pub(super) struct Section {
    pub title: String,
    /// What stands above the grid.
    pub intro: Vec<String>,
    pub grid: Grid,
    /// What stands below the grid: remarks on its rows.
    pub remarks: Vec<String>,
}

const LAYER_COLUMNS: [Column; 17] = [
    Column::words("device"),
    Column::words("algorithm"),
    Column { head: "type", numeric: false, dispensable: 1 },
    Column::number("time", 0),
    Column::number("min", 9),
    Column::number("eff. rate", 0),
    Column::number("x CPU", 0),
    Column::number("multiply", 6),
    Column::number("cold", 4),
    Column::number("warm", 8),
    Column::number("workspace", 3),
    Column::number("rel L2", 0),
    Column::number("/ expected", 7),
    Column::number("/ f32 sum", 2),
    Column::number("ReLU / f32 sum", 2),
    Column::number("max abs", 7),
    Column::words("verified"),
];

fn layer_cells(layer: &Layer<'_>, row: &Row) -> Vec<Cell> {
    let time = |ms: Option<f64>| or_absent(ms, units::time).into();
    let error = |e: Option<f64>| or_absent(e, units::error).into();
    let [on_normal, after_relu] = layers::direct_ratios(row);
    vec![
        row.device.name().into(),
        Cell::toned(layer.label(row), if row.chosen { Tone::Chosen } else { Tone::Plain }),
        clean(&row.dtype).into(),
        if row.refused() { "refused".into() } else { time(row.time_ms) },
        time(row.time_ms_min),
        or_absent(row.tflops_effective, units::rate).into(),
        or_absent(layer.over_cpu(row), units::ratio).into(),
        time(layers::multiply_ms(row)),
        time(row.compile_cold_ms),
        time(row.compile_warm_ms),
        or_absent(row.workspace_bytes, units::bytes).into(),
        error(row.rel_l2_error),
        or_absent(layers::error_ratio(row), units::ratio).into(),
        or_absent(on_normal, units::ratio).into(),
        or_absent(after_relu, units::ratio).into(),
        error(row.max_abs_error),
        match row {
            row if row.refused() => ABSENT.into(),
            row if row.verified => "yes".into(),
            _ => Cell::toned("NO", Tone::Alert),
        },
    ]
}

/// One layer: every row with its numbers, refused ones named below.
pub(super) fn layer(layer: &Layer<'_>) -> Section {
    let remark = |row: &&Row| {
        let remarks = layers::remarks(row);
        let who = format!("{} {}", row.device.name(), layer.label_with_type(row));
        (!remarks.is_empty()).then(|| format!("{who}: {}", remarks.join("; ")))
    };
    let best = layer.rows.iter().filter_map(|row| row.winning_time()).reduce(f64::min);
    let peer = |(name, ms): (String, f64)| {
        let over = best.map(|best| format!(" ({} our best time)", units::ratio(ms / best)));
        format!("{name} {}{}", units::time(ms), over.unwrap_or_default())
    };
    let peers: Vec<String> = layer.peers().into_iter().map(peer).collect();
    let mut remarks: Vec<String> = layer.rows.iter().filter_map(remark).collect();
    if !peers.is_empty() {
        remarks.push(format!("Others on this layer: {}.", peers.join("; ")));
    }
    Section {
        title: layer.name(),
        intro: vec![layer.shape()],
        grid: Grid {
            columns: LAYER_COLUMNS.to_vec(),
            rows: layer.rows.iter().map(|row| layer_cells(layer, row)).collect(),
        },
        remarks,
    }
}

/// Best and chosen of every layer and device.
pub(super) fn summary(layers: &[Layer<'_>]) -> Section {
    let mut rows = Vec::new();
    for layer in layers {
        for verdict in layer.verdicts() {
            let name = |row: Option<&Row>| or_absent(row, |row| layer.label(row));
            let time = |row: Option<&Row>| or_absent(row.and_then(|row| row.time_ms), units::time).into();
            let over_best = verdict.chosen_over_best();
            rows.push(vec![
                layer.name().into(),
                verdict.device.name().into(),
                clean(verdict.dtype).into(),
                match verdict.best {
                    Some(row) => layer.label(row).into(),
                    None => Cell::toned("none verified", Tone::Alert),
                },
                time(verdict.best),
                or_absent(verdict.best.and_then(|row| row.tflops_effective), units::rate).into(),
                or_absent(verdict.best.and_then(|row| layer.over_cpu(row)), units::ratio).into(),
                name(verdict.chosen).into(),
                time(verdict.chosen),
                or_absent(over_best, units::ratio).into(),
            ]);
        }
    }
    let columns = vec![
        Column::words("layer"),
        Column::words("device"),
        Column::words("type"),
        Column::words("best"),
        Column::number("time", 0),
        Column::number("eff. rate", 2),
        Column::number("x CPU", 0),
        Column::words("chosen"),
        Column::number("time", 3),
        Column::number("chosen / best", 0),
    ];
    Section {
        title: "Summary".into(),
        intro: [layers::planner_quality(layers), layers::planner_accuracy(layers)].concat(),
        grid: Grid { columns, rows },
        remarks: vec![LEGEND.into()],
    }
}

/// Explains the columns, once.
pub(super) const LEGEND: &str = "Time is the median of one run. The effective rate counts direct convolution's operations. \
    Cold and warm are the first and the second compilation in this process (a driver's cache on disk may help both: switch it off to know). x CPU is how many times faster than the layer's fastest verified CPU row. / expected is the measured relative L2 \
    error over the predicted one, / f32 sum over that of a sequential direct sum in f32 on the same data, normal or as a ReLU \
    leaves it. Verified are both. Stages are timed apart and need not add up to the time.";

/// A grid over all rows that have something to say in it; `None` where none has.
fn detail(
    layers: &[Layer<'_>],
    (title, intro): (&str, &str),
    columns: impl IntoIterator<Item = Column>,
    cells: impl Fn(&Row) -> Option<Vec<Cell>>,
) -> Option<Section> {
    let mut heads = vec![Column::words("layer"), Column::words("device"), Column::words("algorithm")];
    heads.extend(columns);
    let mut rows = Vec::new();
    for layer in layers {
        for row in &layer.rows {
            let tone = if row.chosen { Tone::Chosen } else { Tone::Plain };
            let algorithm = Cell::toned(layer.label_with_type(row), tone);
            let who = [layer.name().into(), row.device.name().into(), algorithm];
            rows.extend(cells(row).map(|cells| who.into_iter().chain(cells).collect()));
        }
    }
    let grid = Grid { columns: heads, rows }.without_empty_columns();
    let section = Section { title: title.into(), intro: vec![intro.into()], grid, remarks: Vec::new() };
    (!section.grid.rows.is_empty()).then_some(section)
}

/// The details that stand behind the layers' grids, as far as the report has them.
pub(super) fn details(layers: &[Layer<'_>]) -> Vec<Section> {
    let time = |ms: Option<f64>| or_absent(ms, units::time).into();
    let kernels = detail(
        layers,
        ("Kernels and buffers", "What a run dispatches, and the memory it needs beside input and output."),
        [
            Column::number("kernels", 0),
            Column::words("in order"),
            Column::number("workspace", 0),
            Column::number("packed weights", 0),
        ],
        |row| {
            (!row.kernels.is_empty()).then(|| {
                vec![
                    row.kernels.len().to_string().into(),
                    clean(&row.kernels.join(", ")).into(),
                    or_absent(row.workspace_bytes, units::bytes).into(),
                    or_absent(row.packed_bytes, units::bytes).into(),
                ]
            })
        },
    );
    let compile = detail(
        layers,
        ("Compile time", "All kernels of a plan: the driver's cache empty (cold) and filled (warm)."),
        [Column::number("cold", 0), Column::number("warm", 0)],
        |row| {
            row.compile_cold_ms.or(row.compile_warm_ms)?;
            Some(vec![time(row.compile_cold_ms), time(row.compile_warm_ms)])
        },
    );
    let accuracy = detail(
        layers,
        (
            "Accuracy",
            "Against the f64 direct reference; the bound is rigorous, the expectation statistical. f32 sum: what a sequential \
             direct sum in f32 has on the same data. ReLU: the same where the input is max(0, x) of the normal data x.",
        ),
        [
            "rel L2",
            "expected",
            "rel L2 / expected",
            "f32 sum",
            "rel L2 / f32 sum",
            "ReLU L2",
            "ReLU f32 sum",
            "ReLU L2 / f32 sum",
            "max abs",
            "bound",
        ]
        .map(|head| Column::number(head, 0)),
        |row| {
            row.rel_l2_error.or(row.max_abs_error)?;
            let error = |e: Option<f64>| or_absent(e, units::error).into();
            let [on_normal, after_relu] = layers::direct_ratios(row);
            Some(vec![
                error(row.rel_l2_error),
                error(row.expected_error),
                or_absent(layers::error_ratio(row), units::ratio).into(),
                error(row.direct_error),
                or_absent(on_normal, units::ratio).into(),
                error(row.relu_rel_l2_error),
                error(row.relu_direct_error),
                or_absent(after_relu, units::ratio).into(),
                error(row.max_abs_error),
                error(row.error_bound),
            ])
        },
    );
    [stages(layers), kernels, compile, accuracy].into_iter().flatten().collect()
}

/// One line per row and stage: rows of different algorithms share no stages, so columns would mostly be empty.
fn stages(layers: &[Layer<'_>]) -> Option<Section> {
    let names: BTreeSet<&String> = layers.iter().flat_map(|l| &l.rows).flat_map(|row| row.stage_ms.keys()).collect();
    let intro = format!("Each stage timed apart, in the order of the time it took ({} kinds in all).", names.len());
    detail(layers, ("Stages", &intro), [Column::number("sum", 0), Column::words("stages")], |row| {
        let mut stages: Vec<(&String, &f64)> = row.stage_ms.iter().collect();
        stages.sort_by(|a, b| b.1.total_cmp(a.1));
        let sum: f64 = row.stage_ms.values().sum();
        let words = stages.iter().map(|(name, ms)| format!("{} {}", clean(name).replace('_', " "), units::time(**ms)));
        (!stages.is_empty()).then(|| vec![units::time(sum).into(), words.collect::<Vec<_>>().join(", ").into()])
    })
}
