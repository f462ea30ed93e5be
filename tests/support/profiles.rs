//! Devices that are not here: those that there are, by name, and some that there could be.

use winoconv::caps::{Caps, DeviceKind, Limits, Profile};

/// The device of the library's table that has this name.
pub(crate) fn named(name: &str) -> Caps {
    name.parse::<Profile>().unwrap_or_else(|error| panic!("{error}")).caps()
}

/// A device with nothing known of it but these.
pub(crate) fn with(name: &str, kind: DeviceKind, limits: Limits) -> Caps {
    Caps { name: name.to_owned(), kind, limits, ..Caps::webgpu_default() }
}

/// One whose bindings and buffers are so small that most tensors do not fit.
pub(crate) fn tiny_bindings() -> Caps {
    let limits =
        Limits { max_storage_buffer_binding_size: 64 << 10, max_buffer_size: 96 << 10, ..Limits::WEBGPU_DEFAULT };
    with("tiny bindings", DeviceKind::OtherGpu, limits)
}

/// All of the table, odd ones, and the CPU.
pub(crate) fn all() -> Vec<Caps> {
    let base = Limits::WEBGPU_DEFAULT;
    let narrow = Limits { max_compute_invocations_per_workgroup: 64, max_compute_workgroup_size: [64, 64, 64], ..base };
    let few = Limits { max_compute_workgroups_per_dimension: 100, ..base };
    let odd = [
        tiny_bindings(),
        with("64 invocations", DeviceKind::OtherGpu, narrow),
        with("few workgroups", DeviceKind::OtherGpu, few),
        Caps::cpu(),
    ];
    Profile::ALL.iter().map(Profile::caps).chain(odd).collect()
}
