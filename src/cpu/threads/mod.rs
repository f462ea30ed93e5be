//! Work shared out among threads, each with the registers that the CPU has.

mod disjoint;
mod helpers;
mod prefetch;
mod registers;
mod walk;

pub(super) use disjoint::Disjoint;
pub(super) use prefetch::{LINE, prefetch};
pub(crate) use registers::with_registers;
pub(super) use walk::{Task, aligned, walk};
