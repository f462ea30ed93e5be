//! The report as one HTML file that needs nothing beside it: inline style, inline SVG, no script. Light or dark is
//! the reader's system's choice.

use std::fmt::Write as _;

use super::Report;
use super::grid::{Cell, Grid, Tone};
use super::layers;
use super::plot::Figure;
use super::sections::{self, Section};
use super::units::clean;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1c2024;--faint:#5f6670;--paper:#fff;--line:#e1e4e8;--band:#f6f7f9;--accent:#2f6fde;--alert:#c62828;--chosen:#eaf1fd}
@media (prefers-color-scheme: dark){:root{--ink:#e6e9ec;--faint:#9aa3ad;--paper:#14181c;--line:#30363d;--band:#1b2026;--accent:#7aa8f5;--alert:#ff7b72;--chosen:#1c2a42}}
body{margin:0 auto;padding:1.5rem;max-width:78rem;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
h1{font-size:1.7rem;margin:0 0 .8rem}h2{font-size:1.25rem;margin:2.4rem 0 .6rem;border-bottom:1px solid var(--line);padding-bottom:.3rem}h3{font-size:1.05rem;margin:1.8rem 0 .2rem}
p{margin:.3rem 0;max-width:62rem}ul{margin:.5rem 0;padding-left:1.2rem;color:var(--faint);font-size:.9em}
.faint{color:var(--faint)}.alert{color:var(--alert);font-weight:600}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:0}dt{color:var(--faint)}dd{margin:0}
.scroll{overflow-x:auto;margin:.6rem 0}
table{border-collapse:collapse;font-size:.87rem;font-variant-numeric:tabular-nums}
th,td{padding:.28rem .6rem;text-align:left;white-space:nowrap;border-bottom:1px solid var(--line)}
td.long{white-space:normal;min-width:22rem}
th{font-weight:600;color:var(--faint);border-bottom-width:2px}.number{text-align:right}
tbody tr:hover{background:var(--band)}td.chosen{background:var(--chosen);font-weight:600}
figure{margin:1rem 0;overflow-x:auto}figure svg{display:block;max-width:100%;height:auto;border:1px solid var(--line);border-radius:6px}
";

/// The whole report, with the figures inside.
pub(crate) fn render(report: &Report, figures: &[Figure]) -> String {
    let groups = layers::layers(report);
    let mut out = String::from("<h1>winoconv benchmark</h1>\n<dl>\n");
    for (name, line) in layers::provenance(report) {
        let class = if name == "SOFTWARE" { " class=\"alert\"" } else { "" };
        let _ = writeln!(out, "<dt{class}>{name}</dt><dd{class}>{}</dd>", escape(&line));
    }
    out.push_str("</dl>\n");
    section(&mut out, 2, &sections::summary(&groups));
    if !report.notes.is_empty() {
        out.push_str("<h2>Notes</h2>\n");
        list(&mut out, &report.notes);
    }
    if !figures.is_empty() {
        out.push_str("<h2>Figures</h2>\n");
    }
    for figure in figures {
        let _ = writeln!(out, "<figure>\n{}</figure>", figure.svg);
    }
    if !groups.is_empty() {
        out.push_str("<h2>Layers</h2>\n<p class=\"faint\">The planner's choice is marked.</p>\n");
    }
    for group in &groups {
        section(&mut out, 3, &sections::layer(group));
    }
    for detail in sections::details(&groups) {
        section(&mut out, 2, &detail);
    }
    page("winoconv benchmark", &out)
}

/// A page around its body.
pub(super) fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n",
        escape(title)
    )
}

/// A heading with what stands below it.
pub(super) fn section(out: &mut String, level: usize, section: &Section) {
    let _ = writeln!(out, "<h{level}>{}</h{level}>", escape(&section.title));
    for line in &section.intro {
        let _ = writeln!(out, "<p class=\"faint\">{}</p>", escape(line));
    }
    table(out, &section.grid.without_empty_columns());
    list(out, &section.remarks);
}

fn list(out: &mut String, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    out.push_str("<ul>\n");
    for line in lines {
        let _ = writeln!(out, "<li>{}</li>", escape(line));
    }
    out.push_str("</ul>\n");
}

fn table(out: &mut String, grid: &Grid) {
    out.push_str("<div class=\"scroll\"><table>\n<thead><tr>");
    for column in &grid.columns {
        let class = if column.numeric { " class=\"number\"" } else { "" };
        let _ = write!(out, "<th{class}>{}</th>", escape(column.head));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in &grid.rows {
        out.push_str("<tr>");
        for (cell, column) in row.iter().zip(&grid.columns) {
            let _ = write!(out, "<td{}>{}</td>", class(cell, column.numeric), escape(&cell.text));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table></div>\n");
}

fn class(cell: &Cell, numeric: bool) -> &'static str {
    match (cell.tone, numeric) {
        (Tone::Chosen, _) if cell.text != super::units::ABSENT => " class=\"chosen\"",
        (Tone::Alert, _) => " class=\"alert\"",
        (_, true) => " class=\"number\"",
        // Lists of kernels may wrap, names may not.
        (_, false) if cell.text.chars().count() > 48 => " class=\"long\"",
        _ => "",
    }
}

/// Text in which HTML and XML see nothing of theirs, within quotes too.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in clean(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
