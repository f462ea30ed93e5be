//! What must hold of every report: it survives its file, it names what was refused, and no name or number in it can
//! break JSON, Markdown, HTML or SVG.

use super::compare::compare;
use super::history::History;
use super::{Device, Report, Row, html, markdown, table, write_all};
use crate::files::{read_json, to_json};

/// A GPU's rows, one of which is chosen, one wrong and one refused, and a CPU's.
fn report() -> Report {
    serde_json::from_str(include_str!("fixture.json")).unwrap()
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

/// The report in each of its forms.
fn all_forms(report: &Report) -> [String; 3] {
    let text = markdown::render(report);
    let page = html::render("title", &text);
    [text, page, table::render(report)]
}

#[test]
fn a_report_survives_its_files() {
    let dir = tempfile::tempdir().unwrap();
    write_all(&report(), dir.path()).unwrap();
    for name in ["report.md", "report.html"] {
        assert!(dir.path().join(name).is_file(), "{name}");
    }
    assert_eq!(read_json::<Report>(&dir.path().join("report.json")).unwrap(), report());
    assert!(to_json(&report()).unwrap().contains("\"device\": \"gpu\""));
    let text = r#"{"rows": [{"suite": "s", "layer": "l", "n": 1, "device": "cpu", "stage_ms": {"multiply": null, "input": 1.5},
        "from_the_future": 1}]}"#;
    let row = &serde_json::from_str::<Report>(text).unwrap().rows[0];
    assert!(row.refused() && row.stage_ms.len() == 1 && row.device == Device::Cpu);
}

#[test]
fn a_nan_breaks_no_form() {
    let mut report = report();
    report.rows[0].rel_l2_error = Some(f64::NAN);
    report.rows[0].stage_ms.insert("multiply".into(), f64::INFINITY);
    let back: Report = serde_json::from_str(&to_json(&report).unwrap()).unwrap();
    assert_eq!((back.rows[0].rel_l2_error, back.rows[0].stage_ms.len()), (None, 0));
    assert!(all_forms(&report).iter().all(|text| text.contains("NaN")));
}

#[test]
fn markdown_has_its_parts_in_order() {
    let [text, ..] = all_forms(&report());
    let parts = [
        "# winoconv benchmark",
        "**Adapter**: Card",
        "## Summary",
        // Best is the fastest verified row, 25 times ahead of the CPU; the chosen one takes twice as long.
        "| suite layer | GPU | fused F(4,3) | 2.00 ms | 5.00 TFLOP/s | 25.0x | direct | 4.00 ms | 2.00x |",
        "## Notes",
        "## Layers",
        "### suite layer",
        "N=1 C=64 K=64, 32x32, 3x3",
        "| GPU | direct \\* |",
        "## Stages",
        "## Kernels and buffers",
        "| 2 | kernel_a, kernel_b |",
        "## Accuracy",
    ];
    let mut from = 0;
    for part in parts {
        from += text[from..].find(part).unwrap_or_else(|| panic!("{part} is missing or out of place in\n{text}"));
    }
}

#[test]
fn what_a_reader_must_know_is_told() {
    let mut report = report();
    report.adapter.as_mut().unwrap().software = true;
    for text in all_forms(&report) {
        for words in
            ["refused: explodes", "GPU broken: NOT VERIFIED", "cuDNN 3.00 ms (1.50x our best time)", "SOFTWARE"]
        {
            assert!(text.contains(words), "{words} in {text}");
        }
        assert!(text.contains("the planner chose the best in 0 of 1 cases"), "{text}");
    }
    report.rows.retain(|row| row.chosen);
    assert!(!all_forms(&report)[0].contains("the planner chose the best"), "nothing else was measured");
}

#[test]
fn errors_stand_over_a_sequential_sums_on_both_kinds_of_data() {
    let mut report = report();
    report.rows[0].relu_rel_l2_error = Some(1.2e-6); // not chosen: three times, and not in the summary
    let worse = Row { layer: "worse".into(), relu_rel_l2_error: Some(7.2e-7), ..report.rows[1].clone() };
    report.rows.push(worse);
    let [text, ..] = all_forms(&report);
    let worst = "GPU: at worst the planner's choice has 0.500x on normal data (suite worse), 1.80x on data after a ReLU \
                 (suite worse) the error of a sequential f32 sum.";
    assert!(text.contains(worst) && text.contains("| 0.500x | 3.00x |"), "{text}");
}

#[test]
fn names_are_escaped() {
    let [text, page, words] = all_forms(&hostile());
    for page in [&text, &page] {
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script") && !page.contains("<img"), "{page}");
    }
    assert!(text.contains("a\\|b ") && !words.contains('\u{1b}'));
    let mut columns = None;
    for line in text.replace("\\|", "").lines() {
        let bars = line.starts_with('|').then_some(line.matches('|').count());
        assert!(columns.is_none() || bars.is_none() || bars == columns, "{line}");
        columns = bars;
    }
}

#[test]
fn comparison_matches_rows_and_takes_the_geometric_mean() {
    let old = report();
    let mut new = report();
    new.rows[0].time_ms = Some(1.0); // half
    new.rows[1].time_ms = Some(32.0); // eightfold
    new.rows[2].algorithm = "another".into(); // another row now
    new.rows[4].time_ms = None;
    new.host.cpu = "another".into();
    let text = compare(&old, &new);
    for words in [
        "| 2.00 ms | 1.00 ms | 0.500x | faster |",
        "| 4.00 ms | 32.0 ms | 8.00x | SLOWER |",
        "Over 2 rows the new time is 2.00x the old",
        "- the host differs",
        "no time in the new one",
        "## Only in the new report",
    ] {
        assert!(text.contains(words), "{words} in {text}");
    }
    assert!(compare(&Report::default(), &Report::default()).contains("No row has a time in both"));
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
    // A choice whose result is not verified has no time.
    let mut wrong = night(2, 1.0);
    wrong.rows[1].verified = false;
    assert_eq!(history.add(&wrong), 1);
    let lines = history.lines().unwrap();
    let first = r#"{"date":"2026-01-01T03:17:00Z","commit":"commit1","machine":"Card (Vulkan), a CPU, 0 cores,","#;
    assert!(lines.starts_with(first), "{lines}");
    let mut again = History::parse(&lines).unwrap();
    assert_eq!(again.lines().unwrap(), lines);
    assert_eq!(again.add(&night(1, 4.0)), 0, "the same report");
    assert!(format!("{:#}", History::parse("{}").unwrap_err()).starts_with("line 1: "));
}

#[test]
fn the_page_of_many_nights_shows_the_last_beside_those_before() {
    let mut history = History::default();
    // In the order in which they came, which need not be that of the days.
    for (day, ms) in [(3, 8.0), (1, 4.0), (2, 4.0)] {
        history.add(&night(day, ms));
    }
    let page = history.page();
    let row = ["8.00 ms", "2.00x", "4.00 ms", "3"].map(|cell| format!("<td style=\"text-align: right\">{cell}</td>"));
    let row = format!("direct</td>{}<td style=\"text-align: left\">2026-01-03</td>", row.concat());
    assert!(page.contains(&row), "{page}");
    assert_eq!(page.matches("<h2>").count(), 2, "a GPU and a CPU");
    history.add(&hostile());
    for page in [page, history.page()] {
        let svg = &page[page.find("<svg").unwrap()..page.find("</svg>").unwrap() + 6];
        let drawn = roxmltree::Document::parse(svg).unwrap();
        assert!(drawn.descendants().any(|node| node.has_tag_name("polyline")), "a curve");
    }
}

#[test]
fn units_are_readable() {
    use super::units::{bytes, error, rate, ratio, time};
    assert_eq!([time(0.9996), time(0.0421), time(1234.0), time(0.0)], ["1.00 ms", "42.1 µs", "1.23 s", "0.000 ms"]);
    assert_eq!([rate(47.44), rate(0.125), rate(0.000_2)], ["47.4 TFLOP/s", "125 GFLOP/s", "200 MFLOP/s"]);
    assert_eq!([bytes(0), bytes(1023), bytes(1 << 20), bytes(3 << 30)], ["0 B", "1023 B", "1.00 MiB", "3.00 GiB"]);
    assert_eq!([error(6.6e-7), ratio(0.004), ratio(380.2)], ["6.6e-7", "4e-3x", "380x"]);
}
