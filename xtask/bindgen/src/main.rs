//! `winoconv-bindgen MODULE DIR`: what the tool `wasm-bindgen` does, as a package of this workspace, so that its version is
//! that of Cargo.lock and nobody has to install it. `cargo xtask web` runs it.

use std::path::PathBuf;

use anyhow::Context as _;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (module, folder) = arguments.next().zip(arguments.next()).context("usage: winoconv-bindgen MODULE DIR")?;
    let mut bindgen = wasm_bindgen_cli_support::Bindgen::new();
    bindgen.input_path(&module).web(true)?.typescript(false).omit_default_module_path(false);
    bindgen.generate(&folder).with_context(|| format!("writing the JavaScript of {}", module.display()))
}
