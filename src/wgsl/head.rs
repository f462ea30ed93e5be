//! The head of a kernel: its constants and its uniform struct, from the spec.

use std::fmt::Write;

use crate::kernel::{KernelSpec, Storage};

pub(super) fn of(spec: &KernelSpec) -> String {
    let mut text = format!("// {spec}\n");
    if spec.storage() == Storage::F16 || spec.needs_units() {
        text.push_str("enable f16;\n");
    }
    if spec.needs_units() {
        text.push_str("enable wgpu_cooperative_matrix;\n");
    }
    for (name, value) in spec.constants() {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "const {name}: u32 = {value}u;");
    }
    text.push_str("\nstruct Params {\n");
    for (field, kind) in spec.params() {
        let _ = writeln!(text, "    {field}: {kind},");
    }
    text.push_str("}\n");
    text
}
