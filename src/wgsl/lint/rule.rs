//! What a lint is.

use crate::kernel::KernelSpec;
use crate::wgsl::checked::Checked;

/// A rule about shaders.
#[derive(Debug)]
pub struct Lint {
    /// Its name, as it stands in findings.
    pub name: &'static str,
    /// What it wants, and why.
    pub explanation: &'static str,
    pub(super) check: fn(&KernelSpec, &Checked) -> Vec<String>,
}

/// Name and body of every function, the entry point included.
pub(super) fn functions(module: &naga::Module) -> impl Iterator<Item = (&str, &naga::Function)> {
    let named = module.functions.iter().map(|(_, f)| (f.name.as_deref().unwrap_or("?"), f));
    named.chain(module.entry_points.iter().map(|entry| (entry.name.as_str(), &entry.function)))
}
