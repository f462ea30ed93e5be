//! One network at several sizes, and what its compiled form says.

use winoconv::graph::{Dims, Graph, Network, Pool, Program, Reduction};
use winoconv::{Activation, Conv, Device, Preferences};

use super::{check, numbers};

/// Down, up again, and the two together.
fn unet() -> Graph {
    let mut net = Graph::new();
    let x = net.input("image", [1, 3, 16, 24]).expect("new");
    let conv = |net: &mut Graph, x, [c, k]: [usize; 2], seed| {
        let conv = Conv::new(c, k, [3, 3]).padding(1).bias(true).activation(Activation::Relu);
        net.conv(x, conv, numbers(conv.weights_len(), seed), numbers(k, seed + 50)).expect("fits")
    };
    let whole = conv(&mut net, x, [3, 8], 1);
    let half = net.pool(whole, Pool::max([2, 2])).expect("fits");
    let half = conv(&mut net, half, [8, 8], 2);
    let up = net.upsample_nearest(half, 2).expect("fits");
    let both = net.concat(&[up, whole], 1).expect("fits");
    let last = conv(&mut net, both, [16, 12], 3);
    let large = net.pixel_shuffle(last, 2).expect("fits");
    net.output("large", large).expect("new");
    net
}

#[test]
fn a_network_runs_at_other_sizes() {
    let net = unet();
    for dims in [[1, 3, 16, 24], [2, 3, 10, 6], [1, 3, 2, 34]] {
        let other = net.with_input_dims(&[Dims::from(dims)]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(other.dims(other.outputs()[0].1), [dims[0], 3, dims[2] * 2, dims[3] * 2].into());
        check(&Device::cpu(), &other, &format!("{dims:?}"));
    }
    let odd = net.with_input_dims(&[Dims::from([1, 3, 5, 6])]).expect_err("half of 5 and twice that").to_string();
    assert!(odd.contains("concat"), "{odd}");
}

/// Rows that are longer than what the CPU computes at a time, and shorter; and sums of as many columns.
#[test]
fn rows_of_any_length() {
    for [rows, columns] in [[3, 5], [41, 255], [7, 300], [70, 257], [130, 128], [2, 20_000], [1, 1]] {
        let mut net = Graph::new();
        let x = net.input("x", [rows, columns]).expect("new");
        let mean = net.reduce(Reduction::Mean, x, &[0]).expect("fits");
        let row = net.input("row", [1, columns]).expect("new");
        let column = net.input("column", [rows, 1]).expect("new");
        let sum = net.add(x, row).expect("fits");
        let sum = net.add(sum, column).expect("fits");
        let product = net.mul(sum, mean).expect("fits");
        net.output("mean", mean).expect("new");
        net.output("product", product).expect("new");
        check(&Device::cpu(), &net, &format!("{rows} rows of {columns}"));
    }
}

#[test]
fn an_input_may_be_an_output() {
    let mut net = Graph::new();
    let x = net.input("x", [2, 3]).expect("new");
    net.output("y", x).expect("new");
    let network = Network::new_blocking(&Device::cpu(), &net, Preferences::new()).expect("a network");
    assert_eq!(network.run_blocking(&[&[1.0; 6]]).expect("the input as it is"), [[1.0; 6]]);
}

#[test]
fn what_belongs_to_a_convolution_is_no_step() {
    let program = Program::new(&unet()).expect("it compiles");
    let text = program.to_string();
    // Three convolutions, the pooling, the upsampling, a copy into the joined tensor, and the shuffle.
    assert!(program.step_count() <= 7, "{text}");
    assert!(program.bytes() as f64 <= 1.2 * program.least_bytes() as f64, "{text}");
    assert_eq!(program.inputs()[0].0, "image");
    assert_eq!(program.outputs()[0], ("large".to_owned(), [1, 3, 32, 48].into()));
}

/// What is joined lies in its place from the start, though others read it, and though it is joined again.
#[test]
fn joining_copies_nothing() {
    let mut net = Graph::new();
    let mut all = net.input("x", [1, 4, 8, 8]).expect("an input");
    all = net.conv(all, Conv::new(4, 4, [3, 3]).padding(1), vec![0.1; 144], []).expect("a convolution");
    for channels in [4, 7, 10] {
        let y = net.activate(Activation::Relu, all).expect("an activation");
        let y = net
            .conv(y, Conv::new(channels, 3, [3, 3]).padding(1), vec![0.1; channels * 27], [])
            .expect("a convolution");
        all = net.concat(&[all, y], 1).expect("joined");
    }
    net.output("y", all).expect("an output");
    let program = Program::new(&net).expect("a program").to_string();
    assert!(!program.contains("copy"), "{program}");
}

/// `x + f(x)` twice, with a convolution before; the first sum is also added at the end, if `read`.
fn residuals(read: bool) -> Graph {
    let mut net = Graph::new();
    let image = net.input("image", [1, 3, 9, 8]).expect("an input");
    let conv = |net: &mut Graph, x, channels: usize, seed| {
        let conv = Conv::new(channels, 6, [3, 3]).padding(1).bias(true);
        net.conv(x, conv, numbers(conv.weights_len(), seed), numbers(6, seed + 50)).expect("fits")
    };
    let mut x = conv(&mut net, image, 3, 1);
    let mut first = None;
    for i in 0..2 {
        let inner = conv(&mut net, x, 6, 2 + i);
        let inner = net.activate(Activation::Relu, inner).expect("fits");
        let outer = conv(&mut net, inner, 6, 4 + i);
        let sum = net.add(outer, x).expect("fits");
        x = net.activate(Activation::Relu, sum).expect("fits");
        first.get_or_insert(x);
    }
    // Not in place, because the convolution reads what it adds.
    let last = conv(&mut net, x, 6, 9);
    let mut last = net.add(last, x).expect("fits");
    if let Some(first) = first.filter(|_| read) {
        last = net.add(last, first).expect("fits");
    }
    net.output("last", last).expect("new");
    net
}

#[test]
fn a_residual_that_nothing_else_reads_is_added_in_place() {
    let counts = |read: bool| {
        let program = Program::new(&residuals(read)).expect("a program");
        let text = program.to_string();
        (text.matches("residual in place").count(), text.matches("+ residual").count(), program.bytes())
    };
    // Aligned to 256 bytes.
    let tensor = (4u64 * 6 * 9 * 8).next_multiple_of(256);
    assert_eq!(counts(false), (2, 3, 2 * tensor));
    assert_eq!(counts(true), (1, 3, 3 * tensor));
    check(&Device::cpu(), &residuals(false), "in place");
    check(&Device::cpu(), &residuals(true), "in place, but for what is needed later");
}

#[cfg(feature = "gpu")]
#[test]
fn residuals_in_place_on_a_gpu() {
    crate::support::gpus::on_one_gpu("residuals_in_place_on_a_gpu", |gpu| {
        let device = Device::from(gpu.context.clone());
        check(&device, &residuals(false), "in place");
        check(&device, &residuals(true), "in place, but for what is needed later");
    });
}

/// A network of another size shares the weights, and computes what one that was made for that size does.
fn resized_on(device: &Device) {
    let graph = unet();
    let small = Network::new_blocking(device, &graph, Preferences::new()).expect("a network");
    for [h, w] in [[32, 8], [16, 16], [16, 24]] {
        let dims = Dims::from([1, 3, h, w]);
        let other = small.resized_blocking(&[dims]).expect("another size");
        let made = graph.with_input_dims(&[dims]).expect("fits");
        let made = Network::new_blocking(device, &made, Preferences::new()).expect("a network");
        let input = numbers(dims.elements(), 3);
        let run = |network: &Network| network.run_blocking(&[&input]).expect("runs");
        assert_eq!(run(&other), run(&made), "{h}x{w}");
    }
    let error = small.resized_blocking(&[]).expect_err("no sizes").to_string();
    assert!(error.contains("expected sizes for 1 inputs, got 0"), "{error}");
}

#[test]
fn another_size_is_the_same_network() {
    resized_on(&Device::cpu());
}

#[cfg(feature = "gpu")]
#[test]
fn another_size_is_the_same_network_on_a_gpu() {
    crate::support::gpus::on_one_gpu("another_size_is_the_same_network_on_a_gpu", |gpu| {
        resized_on(&Device::from(gpu.context.clone()));
    });
}
