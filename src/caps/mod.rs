//! What a device can do, as data. The planner knows nothing else of a device, so plans for other devices
//! can be made and tested. [`Profile`] has some devices by name.

mod profiles;
pub(crate) mod threads;

use std::fmt;

pub use profiles::Profile;

use crate::error::{LimitError, Resource};

/// What kind of device it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeviceKind {
    /// A GPU with memory of its own.
    DiscreteGpu,
    /// A GPU that shares the CPU's memory.
    IntegratedGpu,
    /// A GPU seen through virtualisation.
    VirtualGpu,
    /// A GPU adapter that runs on the CPU (lavapipe, SwiftShader, WARP): never taken for a GPU.
    SoftwareGpu,
    /// An adapter that does not say, as in browsers.
    OtherGpu,
    /// The CPU itself, without a GPU's programming interface.
    Cpu,
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DiscreteGpu => "discrete GPU",
            Self::IntegratedGpu => "integrated GPU",
            Self::VirtualGpu => "virtual GPU",
            Self::SoftwareGpu => "software adapter (runs on the processor)",
            Self::OtherGpu => "GPU of unknown kind",
            Self::Cpu => "CPU",
        })
    }
}

/// Bounds of a device, named as in WebGPU, and two that WebGPU lacks. A kernel that exceeds those two is slow, because
/// of the device's compiler or instruction cache. No interface reports them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Bytes of workgroup memory that one workgroup may declare.
    pub max_compute_workgroup_storage_size: u32,
    /// Invocations of one workgroup.
    pub max_compute_invocations_per_workgroup: u32,
    /// Invocations of one workgroup in x, y and z.
    pub max_compute_workgroup_size: [u32; 3],
    /// Workgroups of a dispatch in each dimension.
    pub max_compute_workgroups_per_dimension: u32,
    /// Storage buffers that one kernel may bind beside its uniform.
    pub max_storage_buffers_per_shader_stage: u32,
    /// Bytes of one storage binding.
    pub max_storage_buffer_binding_size: u64,
    /// Bytes of one buffer.
    pub max_buffer_size: u64,
    /// Alignment in bytes of the offset of a storage binding.
    pub min_storage_buffer_offset_alignment: u32,
    /// Alignment in bytes of the offset of a uniform binding.
    pub min_uniform_buffer_offset_alignment: u32,
    /// Sums that one invocation may keep in registers; `u32::MAX` where no bound is known.
    pub max_accumulators_per_invocation: u32,
    /// Scalar operations that may stand in a loop's body beside the loops in it; `u32::MAX` where no bound is known.
    pub max_operations_per_loop: u32,
}

impl Limits {
    /// What every WebGPU implementation offers.
    pub const WEBGPU_DEFAULT: Self = Self {
        max_compute_workgroup_storage_size: 16 << 10,
        max_compute_invocations_per_workgroup: 256,
        max_compute_workgroup_size: [256, 256, 64],
        max_compute_workgroups_per_dimension: 65_535,
        max_storage_buffers_per_shader_stage: 8,
        max_storage_buffer_binding_size: 128 << 20,
        max_buffer_size: 256 << 20,
        min_storage_buffer_offset_alignment: 256,
        min_uniform_buffer_offset_alignment: 256,
        max_accumulators_per_invocation: u32::MAX,
        max_operations_per_loop: u32::MAX,
    };

    /// Sums of an invocation on Apple's GPUs: half of the 128 registers of 32 bits with which they still keep all their
    /// invocations. The other half is for the factors, what is on its way from memory, and addresses.
    pub const APPLE_ACCUMULATORS: u32 = 64;

    /// About as many instructions as the instruction cache of Apple's GPUs holds, which is 12 KB.
    pub const APPLE_LOOP_OPERATIONS: u32 = 1000;

    /// The most workgroup memory and invocations of any device that we know (NVIDIA's through Vulkan). No
    /// kernel variant may exceed.
    pub const LARGEST: Self = Self {
        max_compute_workgroup_storage_size: 48 << 10,
        max_compute_invocations_per_workgroup: 1024,
        max_compute_workgroup_size: [1024, 1024, 64],
        ..Self::WEBGPU_DEFAULT
    };

    /// The CPU's bounds: none but the index range.
    pub const CPU: Self = Self {
        max_compute_workgroup_storage_size: u32::MAX,
        max_compute_invocations_per_workgroup: u32::MAX,
        max_compute_workgroup_size: [u32::MAX; 3],
        max_compute_workgroups_per_dimension: u32::MAX,
        max_storage_buffers_per_shader_stage: u32::MAX,
        max_storage_buffer_binding_size: u64::MAX,
        max_buffer_size: u64::MAX,
        min_storage_buffer_offset_alignment: 4,
        min_uniform_buffer_offset_alignment: 4,
        max_accumulators_per_invocation: u32::MAX,
        max_operations_per_loop: u32::MAX,
    };

    /// These bounds, where the GPU is one of Apple's: the two that its interface does not tell are added.
    #[must_use]
    pub const fn of_apple_gpu(mut self) -> Self {
        self.max_accumulators_per_invocation = Self::APPLE_ACCUMULATORS;
        self.max_operations_per_loop = Self::APPLE_LOOP_OPERATIONS;
        self
    }

    /// Whether a tensor of `bytes` can be bound, and if not, why.
    ///
    /// # Errors
    /// The bound that it exceeds.
    pub fn check_tensor(&self, who: &str, bytes: u64) -> Result<(), LimitError> {
        LimitError::check(who, Resource::BindingBytes, bytes, self.max_storage_buffer_binding_size)?;
        LimitError::check(who, Resource::BufferBytes, bytes, self.max_buffer_size)
    }
}

/// What a device is and what it offers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Caps {
    /// The adapter's name, as its driver gives it.
    pub name: String,
    /// Vulkan, Metal, DX12, WebGPU, or `cpu`.
    pub backend: String,
    /// Driver and its version, empty where unknown.
    pub driver: String,
    /// What kind of device it is.
    pub kind: DeviceKind,
    /// Its bounds.
    pub limits: Limits,
    /// Whether a pass can be timed on the device.
    pub timestamps: bool,
    /// Whether shaders have 16-bit floats.
    pub f16: bool,
    /// Whether shaders have cooperative matrices of 16 x 16 halves with sums in f32, in subgroups of 32 invocations.
    pub matrix_units: bool,
    /// Threads that share the work, if it is the CPU; 1 elsewhere. Neither a plan's choice nor a bit of its results depends on
    /// them, only its time and its workspace.
    pub threads: usize,
}

impl Caps {
    /// A device with nothing but WebGPU's guarantees.
    pub fn webgpu_default() -> Self {
        Profile::WEBGPU_DEFAULT.caps()
    }

    /// The CPU that this program runs on, with the threads of the pool that the caller is in: `rayon`'s global one, or that of a
    /// `ThreadPool::install`. If the global pool cannot start its threads there is one thread, the caller's;
    /// [`Device::fallback`](crate::Device::fallback) has the reason.
    pub fn cpu() -> Self {
        Self {
            name: format!("CPU ({})", std::env::consts::ARCH),
            backend: "cpu".to_owned(),
            driver: String::new(),
            kind: DeviceKind::Cpu,
            limits: Limits::CPU,
            timestamps: false,
            f16: false,
            matrix_units: false,
            threads: threads::count().unwrap_or(1),
        }
    }

    /// Whether the CPU does the work, directly or through a software adapter.
    pub const fn is_software(&self) -> bool {
        matches!(self.kind, DeviceKind::SoftwareGpu | DeviceKind::Cpu)
    }
}

impl fmt::Display for Caps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind == DeviceKind::Cpu {
            return f.write_str(&self.name);
        }
        write!(f, "{} ({}, {}", self.name, self.backend, self.kind)?;
        if !self.driver.is_empty() {
            write!(f, ", {}", self.driver)?;
        }
        f.write_str(")")
    }
}
