//! A plan's dispatches with nothing but what bounds their indices: the kernel, the grid, the parameters, and the window of
//! memory behind each binding, exactly as long as the plan's operand.

use winoconv::kernel::{Access, KernelSpec};
use winoconv::plan::{self, Operand, Plan, Slot};

/// A window of memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Window {
    /// Where the binding starts: a multiple of the device's alignment.
    pub(crate) start: u64,
    /// How long it is, in whole words.
    pub(crate) size: u64,
    /// Where in it the tensor begins.
    pub(crate) low: u64,
    /// Where in it the tensor ends.
    pub(crate) high: u64,
    /// Whether the kernel writes it.
    pub(crate) written: bool,
}

/// A dispatch.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Dispatch {
    pub(crate) kernel: KernelSpec,
    pub(crate) grid: [u32; 3],
    pub(crate) params: Vec<u32>,
    /// By binding.
    pub(crate) windows: Vec<(u32, Window)>,
}

/// The dispatches that pack a plan's weights, then those of its run. Callers' tensors begin `apart` elements past the
/// device's alignment, other ones for each slot.
pub(crate) fn dispatches(plan: &Plan, alignment: u64, apart: usize) -> Vec<Dispatch> {
    let packing = plan.packing().dispatches(plan.problem());
    packing.iter().chain(plan.dispatches()).map(|step| dispatch(plan, step, alignment, apart)).collect()
}

fn dispatch(plan: &Plan, step: &plan::Dispatch, alignment: u64, apart: usize) -> Dispatch {
    let mut params = step.params().to_vec();
    let bindings = step.kernel().bindings();
    let windows = bindings.iter().zip(step.operands()).map(|(binding, operand)| {
        let field =
            step.kernel().params().iter().position(|(field, _)| field.strip_suffix("_offset") == Some(binding.name));
        // A kernel without such a field takes the tensor at an aligned place alone.
        let apart = if field.is_some() { apart_of(operand.slot, apart) } else { 0 };
        let element = plan.operand_type(operand.slot).size();
        let window = window(plan, *operand, alignment.max(4), apart, binding.access == Access::Write);
        if let Some(field) = field {
            let first = u32::try_from(window.low / element).expect("a small tensor");
            params[field] = params[field].wrapping_add(first);
        } else {
            assert_eq!(window.low, 0, "{}: {} of {} is not aligned", plan.problem(), binding.name, step.kernel());
        }
        (binding.index, window)
    });
    let windows = windows.collect();
    Dispatch { kernel: step.kernel(), grid: step.grid(), params, windows }
}

/// How many elements past an aligned place a slot's tensor begins.
const fn apart_of(slot: Slot, apart: usize) -> usize {
    match slot {
        Slot::Input => apart,
        Slot::Output => 2 * apart + 1,
        Slot::Weights => apart + 2,
        Slot::Bias => apart + 3,
        Slot::Slopes => 3 * apart,
        Slot::Residual => apart + 5,
        // The plan's own begin where buffers do.
        _ => 0,
    }
}

fn window(plan: &Plan, Operand { slot, first, len }: Operand, alignment: u64, apart: usize, written: bool) -> Window {
    let element = plan.operand_type(slot).size();
    let whole = plan.operand_len(slot).expect("a slot of the plan");
    let len = len.unwrap_or(whole - first);
    assert!(first + len <= whole, "{}: {slot} has {whole} elements, and {first} + {len} are bound", plan.problem());
    let offset = element * (apart + first) as u64;
    let start = offset / alignment * alignment;
    let (low, high) = (offset - start, offset - start + element * len as u64);
    Window { start, size: high.next_multiple_of(4), low, high, written }
}

impl Dispatch {
    /// A parameter's word, if the kernel has it.
    pub(crate) fn param(&self, name: &str) -> Option<u32> {
        let at = self.kernel.params().iter().position(|(field, _)| *field == name)?;
        self.params.get(at).copied()
    }

    /// All of them by name, for messages.
    pub(crate) fn params_by_name(&self) -> String {
        let fields = self.kernel.params().iter().zip(&self.params);
        fields.map(|((name, _), value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
    }
}
