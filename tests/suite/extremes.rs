//! Descriptions with numbers at the ends of their range: they are planned or refused, and nothing panics, wraps around or
//! takes long. Run it with debug assertions too: `cargo test --test suite extremes::`.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use winoconv::caps::Caps;
use winoconv::{
    Activation, Border, Conv, DType, Layout, Padding, Plan, Preferences, Problem, Residual, Shape, Spatial, Tolerance,
    View,
};

/// Numbers of a description, by position: see [`Numbers`].
const FIELDS: usize = 37;
/// Longest that one may take, with debug assertions on a busy machine.
const LONGEST: Duration = Duration::from_secs(20);

/// Where overflows and comparisons turn.
fn extreme() -> impl Strategy<Value = usize> {
    let power = (0..64u32, -2..3isize).prop_map(|(power, beside)| (1usize << power).wrapping_add_signed(beside));
    prop_oneof![
        3 => power,
        1 => Just(usize::MAX),
        1 => (0..70usize).prop_map(|below| usize::MAX / 2 - below),
        1 => (0..70usize).prop_map(|below| (u32::MAX >> 1) as usize - below),
        1 => 0..100_000usize,
    ]
}

/// Everything that is a number, small at first, with a few of them replaced.
struct Numbers {
    at: usize,
    values: Vec<usize>,
}

impl Numbers {
    fn next(&mut self) -> usize {
        self.at += 1;
        self.values[self.at - 1]
    }

    fn spatial(&mut self, rank: usize) -> Spatial {
        let all = [self.next(), self.next(), self.next()];
        if rank == 0 { all[0].into() } else { Spatial::from_slice(&all[..rank]).expect("1 to 3") }
    }

    fn view(&mut self) -> View {
        let [offset, n, c] = [self.next(), self.next(), self.next()];
        View { offset, n, c, dhw: [self.next(), self.next(), self.next()] }
    }
}

#[derive(Debug, Clone, Copy)]
struct Rest {
    /// Dimensions of the kernel and of everything else.
    ranks: [usize; 2],
    transposed: bool,
    padding: u8,
    border: Border,
    operation: u8,
    layouts: [bool; 2],
    dtype: DType,
    views: [bool; 2],
    residual: Residual,
}

fn rest() -> impl Strategy<Value = Rest> {
    let ranks = prop_oneof![9 => (1..4usize).prop_map(|rank| [rank; 2]), 1 => (0..4usize, 0..4usize).prop_map(<[usize; 2]>::from)];
    let border = proptest::sample::select(&Border::ALL[..]);
    let border = prop_oneof![3 => Just(Border::Zero), 1 => border];
    let residual = proptest::sample::select(&Residual::ALL[..]);
    let dtype = proptest::sample::select(&[DType::F32, DType::F16][..]);
    let flags = (any::<[bool; 2]>(), any::<[bool; 2]>(), dtype);
    (ranks, any::<bool>(), 0..4u8, border, 0..3u8, flags, residual).prop_map(
        |(ranks, transposed, padding, border, operation, (layouts, views, dtype), residual)| Rest {
            ranks,
            transposed,
            padding,
            border: if transposed { Border::Zero } else { border },
            operation,
            layouts,
            dtype,
            views,
            residual,
        },
    )
}

/// What any of the calls says first.
fn describe(numbers: &mut Numbers, rest: Rest) -> winoconv::Result<Problem> {
    let [rank, others] = rest.ranks;
    let layout = |last| if last { Layout::ChannelsLast } else { Layout::ChannelsFirst };
    let [groups, c, k, n] = [numbers.next(), numbers.next(), numbers.next(), numbers.next()];
    // Some groups divide, as they would in a description by hand.
    let (channels, filters) = (c.wrapping_mul(groups.clamp(1, 7)), k.wrapping_mul(groups.clamp(1, 7)));
    let kernel = numbers.spatial(rank);
    let stride = numbers.spatial(others);
    let dilation = numbers.spatial(others);
    let (before, after) = (numbers.spatial(others), numbers.spatial(others));
    let padding = match rest.padding {
        0 => Padding::SameUpper,
        1 => Padding::SameLower,
        _ => Padding::sides(before, after),
    };
    let mut conv = Conv::new(channels, filters, kernel)
        .stride(stride)
        .dilation(dilation)
        .padding(padding)
        .groups(groups)
        .border(rest.border)
        .residual(rest.residual)
        .activation(Activation::Relu)
        .dtype(rest.dtype)
        .layout(layout(rest.layouts[0]))
        .weights_layout(layout(rest.layouts[1]));
    let extra = numbers.spatial(others);
    if rest.transposed {
        conv = conv.transposed(extra);
    }
    let shape = Shape::new(n, channels, numbers.spatial(others));
    let _ = (conv.weights_len(), conv.weights_view(), conv.is_depthwise());
    let mut problem = conv.on(shape)?;
    let (input, output) = (numbers.view(), numbers.view());
    if rest.views[0] {
        problem = problem.with_input_view(input)?;
    }
    if rest.views[1] {
        let channels = View::channels(problem.output_shape(), conv.layout, output.c, output.n);
        problem = problem.with_output_view(channels.unwrap_or(output))?;
    }
    problem = match rest.operation {
        0 => problem.input_gradient()?,
        1 => problem.weight_gradient()?,
        _ => problem,
    };
    Ok(problem)
}

#[test]
fn extreme_numbers_are_planned_or_refused() {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(1);
    }
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 20_000;
    }
    let small = proptest::collection::vec(1..5usize, FIELDS);
    let replaced = proptest::collection::vec((0..FIELDS, extreme()), 0..4);
    let (planned, refused) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let checked = TestRunner::new(config).run(&(small, replaced, rest()), |(mut values, replaced, rest)| {
        // Sizes that a few taps fit into; views of them.
        for at in 22..25 {
            values[at] += 6;
        }
        for (at, step) in (26..31).chain(32..37).zip([1000, 100, 1, 10, 1].into_iter().cycle()) {
            values[at] = values[at] * step * 7;
        }
        for (at, value) in replaced {
            values[at] = value;
        }
        let start = Instant::now();
        let mut numbers = Numbers { at: 0, values };
        let Ok(problem) = describe(&mut numbers, rest) else {
            refused.set(refused.get() + 1);
            return Ok(());
        };
        for caps in [Caps::cpu(), Caps::webgpu_default()] {
            for tolerance in [Tolerance::default(), Tolerance::Any] {
                match Plan::new(&problem, &caps, &Preferences::new().tolerance(tolerance)) {
                    Ok(_) => planned.set(planned.get() + 1),
                    Err(error) => prop_assert!(!error.to_string().is_empty()),
                }
            }
        }
        let took = start.elapsed();
        prop_assert!(took < LONGEST, "{problem} took {took:?}");
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
    println!("{} plans, {} refusals", planned.get(), refused.get());
    assert!(planned.get() > refused.get() / 10, "{} plans, {} refusals", planned.get(), refused.get());
}
