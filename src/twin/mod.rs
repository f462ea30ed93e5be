//! The shaders' twins: each kernel in Rust over slices, with the shader's name, operands and parameters, one element after the
//! other on one thread. They exist to be compared with the shaders, and run on the CPU what has no kernel there. And what
//! everything is compared with: the reference in f64, and the bound of its difference from a kernel's result.

mod activation_gradient;
mod channel_sums;
mod depthwise;
mod depthwise_patch;
mod direct;
mod dot;
mod filter_rows;
mod finish;
mod implicit_gemm;
mod implicit_gemm_units;
mod operands;
mod pack_halves;
mod reference;
mod sum_parts;
mod transform;
mod winograd;

pub(crate) use finish::{Finish, SideBySide};
pub use operands::Operands;
pub use reference::{Reference, Sample, error_bound, error_bound_at};
pub(crate) use transform::Transform2d;

use crate::activation::Activation;
use crate::dtype::DType;
use crate::kernel::{Access, Epilogue, Kernel, Params, Storage, with_spec};
use crate::plan::{Dispatch, Operand, Slot};

/// The twin of a shader.
pub(crate) trait Twin: Kernel {
    /// Does what the shader does in a dispatch: from what the call reads to the one operand that is written.
    fn run(&self, call: &Call<'_>, written: &mut [f32]);
}

/// A dispatch with what it reads.
pub(crate) struct Call<'a> {
    dispatch: &'a Dispatch,
    tensors: &'a Operands<'a>,
    workspace: &'a [Vec<f32>],
    finish: Finish<'a>,
    /// The convolution's, with its numbers.
    activation: Activation,
}

impl<'a> Call<'a> {
    /// What the dispatch's `binding`-th operand binds.
    fn read(&self, binding: usize) -> &'a [f32] {
        read(self.dispatch.operands[binding], self.tensors, self.workspace)
    }

    fn params<P: Params>(&self) -> P {
        P::from_words(&self.dispatch.params)
    }
}

fn read<'a>(operand: Operand, tensors: &Operands<'a>, workspace: &'a [Vec<f32>]) -> &'a [f32] {
    match operand.slot {
        Slot::Workspace(index) => {
            let whole = &workspace[usize::from(index)];
            &whole[operand.range(whole.len())]
        }
        _ => tensors.read(operand),
    }
}

/// Runs a dispatch of a plan whose tensors were checked. `activation` is the convolution's.
pub(crate) fn run(
    dispatch: &Dispatch,
    activation: Activation,
    tensors: &Operands<'_>,
    workspace: &mut [Vec<f32>],
    output: &mut [f32],
) {
    let bindings = dispatch.kernel.bindings();
    let operand = |named: &str| bindings.iter().position(|b| b.name == named).map(|at| dispatch.operands[at]);
    // The old contents of an output that is computed into another buffer.
    let stood: Vec<f32> = match operand("residual") {
        Some(Operand { slot: Slot::Output, .. }) => output.iter().map(|&x| DType::F16.rounded(x)).collect(),
        _ => Vec::new(),
    };
    let residual = operand("residual").map_or(&[][..], |operand| match operand.slot {
        Slot::Output => &stood[operand.range(stood.len())],
        _ => tensors.read(operand),
    });
    // What is made elsewhere may be a part of the output, whose place in a residual is another one.
    let fields = dispatch.kernel.params();
    let offset = |name| fields.iter().position(|(field, _)| *field == name).map_or(0, |at| dispatch.params[at]);
    let apart = offset("residual_offset").wrapping_sub(offset("dst_offset"));
    let epilogue = dispatch.kernel.epilogue().unwrap_or(Epilogue::NONE);
    let finish = Finish {
        // Where later dispatches add to the outputs, the last one has the activation.
        activation: if epilogue.activation == activation.name() { activation } else { Activation::None },
        // All of it, whatever part a GPU would bind: filters are counted from the first one.
        bias: if epilogue.bias { tensors.bias } else { &[] },
        slopes: tensors.slopes,
        from: epilogue.residual,
        residual: residual.get(apart as usize..).unwrap_or_default(),
        stored: if dispatch.kernel.storage() == Storage::F16 { DType::F16 } else { DType::F32 },
    };
    let written = bindings.iter().position(|binding| binding.access == Access::Write).map(|at| dispatch.operands[at]);
    let run = |workspace: &[Vec<f32>], written: &mut [f32]| {
        let call = Call { dispatch, tensors, workspace, finish, activation };
        with_spec!(dispatch.kernel, spec => Twin::run(&spec, &call, written));
    };
    match written {
        Some(written @ Operand { slot: Slot::Workspace(index), .. }) => {
            let mut held = std::mem::take(&mut workspace[usize::from(index)]);
            let range = written.range(held.len());
            run(workspace, &mut held[range]);
            workspace[usize::from(index)] = held;
        }
        written => {
            let range = written.map_or(0..output.len(), |written| written.range(output.len()));
            run(workspace, &mut output[range]);
        }
    }
}

/// A step or an offset from the word that kernels take.
fn step(word: u32) -> isize {
    word.cast_signed() as isize
}
