//! Pictures in a browser, on two pages. One enlarges and denoises them ([`model`]). The other convolves them: filters as layers of
//! the library ([`filter`]), on a device ([`stack`]), each result held against the f64 reference ([`check`]). `page` and `model_page`
//! are what JavaScript sees of it; everything else is plain Rust and runs natively too, where its tests do.
//! `package` beside this folder holds the npm package `winoconv-web`, which wraps the networks; the pages use it.
//! `cargo xtask web --serve` builds the pages and shows them.

pub mod check;
pub mod filter;
pub mod model;
#[cfg(target_arch = "wasm32")]
pub mod model_page;
#[cfg(target_arch = "wasm32")]
pub mod page;
pub mod picture;
pub mod stack;
