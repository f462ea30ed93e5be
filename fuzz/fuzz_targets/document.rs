//! Plans' documents. Half of the mutations are of the tree of JSON.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use winoconv_fuzz::{budget, invariants, mutate};

fuzz_target!(|data: &[u8]| {
    budget::within(data.len(), || {
        invariants::document(data);
    });
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    if seed % 2 == 0
        && let Some(text) = mutate::json(&data[..size], seed.into()).filter(|text| text.len() <= max_size)
    {
        data[..text.len()].copy_from_slice(&text);
        return text.len();
    }
    fuzzer_mutate(data, size, max_size)
});
