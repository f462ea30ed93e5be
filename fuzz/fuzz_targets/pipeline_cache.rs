//! The envelope of a stored pipeline cache. Its data go to the driver, which is not tested here.
#![no_main]

use libfuzzer_sys::fuzz_target;
use winoconv_fuzz::{budget, invariants};

fuzz_target!(|data: &[u8]| {
    budget::within(data.len(), || {
        invariants::pipeline_cache(data);
    });
});
