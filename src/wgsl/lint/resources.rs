//! The text uses as much workgroup memory and as many invocations as the spec says.

use naga::AddressSpace;
use naga::proc::Layouter;

use super::rule::Lint;
use crate::kernel::KernelSpec;
use crate::wgsl::checked::Checked;

pub(super) const LINT: Lint = Lint {
    name: "resources",
    explanation: "Workgroup bytes and workgroup size of a text are those of its spec: planners hold the spec's \
                  numbers against a device's bounds, and wgpu does not check workgroup memory at all.",
    check,
};

fn check(spec: &KernelSpec, checked: &Checked) -> Vec<String> {
    let mut findings = Vec::new();
    match workgroup_bytes(&checked.module) {
        Ok(bytes) if bytes == spec.workgroup_bytes() => {}
        Ok(bytes) => {
            findings.push(format!("{bytes} bytes of workgroup memory, the spec says {}", spec.workgroup_bytes()));
        }
        Err(message) => findings.push(message),
    }
    for entry in &checked.module.entry_points {
        if entry.workgroup_size != [spec.workgroup_size(), 1, 1] {
            findings.push(format!(
                "workgroup size {:?}, the spec says {}",
                entry.workgroup_size,
                spec.workgroup_size()
            ));
        }
    }
    findings
}

/// Bytes of all workgroup variables.
fn workgroup_bytes(module: &naga::Module) -> Result<u32, String> {
    let mut layouter = Layouter::default();
    layouter.update(module.to_ctx()).map_err(|error| error.to_string())?;
    let variables = module.global_variables.iter().filter(|(_, v)| v.space == AddressSpace::WorkGroup);
    Ok(variables.map(|(_, v)| layouter[v.ty].size).sum())
}
