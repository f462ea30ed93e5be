//! Wisdom: measurements as text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use winoconv_fuzz::{budget, invariants};

fuzz_target!(|data: &[u8]| {
    budget::within(data.len(), || {
        invariants::wisdom(data);
    });
});
