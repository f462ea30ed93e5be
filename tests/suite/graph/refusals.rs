//! Buffers that a network refuses. Nodes that make no sense are in tests/suite/errors/networks.rs.

use winoconv::graph::Graph;

#[cfg(feature = "gpu")]
#[test]
fn one_buffer_for_both_ends_is_refused() {
    use winoconv::gpu::Tensor;
    crate::support::gpus::on_one_gpu("one_buffer_for_both_ends_is_refused", |gpu| {
        let mut net = Graph::new();
        let x = net.input("x", [64]).expect("new");
        let y = net.activate(winoconv::Activation::Relu, x).expect("fits");
        net.output("y", y).expect("new");
        let device = winoconv::Device::from(gpu.context.clone());
        let network = winoconv::graph::Network::new_blocking(&device, &net, winoconv::Preferences::new());
        let network = network.expect("a network");
        let buffer = pollster::block_on(gpu.context.create_buffer("both", 128)).expect("a buffer");
        let bind = |input: Tensor<'_>, output: Tensor<'_>| {
            pollster::block_on(network.bind(&[input], &[output])).expect_err("refused").to_string()
        };
        let both = bind(Tensor::new(&buffer), Tensor::at(&buffer, 256));
        assert!(both.contains("one buffer for a tensor that map reads"), "{both}");
        let other = pollster::block_on(gpu.context.create_buffer("other", 64)).expect("a buffer");
        let far = bind(Tensor::at(&buffer, u64::MAX - 3), Tensor::new(&other));
        assert!(far.contains("expected 64 elements, got 0"), "{far}");
    });
}
