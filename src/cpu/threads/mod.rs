//! Work shared out among threads, each with the registers that the CPU has.

#[cfg(feature = "graph")]
mod chunks;
mod disjoint;
mod helpers;
mod prefetch;
mod registers;
mod walk;

#[cfg(feature = "graph")]
pub(crate) use chunks::{collect, each_chunk};
pub(super) use disjoint::Disjoint;
pub(super) use prefetch::{LINE, prefetch};
pub(crate) use registers::with_registers;
pub(super) use walk::{Task, aligned, walk};
