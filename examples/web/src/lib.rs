//! A picture convolved in a browser: filters as layers of the library ([`filter`]), on a device ([`stack`]), each result
//! held against the f64 reference ([`check`]). `page` is what JavaScript sees of it; everything else is plain Rust and
//! runs natively too, where its tests do. `cargo xtask web --serve` builds the page and shows it.

pub mod check;
pub mod filter;
#[cfg(target_arch = "wasm32")]
pub mod page;
pub mod picture;
pub mod stack;
