//! Which of the CPU's registers are taken: the widest that it has, found out once.

use std::sync::OnceLock;

use pulp::{Arch, WithSimd};

/// For tests: `scalar` or `avx2` selects narrower registers than the CPU has. Any other value, or one that the CPU lacks,
/// selects the widest.
const VARIABLE: &str = "WINOCONV_SIMD";

/// Runs work that is written for registers of any width with those that kernels take.
pub(crate) fn with_registers<W: WithSimd>(work: W) -> W::Output {
    arch().dispatch(work)
}

fn arch() -> Arch {
    static ARCH: OnceLock<Arch> = OnceLock::new();
    *ARCH.get_or_init(|| {
        let named = std::env::var(VARIABLE).ok();
        // Miri knows few of the instructions.
        let named = if cfg!(miri) { Some("scalar") } else { named.as_deref() };
        named.and_then(of_name).unwrap_or_default()
    })
}

fn of_name(name: &str) -> Option<Arch> {
    match name {
        "scalar" => Some(Arch::Scalar),
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        "avx2" => pulp::x86::V3::try_new().map(Arch::V3),
        _ => None,
    }
}
