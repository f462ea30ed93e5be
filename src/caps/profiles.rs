//! Devices by name, as wgpu 30 reports them, for planning for another device: a plan for a Mac or for WARP can be
//! made, read and tested on any machine.
//!
//! A number is *measured* where it was printed on such a device, *derived* where wgpu-hal's adapter computes it from what
//! the interface fixes, *reported* where others printed it, and *assumed* where neither was found: then it is the stricter
//! of what is plausible, mostly what WebGPU guarantees. Nothing here tells how fast a device is: the planner's estimates
//! go by [`DeviceKind`].

use std::fmt;
use std::str::FromStr;

use super::{Caps, DeviceKind, Limits};
use crate::error::Error;

/// A device by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Profile {
    /// What it is asked for by.
    pub name: &'static str,
    /// Its adapter's name, as its driver gives it.
    pub adapter: &'static str,
    /// Vulkan, Metal, DX12 or WebGPU.
    pub backend: &'static str,
    /// What kind of device it is.
    pub kind: DeviceKind,
    /// Its bounds.
    pub limits: Limits,
    /// Whether shaders have 16-bit floats.
    pub f16: bool,
    /// Whether a pass can be timed on the device.
    pub timestamps: bool,
}

impl Profile {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::H100,
        Self::RTX_2060,
        Self::APPLE_M1,
        Self::APPLE_M3_MAX,
        Self::ADRENO_740,
        Self::MALI_G78,
        Self::INTEL_XE,
        Self::WARP,
        Self::LAVAPIPE,
        Self::SWIFTSHADER,
        Self::WEBGPU_DEFAULT,
    ];

    /// Measured, driver 580.159, 2026-11-28.
    const H100: Self = Self {
        name: "h100",
        adapter: "NVIDIA H100 80GB HBM3",
        backend: "Vulkan",
        kind: DeviceKind::DiscreteGpu,
        limits: NVIDIA,
        f16: true,
        timestamps: true,
    };

    /// Derived from the H100's: one driver has the same limits for all of NVIDIA's GPUs since Turing. In wgpu-core's
    /// buckets the RTX 20 series is one with the 30, 40 and 50, at 48 KiB, 1,024 invocations and 16-bit floats.
    const RTX_2060: Self = Self { name: "rtx-2060", adapter: "NVIDIA GeForce RTX 2060", ..Self::H100 };

    /// Derived, see [`METAL`]: a buffer may be larger than 4 GiB with every memory that it comes with.
    const APPLE_M1: Self = Self {
        name: "apple-m1",
        adapter: "Apple M1",
        backend: "Metal",
        kind: DeviceKind::IntegratedGpu,
        limits: METAL.of_apple_gpu(),
        f16: true,
        timestamps: true,
    };

    /// Derived, see [`METAL`]: Apple's families differ in nothing that a kernel of ours asks for.
    const APPLE_M3_MAX: Self = Self { name: "apple-m3-max", adapter: "Apple M3 Max", ..Self::APPLE_M1 };

    /// Snapdragon 8 Gen 2 on Android. 1,024 invocations and 32 KiB assumed, as Adreno 6xx and 7xx report them; for the
    /// rest see [`ANDROID`]. Its driver lacks halves in uniforms (reported, `llama.cpp` #5186), without which wgpu has no
    /// 16-bit floats in shaders.
    const ADRENO_740: Self = Self {
        name: "adreno-740",
        adapter: "Adreno (TM) 740",
        backend: "Vulkan",
        kind: DeviceKind::IntegratedGpu,
        limits: workgroups(ANDROID, 32 << 10, 1024),
        f16: false,
        timestamps: true,
    };

    /// Tensor G1 or Exynos 2100 on Android. 512 invocations and 32 KiB, as Valhall's first generation reports them
    /// (`mpv-android` #544 has such a log); 16-bit floats assumed. For the rest see [`ANDROID`].
    const MALI_G78: Self = Self {
        name: "mali-g78",
        adapter: "Mali-G78",
        limits: workgroups(ANDROID, 32 << 10, 512),
        f16: true,
        ..Self::ADRENO_740
    };

    /// Iris Xe through Vulkan on Windows. A binding of 1 GiB less 4 (reported, `memtest_vulkan` #4); 32 KiB, 1,024
    /// invocations, 16 storage buffers and 16-bit floats as in wgpu-core's bucket for it; a buffer of 2 GiB and the
    /// alignments assumed.
    const INTEL_XE: Self = Self {
        name: "intel-xe",
        adapter: "Intel(R) Iris(R) Xe Graphics",
        backend: "Vulkan",
        kind: DeviceKind::IntegratedGpu,
        limits: Limits {
            max_storage_buffers_per_shader_stage: 16,
            max_storage_buffer_binding_size: (1 << 30) - 4,
            max_buffer_size: (2 << 30) - 1,
            min_storage_buffer_offset_alignment: 64,
            min_uniform_buffer_offset_alignment: 64,
            ..workgroups(Limits::WEBGPU_DEFAULT, 32 << 10, 1024)
        },
        f16: true,
        timestamps: true,
    };

    /// Windows' software adapter through DX12. Derived: 32 KiB and 1,024 invocations are the interface's; a quarter of
    /// 2^20 descriptors for storage buffers (binding tier 3, two stages, textures beside buffers); sizes are wgpu-hal's
    /// own. 16-bit floats with DXC, as in wgpu-core's bucket for it.
    const WARP: Self = Self {
        name: "warp",
        adapter: "Microsoft Basic Render Driver",
        backend: "DX12",
        kind: DeviceKind::SoftwareGpu,
        limits: Limits {
            max_storage_buffers_per_shader_stage: 1 << 18,
            max_storage_buffer_binding_size: (2 << 30) - 4,
            max_buffer_size: (2 << 30) - 1,
            min_storage_buffer_offset_alignment: 32,
            ..workgroups(Limits::WEBGPU_DEFAULT, 32 << 10, 1024)
        },
        f16: true,
        timestamps: true,
    };

    /// Measured: Mesa 22.3.6.
    const LAVAPIPE: Self = Self {
        name: "lavapipe",
        adapter: "llvmpipe (LLVM 15.0.6, 256 bits)",
        backend: "Vulkan",
        kind: DeviceKind::SoftwareGpu,
        limits: Limits {
            max_compute_workgroup_size: [1024; 3],
            max_storage_buffers_per_shader_stage: 32,
            max_buffer_size: (2 << 30) - 1,
            min_storage_buffer_offset_alignment: 32,
            min_uniform_buffer_offset_alignment: 32,
            ..workgroups(Limits::WEBGPU_DEFAULT, 32 << 10, 1024)
        },
        f16: true,
        timestamps: true,
    };

    /// Measured: the copy that comes with Chromium 156.
    const SWIFTSHADER: Self = Self {
        name: "swiftshader",
        adapter: "SwiftShader Device (Subzero)",
        backend: "Vulkan",
        kind: DeviceKind::SoftwareGpu,
        limits: Limits {
            max_storage_buffers_per_shader_stage: 10,
            max_storage_buffer_binding_size: 1 << 30,
            max_buffer_size: 1 << 30,
            ..workgroups(Limits::WEBGPU_DEFAULT, 32 << 10, 256)
        },
        f16: false,
        timestamps: true,
    };

    /// What the standard guarantees.
    pub(super) const WEBGPU_DEFAULT: Self = Self {
        name: "webgpu-default",
        adapter: "WebGPU default",
        backend: "WebGPU",
        kind: DeviceKind::OtherGpu,
        limits: Limits::WEBGPU_DEFAULT,
        f16: false,
        timestamps: false,
    };

    /// The device as the planner takes it.
    pub fn caps(&self) -> Caps {
        Caps {
            name: self.adapter.to_owned(),
            backend: self.backend.to_owned(),
            driver: String::new(),
            kind: self.kind,
            limits: self.limits,
            timestamps: self.timestamps,
            f16: self.f16,
            matrix_units: false,
            threads: 1,
        }
    }
}

/// Measured on an H100. Of its 65,535 workgroups wgpu takes the least of three dimensions; a binding is as large as 31
/// bits count.
const NVIDIA: Limits = Limits {
    max_storage_buffers_per_shader_stage: 1 << 19,
    max_storage_buffer_binding_size: (2 << 30) - 4,
    max_buffer_size: (4 << 30) - (2 << 20),
    min_storage_buffer_offset_alignment: 32,
    min_uniform_buffer_offset_alignment: 64,
    ..Limits::LARGEST
};

/// What every device with Android 15 has (12 storage buffers in a stage), with WebGPU's default alignments, the strictest,
/// assumed; a binding of 128 MiB is what Adreno 7xx reports through Mesa, and the least of Mali's; wgpu-hal holds a
/// buffer below 2 GiB.
const ANDROID: Limits = Limits {
    max_storage_buffers_per_shader_stage: 12,
    max_storage_buffer_binding_size: 128 << 20,
    max_buffer_size: (2 << 30) - 1,
    ..Limits::WEBGPU_DEFAULT
};

/// Metal on macOS, as wgpu-hal's adapter has it for Apple's families: 32 KiB, 1,024 invocations in every dimension. Of the
/// 31 places for buffers wgpu keeps two (the sizes of buffers, immediates), and our uniform takes one. A binding is as large
/// as a buffer, and wgpu-core holds both below 4 GiB, so that offsets of 32 bits reach everything.
const METAL: Limits = Limits {
    max_compute_workgroup_size: [1024; 3],
    max_storage_buffers_per_shader_stage: 31 - 2 - 1,
    max_storage_buffer_binding_size: (4 << 30) - 4,
    max_buffer_size: (4 << 30) - 1,
    min_storage_buffer_offset_alignment: 32,
    min_uniform_buffer_offset_alignment: 256,
    ..workgroups(Limits::WEBGPU_DEFAULT, 32 << 10, 1024)
};

/// These bounds, with workgroups of so many bytes and invocations.
const fn workgroups(base: Limits, bytes: u32, invocations: u32) -> Limits {
    Limits {
        max_compute_workgroup_storage_size: bytes,
        max_compute_invocations_per_workgroup: invocations,
        max_compute_workgroup_size: [invocations, invocations, 64],
        ..base
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl FromStr for Profile {
    type Err = Error;

    /// Finds the device of this name.
    ///
    /// # Errors
    /// [`Error::Unsupported`] with the names that there are.
    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|profile| profile.name == name).ok_or_else(|| Error::Unsupported {
            what: format!("a device profile named {name}"),
            why: format!("there are {}", Self::ALL.map(|profile| profile.name).join(", ")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_find_their_devices_and_others_are_told_the_names() {
        for profile in Profile::ALL {
            assert_eq!(profile.to_string().parse::<Profile>().expect("known"), profile);
        }
        let error = "apple-m9".parse::<Profile>().expect_err("unknown").to_string();
        for profile in Profile::ALL {
            assert!(error.contains(profile.name), "{profile} is not in: {error}");
        }
    }
}
