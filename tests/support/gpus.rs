//! The devices of this machine, and what happens to a test where there is none or where a driver is known to fail.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::OnceLock;

use super::skipped;
use winoconv::Device;
use winoconv::gpu::{AdapterChoice, Context, ContextOptions, ShaderChecks, adapters};

/// A failure of a driver that we know of and cannot mend: the test must then fail with this message on this adapter,
/// and one that passes is an error, so that the list stays true.
pub(crate) struct KnownFailure {
    /// Part of the adapter's name or driver.
    pub(crate) adapter: &'static str,
    /// The test's name.
    pub(crate) test: &'static str,
    /// Part of the message.
    pub(crate) message: &'static str,
}

/// All of them.
pub(crate) const KNOWN_FAILURES: &[KnownFailure] = &[];

/// A device under test.
pub(crate) struct Gpu {
    /// Adapter, and how the device was opened.
    pub(crate) label: String,
    /// The device.
    pub(crate) context: Context,
}

impl Gpu {
    /// As the front door takes it.
    pub(crate) fn device(&self) -> Device {
        self.context.clone().into()
    }

    /// The same adapter opened once more. What other tests make and compile meanwhile does not count there.
    pub(crate) fn another(&self, options: ContextOptions) -> Context {
        let named = AdapterChoice::Named(self.context.caps().name.clone());
        let context = pollster::block_on(Context::new(&options.adapter(named)));
        context.unwrap_or_else(|error| panic!("{}, once more: {error}", self.label))
    }
}

/// `WINOCONV_GPU`: what a test does where there is no adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Policy {
    /// It fails. The default where the variable `CI` is set.
    Require,
    /// It is skipped, saying so. The default elsewhere.
    Auto,
    /// No GPU is looked for, and the test is skipped, saying so.
    Off,
}

fn policy() -> Policy {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    match set("WINOCONV_GPU").as_deref() {
        Some("require") => Policy::Require,
        Some("auto") => Policy::Auto,
        Some("off") => Policy::Off,
        Some(other) => panic!("WINOCONV_GPU is {other}, expected require, auto or off"),
        None if set("CI").is_some_and(|value| value != "false") => Policy::Require,
        None => Policy::Auto,
    }
}

/// `WINOCONV_ADAPTER`: part of the name of the only adapters that tests may take. Having none of them is a failure, so
/// that a test which passes did run there.
fn wanted() -> String {
    std::env::var("WINOCONV_ADAPTER").unwrap_or_default().to_lowercase()
}

/// The devices of this machine: every adapter that is wanted, software ones too, with checked and with trusted shaders, and one with
/// no more than WebGPU's default limits and no 16-bit floats. Opened once for all tests of a program.
fn gpus() -> &'static [Gpu] {
    static GPUS: OnceLock<Vec<Gpu>> = OnceLock::new();
    GPUS.get_or_init(|| {
        let mut names: Vec<String> = pollster::block_on(adapters()).into_iter().map(|caps| caps.name).collect();
        names.sort();
        names.dedup();
        let all = names.join(", ");
        let wanted = wanted();
        names.retain(|name| name.to_lowercase().contains(&wanted));
        assert!(
            wanted.is_empty() || !names.is_empty(),
            "no adapter is named {wanted} (WINOCONV_ADAPTER); there are: {all}"
        );
        let mut gpus = Vec::new();
        for (i, name) in names.iter().enumerate() {
            let options = |checks| ContextOptions::default().adapter(AdapterChoice::Named(name.clone())).checks(checks);
            gpus.push(open(&format!("{name}, checked"), &options(ShaderChecks::Checked)));
            gpus.push(open(&format!("{name}, trusted"), &options(ShaderChecks::Trusted)));
            if i == 0 {
                let defaults = options(ShaderChecks::Checked).default_limits(true).no_f16(true);
                gpus.push(open(&format!("{name}, default limits"), &defaults));
            }
        }
        gpus
    })
}

fn open(label: &str, options: &ContextOptions) -> Gpu {
    let context = pollster::block_on(Context::new(options)).unwrap_or_else(|error| panic!("{label}: {error}"));
    // It serves all tests of a program, which take more kernels than an application.
    context.set_pipeline_capacity(usize::MAX);
    Gpu { label: label.to_owned(), context }
}

/// The devices for a test, or none with the skip reported.
pub(crate) fn gpus_for(test: &str) -> &'static [Gpu] {
    match policy() {
        Policy::Off => {
            skipped(test, "WINOCONV_GPU=off");
            &[]
        }
        policy => {
            let gpus = gpus();
            if gpus.is_empty() {
                assert_ne!(policy, Policy::Require, "{test}: no adapter, and WINOCONV_GPU=require (CI's default)");
                skipped(test, "no adapter");
            }
            gpus
        }
    }
}

/// Runs a test on every device at once, and holds it against [`KNOWN_FAILURES`].
pub(crate) fn on_gpus(test: &str, run: impl Fn(&Gpu) + Sync) {
    std::thread::scope(|scope| {
        for gpu in gpus_for(test) {
            scope.spawn(|| judge(test, gpu, KNOWN_FAILURES, || run(gpu)));
        }
    });
}

/// Runs a test on the first device alone: for what does not depend on how a device was opened.
pub(crate) fn on_one_gpu(test: &str, run: impl Fn(&Gpu)) {
    if let Some(gpu) = gpus_for(test).first() {
        judge(test, gpu, KNOWN_FAILURES, || run(gpu));
    }
}

/// A failure is expected or resumed; a success where a failure was expected is a failure.
pub(crate) fn judge(test: &str, gpu: &Gpu, known: &[KnownFailure], run: impl FnOnce()) {
    let caps = gpu.context.caps();
    let here = |known: &&KnownFailure| {
        known.test == test && (caps.name.contains(known.adapter) || caps.driver.contains(known.adapter))
    };
    let expected = known.iter().find(here);
    let Err(panic) = catch_unwind(AssertUnwindSafe(run)) else {
        if let Some(known) = expected {
            panic!("{test} passes on {}, expected to fail with '{}': remove the entry", gpu.label, known.message);
        }
        return;
    };
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("");
    match expected {
        Some(known) if text.contains(known.message) => {
            println!("KNOWN FAILURE {test} on {}: {}", gpu.label, known.message);
        }
        _ => {
            eprintln!("{test} failed on {}", gpu.label);
            resume_unwind(panic);
        }
    }
}
