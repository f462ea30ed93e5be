//! What a GPU device lacks and a plan would use: features and limits that an application can request.
#![cfg_attr(not(feature = "gpu"), allow(dead_code, unused_imports, reason = "a build without GPUs has no such device"))]

use std::fmt;

use crate::caps::Limits;
use crate::device::Device;
use crate::dtype::DType;
use crate::error::Resource;
#[cfg(feature = "gpu")]
use crate::gpu::CacheState;
use crate::plan::{Plan, Reason, Verdict};

/// Something that a device was opened without and that costs a plan something. On a device of the application's own the
/// remedy is to request it, see [`gpu::recommended`](fn@crate::gpu::recommended).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shortfall {
    /// The feature or limit, as wgpu names it.
    pub lacks: &'static str,
    /// What it costs.
    pub cost: String,
    /// What the device has instead, and why as far as is known. wgpu does not say what the adapter of a borrowed device offers.
    pub why: String,
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.cost, self.why)
    }
}

/// A limit that applications leave at WebGPU's default: wgpu's name for it, the value, and what it bounds.
type DefaultLimit = (&'static str, u64, Resource);

/// Those that keep algorithms from running.
const DEFAULTS: [DefaultLimit; 6] = [
    (
        "max_compute_workgroup_storage_size",
        Limits::WEBGPU_DEFAULT.max_compute_workgroup_storage_size as u64,
        Resource::WorkgroupBytes,
    ),
    (
        "max_compute_invocations_per_workgroup",
        Limits::WEBGPU_DEFAULT.max_compute_invocations_per_workgroup as u64,
        Resource::Invocations,
    ),
    (
        "max_compute_workgroup_size_x",
        Limits::WEBGPU_DEFAULT.max_compute_workgroup_size[0] as u64,
        Resource::WorkgroupSize,
    ),
    (
        "max_storage_buffers_per_shader_stage",
        Limits::WEBGPU_DEFAULT.max_storage_buffers_per_shader_stage as u64,
        Resource::StorageBuffers,
    ),
    ("max_storage_buffer_binding_size", Limits::WEBGPU_DEFAULT.max_storage_buffer_binding_size, Resource::BindingBytes),
    ("max_buffer_size", Limits::WEBGPU_DEFAULT.max_buffer_size, Resource::BufferBytes),
];

impl Shortfall {
    /// Those of a plan on a device. The CPU has none.
    #[cfg(feature = "gpu")]
    pub(crate) fn of(plan: &Plan, device: &Device) -> Vec<Self> {
        let Some(context) = device.context() else { return Vec::new() };
        let mut found = Vec::new();
        if plan.problem.conv.dtype == DType::F16 && !device.caps().f16 {
            let cost = "f16 storage is emulated".to_owned();
            let why = "the device was opened without SHADER_F16".to_owned();
            found.push(Self { lacks: "SHADER_F16", cost, why });
        }
        if let CacheState::Unavailable { why } = context.pipeline_cache() {
            let cost = "kernels are compiled anew in every process".to_owned();
            found.push(Self { lacks: "PIPELINE_CACHE", cost, why: why.clone() });
        }
        // A device of our own was requested with everything, or with the defaults because that was asked for.
        if context.is_borrowed() {
            found.extend(in_parts(plan));
            found.extend(DEFAULTS.iter().filter_map(|limit| ruled_out(plan, limit)));
        }
        found
    }

    #[cfg(not(feature = "gpu"))]
    pub(crate) fn of(_: &Plan, _: &Device) -> Vec<Self> {
        Vec::new()
    }

    fn at_default(&(lacks, value, _): &DefaultLimit, cost: String) -> Self {
        Self { lacks, cost, why: format!("{lacks} is WebGPU's default, {value}") }
    }
}

/// Tensors that are larger than a binding.
fn in_parts(plan: &Plan) -> Option<Shortfall> {
    let limit = DEFAULTS.iter().find(|(_, _, resource)| *resource == Resource::BindingBytes)?;
    let bound = plan.caps.limits.max_storage_buffer_binding_size;
    let mut slots = plan.slots();
    slots.retain(|&slot| plan.operand_type(slot).bytes(plan.operand_len(slot).unwrap_or(0)) > bound);
    slots.sort_unstable_by_key(ToString::to_string);
    if bound != limit.1 || slots.is_empty() {
        return None;
    }
    let names: Vec<String> = slots.iter().map(ToString::to_string).collect();
    Some(Shortfall::at_default(limit, format!("{} bound in parts", names.join(" and "))))
}

/// Algorithms that need more than a limit which was left at its default.
fn ruled_out(plan: &Plan, limit: &DefaultLimit) -> Option<Shortfall> {
    let &(_, value, resource) = limit;
    let out = plan.candidates.iter().filter(|candidate| {
        matches!(&candidate.verdict, Verdict::Rejected(Reason::Limit(error))
            if error.resource == resource && error.bound == value)
    });
    let labels: Vec<String> = out.map(|candidate| candidate.algorithm.to_string()).collect();
    let cost = match labels.as_slice() {
        [] => return None,
        [one] => format!("{one} cannot run"),
        [first, others @ ..] => format!("{first} and {} more algorithms cannot run", others.len()),
    };
    Some(Shortfall::at_default(limit, cost))
}
