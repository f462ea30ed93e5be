//! The transforms and programs of each algorithm, computed once a process. They are pure values of
//! the name [`F`], so sharing them is invisible.

use super::error_bound::Amplifications;
use super::{F, Program, Transform, WinogradError};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The straight-line programs of one F(m, r).
#[derive(Clone, Debug, PartialEq)]
pub struct Programs {
    /// B^T: span inputs, one output for each product.
    pub input: Program,
    /// G: r weights, one output for each product.
    pub filter: Program,
    /// A^T: one input for each product, m outputs.
    pub output: Program,
}

impl Programs {
    /// The programs of a transform's three matrices.
    ///
    /// # Errors
    /// A coefficient overflows.
    pub fn new(transform: &Transform) -> Result<Self, WinogradError> {
        Ok(Self {
            input: Program::from_matrix(&transform.b_t)?,
            filter: Program::from_matrix(&transform.g)?,
            output: Program::from_matrix(&transform.a_t)?,
        })
    }
}

type Table<T> = OnceLock<Mutex<HashMap<F, Arc<T>>>>;

/// Looks a value up, or computes it with the table unlocked (two threads may then both compute; the
/// first stays).
fn memoised<T>(
    table: &'static Table<T>,
    f: F,
    compute: impl FnOnce() -> Result<T, WinogradError>,
) -> Result<Arc<T>, WinogradError> {
    let table = table.get_or_init(Mutex::default);
    // A thread that panicked elsewhere cannot have left a half-written value here, so poison is no
    // reason to stop.
    let lock = || table.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = lock().get(&f) {
        return Ok(Arc::clone(known));
    }
    let value = Arc::new(compute()?);
    Ok(Arc::clone(lock().entry(f).or_insert(value)))
}

impl F {
    /// The matrices, computed once a process.
    ///
    /// # Errors
    /// As [`Transform::new`].
    pub fn transform(self) -> Result<Arc<Transform>, WinogradError> {
        static TABLE: Table<Transform> = OnceLock::new();
        memoised(&TABLE, self, || Transform::new(self))
    }

    /// The straight-line programs, computed once a process.
    ///
    /// # Errors
    /// As [`Transform::new`], or a coefficient overflows.
    pub fn programs(self) -> Result<Arc<Programs>, WinogradError> {
        static TABLE: Table<Programs> = OnceLock::new();
        memoised(&TABLE, self, || Programs::new(self.transform()?.as_ref()))
    }

    /// How rounding errors grow, computed once a process: a planner asks it of every candidate.
    pub(super) fn amplifications(self) -> Result<Arc<Amplifications>, WinogradError> {
        static TABLE: Table<Amplifications> = OnceLock::new();
        memoised(&TABLE, self, || Ok(Amplifications::of(self.transform()?.as_ref())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_computed_once() {
        let f = F::new(4, 3);
        assert!(Arc::ptr_eq(&f.transform().unwrap(), &f.transform().unwrap()));
        assert!(Arc::ptr_eq(&f.programs().unwrap(), &f.programs().unwrap()));
        assert!(F::new(0, 3).programs().is_err());
    }
}
