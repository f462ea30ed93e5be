//! Every way into the library, each with the traps that it could fall into: dirty and oversized workspaces, outputs
//! that hold something already, odd offsets, guard words.

use pollster::block_on;
use winoconv::gpu::{self, Bound, Context, Dispatches, Tensor, Tensors};
use winoconv::{DType, Ends, Layer, Operation, Output, Plan, Problem, Residual, Shape, Spatial, Workspace, cpu, wgpu};

use super::data::{Case, Data};

/// What outputs hold before a run: a NaN, so that a word that is not written shows.
const UNWRITTEN: u32 = 0x7fc0_beef;
/// What lies around the caller's output: another NaN, which must be there afterwards, bit for bit.
const GUARD: u32 = 0x7fc0_dead;
/// What lies around the caller's input: a third NaN. Arithmetic passes a NaN's bits on, so a kernel that reads it and
/// writes the result over a guard would otherwise leave no trace.
const AROUND_INPUT: u32 = 0x7fc0_cafe;
/// A NaN in both halves.
const POISON: u32 = 0x7fff_7fff;
/// Elements before the input, before the output and behind both: no multiples of any device's alignment, and both sides
/// of 256 bytes.
const BEFORE_INPUT: usize = 67;
const BEFORE_OUTPUT: usize = 131;
const BEHIND: usize = 37;

/// A way to run a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum EntryPoint {
    /// `run`
    Run,
    /// `run_with_workspace`, an empty one.
    Fresh,
    /// `run_with_workspace`, one that ran before and was overwritten with NaN.
    Dirty,
    /// `run_with_workspace`, one that a larger input used before.
    Oversized,
    /// `bind`, then `encode` into the caller's encoder.
    Encode,
    /// `bind`, then `encode_pass` into an open pass.
    EncodePass,
}

impl EntryPoint {
    /// Those of a GPU.
    pub(crate) const ALL: [Self; 6] =
        [Self::Run, Self::Fresh, Self::Dirty, Self::Oversized, Self::Encode, Self::EncodePass];
    /// Those of the CPU.
    pub(crate) const HOST: [Self; 4] = [Self::Run, Self::Fresh, Self::Dirty, Self::Oversized];

    /// Runs `layer` on the input of `case`. `what` stands in messages.
    pub(crate) fn run(self, layer: &Layer, case: &Case, what: &str) -> Vec<f32> {
        let mut workspace = Workspace::new();
        let memory = match self {
            Self::Run => {
                let output = block_on(run(layer, case));
                let output = output.unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(output.shape, case.problem.output_shape(), "{what}: shape");
                output.data
            }
            Self::Fresh => with_workspace(layer, case, &mut workspace, what),
            Self::Dirty => {
                with_workspace(layer, case, &mut workspace, what);
                workspace.poison(f32::from_bits(POISON));
                with_workspace(layer, case, &mut workspace, what)
            }
            Self::Oversized => {
                let mut larger = Case::new(larger(&case.problem, what), Data::Integer, 1);
                larger.input.fill(f32::MAX);
                with_workspace(layer, &larger, &mut workspace, what);
                with_workspace(layer, case, &mut workspace, what)
            }
            Self::Encode | Self::EncodePass => encode(self, layer, case, what),
        };
        let output = case.gather(&memory);
        let unwritten = output.iter().position(|x| x.to_bits() == UNWRITTEN);
        assert_eq!(unwritten, None, "{what}: an output that was not written");
        let is_gap = |&&bits: &&u32| bits == UNWRITTEN;
        let bits: Vec<u32> = memory.iter().map(|x| x.to_bits()).collect();
        let gaps = memory.len() - output.len();
        // What `run` and `layer.run` return between elements is theirs.
        if self != Self::Run && case.problem.conv().residual != Residual::InPlace {
            assert_eq!(bits.iter().filter(is_gap).count(), gaps, "{what}: a word between the output's elements");
        }
        output
    }
}

async fn run(layer: &Layer, case: &Case) -> winoconv::Result<Output> {
    let problem = &case.problem;
    let shape = problem.of_input().shape;
    let in_place = problem.conv().residual == Residual::InPlace;
    let inputs = if in_place { case.inputs().residual(&case.residual) } else { case.inputs() };
    match problem.operation() {
        _ if *problem != dense(problem) => layer.solve(problem, inputs).await,
        Operation::InputGradient => layer.input_gradient(shape, &case.input).await,
        Operation::WeightGradient => layer.weight_gradient(shape, &case.input, &case.weights).await,
        Operation::ActivationGradient => layer.activation_gradient(shape, &case.input, &case.weights).await,
        Operation::BiasGradient => layer.bias_gradient(shape, &case.input).await,
        Operation::SlopeGradient => layer.slope_gradient(shape, &case.input, &case.weights).await,
        _ => layer.run(shape, inputs).await,
    }
}

/// The problem with tensors that have no gaps.
fn dense(problem: &Problem) -> Problem {
    let made = problem.conv().on(problem.of_input().shape).expect("legal");
    of_operation(made, problem.operation())
}

fn of_operation(problem: Problem, operation: Operation) -> Problem {
    match operation {
        Operation::InputGradient => problem.input_gradient().expect("legal"),
        Operation::WeightGradient => problem.weight_gradient().expect("legal"),
        Operation::ActivationGradient => problem.activation_gradient().expect("legal"),
        Operation::BiasGradient => problem.bias_gradient().expect("legal"),
        Operation::SlopeGradient => problem.slope_gradient().expect("legal"),
        _ => problem,
    }
}

/// The same on an input that is larger in height and width: more outputs in depth some algorithms do not have.
fn larger(problem: &Problem, what: &str) -> Problem {
    let shape = problem.of_input().shape;
    let rank = shape.spatial().len();
    let grown = |(i, size): (usize, &usize)| if rank - i > 2 { *size } else { size + 9 - 2 * i };
    let spatial: Vec<usize> = shape.spatial().iter().enumerate().map(grown).collect();
    let spatial = Spatial::from_slice(&spatial).expect("as many");
    of_operation(
        problem
            .conv()
            .on(Shape::new(shape[0] + 1, shape[1], spatial))
            .unwrap_or_else(|error| panic!("{what}: {error}")),
        problem.operation(),
    )
}

/// What the output holds before a run.
fn before(case: &Case) -> Vec<f32> {
    match case.problem.conv().residual {
        Residual::InPlace => case.residual.clone(),
        _ => vec![f32::from_bits(UNWRITTEN); case.problem.output_len()],
    }
}

fn with_workspace(layer: &Layer, case: &Case, workspace: &mut Workspace, what: &str) -> Vec<f32> {
    let mut output = before(case);
    let run = block_on(layer.run_problem(&case.problem, case.inputs(), &mut output, workspace));
    let account = run.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(account.device, *layer.device().caps(), "{what}: the account names the device");
    output
}

/// The bits of a value as it is stored; of the marks above those of another NaN, none like the others'.
fn bits(dtype: DType, value: f32) -> u32 {
    match (dtype, value.to_bits()) {
        (DType::F16, mark @ (UNWRITTEN | GUARD | AROUND_INPUT)) => mark & 0x3ff | 0x7e00,
        (DType::F16, _) => u32::from(u16::from_le_bytes(dtype.to_bytes(&[value])[..2].try_into().expect("two bytes"))),
        (_, bits) => bits,
    }
}

/// `data` between guards, as it is stored, in whole words.
fn guarded(dtype: DType, data: impl IntoIterator<Item = f32>, before: usize, guard: u32) -> Vec<f32> {
    let guards = |count| std::iter::repeat_n(f32::from_bits(guard), count);
    let mut all: Vec<f32> = guards(before).chain(data).chain(guards(BEHIND)).collect();
    all.extend(guards(all.len() % 2));
    let size = dtype.size() as usize;
    let bytes: Vec<u8> = all.iter().flat_map(|&x| bits(dtype, x).to_le_bytes().into_iter().take(size)).collect();
    bytemuck::pod_collect_to_vec(&bytes)
}

/// The elements in words, as bits.
fn elements(dtype: DType, words: &[f32]) -> Vec<u32> {
    match dtype {
        DType::F16 => bytemuck::cast_slice::<f32, u16>(words).iter().map(|&bits| bits.into()).collect(),
        _ => words.iter().map(|x| x.to_bits()).collect(),
    }
}

/// An element from its bits, [`UNWRITTEN`] as it was.
fn value(dtype: DType, element: u32) -> f32 {
    if element == bits(dtype, f32::from_bits(UNWRITTEN)) {
        return f32::from_bits(UNWRITTEN);
    }
    dtype.from_bytes(&element.to_le_bytes(), 1)[0]
}

fn encode(how: EntryPoint, layer: &Layer, case: &Case, what: &str) -> Vec<f32> {
    let context: &Context = layer.device().context().unwrap_or_else(|| panic!("{what}: encoding needs a GPU"));
    let (dtype, result) = (case.problem.conv().dtype, case.problem.result_type());
    let run = async {
        let plan = layer.plan_for(&case.problem)?;
        let workspace = gpu::Workspace::new(context, &[&plan]).await?;
        for (buffer, len) in workspace.buffers() {
            let poison = vec![f32::NAN; len];
            context.queue().write_buffer(buffer, 0, bytemuck::cast_slice(&poison));
        }
        let input =
            context.upload("input", &guarded(dtype, case.input.iter().copied(), BEFORE_INPUT, AROUND_INPUT)).await?;
        let output = context.upload("output", &guarded(result, before(case), BEFORE_OUTPUT, GUARD)).await?;
        let at = |elements: usize| dtype.size() * elements as u64;
        let (from, to) = (at(BEFORE_INPUT), result.size() * BEFORE_OUTPUT as u64);
        let (from, to) = (Tensor::at(&input, from), Tensor::at(&output, to));
        let mut ends = Ends::new(from, to);
        let third = guarded(dtype, case.residual.iter().chain(&case.weights).copied(), BEFORE_INPUT, AROUND_INPUT);
        let third = context.upload("residual or gradient", &third).await?;
        let residual = at(BEFORE_INPUT);
        if case.problem.conv().residual == Residual::Tensor {
            ends = ends.residual(Tensor::at(&third, residual));
        }
        if case.reads_gradient() {
            ends = ends.gradient(Tensor::at(&third, residual));
        }
        let bound = layer.bind_problem(&case.problem, ends, &workspace).await?;
        assert_eq!(bound.len(), plan.dispatches().len(), "{what}: a dispatch for each step");
        let mut encoder = context.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        if how == EntryPoint::Encode {
            bound.encode(&mut encoder)?;
        } else {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            bound.encode_pass(&mut pass)?;
        }
        context.queue().submit([encoder.finish()]);
        context.download(&output, output.size() as usize / 4).await
    };
    let all = block_on(run).unwrap_or_else(|error: winoconv::Error| panic!("{what}: {error}"));
    let all = elements(result, &all);
    let (before, rest) = all.split_at(BEFORE_OUTPUT);
    let (data, behind) = rest.split_at(case.problem.output_len());
    let guard = bits(result, f32::from_bits(GUARD));
    let touched = |guards: &[u32]| guards.iter().position(|&element| element != guard);
    assert_eq!(touched(before).map(|at| BEFORE_OUTPUT - at), None, "{what}: a guard word so far before the output");
    assert_eq!(touched(behind), None, "{what}: a guard word so far behind the output");
    data.iter().map(|&element| value(result, element)).collect()
}

/// Runs a plan, which may be for a smaller device than this one, on a GPU: memory as the output has it afterwards.
pub(crate) fn run_plan_on_gpu(context: &Context, plan: &Plan, case: &Case) -> winoconv::Result<Vec<f32>> {
    let conv = &plan.problem().conv();
    let (dtype, result) = (conv.dtype, plan.problem().result_type());
    let stored = |data: &[f32]| guarded(dtype, data.iter().copied(), 0, GUARD);
    let run = async {
        let workspace = gpu::Workspace::new(context, &[plan]).await?;
        let input = context.upload("input", &stored(&case.input)).await?;
        let weights = context.upload("weights", &stored(&case.weights)).await?;
        let packed = context.upload("packed", &cpu::pack(plan, &case.weights)?).await?;
        let bias = context.upload("bias", &case.bias).await?;
        let slopes = context.upload("slopes", &case.slopes).await?;
        let residual = context.upload("residual", &stored(&case.residual)).await?;
        let output = context.upload("output", &guarded(result, before(case), 0, GUARD)).await?;
        let tensors = Tensors {
            input: Some((&input).into()),
            output: Some((&output).into()),
            weights: Some((&weights).into()),
            packed: Some((&packed).into()),
            bias: conv.bias.then_some((&bias).into()),
            slopes: conv.activation.has_slopes().then_some((&slopes).into()),
            residual: (conv.residual == Residual::Tensor).then_some((&residual).into()),
        };
        let bound = Bound::new(context, plan, Dispatches::Run, &tensors, &workspace).await?;
        context.submit(&bound)?;
        let found = elements(result, &context.download(&output, output.size() as usize / 4).await?);
        let (output, behind) = found.split_at(case.problem.output_len());
        let guard = bits(result, f32::from_bits(GUARD));
        assert!(behind.iter().all(|&element| element == guard), "{}: a guard word behind the output", plan.problem());
        Ok(output.iter().map(|&element| value(result, element)).collect())
    };
    block_on(run)
}

/// The same on the CPU.
pub(crate) fn run_plan_on_cpu(plan: &Plan, case: &Case) -> Vec<f32> {
    let failed = |error: winoconv::Error| -> ! { panic!("{}: {error}", plan.problem()) };
    let packed = cpu::pack(plan, &case.weights).unwrap_or_else(|error| failed(error));
    let Case { input, weights, bias, slopes, residual, .. } = case;
    let operands = cpu::Operands { input, weights, packed: &packed, bias, slopes, residual };
    let mut workspace: Vec<_> = plan.workspace().iter().map(|&len| vec![f32::NAN; len]).collect();
    let mut output = before(case);
    cpu::run(plan, &operands, &mut workspace, &mut output).unwrap_or_else(|error| failed(error));
    output
}
