//! The kernels of Winograd, and the transforms that the grid of variants has them for.

mod filter;
mod fused;
mod fused_cost;
mod inlined;
mod input;
mod multiply;
mod multiply_units;
mod output;

pub use filter::{FilterParams, WinogradFilter};
pub use fused::{FusedBlocking, FusedParams, Fusion, WinogradFused};
pub use inlined::{Reading, WinogradInlined};
pub use input::{InputParams, WinogradInput};
pub use multiply::{Blocking, MultiplyCut, MultiplyParams, WinogradMultiply};
pub use multiply_units::{Fragments, MultiplyUnitsParams, Products, UnitBlocking, UnitCut, WinogradMultiplyUnits};
pub use output::{OutputParams, WinogradOutput};

use crate::winograd::{F, Nested};

/// All shipped transforms, square and of one row or column, and some that mix two.
fn transforms() -> Vec<Nested> {
    let identity = F::new(1, 1);
    let mut all: Vec<Nested> = F::shipped().iter().map(|&f| Nested::square(f)).collect();
    all.extend(F::shipped().iter().map(|&f| Nested { rows: f, cols: identity }));
    all.extend(F::shipped().iter().map(|&f| Nested { rows: identity, cols: f }));
    all.push(Nested { rows: F::new(4, 3), cols: F::new(2, 3) });
    all.push(Nested { rows: F::quadratic(6, 3), cols: F::quadratic(4, 3) });
    all.push(Nested { rows: F::new(4, 3), cols: F::new(2, 5) });
    all.push(Nested { rows: F::quadratic(4, 7), cols: F::new(2, 3) });
    all
}

/// The transforms for weight gradients, which have no epilogue.
fn gradient_transforms() -> Vec<Nested> {
    let (identity, shipped) = (F::new(1, 1), F::for_gradients());
    let mut all: Vec<Nested> = shipped.iter().map(|&f| Nested::square(f)).collect();
    all.extend(shipped.iter().map(|&f| Nested { rows: f, cols: identity }));
    all.extend(shipped.iter().map(|&f| Nested { rows: identity, cols: f }));
    all.push(Nested { rows: F::new(3, 4), cols: F::new(5, 2) });
    all.push(Nested { rows: F::new(2, 4), cols: F::new(3, 4) });
    all
}

/// The transforms that the grid has with tensors in f16: the shortest and the longest bodies.
fn f16_transforms() -> [Nested; 3] {
    [F::new(2, 3), F::new(4, 3), F::quadratic(6, 3)].map(Nested::square)
}

/// The same for weight gradients.
fn f16_gradient_transforms() -> [Nested; 2] {
    [F::new(3, 4), F::quadratic(3, 6)].map(Nested::square)
}
