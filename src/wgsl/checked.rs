//! What passed the gate.

use naga::valid::ModuleInfo;

use super::Source;

/// A kernel that passed: its text and its validated module, so that no one parses it again.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The text.
    pub source: Source,
    /// naga's module of it.
    pub module: naga::Module,
    /// What validation found out about the module.
    pub info: ModuleInfo,
}
