//! The product by matrix units, kernel by kernel: their fragments where a device has them, and everywhere their emulation. What is
//! promised of values of mixed magnitudes, infinities and NaN, and that flaws are found.
#![cfg(feature = "gpu")]

use pollster::block_on;
use winoconv::caps::{Caps, Limits, Profile};
use winoconv::gpu::Context;
use winoconv::kernel::{KernelSpec, MultiplyUnitsParams, Params, Products};
use winoconv::plan::{Choice, Cut, expected_error};
use winoconv::wgsl::source;
use winoconv::winograd::error_bound::{Halves, gamma, roundings_by_units};
use winoconv::winograd::{F, Nested};
use winoconv::{
    Activation, Algorithm, Border, Conv, DType, Layer, Layout, Plan, Preferences, Problem, Residual, Shape, Spatial,
    Tolerance, Weights, wgpu,
};

use crate::support::data::{Case, Data, Random, assert_exact, assert_within};
use crate::support::entry::{EntryPoint, run_plan_on_cpu};
use crate::support::gpus::{on_gpus, on_one_gpu};

/// One matrix product.
struct Product {
    channels: usize,
    filters: usize,
    tiles: usize,
    u: Vec<f32>,
    v: Vec<f32>,
}

/// What stands in padding, and must not matter.
const PADDING: f32 = 3e30;

impl Product {
    /// Values around 1, a little more than a block of 32 x 32 with two steps of channels.
    fn new(seed: u64) -> Self {
        let (channels, filters, tiles) = (50, 37, 41);
        let mut random = Random::new(seed);
        let mut plane = |columns: usize| -> Vec<f32> {
            let stride = columns.next_multiple_of(4);
            let value = |at: usize| if at % stride < columns { random.normal() as f32 } else { PADDING };
            (0..channels * stride).map(value).collect()
        };
        let (u, v) = (plane(filters), plane(tiles));
        Self { channels, filters, tiles, u, v }
    }

    /// The same with values of U and V changed, by channel and column.
    fn with(mut self, u: impl Fn(usize, usize) -> f32, v: impl Fn(usize, usize) -> f32) -> Self {
        let strides = [self.filters, self.tiles].map(|columns| columns.next_multiple_of(4));
        let scale = |plane: &mut [f32], stride: usize, columns: usize, factor: &dyn Fn(usize, usize) -> f32| {
            for (at, value) in plane.iter_mut().enumerate().filter(|(at, _)| at % stride < columns) {
                *value *= factor(at / stride, at % stride);
            }
        };
        scale(&mut self.u, strides[0], self.filters, &u);
        scale(&mut self.v, strides[1], self.tiles, &v);
        self
    }

    fn terms(&self, k: usize, t: usize) -> impl Iterator<Item = f64> {
        let strides = [self.filters, self.tiles].map(|columns| columns.next_multiple_of(4));
        (0..self.channels).map(move |c| f64::from(self.u[c * strides[0] + k]) * f64::from(self.v[c * strides[1] + t]))
    }

    /// Sums of a column's values, each without its sign.
    fn sizes(&self, k: usize, t: usize) -> [f64; 2] {
        let strides = [self.filters, self.tiles].map(|columns| columns.next_multiple_of(4));
        let sum = |plane: &[f32], stride: usize, column: usize| -> f64 {
            (0..self.channels).map(|c| f64::from(plane[c * stride + column].abs())).sum()
        };
        [sum(&self.u, strides[0], k), sum(&self.v, strides[1], t)]
    }

    fn params(&self) -> MultiplyUnitsParams {
        let word = |n: usize| u32::try_from(n).expect("small");
        MultiplyUnitsParams {
            group_c: word(self.channels),
            group_k: word(self.filters),
            k_stride: word(self.filters.next_multiple_of(4)),
            t_stride: word(self.tiles.next_multiple_of(4)),
            tiles: word(self.tiles),
            part_c: word(self.channels.next_multiple_of(32)),
            batches: 1,
        }
    }

    /// M by this text of a kernel.
    fn run(&self, context: &Context, kernel: &KernelSpec, text: &str) -> Vec<f32> {
        let KernelSpec::WinogradMultiplyUnits(multiply) = kernel else { panic!("{kernel} is another kernel") };
        let device = context.device();
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("by matrix units"),
            source: wgpu::ShaderSource::Wgsl(text.into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        });
        let len = self.filters * self.tiles.next_multiple_of(4);
        let buffers = async {
            let words = self.params().words();
            let params = device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: 4 * words.len() as u64,
                usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            });
            context.queue().write_buffer(&params, 0, bytemuck::cast_slice(&words));
            let [u, v] = [context.upload("u", &self.u).await?, context.upload("v", &self.v).await?];
            Ok::<_, winoconv::Error>([params, u, v, context.upload("m", &vec![f32::NAN; len]).await?])
        };
        let buffers = block_on(buffers).unwrap_or_else(|error| panic!("{error}"));
        let entries: Vec<_> = (0..)
            .zip(&buffers)
            .map(|(binding, buffer)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() })
            .collect();
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &group, &[]);
        let blocks = |n: usize, block: u32| u32::try_from(n).expect("small").div_ceil(block);
        let b = multiply.blocking();
        pass.dispatch_workgroups(blocks(self.tiles, b.tiles()), blocks(self.filters, b.filters()), 1);
        drop(pass);
        context.queue().submit([encoder.finish()]);
        block_on(context.download(&buffers[3], len)).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The largest error of M as a part of its bound, and the relative L2 error.
    fn errors(&self, m: &[f32], products: Products) -> [f64; 2] {
        let bound = gamma(roundings_by_units(Nested::square(F::new(1, 1)), self.channels, halves(products)));
        // What small values lose beside the largest ones; padding does not count among those.
        let largest =
            |plane: &[f32]| plane.iter().map(|x| x.abs()).filter(|x| *x < PADDING).fold(2f32.powi(-48), f32::max);
        let [largest_u, largest_v] = [largest(&self.u), largest(&self.v)];
        let least = |largest: f32| f64::from(largest) * 2f64.powi(-39);
        let (mut worst, mut error, mut size) = (0.0_f64, 0.0, 0.0);
        for (k, t) in (0..self.filters).flat_map(|k| (0..self.tiles).map(move |t| (k, t))) {
            let exact: f64 = self.terms(k, t).sum();
            let terms: f64 = self.terms(k, t).map(f64::abs).sum();
            let [u_size, v_size] = self.sizes(k, t);
            let off = f64::from(m[k * self.tiles.next_multiple_of(4) + t]) - exact;
            worst = if off.is_nan() {
                f64::INFINITY
            } else {
                worst.max(off.abs() / (bound * terms + least(largest_v) * u_size + least(largest_u) * v_size))
            };
            (error, size) = (error + off * off, size + exact * exact);
        }
        [worst, (error / size).sqrt()]
    }
}

fn halves(products: Products) -> Halves {
    if products == Products::One { Halves::One } else { Halves::Three }
}

/// The kernels that a device can run: of matrix units where it has some, else of their emulation.
fn kernels(caps: &Caps) -> Vec<(KernelSpec, Products)> {
    let all = if caps.matrix_units { KernelSpec::all_for_units() } else { KernelSpec::all() };
    let of_units =
        all.into_iter().filter(|kernel| kernel.check(&caps.limits).is_ok()).filter_map(|kernel| match kernel {
            KernelSpec::WinogradMultiplyUnits(multiply) => Some((kernel, multiply.blocking().products())),
            _ => None,
        });
    of_units.collect()
}

fn text(kernel: &KernelSpec) -> String {
    source(kernel).unwrap_or_else(|error| panic!("{kernel}: {error}")).text
}

/// The smallest kernel with so many products.
fn smallest(caps: &Caps, products: Products) -> KernelSpec {
    let smallest =
        kernels(caps).into_iter().filter(|(_, of)| *of == products).min_by_key(|(kernel, _)| kernel.workgroup_bytes());
    smallest.expect("a kernel that fits").0
}

#[test]
fn every_blocking_is_within_its_bound() {
    on_gpus("every_blocking_is_within_its_bound", |gpu| {
        let kernels = kernels(gpu.context.caps());
        for products in Products::ALL {
            assert!(kernels.iter().any(|(_, of)| *of == products), "{}: none of {products} products", gpu.label);
        }
        for (kernel, products) in kernels {
            let product = Product::new(1);
            let [worst, relative] = product.errors(&product.run(&gpu.context, &kernel, &text(&kernel)), products);
            println!("{}, {kernel}: {worst:.3} of the bound, error {relative:.1e}", gpu.label);
            assert!(worst <= 1.0, "{kernel}: {worst} of the bound");
            let expected = if products == Products::One { 4e-4 } else { 2.5e-7 };
            assert!(relative <= expected, "{kernel}: error {relative:e}, expected at most {expected:e}");
        }
    });
}

/// Columns from 2^-12 to 2^12, gradients of 1e-12, U of 1e6: wherever the values lie, and each column by itself.
#[test]
fn magnitudes_do_not_matter() {
    on_gpus("magnitudes_do_not_matter", |gpu| {
        let spread = |_: usize, column: usize| 2f32.powi((column * 7 % 25) as i32 - 12);
        let channels = |c: usize, _: usize| 2f32.powi((c * 7 % 25) as i32 - 12);
        let all: [(&str, Product); 5] = [
            ("filters and tiles", Product::new(2).with(spread, spread)),
            ("channels", Product::new(3).with(channels, channels)),
            ("gradients", Product::new(4).with(|_, _| 1.0, |_, _| 1e-12)),
            ("large and small", Product::new(5).with(|_, _| 1e6, |_, _| 1e-20)),
            ("later channels", Product::new(6).with(|_, _| 1.0, |c, _| if c < 32 { 1e-6 } else { 1e6 })),
        ];
        for (products, (name, product)) in Products::ALL.into_iter().flat_map(|of| all.iter().map(move |row| (of, row)))
        {
            let kernel = smallest(gpu.context.caps(), products);
            let [worst, relative] = product.errors(&product.run(&gpu.context, &kernel, &text(&kernel)), products);
            println!("{}, {products} products, {name}: {worst:.3} of the bound, error {relative:.1e}", gpu.label);
            assert!(worst <= 1.0, "{products} products, {name}: {worst} of the bound");
        }
    });
}

/// What is not finite in a column makes that column so, and changes no bit of another.
#[test]
fn columns_that_are_not_finite_leave_others_alone() {
    on_gpus("columns_that_are_not_finite_leave_others_alone", |gpu| {
        for (products, value) in
            Products::ALL.into_iter().flat_map(|of| [f32::NAN, f32::INFINITY, f32::NEG_INFINITY].map(|x| (of, x)))
        {
            let kernel = smallest(gpu.context.caps(), products);
            let (k_stride, t_stride) = (40, 44);
            let plain = Product::new(7);
            let mut product = Product::new(7);
            product.u[20 * k_stride + 3] = value;
            product.v[33 * t_stride + 40] = value;
            let run = |product: &Product| product.run(&gpu.context, &kernel, &text(&kernel));
            let (before, after) = (run(&plain), run(&product));
            for (k, t) in (0..37).flat_map(|k| (0..41).map(move |t| (k, t))) {
                let (before, after) = (before[k * t_stride + t], after[k * t_stride + t]);
                let touched = k == 3 || t == 40;
                assert_eq!(!after.is_finite(), touched, "{kernel}, {value}: {after} at {k}, {t}");
                assert!(
                    touched || before.to_bits() == after.to_bits(),
                    "{kernel}, {value}: {before}, {after} at {k}, {t}"
                );
            }
        }
    });
}

#[test]
fn planted_flaws_are_found() {
    on_gpus("planted_flaws_are_found", |gpu| {
        let kernel = smallest(gpu.context.caps(), Products::Three);
        let text = text(&kernel);
        let plant = |from: &str, to: &str| {
            assert!(text.contains(from), "{from} is not in the text any more: plant the flaw elsewhere");
            text.replace(from, to)
        };
        let flaws = [
            ("the low halves are dropped", plant(") * LOW)", ") * 0.0)")),
            ("the low halves keep their scale", plant("1.0 / LOW", "1.0")),
            (
                "sums of earlier steps are left out",
                plant("(*acc)[0] = add_scaled((*acc)[0], sum0_0, unit);", "(*acc)[0] = scaled(sum0_0, unit);"),
            ),
            ("planes are swapped", plant("left(u_at + PLANE_U + ", "left(u_at + ")),
            ("the scale of sums is forgotten", plant("power(unit), &acc)", "1.0, &acc)")),
            ("the scale of V is forgotten", plant("power(TOP - top.y)", "1.0")),
            (
                "the largest value is not looked for",
                plant("atomicMax(&largest[1], ranks.y)", "atomicMax(&largest[1], 0u)"),
            ),
            ("padding is taken for data", plant("mask_v(first + c, end, t_first, local, &next_v);", "")),
        ];
        // Large values, so that a scale matters.
        let product = Product::new(8).with(|_, _| 1.0, |_, _| 1e5);
        let worst = |text: &str| product.errors(&product.run(&gpu.context, &kernel, text), Products::Three)[0];
        assert!(worst(&text) <= 1.0, "{kernel} itself");
        for (flaw, text) in &flaws {
            let worst = worst(text);
            println!("{}, {flaw}: {worst:.1} of the bound", gpu.label);
            assert!(worst > 1.0, "{flaw}: {worst} of the bound");
        }
    });
}

/// naga takes the texts for matrix units, our lints accept them, and they fit the largest device.
#[test]
fn texts_for_matrix_units_are_valid() {
    let limits = Limits::LARGEST;
    for kernel in KernelSpec::all_for_units() {
        winoconv::wgsl::check(&kernel, &limits).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Whole layers, of transforms that three products admit by default and one product never does: the planner's picks stand on these
/// numbers.
#[test]
fn layers_have_the_expected_errors() {
    const SIZE: usize = 16;
    const FILTERS: usize = 16;
    on_gpus("layers_have_the_expected_errors", |gpu| {
        for (transform, channels) in [("f2x3", 64), ("f4x3", 256), ("f6qx3", 64), ("f8qx3", 256)] {
            let mut random = Random::new(channels as u64);
            let mut normal = |len: usize| -> Vec<f32> { (0..len).map(|_| random.normal() as f32).collect() };
            let (x, w) = (normal(channels * SIZE * SIZE), normal(FILTERS * channels * 9));
            let exact = exact(&x, &w, [channels, FILTERS, SIZE]);
            let size: f64 = exact.iter().map(|y| y.powi(2)).sum();
            for products in ["m3", "m1"] {
                let choice: Choice =
                    format!("staged:{transform}@32x32x32_16x16_{products}/1").parse().expect("a choice");
                let conv = Conv::new(channels, FILTERS, [3, 3]).padding(1);
                let preferences = Preferences::new().tolerance(Tolerance::Any).choice(choice);
                let layer = Layer::new_blocking(&gpu.device(), conv, Weights::new(&w), preferences).expect("legal");
                let got = layer.run_blocking([1, channels, SIZE, SIZE], &x).expect("outputs").data;
                let off: f64 = got.iter().zip(&exact).map(|(&got, exact)| (f64::from(got) - exact).powi(2)).sum();
                let problem = conv.on([1, channels, SIZE, SIZE]).expect("legal");
                let ratio = (off / size).sqrt() / expected_error(&problem, choice, gpu.context.caps());
                assert!((0.5..1.3).contains(&ratio), "{choice}, {channels} channels: {ratio} times the expected error");
            }
        }
    });
}

/// A 3x3 convolution with padding 1 in f64.
fn exact(x: &[f32], w: &[f32], [channels, filters, size]: [usize; 3]) -> Vec<f64> {
    let at = |c: usize, y: usize, x0: usize| {
        let inside = (1..=size).contains(&y) && (1..=size).contains(&x0);
        if inside { f64::from(x[(c * size + y - 1) * size + x0 - 1]) } else { 0.0 }
    };
    let output = |k: usize, i: usize, j: usize| -> f64 {
        let tap = |c: usize, t: usize| f64::from(w[(k * channels + c) * 9 + t]) * at(c, i + t / 3, j + t % 3);
        (0..channels).map(|c| (0..9).map(|t| tap(c, t)).sum::<f64>()).sum()
    };
    (0..filters * size * size).map(|i| output(i / (size * size), i / size % size, i % size)).collect()
}

/// Problems for the implicit product: ragged edges, strides, dilation, groups, one to three dimensions, both orders in memory, an end of
/// every kind, and the gradient of an input.
fn implicit() -> Vec<(&'static str, Problem)> {
    let sizes = |sizes: &[usize]| Spatial::from_slice(sizes).expect("one to three");
    let conv = |channels, filters, kernel: &[usize]| Conv::new(channels, filters, sizes(kernel)).dtype(DType::F16);
    let on = |conv: Conv, shape: &[usize]| conv.on(Shape::new(shape[0], shape[1], sizes(&shape[2..]))).expect("legal");
    let last = |conv: Conv| conv.layout(Layout::ChannelsLast);
    let three = |channels, filters| conv(channels, filters, &[3, 3]).padding(1);
    vec![
        ("3x3", on(three(16, 24), &[2, 16, 9, 7])),
        ("more channels than a step", on(three(72, 70).stride(2), &[1, 72, 13, 11])),
        ("dilation", on(three(40, 33).padding(2).dilation(2), &[1, 40, 10, 12])),
        ("groups", on(three(48, 36).groups(2).bias(true), &[1, 48, 8, 9])),
        ("channels last", on(last(three(64, 40)).bias(true).activation(Activation::Relu), &[2, 64, 10, 9])),
        ("channels last, groups", on(last(three(48, 36).groups(3)), &[1, 48, 7, 9])),
        ("channels last, a residual", on(last(three(24, 16).stride(2)).residual(Residual::Tensor), &[1, 24, 9, 8])),
        ("in place", on(three(16, 40).residual(Residual::InPlace), &[1, 16, 6, 7])),
        ("1x1", on(conv(72, 33, &[1, 1]), &[3, 72, 5, 6])),
        ("one dimension", on(conv(8, 20, &[5]).padding(4).dilation(2), &[2, 8, 70])),
        ("three dimensions", on(conv(16, 12, &[3, 2, 3]).padding(1), &[1, 16, 4, 5, 6])),
        ("the gradient of an input", on(three(24, 32), &[1, 24, 9, 8]).input_gradient().expect("legal")),
    ]
}

/// Of small integers all sums are exact, so each value must be where it belongs, and each rounding in its place. Tensors begin at
/// multiples of sixteen bytes in one run and at odd elements in the other.
#[test]
fn implicit_products_are_exact() {
    let choices: Vec<Choice> = Cut::all_for_units(Algorithm::ImplicitGemm)
        .into_iter()
        .map(|cut| Choice { algorithm: Algorithm::ImplicitGemm, cut })
        .collect();
    assert!(choices.len() > 4, "{choices:?}");
    for (i, (name, problem)) in implicit().into_iter().enumerate() {
        let case = Case::new(problem, Data::Integer, i as u64);
        let exact = case.reference().all();
        // Each blocking with several problems, and each problem with two.
        for &choice in [i, i + choices.len() / 2].map(|at| &choices[at % choices.len()]) {
            let what = format!("{name}, {choice}");
            let preferences = Preferences::new().choice(choice);
            let caps = Caps { f16: true, limits: Limits::LARGEST, ..Caps::webgpu_default() };
            let plan = Plan::new(&problem, &caps, &preferences).unwrap_or_else(|error| panic!("{what}: {error}"));
            let kernel = plan.dispatches()[0].kernel();
            let is_together = problem.conv().layout == Layout::ChannelsLast;
            assert_eq!(kernel.name().contains("_together"), is_together, "{kernel}");
            assert_exact(&case.gather(&run_plan_on_cpu(&plan, &case)), &exact, &format!("{what}, by the twins"));
            on_one_gpu("implicit_products_are_exact", |gpu| {
                // The largest blocks need more workgroup memory than some devices have.
                if !gpu.context.caps().f16 || kernel.check(&gpu.context.caps().limits).is_err() {
                    return;
                }
                let layer = case.layer(&gpu.device(), preferences).unwrap_or_else(|error| panic!("{what}: {error}"));
                for entry in [EntryPoint::Run, EntryPoint::Encode] {
                    let got = entry.run(&layer, &case, &what);
                    assert_exact(&got, &exact, &format!("{}, {what}, {entry:?}", gpu.label));
                }
            });
        }
    }
}

/// Normally distributed data: errors within the bound of direct summation, and of the size that storing outputs has.
#[test]
fn implicit_products_are_within_the_bound() {
    for (name, problem) in implicit() {
        let case = Case::new(problem, Data::Normal, 3);
        let exact = case.reference().all();
        let bound = case.bound(Algorithm::ImplicitGemm);
        let choice: Choice = "implicit_gemm@64x64x32_32x32_m1/1".parse().expect("a choice");
        on_one_gpu("implicit_products_are_within_the_bound", |gpu| {
            if gpu.context.caps().f16 {
                let preferences = Preferences::new().choice(choice);
                let layer = case.layer(&gpu.device(), preferences).unwrap_or_else(|error| panic!("{name}: {error}"));
                let got = EntryPoint::Run.run(&layer, &case, name);
                assert_within(&got, &exact, &bound, &format!("{}, {name}", gpu.label));
            }
        });
    }
}

/// What matrix units do not compute is refused by name, and never planned.
#[test]
fn implicit_products_are_refused_for_a_reason() {
    let h100 = "h100".parse::<Profile>().expect("known").caps();
    let caps = Caps { name: "NVIDIA H200".to_owned(), matrix_units: true, ..h100 };
    let half = |conv: Conv| conv.dtype(DType::F16).padding(1);
    let choice: Choice = "implicit_gemm@64x64x32_32x32_m1/1".parse().expect("a choice");
    for (conv, why) in [
        (Conv::new(64, 64, [3, 3]).padding(1), "tensors in f16"),
        (half(Conv::new(12, 64, [3, 3])), "multiple of eight channels"),
        (half(Conv::new(64, 64, [3, 3])).border(Border::Reflect), "zeros around the input"),
        (half(Conv::new(64, 64, [3, 3])).transposed(0).stride(2), "one sum for each output"),
    ] {
        let problem = conv.on([1, conv.channels, 16, 16]).expect("legal");
        let refused = Plan::new(&problem, &caps, &Preferences::new().choice(choice)).expect_err("refused").to_string();
        assert!(refused.contains(why), "{conv:?}: {refused}");
        Plan::new(&problem, &caps, &Preferences::new()).unwrap_or_else(|error| panic!("{error}"));
    }
    let problem = half(Conv::new(64, 64, [3, 3])).on([8, 64, 56, 56]).expect("legal");
    let planned = |caps: &Caps| Plan::new(&problem, caps, &Preferences::new()).expect("a plan").choice().to_string();
    assert!(planned(&caps).starts_with("implicit_gemm@") && planned(&caps).contains("_m1/1"), "{}", planned(&caps));
    assert!(!planned(&Caps { matrix_units: false, ..caps }).contains("_m1"));
}

/// One product only where the tolerance allows it, three by default, none on a device that is not known.
#[test]
fn the_tolerance_chooses_the_products() {
    let h100 = "h100".parse::<Profile>().expect("known").caps();
    let caps = Caps { name: "NVIDIA H200".to_owned(), matrix_units: true, ..h100 };
    let problem = Conv::new(512, 512, [3, 3]).padding(1).on([32, 512, 28, 28]).expect("legal");
    let products = |caps: &Caps, tolerance: Tolerance| {
        let plan = Plan::new(&problem, caps, &Preferences::new().tolerance(tolerance)).expect("a plan");
        assert_eq!(plan.choice().to_string().parse(), Ok(plan.choice()), "the label reads back");
        assert_eq!(plan.to_string().contains("matrix units"), caps.matrix_units, "{plan}");
        match plan.cut() {
            Cut::Units(cut) => Some(cut.blocking().products()),
            _ => None,
        }
    };
    assert_eq!(products(&caps, Tolerance::default()), Some(Products::Three));
    for (label, strict) in [("staged:f2x3@128x64x32_32x32_m3/1", true), ("staged:f2x3@128x64x32_32x32_m1/1", false)] {
        let forced = Preferences::new().choice(label.parse().expect("a choice"));
        let runs = |tolerance| Plan::new(&problem, &caps, &forced.tolerance(tolerance)).is_ok();
        assert_eq!([runs(Tolerance::default()), runs(Tolerance::TF32)], [strict, true], "{label}");
    }
    let unknown = Caps { name: "a GPU".to_owned(), ..caps.clone() };
    assert_eq!(products(&unknown, Tolerance::default()), None);
    let without = Caps { matrix_units: false, ..caps };
    assert_eq!(products(&without, Tolerance::default()), None);
}
