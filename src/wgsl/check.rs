//! The check before any device: naga parses and validates the text, and the lints and the device's bounds must pass, or
//! nothing reaches the device. Errors point into `shaders/`.

use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};

use super::checked::Checked;
use super::{Source, lint, source_of_variant};
use crate::caps::Limits;
use crate::error::{Error, Result};
use crate::kernel::{KernelSpec, Storage, Variant};

/// Writes, parses, validates and lints a kernel whose tensors lie in separate buffers, and holds it against a device's bounds.
///
/// # Errors
/// [`Error::Kernel`] with the finding and its place in `shaders/`; [`Error::Limit`] with the bound.
pub fn check(spec: &KernelSpec, limits: &Limits) -> Result<Checked> {
    check_variant(&(*spec).into(), limits)
}

/// The same, for tensors in separate buffers or not.
///
/// # Errors
/// As [`check`].
pub fn check_variant(variant: &Variant, limits: &Limits) -> Result<Checked> {
    let spec = &variant.kernel;
    spec.check(limits)?;
    let source = source_of_variant(variant)?;
    let failed = |message| Error::Kernel { kernel: variant.name(), message };
    let (module, info) = validate(&source, capabilities(spec)).map_err(failed)?;
    let checked = Checked { source, module, info };
    let violations = lint::run(spec, &checked);
    if violations.is_empty() {
        return Ok(checked);
    }
    Err(failed(violations.join("; ")))
}

/// What a kernel may use beyond what every device has: 16-bit floats where it says so. Words of two halves are what
/// WebGPU has everywhere.
pub fn capabilities(spec: &KernelSpec) -> Capabilities {
    match spec.storage() {
        // Of words of two halves, too.
        _ if matches!(spec, KernelSpec::ImplicitGemmUnits(_)) => {
            let own = Capabilities::SHADER_FLOAT16 | Capabilities::SHADER_FLOAT16_IN_FLOAT32;
            if spec.needs_units() { own | Capabilities::COOPERATIVE_MATRIX } else { own }
        }
        _ if spec.needs_units() => Capabilities::SHADER_FLOAT16 | Capabilities::COOPERATIVE_MATRIX,
        // The emulation packs its halves.
        _ if matches!(spec, KernelSpec::WinogradMultiplyUnits(_)) => Capabilities::SHADER_FLOAT16_IN_FLOAT32,
        Storage::F32 => Capabilities::empty(),
        Storage::F16 => Capabilities::SHADER_FLOAT16,
        Storage::Packed => Capabilities::SHADER_FLOAT16_IN_FLOAT32,
    }
}

/// Parses and validates a text, with errors located in its pieces.
fn validate(source: &Source, capabilities: Capabilities) -> Result<(naga::Module, ModuleInfo), String> {
    let place = |span: naga::Span| match span.location(&source.text).line_number {
        0 => "unknown place".to_owned(),
        line => source.locate(line as usize),
    };
    let module = naga::front::wgsl::parse_str(&source.text).map_err(|error| {
        let at = error
            .location(&source.text)
            .map_or_else(|| "unknown place".to_owned(), |location| source.locate(location.line_number as usize));
        format!("{at}: {}", error.message())
    })?;
    let info = Validator::new(ValidationFlags::all(), capabilities).validate(&module).map_err(|error| {
        let at = error.spans().next().map_or_else(|| "unknown place".to_owned(), |(span, _)| place(*span));
        let mut message = format!("{at}: {}", error.as_inner());
        let mut cause = std::error::Error::source(error.as_inner());
        while let Some(inner) = cause {
            message.push_str(&format!(": {inner}"));
            cause = inner.source();
        }
        message
    })?;
    Ok((module, info))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Resource;
    use crate::kernel::{Blocking, WinogradMultiply};

    fn spec() -> KernelSpec {
        WinogradMultiply { blocking: Blocking::ALL[0], adds: false }.spec()
    }

    #[test]
    fn errors_are_located_in_the_shader_files() {
        let mut broken = source_of_variant(&spec().into()).expect("source");
        broken.text = broken.text.replace("let batch = workgroup.z %", "let batch = workgroup.qq %");
        let message = validate(&broken, capabilities(&spec())).expect_err("no such component");
        assert!(message.starts_with("shaders/kernel/winograd_multiply.wgsl:"), "{message}");
    }

    #[test]
    fn a_device_that_is_too_small_is_named_with_the_bound() {
        let limits = Limits { max_compute_workgroup_storage_size: 1024, ..Limits::WEBGPU_DEFAULT };
        let Err(Error::Limit(error)) = check(&spec(), &limits) else { panic!("12 KiB are over 1 KiB") };
        assert_eq!((error.resource, error.bound), (Resource::WorkgroupBytes, 1024), "{error}");
    }
}
