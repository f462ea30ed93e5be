//! What the fuzzers share: the invariants of what is read from files, the budget of reading it, and how inputs are mutated.
//! tests/suite/corpus.rs holds the invariants on the seeds, and on mutations of them, in every run of the tests.

pub mod budget;
pub mod invariants;
pub mod mutate;
