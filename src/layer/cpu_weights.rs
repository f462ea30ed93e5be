//! A layer's weights on the CPU. New weights replace the old ones as a whole, so a run that is under way ends with those that
//! it began with.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::Weights;
use super::operands::rounded;
use crate::cpu;
use crate::dtype::DType;
use crate::plan::{Packing, Plan};
use crate::problem::Operation;

/// The weights of a layer on the CPU.
#[derive(Debug)]
pub(super) struct CpuWeights {
    current: Mutex<Arc<CpuOperands>>,
    /// The forms that something takes.
    packed: Mutex<HashMap<(Operation, Packing), Weak<CpuPacked>>>,
}

/// Weights, bias and slopes; what there is none of is empty.
#[derive(Debug)]
pub(super) struct CpuOperands {
    pub(super) weights: Vec<f32>,
    pub(super) bias: Vec<f32>,
    pub(super) slopes: Vec<f32>,
    /// How many others there were before.
    generation: u64,
}

impl CpuOperands {
    fn new(dtype: DType, weights: &Weights<'_>) -> Self {
        let owned = |data: Option<&[f32]>| data.unwrap_or_default().to_vec();
        let (bias, slopes) = (owned(weights.bias), owned(weights.slopes));
        Self { weights: rounded(dtype, weights.weights).into_owned(), bias, slopes, generation: 0 }
    }
}

/// Weights packed in one form, with the generation of those that they were packed from.
#[derive(Debug, Default)]
pub(super) struct CpuPacked(Mutex<Option<(u64, Arc<Vec<f32>>)>>);

impl CpuPacked {
    /// The packed form of these weights. It is made once, whoever else asks meanwhile.
    pub(super) fn of(&self, operands: &CpuOperands, plan: &Plan) -> Arc<Vec<f32>> {
        let mut packed = lock(&self.0);
        match &*packed {
            Some((generation, packed)) if *generation == operands.generation => packed.clone(),
            _ => {
                // The old ones go first, to make room.
                *packed = None;
                let new = Arc::new(cpu::packed(plan, &operands.weights));
                packed.insert((operands.generation, new)).1.clone()
            }
        }
    }
}

impl CpuWeights {
    pub(super) fn new(dtype: DType, weights: &Weights<'_>) -> Self {
        Self { current: Mutex::new(Arc::new(CpuOperands::new(dtype, weights))), packed: Mutex::default() }
    }

    pub(super) fn current(&self) -> Arc<CpuOperands> {
        lock(&self.current).clone()
    }

    pub(super) fn set(&self, dtype: DType, weights: &Weights<'_>) {
        let new = CpuOperands::new(dtype, weights);
        let mut current = lock(&self.current);
        *current = Arc::new(CpuOperands { generation: current.generation + 1, ..new });
    }

    /// The packed weights of a plan's form.
    pub(super) fn packed(&self, plan: &Plan) -> Arc<CpuPacked> {
        let mut forms = lock(&self.packed);
        let form = forms.entry(plan.packing_key()).or_default();
        form.upgrade().unwrap_or_else(|| {
            let new = Arc::default();
            *form = Arc::downgrade(&new);
            new
        })
    }

    /// Bytes of all packed weights.
    pub(super) fn packed_bytes(&self) -> u64 {
        let forms = lock(&self.packed);
        let lens = forms.values().filter_map(Weak::upgrade);
        lens.map(|packed| lock(&packed.0).as_ref().map_or(0, |(_, packed)| 4 * packed.len() as u64)).sum()
    }
}

/// A thread that panicked cannot have left a half-written value here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
