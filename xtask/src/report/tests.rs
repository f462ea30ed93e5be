//! What must hold of every report: it survives its file, it names what was refused, and no name or number in it can
//! break JSON, Markdown, HTML or SVG.

use super::compare::compare;
use super::history::History;
use super::*;

fn row(device: Device, algorithm: &str, time_ms: Option<f64>) -> Row {
    Row {
        suite: "suite".into(),
        layer: "layer".into(),
        dtype: "f32".into(),
        algorithm: algorithm.into(),
        device,
        time_ms,
        verified: time_ms.is_some(),
        tflops_effective: time_ms.map(|t| 10.0 / t),
        rel_l2_error: time_ms.map(|_| 2e-7),
        expected_error: time_ms.map(|_| 1e-7),
        direct_error: time_ms.map(|_| 4e-7),
        relu_rel_l2_error: time_ms.map(|_| 3e-7),
        relu_direct_error: time_ms.map(|_| 4e-7),
        stage_ms: time_ms.map(|t| ("multiply".to_owned(), t)).into_iter().collect(),
        kernels: vec!["kernel_a".into(), "kernel_b".into()],
        compile_cold_ms: Some(100.0),
        n: 1,
        c: 64,
        k: 64,
        h: 32,
        w: 32,
        r: 3,
        stride: 1,
        ..Row::default()
    }
}

fn report() -> Report {
    let mut rows = vec![
        row(Device::Gpu, "fused F(4,3)", Some(2.0)),
        row(Device::Gpu, "direct", Some(4.0)),
        row(Device::Gpu, "broken", Some(0.5)),
        row(Device::Gpu, "inlined F(4,3)", None),
        row(Device::Cpu, "im2col", Some(50.0)),
    ];
    rows[1].chosen = true;
    rows[2].verified = false;
    rows[3].note = Some("explodes".into());
    rows[0].peers.insert("cuDNN".into(), 3.0);
    let adapter = Adapter { name: "Card".into(), backend: "Vulkan".into(), ..Adapter::default() };
    Report {
        adapter: Some(adapter),
        host: Host::here("0.1.0", "2026-01-01T00:00:00Z"),
        rows,
        notes: vec!["a note".into()],
    }
}

/// Names that break whatever is not escaped.
fn hostile() -> Report {
    let mut report = report();
    for row in &mut report.rows {
        row.layer = "a|b <script>alert('x')</script> & \"q\"\u{1b}[31m\n| c".into();
        row.algorithm.push_str(" <b>|]]>");
        row.stage_ms.insert("<stage> & |".into(), 1.0);
        row.note = Some("note | <img src=x>".into());
        row.peers.insert("<peer>".into(), 1.0);
    }
    report
}

fn markdown_of(report: &Report) -> String {
    markdown::render(report, &plot::figures(report).unwrap())
}

#[test]
fn json_survives_a_round_trip() {
    let text = report().to_json().unwrap();
    assert!(text.ends_with("}\n") && text.contains("\"device\": \"gpu\"") && text.contains("\"device\": \"cpu\""));
    assert_eq!(Report::from_json(&text).unwrap(), report());
}

#[test]
fn json_may_miss_what_may_be_absent() {
    let text = r#"{"rows": [{"suite": "s", "layer": "l", "n": 1, "c": 2, "k": 3, "h": 4, "w": 5, "r": 3, "dtype": "f32",
        "algorithm": "direct", "device": "cpu", "stage_ms": {"multiply": null, "input": 1.5}, "from_the_future": 1}]}"#;
    let report = Report::from_json(text).unwrap();
    let row = &report.rows[0];
    assert!(row.refused() && row.stride == 1 && row.stage_ms.len() == 1 && row.device == Device::Cpu);
    assert!(Report::from_json(r#"{"rows": [{"suite": "s"}]}"#).is_err(), "a row needs its shape");
}

#[test]
fn no_nan_reaches_the_file_and_none_is_lost_in_silence() {
    let mut report = report();
    report.rows[0].rel_l2_error = Some(f64::NAN);
    report.rows[0].stage_ms.insert("multiply".into(), f64::INFINITY);
    report.rows[0].peers.insert("cuDNN".into(), f64::NEG_INFINITY);
    let text = report.to_json().unwrap();
    let back = Report::from_json(&text).unwrap();
    assert_eq!((back.rows[0].rel_l2_error, back.rows[0].stage_ms.len(), back.rows[0].peers.len()), (None, 0, 0));
    let note = back.rows[0].note.as_deref().unwrap();
    for lost in ["rel_l2_error was NaN", "stage_ms.multiply was inf", "peers.cuDNN was -inf"] {
        assert!(note.contains(lost), "{note}");
    }
    // The other writers take such a report as it is.
    assert!(table::render(&report, 160).contains("NaN"));
    assert!(!plot::figures(&report).unwrap().is_empty());
}

#[test]
fn markdown_has_its_parts_in_order() {
    let text = markdown_of(&report());
    let parts = [
        "# winoconv benchmark",
        "**Adapter**: Card",
        "## Summary",
        "## Notes",
        "## Figures",
        "![Time per algorithm](time.svg)",
        "## Layers",
        "### suite layer",
        "N=1 C=64 K=64, 32x32, 3x3",
        "| GPU | **direct** |",
        "## Stages",
        "## Kernels and buffers",
        "| 2 | kernel_a, kernel_b |",
        "## Compile time",
        "## Accuracy",
    ];
    let mut from = 0;
    for part in parts {
        from += text[from..].find(part).unwrap_or_else(|| panic!("{part} is missing or out of place in\n{text}"));
    }
    // Best is the fastest verified row, 25 times ahead of the CPU; the chosen one takes twice as long.
    let summary =
        "| suite layer | GPU | f32 | fused F(4,3) | 2.00 ms | 5.00 TFLOP/s | 25.0x | direct | 4.00 ms | 2.00x |";
    assert!(text.contains(summary), "{text}");
    assert!(!text.contains("SOFTWARE"));
}

#[test]
fn every_markdown_table_has_as_many_cells_in_each_line() {
    for report in [report(), hostile()] {
        let text = markdown_of(&report).replace("\\|", "");
        let mut columns = None;
        for line in text.lines() {
            let bars = line.matches('|').count();
            let expected = *columns.get_or_insert(bars);
            if line.starts_with('|') && expected > 0 {
                assert_eq!(bars, expected, "{line}");
            }
            columns = line.starts_with('|').then_some(bars);
        }
    }
}

#[test]
fn refused_and_unverified_rows_are_told() {
    let report = report();
    let figures = plot::figures(&report).unwrap();
    for text in [table::render(&report, 140), markdown_of(&report), html::render(&report, &figures)] {
        assert!(text.contains("refused: explodes"), "{text}");
        assert!(text.contains("GPU broken: NOT VERIFIED"), "{text}");
        assert!(text.contains("cuDNN 3.00 ms (1.50x our best time)"), "{text}");
    }
    assert!(figures[0].svg.contains("refused") && figures[0].svg.contains("NOT VERIFIED"));
}

#[test]
fn a_software_adapter_is_named_in_plain_words() {
    let mut report = report();
    report.adapter.as_mut().unwrap().software = true;
    assert!(markdown_of(&report).contains("- **SOFTWARE**: this adapter is a program on the CPU"));
    assert!(table::render(&report, 100).contains("SOFTWARE this adapter is a program on the CPU"));
}

#[test]
fn errors_stand_over_a_sequential_sums_on_both_kinds_of_data() {
    let mut report = report();
    report.rows[0].relu_rel_l2_error = Some(1.2e-6); // not chosen: three times, and not in the summary
    let mut other = report.rows[1].clone();
    other.layer = "worse".into();
    other.relu_rel_l2_error = Some(7.2e-7);
    report.rows.push(other);
    let text = markdown_of(&report);
    assert!(
        text.contains(
            "GPU: at worst the planner's choice has 0.500x on normal data (suite worse), 1.80x on data after a ReLU \
             (suite worse) the error of a sequential f32 sum."
        ),
        "{text}"
    );
    assert!(text.contains("| / f32 sum | ReLU / f32 sum |") && text.contains("| 0.500x | 3.00x |"), "{text}");
}

#[test]
fn a_choice_without_another_row_is_not_called_the_best() {
    let mut report = report();
    assert!(markdown_of(&report).contains("the planner chose the best in 0 of 1 cases"));
    report.rows.retain(|row| row.chosen);
    assert!(!markdown_of(&report).contains("the planner chose the best"));
}

#[test]
fn names_are_escaped() {
    let report = hostile();
    let figures = plot::figures(&report).unwrap();
    let page = html::render(&report, &figures);
    assert!(
        page.contains("&lt;script&gt;") && !page.contains("<script") && !page.contains("<img") && !page.contains("<b>")
    );
    let text = markdown_of(&report);
    assert!(text.contains("a\\|b &lt;script&gt;") && !text.contains("<script") && !text.contains("<img"));
    assert!(!table::render(&report, 120).contains('\u{1b}'));
}

#[test]
fn figures_are_well_formed_and_hold_every_row() {
    for report in [report(), hostile()] {
        let figures = plot::figures(&report).unwrap();
        assert_eq!(figures.iter().map(|f| f.file).collect::<Vec<_>>(), ["time.svg", "stages.svg", "errors.svg"]);
        for figure in &figures {
            let document = roxmltree::Document::parse(&figure.svg).unwrap_or_else(|e| panic!("{}: {e}", figure.file));
            assert_eq!(document.root_element().tag_name().name(), "svg");
        }
        let document = roxmltree::Document::parse(&figures[0].svg).unwrap();
        let words: Vec<&str> = document.descendants().filter_map(|node| node.text()).map(str::trim).collect();
        for name in ["GPU fused F(4,3)", "* GPU direct", "GPU inlined F(4,3)", "CPU im2col"] {
            assert!(words.iter().any(|word| word.starts_with(name)), "{name} in {words:?}");
        }
    }
}

#[test]
fn a_report_without_rows_is_still_a_report() {
    let empty = Report::default();
    assert!(plot::figures(&empty).unwrap().is_empty());
    assert!(markdown_of(&empty).contains("only the CPU was measured"));
    assert!(table::render(&empty, 80).contains("Adapter"));
    assert_eq!(compare(&empty, &empty).geometric_mean, None);
}

#[test]
fn no_line_of_the_table_is_wider_than_the_terminal() {
    for width in [100, 120, 160] {
        let text = table::render(&report(), width);
        for line in text.lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
        assert!(text.contains("rel L2") && text.contains("x CPU") && text.contains("verified"), "{text}");
    }
}

#[test]
fn comparison_matches_rows_and_takes_the_geometric_mean() {
    let old = report();
    let mut new = report();
    new.rows[0].time_ms = Some(1.0); // half
    new.rows[1].time_ms = Some(32.0); // eightfold
    new.rows[2].points = Some("chebyshev".into()); // another row now
    new.rows[4].time_ms = None;
    new.host.cpu = "another".into();
    let comparison = compare(&old, &new);
    assert_eq!(comparison.pairs.iter().map(|p| p.ratio).collect::<Vec<_>>(), [0.5, 8.0]);
    assert!((comparison.geometric_mean.unwrap() - 2.0).abs() < 1e-12);
    assert_eq!((comparison.only_old.len(), comparison.only_new.len()), (1, 1));
    assert!(comparison.warnings[0].contains("host differs"), "{:?}", comparison.warnings);
    assert!(comparison.warnings[1].contains("no time in the new one"), "{:?}", comparison.warnings);
    let text = comparison.render(120);
    assert!(text.contains("WARNING") && text.contains("slower") && text.contains("2.00x the old"), "{text}");
    assert!(comparison.markdown().contains("| 4.00 ms | 32.0 ms | 8.00x | **slower** |"));
}

fn night(day: u32, chosen_ms: f64) -> Report {
    let mut report = report();
    report.host.date = format!("2026-01-{day:02}T03:17:00Z");
    report.host.git_revision = Some(format!("commit{day}"));
    report.rows[1].time_ms = Some(chosen_ms);
    report
}

#[test]
fn of_each_night_the_choice_is_kept_once() {
    let mut history = History::default();
    // The choice on the GPU; on the CPU, where none was made, the fastest.
    assert_eq!(history.add(&night(1, 4.0)), 2);
    assert_eq!(history.add(&night(1, 4.0)), 0, "the same report");
    // A choice whose result is not verified has no time.
    let mut wrong = night(2, 1.0);
    wrong.rows[1].verified = false;
    assert_eq!(history.add(&wrong), 1);
    let lines = history.lines().unwrap();
    assert_eq!(lines.lines().count(), 3);
    let first = lines.lines().next().unwrap();
    for part in ["2026-01-01T", "commit1", "Card (Vulkan), ", "suite layer", "\"gpu\"", "\"direct\"", "\"ms\":4.0"] {
        assert!(first.contains(part), "{part} in {first}");
    }
    let mut again = History::parse(&lines).unwrap();
    assert_eq!(again.lines().unwrap(), lines);
    assert_eq!(again.add(&night(1, 4.0)), 0, "nor from a file");
    let error = History::parse("{}").unwrap_err();
    assert!(format!("{error:#}").starts_with("line 1: "), "{error:#}");
}

#[test]
fn the_page_of_many_nights_shows_the_last_beside_those_before() {
    let mut history = History::default();
    // In the order in which they came, which need not be that of the days.
    for (day, ms) in [(3, 8.0), (1, 4.0), (2, 4.0)] {
        history.add(&night(day, ms));
    }
    let page = history.page().unwrap();
    let row = "<td>suite layer GPU f32</td><td>direct</td><td class=\"number\">8.00 ms</td><td class=\"number\">2.00x</td>\
        <td class=\"number\">4.00 ms</td><td class=\"number\">3</td><td>2026-01-03</td><td>commit3</td>";
    assert!(page.contains(row), "{page}");
    assert_eq!(page.matches("<h2>").count(), 2, "a GPU and a processor");
    let svg = &page[page.find("<svg").unwrap()..page.find("</svg>").unwrap() + 6];
    let drawn = roxmltree::Document::parse(svg).unwrap();
    assert_eq!(drawn.descendants().filter(|node| node.has_tag_name("polyline")).count(), 2, "from day to day");
    let mut history = History::default();
    history.add(&hostile());
    let page = history.page().unwrap();
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script") && !page.contains("<b>"));
    assert!(History::default().page().unwrap().contains("winoconv over time"), "one of nothing is a page");
}

#[test]
fn write_all_writes_what_it_says() {
    let dir = std::env::temp_dir().join(format!("winoconv-report-{}", std::process::id()));
    let files = write_all(&report(), &dir).unwrap();
    let names: Vec<_> = files.iter().map(|f| f.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["report.json", "report.md", "report.html", "time.svg", "stages.svg", "errors.svg"]);
    assert_eq!(Report::load(&files[0]).unwrap(), report());
    fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn units_are_readable() {
    use super::units::{bytes, error, rate, ratio, time};
    assert_eq!([time(0.9996), time(0.0421), time(1234.0), time(0.0)], ["1.00 ms", "42.1 µs", "1.23 s", "0.000 ms"]);
    assert_eq!([rate(47.44), rate(0.125), rate(0.000_2)], ["47.4 TFLOP/s", "125 GFLOP/s", "200 MFLOP/s"]);
    assert_eq!([bytes(0), bytes(1023), bytes(1 << 20), bytes(3 << 30)], ["0 B", "1023 B", "1.00 MiB", "3.00 GiB"]);
    assert_eq!([error(6.6e-7), ratio(0.004), ratio(380.2)], ["6.6e-7", "4e-3x", "380x"]);
}
