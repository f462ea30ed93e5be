//! What the benches share: data, and a GPU if the machine has one.
#![allow(dead_code, reason = "each bench is a crate of its own and uses its part")]

#[cfg(feature = "gpu")]
use winoconv::gpu::{AdapterChoice, Context, ContextOptions};
use winoconv::{Algorithm, Conv, Preferences, Problem, Tolerance};

/// A 3 x 3 layer of `[N, C, H, W]` to `k` filters that keeps the size.
pub(crate) fn problem(shape: [usize; 4], k: usize) -> Problem {
    Conv::new(shape[1], k, [3, 3]).padding(1).on(shape).expect("a legal layer")
}

/// Preferences under which `label` is the algorithm.
pub(crate) fn forced(label: &str) -> Preferences {
    let algorithm: Algorithm = label.parse().expect("an algorithm's label");
    Preferences::new().tolerance(Tolerance::Any).algorithm(algorithm)
}

/// Numbers without a pattern that a CPU could use, between -1 and 1.
pub(crate) fn data(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i as f32 * 12.9898).sin()).collect()
}

/// The best adapter, software if need be; says which, or that there is none.
#[cfg(feature = "gpu")]
pub(crate) fn gpu(bench: &str) -> Option<Context> {
    let open = |choice| pollster::block_on(Context::new(&ContextOptions::default().adapter(choice)));
    match open(AdapterChoice::Hardware).or_else(|_| open(AdapterChoice::Software)) {
        Ok(context) => {
            println!("{bench} on {}", context.caps());
            Some(context)
        }
        Err(error) => {
            println!("SKIPPED {bench}: {error}");
            None
        }
    }
}
