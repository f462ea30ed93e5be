//! What is refused, and in which words: the last sections of docs/ERRORS.md hold these rows and no others.
//! `WINOCONV_BLESS=1 cargo test -p winoconv-onnx --test refusals` writes them. Read the difference before committing it.

// A row makes a symbolic link, which needs a permission on Windows.
#![cfg(unix)]

mod files;
mod nodes;
mod operators;
mod several;
#[path = "../support/mod.rs"]
mod support;

use std::collections::HashSet;
use std::error::Error;
use std::fmt::Write;
use std::path::Path;

use support::build::bytes;
use support::proto::ModelProto;
use winoconv_onnx::{Model, OnnxError};

/// Where the rows begin; what is before it is written by tests/suite/errors.
const BEGIN: &str = "\n## ONNX files\n";
const BLESS: &str = "WINOCONV_BLESS=1 cargo test -p winoconv-onnx --test refusals";

/// What is given, and the error that comes.
pub(crate) struct Row {
    given: &'static str,
    error: OnnxError,
}

/// A model that is refused when it is read or when its graph is made.
pub(crate) fn refused(given: &'static str, model: &ModelProto) -> Row {
    row(given, Model::from_bytes(&bytes(model)).and_then(|model| model.graph(&[])))
}

pub(crate) fn row<T>(given: &'static str, result: winoconv_onnx::Result<T>) -> Row {
    let Err(error) = result else { panic!("{given}: expected an error") };
    Row { given, error }
}

impl Row {
    /// The variant's name.
    fn kind(&self) -> String {
        let text = format!("{:?}", self.error);
        text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
    }

    /// The message, without what the system says.
    fn message(&self) -> String {
        let message = self.error.to_string();
        self.error.source().map_or_else(|| message.clone(), |source| message.replace(&source.to_string(), "..."))
    }
}

fn write(title: &str, rows: &[Row]) -> String {
    let mut text = format!("\n## {title}\n\n| given | error | message |\n|---|---|---|\n");
    for row in rows {
        let [given, message] = [row.given.to_owned(), row.message()].map(|text| text.replace('|', "\\|"));
        writeln!(text, "| {given} | `{}` | {} |", row.kind(), message.replace('\n', "<br>")).expect("a string");
    }
    text
}

#[test]
fn the_table_of_refused_models_holds() {
    let sections =
        [("ONNX files", files::rows()), ("ONNX nodes", nodes::rows()), ("ONNX operators", operators::rows())];
    let mut seen = HashSet::new();
    for row in sections.iter().flat_map(|(_, rows)| rows) {
        assert!(seen.insert(row.given), "{}: twice", row.given);
    }
    let text: String = sections.iter().map(|(title, rows)| write(title, rows)).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ERRORS.md");
    let page = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let page = page.replace('\r', "");
    let at = page.find(BEGIN).unwrap_or(page.len());
    if std::env::var_os("WINOCONV_BLESS").is_some_and(|value| value == "1") {
        let page = format!("{}{text}", &page[..at]);
        std::fs::write(&path, page).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        return;
    }
    for (there, now) in page[at..].lines().zip(text.lines()) {
        assert_eq!(there, now, "docs/ERRORS.md; to write it: {BLESS}");
    }
    assert_eq!(page[at..].lines().count(), text.lines().count(), "lines of docs/ERRORS.md; to write it: {BLESS}");
}
