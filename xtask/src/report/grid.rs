//! A grid of words, before anyone decides how to print it: the terminal, Markdown and HTML draw the same ones.

/// How a cell wants to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    /// The planner's choice.
    Chosen,
    /// Something is wrong.
    Alert,
}

/// One cell.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub text: String,
    pub tone: Tone,
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell { text, tone: Tone::Plain }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        text.to_owned().into()
    }
}

impl Cell {
    pub(super) fn toned(text: impl Into<String>, tone: Tone) -> Cell {
        Cell { text: text.into(), tone }
    }
}

/// One column's head.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub head: &'static str,
    /// Numbers stand right, words left.
    pub numeric: bool,
    /// A narrow terminal leaves out the column with the highest number first; 0 stays.
    pub dispensable: u8,
}

impl Column {
    pub(super) const fn words(head: &'static str) -> Column {
        Column { head, numeric: false, dispensable: 0 }
    }

    pub(super) const fn number(head: &'static str, dispensable: u8) -> Column {
        Column { head, numeric: true, dispensable }
    }
}

/// Columns, rows, and the lines that explain them.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Cell>>,
}

impl Grid {
    /// The grid without the columns that `keep` rejects, told by index.
    #[must_use]
    pub(super) fn keep(&self, keep: impl Fn(usize) -> bool) -> Grid {
        let pick = |row: &Vec<Cell>| row.iter().enumerate().filter(|(i, _)| keep(*i)).map(|(_, c)| c.clone()).collect();
        Grid {
            columns: self.columns.iter().enumerate().filter(|(i, _)| keep(*i)).map(|(_, c)| *c).collect(),
            rows: self.rows.iter().map(pick).collect(),
        }
    }

    /// The columns in which at least one row has something to say.
    #[must_use]
    pub(super) fn without_empty_columns(&self) -> Grid {
        self.keep(|i| !self.columns[i].numeric || self.rows.iter().any(|row| row[i].text != super::units::ABSENT))
    }
}
