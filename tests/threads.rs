//! A CPU that gives no threads. rayon starts its global pool once in a process, so each test here runs in one of its own.
#![cfg(not(target_arch = "wasm32"))]

#[cfg(feature = "gpu")]
mod support;

use std::process::Command;
use std::sync::Arc;

#[cfg(feature = "gpu")]
use support::data::{Case, Data, assert_within};
#[cfg(feature = "gpu")]
use support::entry::run_plan_on_cpu;
use winoconv::{Account, Conv, Device, Layer, Preferences, Weights};
#[cfg(feature = "gpu")]
use winoconv::{Plan, caps::Caps};

/// Set in a child process, where threads cannot be started.
const CHILD: &str = "WINOCONV_TEST_NO_THREADS";

/// Runs a test in a process whose threads would need stacks larger than the address space, so that none starts. (Limits on the
/// number of threads do not bind root.)
fn without_threads(test: &str, work: impl FnOnce()) {
    if std::env::var_os(CHILD).is_some() {
        let thread = std::thread::Builder::new().spawn(|| ());
        assert!(thread.is_err(), "a thread was started");
        return work();
    }
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(CHILD, "1");
    child.env("RUST_MIN_STACK", (1_u64 << 50).to_string());
    let output = child.output().expect("a child process");
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).join("\n");
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

fn runs(device: &Device) -> Arc<Account> {
    let conv = Conv::new(16, 32, [3, 3]).padding(1);
    let layer =
        Layer::new_blocking(device, conv, Weights::new(&[0.5; 16 * 32 * 9]), Preferences::new()).expect("legal");
    let output = layer.run_blocking([2, 16, 40, 40], &[1.0; 2 * 16 * 1600]).expect("one thread does it");
    assert!((output.data[41] - 72.0).abs() < 1e-2, "{}", output.data[41]);
    output.account
}

#[test]
fn without_threads_the_caller_does_the_work() {
    without_threads("without_threads_the_caller_does_the_work", || {
        for _ in 0..2 {
            let device = Device::cpu();
            assert_eq!(device.caps().threads, 1);
            let account = runs(&device);
            let fallback = account.fallback.as_ref().expect("it is told");
            assert_eq!((fallback.wished.as_str(), fallback.used.as_str()), ("a thread for each core", "one thread"));
            assert!(fallback.why.contains("cannot be started"), "{fallback}");
            assert!(account.to_string().contains("one thread instead of a thread for each core"), "{account}");
        }
    });
}

/// A plan may be made for threads that there are not.
#[cfg(feature = "gpu")]
#[test]
fn a_plan_for_many_threads_runs_on_one() {
    without_threads("a_plan_for_many_threads_runs_on_one", || {
        let problem = Conv::new(16, 32, [3, 3]).padding(1).on([2, 16, 40, 40]).expect("legal");
        let caps = Caps { threads: 8, ..Caps::cpu() };
        let plan = Plan::new(&problem, &caps, &Preferences::new()).expect("a plan");
        let case = Case::new(problem, Data::Normal, 3);
        let got = run_plan_on_cpu(&plan, &case);
        assert_within(&got, &case.reference().all(), &case.bound(plan.algorithm()), "eight threads' plan");
    });
}

/// Somebody else asked rayon first, and got a panic.
#[test]
fn a_pool_that_failed_earlier_is_no_panic() {
    without_threads("a_pool_that_failed_earlier_is_no_panic", || {
        rayon::ThreadPoolBuilder::new().build_global().expect_err("no threads");
        let account = runs(&Device::cpu());
        let fallback = account.fallback.as_ref().expect("it is told");
        assert!(fallback.why.contains("could not be started earlier"), "{fallback}");
    });
}
