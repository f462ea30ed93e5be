//! Devices by name: what is special about each, that plans for them are documents, and that every plan for one compiles
//! and is dispatched without a word from wgpu on a device with its limits and features.

use std::collections::{HashMap, HashSet};

use crate::support::problems;
use crate::support::profiles::named;
use winoconv::caps::{Caps, Limits, Profile};
use winoconv::error::{Error, Resource};
use winoconv::kernel::KernelSpec;
use winoconv::plan::{Reason, Verdict, legal_choices};
use winoconv::wgsl::{self, count};
use winoconv::{Activation, Algorithm, Conv, DType, Layout, Plan, Preferences, Problem, Residual, Tolerance};

/// Problems that differ in what a device could refuse: the suite's, layers of networks with a batch of one, and types,
/// layouts and operations that have kernels of their own.
fn all_problems() -> Vec<Problem> {
    let on = |conv: Conv, shape: [usize; 4]| conv.on(shape).unwrap_or_else(|error| panic!("{error}"));
    let mut all: Vec<Problem> = problems::all().into_iter().map(|entry| on(entry.conv, entry.shape)).collect();
    let three = Conv::new(24, 40, [3, 3]).padding(1);
    let full = three.bias(true).activation(Activation::PRelu).residual(Residual::Tensor);
    for conv in [three, full, three.layout(Layout::ChannelsLast), full.stride(2), three.transposed(0)] {
        for dtype in [DType::F32, DType::F16] {
            all.push(on(conv.dtype(dtype), [2, 24, 30, 31]));
        }
    }
    let plain = on(three, [2, 24, 30, 31]);
    all.extend([plain.input_gradient(), plain.weight_gradient()].map(|problem| problem.expect("has gradients")));
    all.extend(layers());
    all
}

/// The benchmark's layers with a batch of one: of the others only the batch is another.
fn layers() -> Vec<Problem> {
    let table: serde_json::Value =
        serde_json::from_str(include_str!("../../xtask/src/bench/layers.json")).expect("JSON");
    // Those of two dimensions that are told by their sizes and padding alone.
    let others = ["operation", "stride", "dilation", "groups", "transposed"];
    let is_plain = |layer: &&serde_json::Value| {
        layer["kernel"].as_array().is_some_and(|sizes| sizes.len() == 2) && others.iter().all(|of| layer[of].is_null())
    };
    let layers = table.as_array().expect("a list").iter().filter(is_plain).map(|layer| {
        let number = |value: &serde_json::Value| value.as_u64().expect("a number") as usize;
        let size = |name: &str, at: usize| layer[name].get(at).map_or(0, number);
        let [n, c, h, w] = [0, 1, 2, 3].map(|at| size("input", at));
        let kernel = [size("kernel", 0), size("kernel", 1)];
        let conv = Conv::new(c, number(&layer["filters"]), kernel).padding([size("padding", 0), size("padding", 1)]);
        (n, conv.on([n, c, h, w]).expect("a layer"))
    });
    let layers: Vec<_> = layers.filter(|(batch, _)| *batch == 1).map(|(_, problem)| problem).collect();
    assert!(layers.len() > 10, "{} layers", layers.len());
    layers
}

fn any() -> Preferences {
    Preferences::new().tolerance(Tolerance::Any)
}

/// Plans for a device: by default, and where any error will do.
fn plans(caps: &Caps, problem: &Problem) -> Vec<Plan> {
    [Preferences::new(), any()].iter().filter_map(|asked| Plan::new(problem, caps, asked).ok()).collect()
}

/// Every kernel of a plan, that which packs too.
fn kernels(plan: &Plan) -> impl Iterator<Item = KernelSpec> {
    let packing = plan.packing().dispatches(plan.problem()).into_iter().map(|step| step.kernel());
    plan.kernels().into_iter().chain(packing)
}

/// Kernels that passed the check before any device, with the most operations that naga's module of one has in a loop.
#[derive(Default)]
struct Texts {
    longest: HashMap<(KernelSpec, Limits), usize>,
}

impl Texts {
    fn longest_loop(&mut self, kernel: KernelSpec, caps: &Caps) -> usize {
        *self.longest.entry((kernel, caps.limits)).or_insert_with(|| {
            let checked = wgsl::check(&kernel, &caps.limits).unwrap_or_else(|error| panic!("on {caps}: {error}"));
            let entries = count::entry_points(&checked);
            let loops = entries.iter().flat_map(|entry| entry.loops.iter().flat_map(count::Body::walk));
            loops.map(|body| body.operations).max().unwrap_or(0)
        })
    }
}

/// Apple's devices of the table.
fn apples() -> Vec<Caps> {
    let apples = Profile::ALL.iter().filter(|profile| profile.adapter.starts_with("Apple "));
    let apples: Vec<_> = apples.map(Profile::caps).collect();
    assert_eq!(apples.len(), 2);
    apples
}

/// By count of the texts, not by what the specs say.
#[test]
fn what_is_planned_for_apples_gpus_keeps_their_two_bounds() {
    let (mut texts, mut checked) = (Texts::default(), HashSet::new());
    for caps in apples() {
        let mut keep = |kernel: KernelSpec, what: &Problem| {
            assert!(kernel.accumulators() <= 64, "{kernel} for {what} on {caps}");
            let longest = texts.longest_loop(kernel, &caps);
            assert!(longest <= 1000, "{kernel} for {what} on {caps}: {longest} operations in a loop");
            checked.insert(kernel);
        };
        for problem in all_problems() {
            for kernel in plans(&caps, &problem).iter().flat_map(kernels) {
                keep(kernel, &problem);
            }
        }
        // Everything that a tuner could try, of each size of filter that has transforms.
        for (filter, padding) in [(3, 1), (5, 2), (7, 3)] {
            let problem = Conv::new(48, 40, [filter, filter]).padding(padding).on([1, 48, 26, 27]).expect("legal");
            let legal = legal_choices(&problem, &caps, &any());
            assert!(legal.len() > 100, "{} choices for {problem}", legal.len());
            for legal in legal {
                let plan = Plan::new(&problem, &caps, &any().choice(legal.choice)).expect("legal");
                kernels(&plan).for_each(|kernel| keep(kernel, &problem));
            }
        }
    }
    assert!(checked.len() > 200, "{} kernels: too few to say anything", checked.len());
}

#[test]
fn a_loop_too_long_for_apples_gpus_is_refused_there_and_runs_elsewhere() {
    let problem = Conv::new(16, 16, [3, 3]).padding(1).on([1, 16, 40, 40]).expect("legal");
    for family in ["fused", "fused_filter"] {
        let asked = any().algorithm(format!("{family}:f6qx3").parse().expect("an algorithm"));
        for caps in apples() {
            let Err(Error::NoPlan(error)) = Plan::new(&problem, &caps, &asked) else { panic!("{family} on {caps}") };
            let why = &error.rejected.first().expect("a reason").1;
            assert!(why.ends_with("needs 1010 operations in the body of a loop, the bound is 1000"), "{why}");
        }
        Plan::new(&problem, &named("h100"), &asked).unwrap_or_else(|error| panic!("{family}: {error}"));
    }
    // Among candidates it stands with its reason, and the plan says so.
    let plan = Plan::new(&problem, &named("apple-m1"), &any()).expect("a plan");
    let reasons = plan.candidates().iter().filter_map(|candidate| match &candidate.verdict {
        Verdict::Rejected(Reason::Limit(error)) => Some(error),
        _ => None,
    });
    let reasons: Vec<_> = reasons.collect();
    assert!(reasons.iter().any(|error| error.resource == Resource::LoopOperations), "{plan}");
    assert!(plan.to_string().contains("operations in the body of a loop, the bound is 1000"), "{plan}");
}

/// No shipped blocking has more than 64, so a smaller bound shows that it is asked.
#[test]
fn a_bound_on_accumulators_chooses_smaller_tiles() {
    let problem = Conv::new(64, 64, [3, 3]).padding(1).on([4, 64, 56, 56]).expect("legal");
    let wide = named("rtx-2060");
    let narrow = Caps { limits: Limits { max_accumulators_per_invocation: 16, ..wide.limits }, ..wide.clone() };
    let most = |caps: &Caps| {
        let legal = legal_choices(&problem, caps, &any()).into_iter();
        let plans = legal.map(|legal| Plan::new(&problem, caps, &any().choice(legal.choice)).expect("legal"));
        plans.flat_map(|plan| plan.kernels()).map(|kernel| kernel.accumulators()).max()
    };
    assert_eq!((most(&wide), most(&narrow)), (Some(64), Some(16)));
    let forced = any().choice("staged:f4x3@64x64x8_8x8/1".parse().expect("a choice"));
    let Err(Error::NoPlan(error)) = Plan::new(&problem, &narrow, &forced) else { panic!("64 sums") };
    assert!(error.to_string().contains("needs 64 accumulators in an invocation, the bound is 16"), "{error}");
    Plan::new(&problem, &wide, &forced).expect("64 sums elsewhere");
}

/// Metal's table of buffers, of which wgpu takes two and the uniform one.
#[test]
fn metals_31_buffers_hold_what_a_kernel_binds() {
    let full = Conv::new(8, 8, [3, 3]).padding(1).bias(true).activation(Activation::PRelu).residual(Residual::Tensor);
    let problem = full.on([1, 8, 20, 20]).expect("legal");
    for caps in apples() {
        assert_eq!(caps.limits.max_storage_buffers_per_shader_stage + 1 + 2, 31, "{caps}");
        assert_eq!(caps.limits.max_compute_workgroup_storage_size, 32 << 10, "{caps}");
        let most = plans(&caps, &problem).iter().flat_map(kernels).map(|kernel| kernel.bindings().len()).max();
        assert_eq!(most, Some(6), "source, weights, bias, slopes, residual, result");
        let few = Caps { limits: Limits { max_storage_buffers_per_shader_stage: 5, ..caps.limits }, ..caps };
        let refused = Plan::new(&problem, &few, &any().algorithm(Algorithm::Direct));
        let error = refused.expect_err("a buffer too few").to_string();
        assert!(error.contains("needs 6 storage buffers, the bound is 5"), "{error}");
    }
}

#[test]
fn every_plans_kernels_pass_the_check_before_its_device() {
    let mut texts = Texts::default();
    for profile in Profile::ALL {
        let caps = profile.caps();
        let plans: Vec<Plan> = all_problems().iter().flat_map(|problem| plans(&caps, problem)).collect();
        assert!(plans.len() > 150, "{} plans for {caps}", plans.len());
        for kernel in plans.iter().flat_map(kernels) {
            texts.longest_loop(kernel, &caps);
        }
    }
}

#[cfg(feature = "serde")]
#[test]
fn a_plan_for_each_profile_is_a_document_that_reads_back() {
    let mut read = 0;
    for profile in Profile::ALL {
        for plan in all_problems().iter().flat_map(|problem| plans(&profile.caps(), problem)) {
            let text = serde_json::to_string(&plan).unwrap_or_else(|error| panic!("{profile}, {plan}: {error}"));
            let again: Plan = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{profile}, {plan}: {error}"));
            assert_eq!(again, plan, "{profile}");
            read += 1;
        }
    }
    println!("{read} plans of {} profiles are documents", Profile::ALL.len());
}

/// What wgpu-core refuses by its limits it refuses here: modules, layouts, bindings, alignments, dispatches.
#[cfg(feature = "gpu")]
#[test]
fn every_plan_compiles_and_is_submitted_on_a_noop_device() {
    use crate::support::noop::Noop;

    let mut all = 0;
    for (i, profile) in Profile::ALL.into_iter().enumerate() {
        let caps = profile.caps();
        let noop = Noop::new(&caps);
        // The two bounds that no interface tells are not of this device, which is none of Apple's.
        let told =
            Limits { max_accumulators_per_invocation: u32::MAX, max_operations_per_loop: u32::MAX, ..caps.limits };
        assert_eq!(noop.context.caps().limits, told, "{profile}: what wgpu tells of a device with its limits");
        assert_eq!((noop.context.caps().f16, noop.context.caps().timestamps), (caps.f16, caps.timestamps), "{profile}");
        let plans: Vec<Plan> =
            crate::support::some(all_problems(), i, 5).iter().flat_map(|problem| plans(&caps, problem)).collect();
        let dispatches = noop.run(&plans).unwrap_or_else(|error| panic!("{profile}: {error}"));
        let kernels = noop.context.compilations();
        println!("{profile}: {} plans, {dispatches} dispatches, {kernels} kernels", plans.len());
        all += plans.len();
    }
    println!("{all} plans of {} profiles compile on noop devices", Profile::ALL.len());
}

/// The front door over such a device, which answers with zeros.
#[cfg(feature = "gpu")]
#[test]
fn a_layer_runs_on_a_noop_device_of_each_profile() {
    use crate::support::noop::Noop;
    use winoconv::{Device, Layer, Weights};

    for profile in Profile::ALL {
        let noop = Noop::new(&profile.caps());
        let device = Device::from(noop.context.clone());
        let conv = Conv::new(8, 12, [3, 3]).padding(1).bias(true).activation(Activation::Relu);
        let (weights, bias) = (vec![1.0; 12 * 8 * 9], vec![1.0; 12]);
        let layer = Layer::new_blocking(&device, conv, Weights::new(&weights).bias(&bias), Preferences::new());
        let output = layer.and_then(|layer| layer.run_blocking([1, 8, 20, 21], &[1.0; 8 * 20 * 21]));
        let output = output.unwrap_or_else(|error| panic!("{profile}: {error}"));
        assert_eq!(output.data, vec![0.0; 12 * 20 * 21], "{profile}");
        assert_eq!(noop.heard(), Vec::<String>::new(), "{profile}");
    }
}

#[cfg(not(feature = "gpu"))]
#[test]
fn noop_devices_need_the_feature_gpu() {
    crate::support::skipped("every_plan_compiles_and_is_submitted_on_a_noop_device", "this build has no feature gpu");
}
