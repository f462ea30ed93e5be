//! What wgpu says of an adapter or device, as [`Caps`].

use crate::caps::{Caps, DeviceKind, Limits};
use crate::kernel::UnitBlocking;
use crate::plan::is_known;

/// The capabilities of a device with these limits and features.
pub(super) fn caps(info: &wgpu::AdapterInfo, limits: &wgpu::Limits, features: wgpu::Features) -> Caps {
    let driver = [info.driver.as_str(), info.driver_info.as_str()];
    let driver: Vec<&str> = driver.into_iter().filter(|part| !part.is_empty()).collect();
    Caps {
        threads: 1,
        // Browsers keep an adapter's name to themselves.
        name: if info.name.is_empty() { "unnamed adapter".to_owned() } else { info.name.clone() },
        backend: backend(info.backend).to_owned(),
        driver: driver.join(" "),
        kind: kind(info),
        limits: bounds(info, limits),
        timestamps: features.contains(wgpu::Features::TIMESTAMP_QUERY),
        f16: features.contains(wgpu::Features::SHADER_F16),
        matrix_units: matrix_units(info, features),
    }
}

/// Whether the device has the cooperative matrices that our kernels take. A device does not list its shapes, its adapter does: so it is
/// only said of devices that are known to have them.
fn matrix_units(info: &wgpu::AdapterInfo, features: wgpu::Features) -> bool {
    let needed = wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX | wgpu::Features::SHADER_F16;
    let subgroups = [info.subgroup_min_size, info.subgroup_max_size];
    features.contains(needed) && is_known(&info.name) && subgroups == [UnitBlocking::SUBGROUP; 2]
}

fn bounds(info: &wgpu::AdapterInfo, limits: &wgpu::Limits) -> Limits {
    let told = Limits {
        max_compute_workgroup_storage_size: limits.max_compute_workgroup_storage_size,
        max_compute_invocations_per_workgroup: limits.max_compute_invocations_per_workgroup,
        max_compute_workgroup_size: [
            limits.max_compute_workgroup_size_x,
            limits.max_compute_workgroup_size_y,
            limits.max_compute_workgroup_size_z,
        ],
        max_compute_workgroups_per_dimension: limits.max_compute_workgroups_per_dimension,
        max_storage_buffers_per_shader_stage: storage_buffers(limits),
        max_storage_buffer_binding_size: limits.max_storage_buffer_binding_size,
        max_buffer_size: limits.max_buffer_size,
        min_storage_buffer_offset_alignment: limits.min_storage_buffer_offset_alignment,
        min_uniform_buffer_offset_alignment: limits.min_uniform_buffer_offset_alignment,
        ..Limits::WEBGPU_DEFAULT
    };
    // Through Metal, or a Vulkan that is Apple's or Mesa's: "Apple M1", "Apple M1 (G13G B1)".
    if info.name.starts_with("Apple ") { told.of_apple_gpu() } else { told }
}

/// Storage buffers of a kernel beside its uniform. Metal has one table for buffers of every kind: of its 31 places wgpu
/// keeps two to itself (sizes, immediates), and the uniform takes one of the others.
fn storage_buffers(limits: &wgpu::Limits) -> u32 {
    let storage = limits.max_storage_buffers_per_shader_stage;
    match limits.max_buffers_and_acceleration_structures_per_shader_stage {
        // Where wgpu keeps strictly to WebGPU they are not counted together.
        0 => storage,
        all => storage.min(all - 1),
    }
}

/// The kind of an adapter. Software adapters do not all say that they are: SwiftShader does, under every name.
pub(super) fn kind(info: &wgpu::AdapterInfo) -> DeviceKind {
    match info.device_type {
        wgpu::DeviceType::DiscreteGpu => DeviceKind::DiscreteGpu,
        wgpu::DeviceType::IntegratedGpu => DeviceKind::IntegratedGpu,
        wgpu::DeviceType::VirtualGpu => DeviceKind::VirtualGpu,
        wgpu::DeviceType::Cpu => DeviceKind::SoftwareGpu,
        wgpu::DeviceType::Other => DeviceKind::OtherGpu,
    }
}

const fn backend(backend: wgpu::Backend) -> &'static str {
    match backend {
        wgpu::Backend::Noop => "noop",
        wgpu::Backend::Vulkan => "Vulkan",
        wgpu::Backend::Metal => "Metal",
        wgpu::Backend::Dx12 => "DX12",
        wgpu::Backend::Gl => "OpenGL",
        wgpu::Backend::BrowserWebGpu => "WebGPU",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caps::Profile;

    fn of(name: &str, limits: &wgpu::Limits) -> Limits {
        let info = wgpu::AdapterInfo::new(wgpu::DeviceType::IntegratedGpu, wgpu::Backend::Metal);
        caps(&wgpu::AdapterInfo { name: name.to_owned(), ..info }, limits, wgpu::Features::empty()).limits
    }

    #[test]
    fn an_apple_gpu_has_the_bounds_of_its_profile() {
        let m1 = "apple-m1".parse::<Profile>().expect("known").limits;
        // As wgpu's Metal adapter tells them.
        let told = wgpu::Limits {
            max_storage_buffers_per_shader_stage: 29,
            max_buffers_and_acceleration_structures_per_shader_stage: 29,
            ..wgpu::Limits::default()
        };
        let found = of("Apple M1", &told);
        assert_eq!(found.max_storage_buffers_per_shader_stage, m1.max_storage_buffers_per_shader_stage);
        assert_eq!(found.max_accumulators_per_invocation, m1.max_accumulators_per_invocation);
        assert_eq!(found.max_operations_per_loop, m1.max_operations_per_loop);
        let other = of("AMD Radeon Pro 5300M", &told);
        assert_eq!(other.max_storage_buffers_per_shader_stage, m1.max_storage_buffers_per_shader_stage);
        assert_eq!((other.max_accumulators_per_invocation, other.max_operations_per_loop), (u32::MAX, u32::MAX));
    }

    #[test]
    fn storage_buffers_are_what_is_left_beside_the_uniform() {
        let with = |storage, all| wgpu::Limits {
            max_storage_buffers_per_shader_stage: storage,
            max_buffers_and_acceleration_structures_per_shader_stage: all,
            ..wgpu::Limits::default()
        };
        for (storage, all, left) in [(29, 29, 28), (8, 28, 8), (524_288, u32::MAX, 524_288), (9, 0, 9), (4, 3, 2)] {
            assert_eq!(storage_buffers(&with(storage, all)), left, "{storage} of {all}");
        }
        assert_eq!(of("a browser's", &wgpu::Limits::default()), Limits::WEBGPU_DEFAULT);
    }
}
