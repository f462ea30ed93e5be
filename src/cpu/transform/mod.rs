//! Transforms on 16 channels side by side.

// Compares two texts: safe code, on which Miri spends more time than on all that it is asked for.
#[cfg(all(test, not(miri)))]
mod generate;
mod straight_line;
#[rustfmt::skip]
mod transforms;

pub(super) use straight_line::{Rows, Runs, Which, shared, transform};
