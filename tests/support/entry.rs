//! Every way into the library, each with the traps that it could fall into: dirty and oversized workspaces, outputs
//! that hold something already, odd offsets, guard words.

use pollster::block_on;
use winoconv::gpu::{self, Context, Tensor};
use winoconv::{Layer, Workspace, wgpu};

use super::data::Case;

/// What outputs hold before a run: a NaN, so that a word that is not written shows.
const UNWRITTEN: u32 = 0x7fc0_beef;
/// What lies around the caller's output: another NaN, which must be there afterwards, bit for bit.
const GUARD: u32 = 0x7fc0_dead;
/// What lies around the caller's input: a third NaN. Arithmetic passes a NaN's bits on, so a kernel that reads it and
/// writes the result over a guard would otherwise leave no trace.
const AROUND_INPUT: u32 = 0x7fc0_cafe;
/// Words before the input, before the output and behind both: no multiples of any device's alignment, and both sides
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
    /// Those of the processor.
    pub(crate) const HOST: [Self; 4] = [Self::Run, Self::Fresh, Self::Dirty, Self::Oversized];

    /// Runs `layer` on the input of `case`. `what` stands in messages.
    pub(crate) fn run(self, layer: &Layer, case: &Case, what: &str) -> Vec<f32> {
        let failed = |error: winoconv::Error| -> ! { panic!("{what}: {error}") };
        let shape = case.problem.input_shape();
        let mut workspace = Workspace::new();
        let mut with_workspace = |shape: [usize; 4], input: &[f32], len: usize| {
            let mut output = vec![f32::from_bits(UNWRITTEN); len];
            let run = block_on(layer.run_with_workspace(shape, input, &mut output, &mut workspace));
            let account = run.unwrap_or_else(|error| failed(error));
            assert_eq!(account.device, *layer.device().caps(), "{what}: the account names the device");
            output
        };
        let len = case.problem.output_len();
        let output = match self {
            Self::Run => {
                let output = layer.run_blocking(shape, &case.input).unwrap_or_else(|error| failed(error));
                assert_eq!(output.shape, case.problem.output_shape(), "{what}: shape");
                output.data
            }
            Self::Fresh => with_workspace(shape, &case.input, len),
            Self::Dirty => {
                with_workspace(shape, &case.input, len);
                workspace.poison(f32::NAN);
                let mut output = vec![f32::from_bits(UNWRITTEN); len];
                let run = block_on(layer.run_with_workspace(shape, &case.input, &mut output, &mut workspace));
                run.unwrap_or_else(|error| failed(error));
                output
            }
            Self::Oversized => {
                let [n, c, h, w] = shape;
                let larger = [n + 1, c, h + 9, w + 5];
                let problem = layer.conv().on(larger).unwrap_or_else(|error| failed(error));
                with_workspace(larger, &vec![f32::MAX; problem.input_len()], problem.output_len());
                with_workspace(shape, &case.input, len)
            }
            Self::Encode | Self::EncodePass => encode(self, layer, case, what),
        };
        let unwritten = output.iter().position(|x| x.to_bits() == UNWRITTEN);
        assert_eq!(unwritten, None, "{what}: an output that was not written");
        output
    }
}

/// `data` between guard words.
fn guarded(data: impl IntoIterator<Item = f32>, before: usize, guard: u32) -> Vec<f32> {
    let guards = |count| std::iter::repeat_n(f32::from_bits(guard), count);
    guards(before).chain(data).chain(guards(BEHIND)).collect()
}

fn encode(how: EntryPoint, layer: &Layer, case: &Case, what: &str) -> Vec<f32> {
    let context: &Context = layer.device().context().unwrap_or_else(|| panic!("{what}: encoding needs a GPU"));
    let run = async {
        let shape = case.problem.input_shape();
        let len = case.problem.output_len();
        let plan = layer.plan(shape)?;
        let workspace = gpu::Workspace::new(context, &[&plan]).await?;
        for (buffer, len) in workspace.buffers() {
            let poison = vec![f32::NAN; len];
            context.queue().write_buffer(buffer, 0, bytemuck::cast_slice(&poison));
        }
        let input = context.upload("input", &guarded(case.input.iter().copied(), BEFORE_INPUT, AROUND_INPUT)).await?;
        let unwritten = std::iter::repeat_n(f32::from_bits(UNWRITTEN), len);
        let output = context.upload("output", &guarded(unwritten, BEFORE_OUTPUT, GUARD)).await?;
        let (from, to) = (Tensor::at(&input, 4 * BEFORE_INPUT as u64), Tensor::at(&output, 4 * BEFORE_OUTPUT as u64));
        let bound = layer.bind(shape, from, to, &workspace).await?;
        assert_eq!(bound.len(), plan.steps.len(), "{what}: a dispatch for each step");
        let mut encoder = context.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        if how == EntryPoint::Encode {
            bound.encode(&mut encoder);
        } else {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            bound.encode_pass(&mut pass);
        }
        context.queue().submit([encoder.finish()]);
        context.download(&output, BEFORE_OUTPUT + len + BEHIND).await
    };
    let all = block_on(run).unwrap_or_else(|error: winoconv::Error| panic!("{what}: {error}"));
    let (before, rest) = all.split_at(BEFORE_OUTPUT);
    let (data, behind) = rest.split_at(case.problem.output_len());
    let touched = |guards: &[f32]| guards.iter().position(|x| x.to_bits() != GUARD);
    assert_eq!(touched(before).map(|at| BEFORE_OUTPUT - at), None, "{what}: a guard word so far before the output");
    assert_eq!(touched(behind), None, "{what}: a guard word so far behind the output");
    data.to_vec()
}
