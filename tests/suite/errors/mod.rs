//! The table of bad inputs: each row is given wrong here, and refused with this kind of error and this message.
//! docs/ERRORS.md holds these rows and no others; `WINOCONV_BLESS=1` writes it. Read the difference before committing it.
#![cfg(feature = "gpu")]

mod descriptions;
mod gpus;
mod layers;
mod networks;
mod plans;
#[cfg(feature = "graph")]
mod tiles;
use std::collections::HashSet;
use std::fmt::Write;
use std::path::Path;

use winoconv::caps::Caps;
use winoconv::error::Error;

const BLESS: &str = "WINOCONV_BLESS=1 cargo test --test suite errors::";

const HEAD: &str = "# Bad inputs

Wrong inputs, and the error that each returns. No row panics, nothing is corrected silently, and no work has been done.
Every row is a case of [tests/suite/errors](../tests/suite/errors/mod.rs), which writes this page: `WINOCONV_BLESS=1 cargo test --test suite errors::`.
The sections on ONNX are written by [onnx/tests/refusals](../onnx/tests/refusals/main.rs). `cargo xtask tidy` refuses a refusal of a
network or an ONNX model that has no row.

Also, [tests/suite/extremes.rs](../tests/suite/extremes.rs) plans descriptions with numbers at the ends of their range,
[tests/suite/document.rs](../tests/suite/document.rs) reads plans' documents that were altered, and
[tests/suite/encode.rs](../tests/suite/encode.rs) loses devices.
";

/// Where the rows of another test begin: onnx/tests/refusals.
const OTHERS: &str = "\n## ONNX files\n";

/// A section of the page.
pub(crate) struct Section {
    title: &'static str,
    rows: Vec<Row>,
}

/// What is given, the kind of error that is expected, and the one that came.
struct Row {
    given: &'static str,
    expected: &'static str,
    came: Option<Error>,
}

impl Section {
    fn new(title: &'static str) -> Self {
        Self { title, rows: Vec::new() }
    }

    /// Adds a row: what comes of what is given must be this kind of error.
    fn row<T>(&mut self, given: &'static str, expected: &'static str, result: Result<T, impl Into<Error>>) {
        self.rows.push(Row { given, expected, came: result.err().map(Into::into) });
    }
}

/// The variant, and what kind of it: `Shape(Zero)`.
fn kind(error: &Error) -> String {
    let text = format!("{error:?}");
    let name = |text: &str| text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned();
    match error {
        Error::Shape(_) | Error::Device(_) => {
            let (variant, inner) = text.split_once('(').unwrap_or((&text, ""));
            format!("{variant}({})", name(inner))
        }
        _ => name(&text),
    }
}

/// The message, without what differs from machine to machine.
fn message(error: &Error) -> String {
    let shown = match error {
        Error::Device(winoconv::error::DeviceError::NoAdapter { found, .. }) => error.to_string().replace(found, "..."),
        other => other.to_string(),
    };
    shown.replace(&Caps::cpu().to_string(), "the CPU")
}

/// What is wrong with a section's rows.
fn check(section: &Section) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut wrong = Vec::new();
    for Row { given, expected, came } in &section.rows {
        let came = came.as_ref().map_or("no error".to_owned(), |error| format!("{}: {error}", kind(error)));
        if came.split_once(": ").is_none_or(|(kind, _)| kind != *expected) {
            wrong.push(format!("{given}: expected {expected}, got {came}"));
        }
        if !seen.insert(given) {
            wrong.push(format!("{given}: twice"));
        }
    }
    wrong
}

fn write(section: &Section, number: &mut usize) -> String {
    let mut text = format!("\n## {}\n\n| given | error | message |\n|---|---|---|\n", section.title);
    for row in &section.rows {
        let Some(error) = &row.came else { continue };
        *number += 1;
        let message = message(error).replace('|', "\\|").replace('\n', "<br>");
        writeln!(text, "| {} | `{}` | {message} |", row.given.replace('|', "\\|"), kind(error))
            .expect("a string takes anything");
    }
    text
}

/// The page, compared whole or written. Without a GPU its last section is not compared.
#[test]
fn the_table_of_bad_inputs_holds() {
    let mut sections =
        vec![descriptions::sizes(), descriptions::views(), layers::operands(), plans::demands(), plans::texts()];
    sections.push(networks::nodes());
    #[cfg(feature = "graph")]
    sections.push(tiles::networks());
    let gpu = gpus::buffers();
    let whole = gpu.is_some();
    sections.extend(gpu);
    let wrong: Vec<String> = sections.iter().flat_map(check).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let mut number = 0;
    let mut text = HEAD.to_owned();
    for section in &sections {
        text += &write(section, &mut number);
    }
    assert!(number >= 45, "{number} rows");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join("ERRORS.md");
    let there = std::fs::read_to_string(&path).unwrap_or_default().replace('\r', "");
    let (there, others) = there.split_at(there.find(OTHERS).unwrap_or(there.len()));
    if std::env::var_os("WINOCONV_BLESS").is_some_and(|value| value == "1") {
        assert!(whole, "the page is written where there is a GPU");
        std::fs::write(&path, text + others).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        return;
    }
    let there = if whole { there } else { there.get(..text.len()).unwrap_or(there) };
    if there != text {
        let line = there.lines().zip(text.lines()).position(|(there, now)| there != now);
        let line = line.unwrap_or_else(|| there.lines().count().min(text.lines().count()));
        let of = |text: &str| text.lines().nth(line).unwrap_or("the end").to_owned();
        panic!("docs/ERRORS.md, line {}\nhas  {}\nnow  {}\nTo write it: {BLESS}", line + 1, of(there), of(&text));
    }
}
