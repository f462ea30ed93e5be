//! The text binds exactly what the spec says.

use naga::{AddressSpace, StorageAccess, TypeInner};

use super::rule::Lint;
use crate::kernel::{Access, KernelSpec};
use crate::wgsl::checked::Checked;

pub(super) const LINT: Lint = Lint {
    name: "bindings",
    explanation: "The bindings of a text are those of its spec, by number, name and access, and the uniform is \
                  `params` with its fields one word apart: layouts and bind groups are made from the spec, parameters \
                  are copied as words. For tensors that share a buffer all are written.",
    check,
};

fn check(spec: &KernelSpec, checked: &Checked) -> Vec<String> {
    let mut found = Vec::new();
    let mut findings = Vec::new();
    for (_, variable) in checked.module.global_variables.iter() {
        let Some(binding) = &variable.binding else { continue };
        let name = variable.name.as_deref().unwrap_or("?");
        match variable.space {
            AddressSpace::Uniform => {
                if (binding.group, binding.binding, name) != (0, 0, "params") {
                    findings.push(format!("uniform {name} at {}.{}", binding.group, binding.binding));
                }
                if let TypeInner::Struct { members, .. } = &checked.module.types[variable.ty].inner {
                    let offsets = members.iter().map(|member| member.offset);
                    let words = (0..).step_by(4).take(spec.params().len());
                    if !offsets.eq(words) {
                        findings.push("fields of params are not one word apart".to_owned());
                    }
                }
            }
            AddressSpace::Storage { access } => {
                let access = if access.contains(StorageAccess::STORE) { Access::Write } else { Access::Read };
                found.push((binding.binding, name.to_owned(), access));
            }
            _ => {}
        }
    }
    let buffers = checked.source.buffers;
    let expected = spec.bindings().into_iter().map(|b| (b.index, b.name.to_owned(), buffers.access(&b)));
    let mut expected: Vec<_> = expected.collect();
    found.sort_by_key(|binding| binding.0);
    expected.sort_by_key(|binding| binding.0);
    if found != expected {
        findings.push(format!("the text binds {found:?}, the spec {expected:?}"));
    }
    findings
}
