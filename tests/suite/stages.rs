//! The GPU's buffers against the twins', stage by stage: each stage gets the same input on both sides (the GPU's own
//! result of the stage before), so that what differs is that stage's doing, and each is held to its own bound.
#![cfg(feature = "gpu")]

use crate::support::data::{Case, Data};
use crate::support::gpus::on_gpus;
use crate::support::stage::{Stage, TransformBound, dot_bound};
use pollster::block_on;
use winoconv::caps::{Caps, DeviceKind};
use winoconv::cpu::{self, Operands};
use winoconv::gpu::{self, Bound, Dispatches, Tensors};
use winoconv::kernel::{
    FusedParams, InputParams, KernelSpec, MultiplyParams, MultiplyUnitsParams, OutputParams, Params, Products, Reading,
    WinogradInlined,
};
use winoconv::layout::{Element, Planes, Tiles};
use winoconv::plan::{Choice, Dispatch};
use winoconv::winograd::error_bound::{Halves, gamma, roundings_by_units};
use winoconv::winograd::{F, Nested};
use winoconv::{Activation, Algorithm, Conv, Padding, Plan, Preferences, Tolerance, wgpu};

/// What no stage may leave where it should write, and no padded column may spread from.
const POISON: u32 = 0x7fc0_1234;

/// The job that is there because its channels are multiplied in parts.
const CHANNELS_IN_PARTS: &str = "channels in parts";

struct Job {
    name: &'static str,
    conv: Conv,
    shape: [usize; 4],
    algorithm: Nested,
    /// Bytes of workspace, as a part of what one chunk would take.
    parts: u64,
    /// How the product is cut, if not by the planner.
    cut: Option<&'static str>,
}

fn jobs() -> Vec<Job> {
    let three = |c, k| Conv::new(c, k, [3, 3]).padding(1);
    let square = Nested::square;
    let job = |name, conv: Conv, n, [h, w]: [usize; 2], algorithm, parts| Job {
        name,
        conv,
        shape: [n, conv.channels, h, w],
        algorithm,
        parts,
        cut: None,
    };
    let cut = |name, conv: Conv, hw, algorithm, cut| Job { cut: Some(cut), ..job(name, conv, 1, hw, algorithm, 1) };
    let asymmetric = Padding::sides([2, 1], [0, 3]);
    let mixed = Nested::new(F::new(4, 3), F::new(2, 3));
    let wide = Nested::new(F::new(1, 1), F::new(4, 3));
    vec![
        job("plain", three(8, 8), 1, [16, 16], square(F::new(4, 3)), 1),
        job("ragged tiles", three(5, 7), 2, [9, 11], square(F::new(4, 3)), 1),
        job("one tile in four columns", three(3, 2), 1, [4, 4], square(F::new(6, 3)), 1),
        job("groups", three(6, 15).groups(3), 1, [10, 7], square(F::new(2, 3)), 1),
        job("chunks", three(3, 4).bias(true).activation(Activation::Relu), 2, [26, 21], square(F::new(4, 3)), 4),
        job("chunks of groups", three(4, 6).groups(2), 3, [19, 22], square(F::quadratic(4, 3)), 3),
        job("padding", three(2, 3).padding(asymmetric), 1, [11, 9], square(F::quadratic(6, 3)), 1),
        job("two transforms", three(4, 5), 1, [13, 8], mixed, 1),
        job("one row", Conv::new(3, 4, [1, 3]), 2, [3, 17], wide, 1),
        job("5 x 5", Conv::new(9, 4, [5, 5]).padding(2), 1, [11, 10], square(F::new(4, 5)), 1),
        job("many channels", three(37, 70), 1, [8, 12], square(F::new(2, 3)), 1),
        job("chunks with bias", three(3, 5).bias(true), 2, [11, 13], square(F::new(2, 3)), 3),
        job(CHANNELS_IN_PARTS, three(150, 12).bias(true), 1, [7, 6], square(F::new(2, 3)), 1),
        job("groups, channels in parts", three(300, 6).groups(2), 1, [7, 7], square(F::new(4, 3)), 1),
        cut("slices", three(37, 70), [9, 12], square(F::new(4, 3)), "64x64x8_8x8_s2/1"),
        cut("slices, fewer channels than a step", three(5, 9), [8, 8], square(F::new(2, 3)), "64x64x8_8x8_s2/1"),
        cut("matrix units, one product", three(37, 70), [9, 12], square(F::new(4, 3)), "32x64x32_16x32_m1/1"),
        cut("matrix units, three products", three(37, 70), [9, 12], square(F::new(4, 3)), "32x64x32_16x32_m3/1"),
        cut(
            "matrix units, parts and groups",
            three(140, 70).groups(2),
            [7, 9],
            square(F::new(2, 3)),
            "32x64x32_16x32_m3/2",
        ),
        cut("matrix units, few of all", three(5, 9), [8, 8], square(F::new(2, 3)), "64x64x32_32x32_m1/1"),
        cut("slices of parts and groups", three(140, 70).groups(2), [7, 9], square(F::new(4, 3)), "64x32x8_8x4_s2/2"),
    ]
}

/// One comparison: a stage's results from both sides, within `bound` of each other twice over.
fn compare(what: &str, at: usize, [gpu, twin]: [f32; 2], bound: f64, worst: &mut f64) {
    let difference = (f64::from(gpu) - f64::from(twin)).abs();
    assert!(
        difference <= 2.0 * bound,
        "{what}: element {at} is {gpu} on the GPU, {twin} on the twin: {difference:e} apart, bound {:e}",
        2.0 * bound
    );
    if bound > 0.0 {
        *worst = worst.max(difference / (2.0 * bound));
    }
}

fn compare_filter(plan: &Plan, case: &Case, nested: Nested, gpu: &[f32], twin: &[f32], what: &str) -> f64 {
    let bounds = TransformBound::new(nested, Stage::Filter);
    let problem = plan.problem();
    let (group_c, group_k) = (problem.channels_per_group(), problem.filters_per_group());
    let u =
        Planes { points: nested.products(), rows: problem.conv().channels, columns: group_k, element: Element::F32 };
    let mut worst = 0.0;
    for (filter, g) in case.weights.chunks(bounds.inputs()).enumerate() {
        let (k, c) = (filter / group_c, filter % group_c);
        let g: Vec<f64> = g.iter().map(|&x| x.into()).collect();
        for (point, bound) in bounds.of(&g, 0).into_iter().enumerate() {
            let at = u.index(point, k / group_k * group_c + c, k % group_k);
            compare(&format!("{what}, U"), at, [gpu[at], twin[at]], bound, &mut worst);
        }
    }
    worst
}

fn compare_input(step: &Dispatch, case: &Case, nested: Nested, gpu: &[f32], twin: &[f32], what: &str) -> f64 {
    let bounds = TransformBound::new(nested, Stage::Input);
    let params = InputParams::from_words(step.params());
    let problem = &case.problem;
    let (tiles, stride) = (params.tiles as usize, params.t_stride as usize);
    let v = Planes { points: nested.products(), rows: problem.conv().channels, columns: stride, element: Element::F32 };
    let grid = Tiles { n: problem.input_shape()[0], y: params.tiles_y as usize, x: params.tiles_x as usize };
    let [[_, h, w], [_, top, left]] = [problem.of_input().shape.spatial().dhw(1), problem.padding_before()];
    let span_w = nested.cols.span();
    let mut worst = 0.0;
    for c in 0..problem.conv().channels {
        for t in 0..tiles {
            let [n, y, x] = grid.position(params.first as usize + t);
            let value = |i: usize| {
                let y = (y * usize::from(nested.rows.m()) + i / span_w).wrapping_sub(top);
                let x = (x * usize::from(nested.cols.m()) + i % span_w).wrapping_sub(left);
                let row = (n * problem.conv().channels + c) * h;
                if y < h && x < w { case.input[(row + y) * w + x].into() } else { 0.0 }
            };
            let d: Vec<f64> = (0..bounds.inputs()).map(value).collect();
            for (point, bound) in bounds.of(&d, 0).into_iter().enumerate() {
                let at = v.index(point, c, t);
                compare(&format!("{what}, V"), at, [gpu[at], twin[at]], bound, &mut worst);
            }
        }
        for (point, t) in (0..v.points).flat_map(|point| (tiles..stride).map(move |t| (point, t))) {
            let at = v.index(point, c, t);
            let bits = gpu[at].to_bits();
            assert_eq!(bits, POISON, "{what}, V: padded column {t} of channel {c}, point {point} was written");
        }
    }
    worst
}

/// `tiles` is the number of columns that carry data in this chunk.
fn compare_multiply(step: &Dispatch, tiles: usize, [u, v]: [&[f32]; 2], [gpu, twin]: [&[f32]; 2], what: &str) -> f64 {
    let params = MultiplyParams::from_words(step.params());
    let words = [params.group_c, params.group_k, params.k_stride, params.t_stride];
    let [group_c, group_k, k_stride, t_stride] = words.map(|word| word as usize);
    let mut worst = 0.0;
    for product in 0..step.grid()[2] as usize {
        let (part, batch) = (product / params.batches as usize, product % params.batches as usize);
        let first = part * params.part_c as usize;
        let end = group_c.min(first + params.part_c as usize);
        assert!(first < end, "{what}: part {part} has no channels");
        for (k, t) in (0..group_k).flat_map(|k| (0..tiles).map(move |t| (k, t))) {
            let row = |c| batch * group_c + c;
            let terms = (first..end).map(|c| (u[row(c) * k_stride + k], v[row(c) * t_stride + t]));
            let at = (product * group_k + k) * t_stride + t;
            compare(&format!("{what}, M"), at, [gpu[at], twin[at]], dot_bound(terms), &mut worst);
        }
    }
    worst
}

/// The same of matrix units, whose halves add to the bound.
fn compare_units(
    step: &Dispatch,
    products: Products,
    [u, v]: [&[f32]; 2],
    [gpu, twin]: [&[f32]; 2],
    what: &str,
) -> f64 {
    let params = MultiplyUnitsParams::from_words(step.params());
    let words = [params.group_c, params.group_k, params.k_stride, params.t_stride, params.tiles];
    let [group_c, group_k, k_stride, t_stride, tiles] = words.map(|word| word as usize);
    let halves = if products == Products::One { Halves::One } else { Halves::Three };
    let identity = Nested::square(F::new(1, 1));
    let mut worst = 0.0;
    for product in 0..step.grid()[2] as usize {
        let (part, batch) = (product / params.batches as usize, product % params.batches as usize);
        let first = part * params.part_c as usize;
        let end = group_c.min(first + params.part_c as usize);
        assert!(first < end, "{what}: part {part} has no channels");
        let bound = gamma(roundings_by_units(identity, end - first, halves));
        for (k, t) in (0..group_k).flat_map(|k| (0..tiles).map(move |t| (k, t))) {
            let row = |c| batch * group_c + c;
            let term = |c| f64::from(u[row(c) * k_stride + k]) * f64::from(v[row(c) * t_stride + t]);
            let size: f64 = (first..end).map(|c| term(c).abs()).sum();
            let at = (product * group_k + k) * t_stride + t;
            compare(&format!("{what}, M"), at, [gpu[at], twin[at]], bound * size, &mut worst);
        }
    }
    worst
}

fn compare_output(
    step: &Dispatch,
    case: &Case,
    nested: Nested,
    m: &[f32],
    [gpu, twin]: [&[f32]; 2],
    what: &str,
) -> f64 {
    let bounds = TransformBound::new(nested, Stage::Output);
    let params = OutputParams::from_words(step.params());
    let problem = &case.problem;
    let filters = problem.conv().filters;
    let planes =
        Planes { points: nested.products(), rows: filters, columns: params.t_stride as usize, element: Element::F32 };
    let grid = Tiles { n: problem.input_shape()[0], y: params.tiles_y as usize, x: params.tiles_x as usize };
    let (out_h, out_w) = (usize::from(nested.rows.m()), usize::from(nested.cols.m()));
    let mut worst = 0.0;
    for (k, t) in (0..filters).flat_map(|k| (0..params.tiles as usize).map(move |t| (k, t))) {
        let [n, y, x] = grid.position(params.first as usize + t);
        // What is added up first, each part rounded once more.
        let parts = || (0..params.parts as usize).map(|part| &m[part * planes.len()..]);
        let products = |point| parts().map(|m| f64::from(m[planes.index(point, k, t)])).map(f64::abs).sum();
        let products: Vec<f64> = (0..planes.points).map(products).collect();
        // ReLU and none enlarge no error; the bias is one more addition.
        let bias = case.bias.get(k).map_or(0.0, |&bias| f64::from(bias).abs());
        let with_bias = gamma(1) * bias;
        for (i, bound) in bounds.of(&products, params.parts).into_iter().enumerate() {
            let (p, q) = (y * out_h + i / out_w, x * out_w + i % out_w);
            let [_, p_size, q_size] = problem.of_output().shape.spatial().dhw(1);
            if p < p_size && q < q_size {
                let at = ((n * filters + k) * p_size + p) * q_size + q;
                compare(&format!("{what}, Y"), at, [gpu[at], twin[at]], bound + with_bias, &mut worst);
            }
        }
    }
    worst
}

fn run(context: &gpu::Context, job: &Job, label: &str) -> [f64; 4] {
    let what = format!("{} ({}) on {label}", job.name, job.algorithm);
    let failed = |error: winoconv::Error| -> ! { panic!("{what}: {error}") };
    let problem = job.conv.on(job.shape).unwrap_or_else(|error| failed(error));
    let case = Case::new(problem, Data::Normal, 7);
    let preferences = Preferences::new().tolerance(Tolerance::Any).algorithm(Algorithm::Staged(job.algorithm));
    let choice = job.cut.map(|cut| format!("{}@{cut}", Algorithm::Staged(job.algorithm).label()));
    let choice = choice.map(|label| label.parse::<Choice>().unwrap_or_else(|error| failed(error)));
    let preferences = Preferences { cut: choice.map(|choice| choice.cut), ..preferences };
    // A plan for a GPU, whatever this is: a CPU has no use for channels in parts.
    let caps = Caps { kind: DeviceKind::DiscreteGpu, ..context.caps().clone() };
    let plan = |preferences| Plan::new(&problem, &caps, &preferences).unwrap_or_else(|error| failed(error));
    let limit = plan(preferences).workspace_bytes() / job.parts;
    let plan = plan(preferences.workspace_limit(limit));
    assert!(
        plan.dispatches().len() as u64 >= 3 * job.parts,
        "{what}: {} steps for {} parts",
        plan.dispatches().len(),
        job.parts
    );
    let parts = |step: &Dispatch| OutputParams::from_words(step.params()).parts;
    assert!(
        job.name != CHANNELS_IN_PARTS || plan.dispatches().last().is_some_and(|step| parts(step) > 1),
        "{what}: not in parts"
    );

    let poisoned = |len: usize| vec![f32::from_bits(POISON); len];
    let test = async {
        let workspace = gpu::Workspace::new(context, &[&plan]).await?;
        let buffers: Vec<_> = workspace.buffers().map(|(buffer, len)| (buffer.clone(), len)).collect();
        let packed_len = plan.packing().len(&problem);
        let input = context.upload("input", &case.input).await?;
        let weights = context.upload("weights", &case.weights).await?;
        let bias = context.upload("bias", &case.bias).await?;
        let packed = context.upload("packed", &poisoned(packed_len)).await?;
        let output = context.upload("output", &poisoned(problem.output_len())).await?;
        let tensors = Tensors {
            input: Some((&input).into()),
            output: Some((&output).into()),
            weights: Some((&weights).into()),
            packed: Some((&packed).into()),
            bias: Some((&bias).into()),
            slopes: None,
            residual: None,
        };
        let dispatch = async |dispatches: Dispatches| -> winoconv::error::Result<()> {
            let bound = Bound::new(context, &plan, dispatches, &tensors, &workspace).await?;
            let mut encoder = context.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            bound.encode(&mut encoder)?;
            context.queue().submit([encoder.finish()]);
            Ok(())
        };
        dispatch(Dispatches::Packing).await?;
        let u = context.download(&packed, packed_len).await?;
        let twin_u = cpu::pack(&plan, &case.weights).unwrap_or_else(|error| failed(error));
        let mut worst = [compare_filter(&plan, &case, job.algorithm, &u, &twin_u, &what), 0.0, 0.0, 0.0];

        let operands =
            Operands { input: &case.input, weights: &case.weights, packed: &u, bias: &case.bias, ..Default::default() };
        let mut twin: Vec<_> = plan.workspace().iter().map(|&len| poisoned(len)).collect();
        let mut twin_output = poisoned(problem.output_len());
        let mut tiles = 0;
        for (i, step) in plan.dispatches().iter().enumerate() {
            let what = format!("{what}, step {i}");
            if let KernelSpec::WinogradInput(_) = step.kernel() {
                // What the chunk before left must not be taken for this one's.
                for (buffer, len) in &buffers {
                    context.queue().write_buffer(buffer, 0, bytemuck::cast_slice(&poisoned(*len)));
                }
                tiles = InputParams::from_words(step.params()).tiles as usize;
            }
            dispatch(Dispatches::Only(i)).await?;
            cpu::run_step(&plan, i, &operands, &mut twin, &mut twin_output)?;
            let read = async |at: usize| context.download(&buffers[at].0, buffers[at].1).await;
            let (stage, ratio) = match step.kernel() {
                KernelSpec::WinogradInput(_) => {
                    let v = read(0).await?;
                    let ratio = compare_input(step, &case, job.algorithm, &v, &twin[0], &what);
                    twin[0].copy_from_slice(&v);
                    (1, ratio)
                }
                KernelSpec::WinogradMultiply(_) => {
                    let m = read(1).await?;
                    let ratio = compare_multiply(step, tiles, [&u, &twin[0]], [&m, &twin[1]], &what);
                    twin[1].copy_from_slice(&m);
                    (2, ratio)
                }
                KernelSpec::WinogradMultiplyUnits(kernel) => {
                    let m = read(1).await?;
                    let products = kernel.blocking().products();
                    let ratio = compare_units(step, products, [&u, &twin[0]], [&m, &twin[1]], &what);
                    twin[1].copy_from_slice(&m);
                    (2, ratio)
                }
                KernelSpec::WinogradOutput(_) => {
                    let y = context.download(&output, problem.output_len()).await?;
                    (3, compare_output(step, &case, job.algorithm, &twin[1], [&y, &twin_output], &what))
                }
                other => panic!("{what}: {other} is no stage"),
            };
            worst[stage] = f64::max(worst[stage], ratio);
        }
        let y = context.download(&output, problem.output_len()).await?;
        assert_eq!(
            y.iter().position(|x| x.is_nan()),
            None,
            "{what}: a padded column or an unwritten word came through"
        );
        Ok(worst)
    };
    block_on(test).unwrap_or_else(|error| failed(error))
}

#[test]
fn every_stage_is_its_twins() {
    on_gpus("every_stage_is_its_twins", |gpu| {
        for job in jobs() {
            let [u, v, m, y] = run(&gpu.context, &job, &gpu.label);
            println!("{}, {}: U {u:.3} V {v:.3} M {m:.3} Y {y:.3} of the bound", gpu.label, job.name);
        }
    });
}

/// Y of the exhibit from the same U and V on both sides, chunk by chunk; the worst difference in parts of its bound.
fn run_inlined(context: &gpu::Context, job: &Job, reading: Reading, label: &str) -> f64 {
    let algorithm = Algorithm::Inlined(job.algorithm, reading);
    let what = format!("{} ({algorithm}) on {label}", job.name);
    let failed = |error: winoconv::Error| -> ! { panic!("{what}: {error}") };
    let problem = job.conv.on(job.shape).unwrap_or_else(|error| failed(error));
    let case = Case::new(problem, Data::Normal, 11);
    let preferences = Preferences::new().tolerance(Tolerance::Any).algorithm(algorithm);
    let plan = |preferences| Plan::new(&problem, context.caps(), &preferences).unwrap_or_else(|error| failed(error));
    let plan = plan(preferences.workspace_limit(plan(preferences).workspace_bytes() / job.parts));
    assert!(plan.dispatches().len() as u64 >= 2 * job.parts, "{what}: {} steps", plan.dispatches().len());

    let packed = cpu::pack(&plan, &case.weights).unwrap_or_else(|error| failed(error));
    let operands = Operands { input: &case.input, packed: &packed, bias: &case.bias, ..Default::default() };
    let mut twin = [vec![f32::from_bits(POISON); plan.workspace()[0]]];
    let mut twin_output = vec![f32::from_bits(POISON); problem.output_len()];
    let test = async {
        let workspace = gpu::Workspace::new(context, &[&plan]).await?;
        let buffers: Vec<_> = workspace.buffers().map(|(buffer, _)| buffer.clone()).collect();
        let u = context.upload("packed", &packed).await?;
        let bias = context.upload("bias", &case.bias).await?;
        let output = context.upload("output", &twin_output).await?;
        let tensors = Tensors {
            input: None,
            output: Some((&output).into()),
            weights: None,
            packed: Some((&u).into()),
            bias: Some((&bias).into()),
            slopes: None,
            residual: None,
        };
        let mut worst = 0.0;
        for (i, step) in plan.dispatches().iter().enumerate() {
            cpu::run_step(&plan, i, &operands, &mut twin, &mut twin_output)?;
            let KernelSpec::WinogradInlined(kernel) = step.kernel() else { continue };
            context.queue().write_buffer(&buffers[0], 0, bytemuck::cast_slice(&twin[0]));
            let bound = Bound::new(context, &plan, Dispatches::Only(i), &tensors, &workspace).await?;
            let mut encoder = context.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            bound.encode(&mut encoder)?;
            context.queue().submit([encoder.finish()]);
            let y = context.download(&output, problem.output_len()).await?;
            let both = [y.as_slice(), twin_output.as_slice()];
            worst = f64::max(worst, compare_inlined(step, &kernel, &case, [&packed, &twin[0]], both, &what));
        }
        let y = context.download(&output, problem.output_len()).await?;
        assert_eq!(y.iter().position(|x| x.is_nan()), None, "{what}: an unwritten word, or a padded column");
        Ok(worst)
    };
    block_on(test).unwrap_or_else(|error| failed(error))
}

/// Both sides sum the same terms, each rounded at most once for its coefficient, product, channel and place in the sum.
fn compare_inlined(
    step: &Dispatch,
    kernel: &WinogradInlined,
    case: &Case,
    [u, v]: [&[f32]; 2],
    [gpu, twin]: [&[f32]; 2],
    what: &str,
) -> f64 {
    let params = FusedParams::from_words(step.params());
    let problem = &case.problem;
    let (filters, group_c, group_k) =
        (problem.conv().filters, problem.channels_per_group(), problem.filters_per_group());
    let points = kernel.algorithm().products();
    let u_planes = Planes { points, rows: problem.conv().channels, columns: group_k, element: Element::F32 };
    let v_planes =
        Planes { points, rows: problem.conv().channels, columns: params.t_stride as usize, element: Element::F32 };
    let grid = Tiles { n: problem.input_shape()[0], y: params.tiles_y as usize, x: params.tiles_x as usize };
    let (out_h, out_w) = (usize::from(kernel.algorithm().rows.m()), usize::from(kernel.algorithm().cols.m()));
    let kronecker = kernel.kronecker().unwrap_or_else(|error| panic!("{what}: {error}"));
    let mut worst = 0.0;
    for (k, t) in (0..filters).flat_map(|k| (0..params.tiles as usize).map(move |t| (k, t))) {
        let [n, y, x] = grid.position(params.first as usize + t);
        let magnitude = |point| -> f64 {
            let row = |c| k / group_k * group_c + c;
            let term = |c| u[u_planes.index(point, row(c), k % group_k)] * v[v_planes.index(point, row(c), t)];
            (0..group_c).map(|c| f64::from(term(c).abs())).sum()
        };
        let magnitudes: Vec<f64> = (0..points).map(magnitude).collect();
        let bias = case.bias.get(k).map_or(0.0, |&bias| f64::from(bias).abs());
        for (i, row) in kronecker.iter_rows().enumerate() {
            let (p, q) = (y * out_h + i / out_w, x * out_w + i % out_w);
            let [_, p_size, q_size] = problem.of_output().shape.spatial().dhw(1);
            if p < p_size && q < q_size {
                let size: f64 = row.iter().zip(&magnitudes).map(|(a, m)| a.to_f64().abs() * m).sum();
                let roundings = u32::try_from(group_c + points + 3).unwrap_or(u32::MAX);
                let bound = gamma(roundings) * (size + bias);
                let at = ((n * filters + k) * p_size + p) * q_size + q;
                compare(&format!("{what}, Y"), at, [gpu[at], twin[at]], bound, &mut worst);
            }
        }
    }
    worst
}

/// F(4x4,3x3) is compared in `conformance` alone: each of its variants takes a software adapter seconds to compile.
#[test]
fn the_exhibit_is_its_twin() {
    on_gpus("the_exhibit_is_its_twin", |gpu| {
        for job in jobs().iter().filter(|job| job.algorithm == Nested::square(F::new(2, 3)) || job.name == "one row") {
            for reading in [Reading::PerOutput, Reading::PerNonzero] {
                let worst = run_inlined(&gpu.context, job, reading, &gpu.label);
                println!("{}, {}, {reading:?}: {worst:.3} of the bound", gpu.label, job.name);
            }
        }
    });
}
