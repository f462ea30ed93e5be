//! A compiled network as data: everything that a GPU is given to run it. `cargo xtask export` writes it for other programs.

use std::collections::HashMap;

use super::job::Job;
use super::{grid, job, resample};
use crate::caps::Caps;
use crate::dtype::DType;
use crate::error::Result;
use crate::gpu::Reach;
use crate::graph::compile::{BufferId, Place, Program, Step, Stored, Work, simplified};
use crate::graph::network::problem;
use crate::graph::tolerance::shared_out;
use crate::graph::{ConvWeights, Graph, NetworkOptions};
use crate::kernel::{Access, KernelSpec};
use crate::plan::{Dispatch, Plan, Slot};
use crate::wgsl;

/// A network as a GPU is given it: texts, buffers, and dispatches in order. It is made without a device.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listing {
    /// What is compiled.
    pub kernels: Vec<ListedKernel>,
    /// The caller's buffers and those that are made once.
    pub buffers: Vec<ListedBuffer>,
    /// Dispatches that pack weights, once.
    pub packing: Vec<ListedDispatch>,
    /// Dispatches of a run.
    pub run: Vec<ListedDispatch>,
    /// The buffer of each input, by position.
    pub inputs: Vec<usize>,
    /// The buffer of each output, by position.
    pub outputs: Vec<usize>,
}

/// A text. Binding 0 is the uniform of its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedKernel {
    /// A name that no other one has.
    pub name: String,
    /// The text in WGSL.
    pub text: String,
    /// Number and access of each storage buffer.
    pub bindings: Vec<(u32, Access)>,
}

/// A storage buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedBuffer {
    /// What it holds.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// What is in it from the start; of the others nothing is read that was not written.
    pub contents: Option<Vec<u8>>,
}

/// A dispatch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedDispatch {
    /// Which kernel, by position.
    pub kernel: usize,
    /// Workgroups.
    pub grid: [u32; 3],
    /// The words of its uniform.
    pub params: Vec<u32>,
    /// One for each of the kernel's bindings.
    pub operands: Vec<ListedOperand>,
}

/// A part of a buffer at a binding. A binding begins at a multiple of the device's alignment, at or before the part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedOperand {
    /// Which buffer, by position.
    pub buffer: usize,
    /// The first byte.
    pub begin: u64,
    /// Where it ends, at a whole word.
    pub end: u64,
    /// Bytes of an element.
    pub element: u64,
    /// The parameter that is the first element, counted from the start of the buffer: it is less by as many elements as the binding
    /// begins behind that. `None` if the kernel reads from where the binding begins.
    pub first: Option<usize>,
}

impl Listing {
    /// Compiles a network for a device that need not be here.
    ///
    /// # Errors
    /// As [`Network::new`](crate::graph::Network::new).
    pub fn new(graph: &Graph, caps: &Caps, options: impl Into<NetworkOptions>) -> Result<Self> {
        let options = options.into();
        let simple = simplified(graph)?;
        let stored = Stored::on(caps, &simple, options.storage, options.formats(&simple)?)?;
        let program = Program::of_simplified(&simple, stored);
        let preferences = shared_out(&options, &program)?;
        let mut plans = Vec::new();
        for step in &program.steps {
            if let Work::Conv(of) = &step.work {
                plans.push(Plan::new(&problem(&of.conv, step)?, caps, &preferences)?);
            }
        }
        let mut writer = Writer { caps, program: &program, listing: Self::default(), known: HashMap::new() };
        writer.add_buffers(&plans);
        let mut plans = plans.iter();
        for step in &program.steps {
            match &step.work {
                Work::Conv(of) => plans.next().map_or(Ok(()), |plan| writer.add_conv(step, of, plan))?,
                _ => writer.add_step(step),
            }
        }
        Ok(writer.listing)
    }
}

struct Writer<'a> {
    caps: &'a Caps,
    program: &'a Program,
    listing: Listing,
    /// Where the program's buffers and the workspace's are.
    known: HashMap<Key, usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Program(BufferId),
    Workspace(u8),
}

impl Writer<'_> {
    fn buffer(&mut self, name: String, bytes: u64, contents: Option<Vec<u8>>) -> usize {
        let bytes = bytes.max(4).next_multiple_of(4);
        self.listing.buffers.push(ListedBuffer { name, bytes, contents });
        self.listing.buffers.len() - 1
    }

    fn numbers(&mut self, name: String, dtype: DType, numbers: &[f32]) -> usize {
        self.buffer(name, dtype.bytes(numbers.len()), Some(dtype.to_bytes(numbers).into_owned()))
    }

    fn add_buffers(&mut self, plans: &[Plan]) {
        let program = self.program;
        let formats = &program.stored.formats;
        for (i, ((name, dims), format)) in program.inputs.iter().zip(&formats.inputs).enumerate() {
            let at = self.buffer(format!("input {name}"), format.bytes(*dims) as u64, None);
            self.listing.inputs.push(at);
            self.known.insert(Key::Program(BufferId::Input(i)), at);
        }
        for (i, ((name, dims), format)) in program.outputs.iter().zip(&formats.outputs).enumerate() {
            let at = self.buffer(format!("output {name}"), format.bytes(*dims) as u64, None);
            self.listing.outputs.push(at);
            self.known.insert(Key::Program(BufferId::Output(i)), at);
        }
        for (i, constant) in program.constants.iter().enumerate() {
            let at = self.numbers(format!("constant {i}"), DType::F32, constant);
            self.known.insert(Key::Program(BufferId::Constant(i)), at);
        }
        for (i, &len) in program.lens.iter().enumerate() {
            let at = self.buffer(format!("tensors {i}"), program.storage().bytes(len), None);
            self.known.insert(Key::Program(BufferId::Own(i)), at);
        }
        for i in 0u8.. {
            let lens = plans.iter().filter_map(|plan| plan.workspace().get(usize::from(i)));
            let Some(&most) = lens.max() else { break };
            let at = self.buffer(format!("workspace {i}"), DType::F32.bytes(most), None);
            self.known.insert(Key::Workspace(i), at);
        }
    }

    fn kernel(&mut self, kernel: ListedKernel) -> usize {
        let kernels = &mut self.listing.kernels;
        let known = kernels.iter().position(|other| other.text == kernel.text);
        known.unwrap_or_else(|| {
            kernels.push(kernel);
            kernels.len() - 1
        })
    }

    fn kernel_of_plan(&mut self, spec: KernelSpec) -> Result<usize> {
        let text = wgsl::check(&spec, &self.caps.limits)?.source.text;
        let bindings = spec.bindings().iter().map(|binding| (binding.index, binding.access)).collect();
        Ok(self.kernel(ListedKernel { name: spec.name(), text, bindings }))
    }

    fn add_conv(&mut self, step: &Step, of: &ConvWeights, plan: &Plan) -> Result<()> {
        let name = &step.name;
        let weights = self.numbers(format!("weights of {name}"), of.conv.dtype, &of.weights);
        let bias = of.conv.bias.then(|| self.numbers(format!("bias of {name}"), DType::F32, &of.bias));
        let has_slopes = of.conv.activation.has_slopes();
        let slopes = has_slopes.then(|| self.numbers(format!("slopes of {name}"), DType::F32, &of.slopes));
        let packing = plan.packing();
        let packed = (!packing.is_given()).then(|| {
            let bytes = DType::F32.bytes(packing.len(plan.problem()));
            self.buffer(format!("packed weights of {name}"), bytes, None)
        });
        let size = self.program.storage().size();
        let known = self.known.clone();
        let place = |place: &Place| Some((*known.get(&Key::Program(place.buffer))?, size * place.offset as u64));
        let tensor = |slot: Slot| match slot {
            Slot::Input => place(step.inputs.first()?),
            Slot::Residual => place(step.inputs.get(1)?),
            Slot::Output => place(&step.output),
            Slot::Weights => Some((weights, 0)),
            Slot::Packed => Some((packed?, 0)),
            Slot::Bias => Some((bias?, 0)),
            Slot::Slopes => Some((slopes?, 0)),
            Slot::Workspace(i) => Some((*known.get(&Key::Workspace(i))?, 0)),
        };
        for dispatch in packing.dispatches(plan.problem()) {
            let listed = self.of_plan(plan, &dispatch, &tensor)?;
            self.listing.packing.push(listed);
        }
        for dispatch in plan.dispatches() {
            let listed = self.of_plan(plan, dispatch, &tensor)?;
            self.listing.run.push(listed);
        }
        Ok(())
    }

    fn of_plan(
        &mut self,
        plan: &Plan,
        dispatch: &Dispatch,
        tensor: &impl Fn(Slot) -> Option<(usize, u64)>,
    ) -> Result<ListedDispatch> {
        let spec = dispatch.kernel();
        let mut params = dispatch.params().to_vec();
        let mut operands = Vec::new();
        for (binding, operand) in spec.bindings().iter().zip(dispatch.operands()) {
            let element = plan.operand_type(operand.slot).size();
            let Some((buffer, offset)) = tensor(operand.slot) else { continue };
            let begin = offset + element * operand.first as u64;
            let whole = plan.operand_len(operand.slot).unwrap_or(0);
            let len = operand.len.unwrap_or(whole - operand.first) as u64;
            let first = spec.params().iter().position(|(field, _)| field.strip_suffix("_offset") == Some(binding.name));
            if let Some(at) = first {
                // Kernels count from where the part begins.
                params[at] = params[at].wrapping_add(u32::try_from(begin / element).unwrap_or(u32::MAX));
            }
            let end = (begin + element * len).next_multiple_of(4);
            operands.push(ListedOperand { buffer, begin, end, element, first });
        }
        let kernel = self.kernel_of_plan(spec)?;
        Ok(ListedDispatch { kernel, grid: dispatch.grid(), params, operands })
    }

    fn add_step(&mut self, step: &Step) {
        let Some(Job { shader, params, offsets, reads, write, workgroups }) = job(step, &self.program.stored) else {
            return;
        };
        let table = match &step.work {
            Work::Resample(taps) => {
                let table = resample::table(taps);
                Some(self.numbers(format!("table of {}", step.name), DType::F32, &table))
            }
            _ => None,
        };
        let mut operands = Vec::new();
        for (i, (id, Reach { size, first, end })) in reads.iter().chain([&write]).enumerate() {
            // The table is the last one that is read.
            let own = table.filter(|_| i + 1 == reads.len());
            let Some(buffer) = own.or_else(|| self.known.get(&Key::Program(*id)).copied()) else { continue };
            let [begin, end] = [size * first, (size * end).next_multiple_of(4)].map(|bytes| bytes as u64);
            operands.push(ListedOperand { buffer, begin, end, element: *size as u64, first: Some(offsets[i]) });
        }
        let accesses = (0..operands.len()).map(|i| if i == reads.len() { Access::Write } else { Access::Read });
        let bindings = (1..).zip(accesses).collect();
        let name = format!("{}_{}", shader.name, self.listing.kernels.len());
        let kernel = self.kernel(ListedKernel { name, text: shader.text, bindings });
        let grid = grid(&self.caps.limits, workgroups);
        self.listing.run.push(ListedDispatch { kernel, grid, params, operands });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv::Conv;
    use crate::graph::Pool;
    use crate::plan::Preferences;

    #[test]
    fn each_operand_lies_in_its_buffer_and_each_kernel_stands_once() {
        let mut net = Graph::new();
        let mut x = net.input("x", [1, 3, 24, 20]).expect("new");
        for _ in 0..2 {
            let conv = Conv::new(3, 3, [3, 3]).padding(1).bias(true);
            x = net.conv(x, conv, vec![0.1; 81], [0.5; 3]).expect("fits");
            x = net.pool(x, Pool::max([2, 2])).expect("fits");
            x = net.upsample_bilinear(x, 2).expect("fits");
        }
        net.output("y", x).expect("new");
        let listing = Listing::new(&net, &Caps::webgpu_default(), Preferences::new()).expect("planned");
        for dispatch in listing.packing.iter().chain(&listing.run) {
            let kernel = &listing.kernels[dispatch.kernel];
            assert_eq!(kernel.bindings.len(), dispatch.operands.len(), "{}", kernel.name);
            for operand in &dispatch.operands {
                assert!(operand.begin < operand.end, "{}", kernel.name);
                assert!(operand.end <= listing.buffers[operand.buffer].bytes, "{}: {operand:?}", kernel.name);
            }
        }
        let names = |dispatches: &[ListedDispatch]| -> Vec<String> {
            let name = |of: &ListedDispatch| listing.kernels[of.kernel].name.split('_').next().map(str::to_owned);
            dispatches.iter().filter_map(name).collect()
        };
        let steps = names(&listing.run);
        assert_eq!(steps.iter().filter(|name| *name == "max").count(), 2, "{steps:?}");
        assert_eq!(steps.iter().filter(|name| *name == "resample").count(), 2, "{steps:?}");
        let texts: std::collections::HashSet<&str> = listing.kernels.iter().map(|kernel| &*kernel.text).collect();
        assert_eq!(texts.len(), listing.kernels.len());
        // Two of the same kind at two sizes have one text.
        assert_eq!(listing.kernels.iter().filter(|kernel| kernel.name.starts_with("max_pool")).count(), 1);
    }
}
