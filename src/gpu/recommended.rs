//! What an application should request for a device of its own.

use crate::kernel::UnitBlocking;
use crate::plan::is_known;

/// What to request from an adapter, so that convolutions run as fast on an application's own device as on one that
/// [`Context::new`](super::Context::new) opens. The application adds what it needs itself. See
/// [`Context::from_wgpu`](super::Context::from_wgpu) for an example.
///
/// Of features, those of these that the adapter has:
///
/// | feature | without it |
/// |---|---|
/// | `SHADER_F16` | tensors in f16 are read and written as packed words, with an extra dispatch for the output |
/// | `TIMESTAMP_QUERY` | [`Context::time`](super::Context::time) and the tuner measure by the clock of the CPU |
/// | `EXPERIMENTAL_COOPERATIVE_MATRIX` | products are computed by ordinary instructions, not by matrix units; requested only where those are known to be faster |
/// | `PIPELINE_CACHE` | compiled pipelines cannot be kept for the next process, see [`CacheSource`](super::CacheSource) |
///
/// Of limits, WebGPU's defaults, with the adapter's own value for each that decides what kernels and tensors are
/// possible: workgroups and their memory, storage buffers, bindings, buffers and the alignment of offsets. An adapter below the
/// defaults gets what it has.
pub fn recommended(adapter: &wgpu::Adapter) -> wgpu::DeviceDescriptor<'static> {
    let wanted = wgpu::Features::SHADER_F16 | wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::PIPELINE_CACHE;
    let (units, experimental_features) = matrix_units(adapter);
    wgpu::DeviceDescriptor {
        required_features: adapter.features() & (wanted | units),
        experimental_features,
        required_limits: limits(&adapter.limits()),
        memory_hints: wgpu::MemoryHints::Performance,
        ..Default::default()
    }
}

/// The feature for matrix units, and the permission to use it, where the adapter is known and has what our kernels take. Others are not
/// even asked for their shapes: drivers are known that do not survive it.
fn matrix_units(adapter: &wgpu::Adapter) -> (wgpu::Features, wgpu::ExperimentalFeatures) {
    let is_ours = |shape: &wgpu::CooperativeMatrixProperties| {
        [shape.m_size, shape.n_size, shape.k_size] == [UnitBlocking::FRAGMENT; 3]
            && (shape.ab_type, shape.cr_type) == (wgpu::CooperativeScalarType::F16, wgpu::CooperativeScalarType::F32)
    };
    let feature = wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX;
    let offers = is_known(&adapter.get_info().name) && adapter.features().contains(feature);
    if !offers || !adapter.cooperative_matrix_properties().iter().any(is_ours) {
        return (wgpu::Features::empty(), wgpu::ExperimentalFeatures::disabled());
    }
    (feature, permission())
}

#[expect(unsafe_code, reason = "wgpu's cooperative matrices are experimental")]
fn permission() -> wgpu::ExperimentalFeatures {
    // SAFETY: experimental features may have bugs that lead to undefined behaviour. The one that is requested with this is cooperative
    // matrices, whose loads and stores a driver does not check. `winograd_multiply_units` alone has them:
    // - it loads from workgroup memory, at places that are constants but for the subgroup and the lane, and stays within its planes;
    // - it stores to M only where the whole block lies inside, else to workgroup memory;
    // - all invocations of a subgroup reach each of them together;
    // - the device is one on which it was run and compared, or of the same maker and interface.
    unsafe { wgpu::ExperimentalFeatures::enabled() }
}

fn limits(offered: &wgpu::Limits) -> wgpu::Limits {
    wgpu::Limits {
        max_compute_workgroup_storage_size: offered.max_compute_workgroup_storage_size,
        max_compute_invocations_per_workgroup: offered.max_compute_invocations_per_workgroup,
        max_compute_workgroup_size_x: offered.max_compute_workgroup_size_x,
        max_compute_workgroup_size_y: offered.max_compute_workgroup_size_y,
        max_compute_workgroup_size_z: offered.max_compute_workgroup_size_z,
        max_compute_workgroups_per_dimension: offered.max_compute_workgroups_per_dimension,
        max_storage_buffers_per_shader_stage: offered.max_storage_buffers_per_shader_stage,
        max_buffers_and_acceleration_structures_per_shader_stage: offered
            .max_buffers_and_acceleration_structures_per_shader_stage,
        max_storage_buffer_binding_size: offered.max_storage_buffer_binding_size,
        max_buffer_size: offered.max_buffer_size,
        min_storage_buffer_offset_alignment: offered.min_storage_buffer_offset_alignment,
        min_uniform_buffer_offset_alignment: offered.min_uniform_buffer_offset_alignment,
        ..wgpu::Limits::default().or_worse_values_from(offered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::caps::caps;

    /// Nothing that plans depend on is left at a default where the adapter has more.
    #[test]
    fn plans_see_the_adapters_own_limits() {
        let h100 = wgpu::Limits {
            max_compute_workgroup_storage_size: 48 << 10,
            max_compute_invocations_per_workgroup: 1024,
            max_compute_workgroup_size_x: 1024,
            max_compute_workgroup_size_y: 1024,
            max_compute_workgroup_size_z: 128,
            max_compute_workgroups_per_dimension: 131_070,
            max_storage_buffers_per_shader_stage: 64,
            max_buffers_and_acceleration_structures_per_shader_stage: 128,
            max_storage_buffer_binding_size: (1 << 31) - 4,
            max_buffer_size: 1 << 40,
            min_storage_buffer_offset_alignment: 32,
            min_uniform_buffer_offset_alignment: 64,
            max_texture_dimension_2d: 32_768,
            ..wgpu::Limits::default()
        };
        let info = wgpu::AdapterInfo::new(wgpu::DeviceType::DiscreteGpu, wgpu::Backend::Vulkan);
        let seen = |limits: &wgpu::Limits| caps(&info, limits, wgpu::Features::empty()).limits;
        let requested = limits(&h100);
        assert_eq!(seen(&requested), seen(&h100));
        assert_eq!(requested.max_texture_dimension_2d, wgpu::Limits::default().max_texture_dimension_2d, "not ours");
        let small = wgpu::Limits { max_bind_groups: 2, max_compute_workgroup_size_z: 32, ..wgpu::Limits::default() };
        assert!(limits(&small).check_limits(&small), "an adapter below the defaults");
    }
}
