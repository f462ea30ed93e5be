//! What lives through the iterations: layers on the CPU and on a GPU, a pool of threads, a device. And what an iteration does
//! with them.

use std::pin::pin;
use std::task::{Context as Task, Waker};

use anyhow::{Context as _, anyhow, ensure};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rayon::{ThreadPool, ThreadPoolBuilder};
use winoconv::gpu::{self, AdapterChoice, ContextOptions, ShaderChecks};
use winoconv::{
    Activation, Algorithm, Conv, DType, Device, Ends, Layer, Layout, Operation, Plan, Preferences, Problem, Residual,
    Shape, Spatial, Tolerance, Workspace,
};

use crate::random::data::{Case, Data, Random};
use crate::random::run;
use crate::random::strategies::{Space, activations, problems};

const SPACE: Space = Space { kernels: &[1, 2, 3, 4, 5, 7], extra: 12, everything: true };
/// Outputs of a larger problem that are compared with the exact result.
const SAMPLES: usize = 24;
const THREADS: usize = 6;
const CALLERS: usize = 3;
/// Largest height and width of a long-lived layer's input, by the number of its dimensions.
const LARGEST: [usize; 3] = [600, 40, 9];

pub(super) struct World {
    seed: u64,
    adapter: Option<AdapterChoice>,
    pool: ThreadPool,
    /// On the CPU, and on the GPU.
    lasting: [Vec<Lasting>; 2],
}

/// A layer that lives on, with what it was made from.
struct Lasting {
    layer: Layer,
    made_of: Case,
    workspace: Workspace,
}

impl World {
    pub(super) fn new(seed: u64, adapter: Option<&str>, no_gpu: bool) -> anyhow::Result<Self> {
        let adapter = adapter.map_or(AdapterChoice::Software, |name| AdapterChoice::Named(name.to_owned()));
        let pool = pool(2)?;
        let host = pool.install(Device::cpu);
        let on_cpu = convs().into_iter().map(|conv| Lasting::new(&host, conv)).collect::<anyhow::Result<_>>()?;
        let mut world = Self { seed, adapter: (!no_gpu).then_some(adapter), pool, lasting: [on_cpu, Vec::new()] };
        world.open(&mut Random::new(seed))?;
        Ok(world)
    }

    pub(super) fn devices(&self) -> String {
        let firsts = self.lasting.iter().filter_map(|layers| layers.first());
        firsts.map(|lasting| lasting.layer.device().caps().to_string()).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn layers(&self) -> usize {
        self.lasting.iter().map(Vec::len).sum()
    }

    /// Does something; which, follows from the seed and the number.
    pub(super) fn step(&mut self, iteration: u64) -> anyhow::Result<&'static str> {
        let mut random = Random::new(self.seed ^ iteration.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let random = &mut random;
        let has_gpu = !self.lasting[1].is_empty();
        match random.below(100) {
            0..30 => self.fresh(false, random).map(|()| "fresh problems"),
            30..35 if has_gpu => self.fresh(true, random).map(|()| "fresh problems on the GPU"),
            35..40 => document(self.seed ^ iteration).map(|()| "documents"),
            40..50 if has_gpu => self.sizes(true, random).map(|()| "sizes on the GPU"),
            50..58 => self.dropped(has_gpu, random).map(|()| "dropped futures"),
            58..62 => self.callers(has_gpu && random.below(2) == 0, random).map(|()| "shared layers"),
            62..66 => self.new_pool(random).map(|()| "pools"),
            66 if has_gpu => self.open(random).map(|()| "devices"),
            _ => self.sizes(false, random).map(|()| "sizes"),
        }
    }

    /// A new problem through a layer of its own, every output compared.
    fn fresh(&self, gpu: bool, random: &mut Random) -> anyhow::Result<()> {
        let problem = problem(random.next())?;
        let all = Algorithm::all_for(&problem);
        let forced = Preferences::new().tolerance(Tolerance::Any).algorithm(all[random.below(all.len())]);
        let device = self.lasting[usize::from(gpu)][0].layer.device();
        let may = random.below(2) == 0 && problem.plan(device, &forced).is_ok();
        let preferences = if may { forced } else { Preferences::new() };
        let case = Case::new(problem, Data::Normal, random.next());
        let layer = case.layer(device, preferences).with_context(|| problem.to_string())?;
        self.pool.install(|| run(&case, &layer, &mut Workspace::new(), usize::MAX))
    }

    fn sizes(&mut self, gpu: bool, random: &mut Random) -> anyhow::Result<()> {
        let layers = &mut self.lasting[usize::from(gpu)];
        let at = random.below(layers.len());
        let case = layers[at].case(random)?;
        self.pool.install(|| layers[at].run(&case))
    }

    /// A future that is dropped before it ends, then the same layer as if nothing had been.
    fn dropped(&mut self, has_gpu: bool, random: &mut Random) -> anyhow::Result<()> {
        let gpu = has_gpu && random.below(4) > 0;
        let options = self.options(random);
        let layers = &mut self.lasting[usize::from(gpu)];
        let at = random.below(layers.len());
        let lasting = &mut layers[at];
        let case = lasting.case(random)?;
        let (polls, problem, device) = (random.below(3), case.problem, lasting.layer.device().clone());
        let mut output = case.before();
        match random.below(4) {
            0 => poll(polls, Layer::new(&device, problem.conv(), lasting.made_of.operands(), Preferences::new())),
            1 if gpu => poll(polls, Device::gpu(&options)),
            2 if gpu => poll(polls, bind(&lasting.layer, &case)),
            _ => {
                let run = lasting.layer.run_problem(&problem, case.inputs(), &mut output, &mut lasting.workspace);
                poll(polls, run);
            }
        }
        lasting.run(&case)
    }

    fn callers(&mut self, gpu: bool, random: &mut Random) -> anyhow::Result<()> {
        let layers = &self.lasting[usize::from(gpu)];
        let lasting = &layers[random.below(layers.len())];
        let cases = (0..CALLERS).map(|_| lasting.case(random)).collect::<anyhow::Result<Vec<_>>>()?;
        let call = |case| self.pool.install(|| run(case, &lasting.layer, &mut Workspace::new(), SAMPLES));
        std::thread::scope(|scope| {
            let callers: Vec<_> = cases.iter().map(|case| scope.spawn(move || call(case))).collect();
            let mut ends = callers.into_iter().map(|caller| caller.join().map_err(|_| anyhow!("a caller panicked"))?);
            ends.try_for_each(|end| end)
        })
    }

    fn new_pool(&mut self, random: &mut Random) -> anyhow::Result<()> {
        self.pool = pool(1 + random.below(THREADS))?;
        self.sizes(false, random)
    }

    fn open(&mut self, random: &mut Random) -> anyhow::Result<()> {
        if self.adapter.is_none() {
            return Ok(());
        }
        self.lasting[1].clear();
        let device = Device::gpu_blocking(&self.options(random)).context("the GPU; without one: --no-gpu")?;
        self.lasting[1] =
            convs().into_iter().step_by(3).map(|conv| Lasting::new(&device, conv)).collect::<Result<_, _>>()?;
        self.sizes(true, random)
    }

    fn options(&self, random: &mut Random) -> ContextOptions {
        let checks = if random.below(2) == 0 { ShaderChecks::Checked } else { ShaderChecks::Trusted };
        let options = ContextOptions::default().adapter(self.adapter.clone().unwrap_or_default()).checks(checks);
        options.default_limits(random.below(2) == 0).no_f16(random.below(2) == 0)
    }
}

impl Lasting {
    fn new(device: &Device, conv: Conv) -> anyhow::Result<Self> {
        let problem = conv.on(Shape::new(1, conv.channels, Spatial::all(conv.kernel.rank(), 9)))?;
        let made_of = Case::new(problem, Data::Normal, 5);
        let layer = made_of.layer(device, Preferences::new())?;
        Ok(Self { layer, made_of, workspace: Workspace::new() })
    }

    fn case(&self, random: &mut Random) -> anyhow::Result<Case> {
        let conv = *self.layer.conv();
        let rank = conv.kernel.rank();
        let sizes: Vec<usize> = (0..rank).map(|_| 9 + random.below(LARGEST[rank - 1] - 8)).collect();
        let sizes = Spatial::from_slice(&sizes).context("1 to 3 dimensions")?;
        let forward = conv.on(Shape::new(1 + random.below(2), conv.channels, sizes))?;
        let problem = match random.below(4) {
            0 => forward.input_gradient()?,
            1 => forward.weight_gradient()?,
            _ => forward,
        };
        let mut case = Case::new(problem, Data::Normal, random.next());
        if problem.operation() != Operation::WeightGradient {
            case.weights.clone_from(&self.made_of.weights);
        }
        if !case.bias.is_empty() {
            case.bias.clone_from(&self.made_of.bias);
        }
        Ok(case)
    }

    fn run(&mut self, case: &Case) -> anyhow::Result<()> {
        run(case, &self.layer, &mut self.workspace, SAMPLES)
    }
}

fn convs() -> Vec<Conv> {
    let three = |c, k| Conv::new(c, k, [3, 3]).padding(1);
    vec![
        three(16, 24).bias(true).activation(Activation::Relu),
        three(48, 48),
        three(8, 16).layout(Layout::ChannelsLast).bias(true).activation(Activation::Silu),
        Conv::new(32, 48, [1, 1]).bias(true),
        Conv::new(3, 16, [7, 7]).stride(2).padding(3),
        three(24, 24).groups(24),
        Conv::new(12, 8, [4, 4]).transposed(0).stride(2).padding(1),
        Conv::new(16, 8, [16]).transposed(0).stride(8).padding(4),
        Conv::new(4, 6, [3, 3, 3]).padding(1),
        three(16, 16).dtype(DType::F16),
        three(16, 12).groups(4).residual(Residual::Tensor),
        three(8, 8).dilation(2),
        Conv::new(8, 16, [5, 5]).padding(2).stride(2),
    ]
}

fn pool(threads: usize) -> anyhow::Result<ThreadPool> {
    Ok(ThreadPoolBuilder::new().num_threads(threads).build()?)
}

fn problem(seed: u64) -> anyhow::Result<Problem> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    let tree = problems(SPACE, activations()).new_tree(&mut runner);
    Ok(tree.map_err(|reason| anyhow!("{reason}"))?.current())
}

fn document(seed: u64) -> anyhow::Result<()> {
    let problem = problem(seed)?;
    let plan = problem.plan(&Device::cpu(), &Preferences::new())?;
    let text = serde_json::to_string(&plan)?;
    ensure!(serde_json::from_str::<Plan>(&text)? == plan, "another plan: {text}");
    Ok(())
}

async fn bind(layer: &Layer, case: &Case) -> anyhow::Result<()> {
    let context = layer.device().context().context("no GPU")?;
    let problem = &case.problem;
    let plan = layer.plan_for(problem)?;
    let workspace = gpu::Workspace::new(context, &[&plan]).await?;
    let dtype = problem.conv().dtype;
    let input = context.upload_as("input", dtype, &case.input).await?;
    let output = context.create_buffer("output", dtype.bytes(problem.output_len()).div_ceil(4) as usize).await?;
    layer.bind_problem(problem, Ends::new(&input, &output), &workspace).await?;
    Ok(())
}

fn poll(times: usize, future: impl Future) {
    let mut future = pin!(future);
    for _ in 0..times {
        // Whether it has ended, and how, is not asked here.
        if future.as_mut().poll(&mut Task::from_waker(Waker::noop())).is_ready() {
            break;
        }
    }
}
