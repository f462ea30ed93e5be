//! The rules of `crate::support::gpus` themselves: a known failure is expected, its absence is an error, anything else fails.
#![cfg(feature = "gpu")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::support::gpus::{KNOWN_FAILURES, KnownFailure, judge, on_one_gpu};

#[test]
fn a_known_failure_is_expected_and_its_absence_is_an_error() {
    on_one_gpu("a_known_failure_is_expected_and_its_absence_is_an_error", |gpu| {
        let known = [KnownFailure { adapter: "", test: "planted", message: "the driver gives up" }];
        let passes = |test: &str, run: fn()| {
            catch_unwind(AssertUnwindSafe(|| judge(test, gpu, &known, run))).map_err(|panic| {
                panic
                    .downcast_ref::<String>()
                    .cloned()
                    .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()))
            })
        };
        assert!(passes("planted", || panic!("here the driver gives up")).is_ok(), "fails as expected");
        let healed = passes("planted", || {}).expect_err("passes where a failure is expected");
        assert!(healed.is_some_and(|text| text.contains("remove the entry")), "says what to do");
        let other = passes("planted", || panic!("something else")).expect_err("fails in another way");
        assert_eq!(other.as_deref(), Some("something else"), "the panic is resumed");
        assert!(passes("another", || panic!("here the driver gives up")).is_err(), "expected of its own test alone");
    });
}

#[test]
fn entries_are_complete() {
    for known in KNOWN_FAILURES {
        let whole = [known.adapter, known.test, known.message].iter().all(|text| !text.is_empty());
        assert!(whole, "adapter, test and message: {}, {}, {}", known.adapter, known.test, known.message);
    }
}
