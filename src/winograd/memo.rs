//! The transforms and programs of each algorithm, computed once a process. They are pure values of
//! the name [`F`], so sharing them is invisible. Names with points are few, a hundred for each
//! family; those without, F(1, r) and F(m, 1), have matrices of any size, and only the small ones are
//! kept.

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

/// The most products of a name that is kept. Names with points have no more.
const MOST_PRODUCTS: usize = 16;

type Table<T> = OnceLock<Mutex<HashMap<F, Arc<T>>>>;

/// Looks a value up, or computes it with the table unlocked (two threads may then both compute; the
/// first stays).
fn memoised<T>(
    table: &'static Table<T>,
    f: F,
    compute: impl FnOnce() -> Result<T, WinogradError>,
) -> Result<Arc<T>, WinogradError> {
    if f.products() > MOST_PRODUCTS {
        return compute().map(Arc::new);
    }
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
    use crate::winograd::Points;
    use std::collections::HashSet;

    #[test]
    fn is_computed_once() {
        let f = F::new(4, 3);
        assert!(Arc::ptr_eq(&f.transform().unwrap(), &f.transform().unwrap()));
        assert!(Arc::ptr_eq(&f.programs().unwrap(), &f.programs().unwrap()));
        assert!(F::new(0, 3).programs().is_err());
    }

    /// Of all names there are, so many may be kept, and what is planned is among them.
    #[test]
    fn few_are_kept() {
        let all = (0..=u8::MAX).flat_map(|m| (0..=u8::MAX).map(move |r| (m, r)));
        let families = [Points::Default, Points::Textbook, Points::Quadratic];
        let names = all.flat_map(|(m, r)| families.map(|points| F::with_points(m, r, points)));
        let kept: HashSet<F> = names.filter(|f| f.products() <= MOST_PRODUCTS).collect();
        assert!(kept.len() < 500, "{} names", kept.len());
        let planned: Vec<F> = F::shipped().iter().chain(F::for_gradients()).copied().collect();
        assert_eq!(planned.iter().find(|f| !kept.contains(f)), None);
        let large = F::new(1, 200);
        assert!(!Arc::ptr_eq(&large.transform().unwrap(), &large.transform().unwrap()), "not kept");
    }
}
