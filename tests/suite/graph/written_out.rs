//! Activations that a network has as several nodes become part of the convolution that they follow.

use winoconv::graph::{Binary, Graph, Network, Program, Unary, Value};
use winoconv::{Activation, Conv, Device, Preferences, Result};

use super::{check, numbers};

/// A convolution and what is made of its result.
fn behind_conv(build: impl FnOnce(&mut Graph, Value) -> Result<Value>) -> Graph {
    let build = || {
        let mut net = Graph::new();
        let x = net.input("x", [1, 3, 6, 7])?;
        let conv = Conv::new(3, 4, [3, 3]).padding(1).bias(true);
        let y = net.conv(x, conv, numbers(108, 3).iter().map(|x| 2.0 * x).collect::<Vec<_>>(), numbers(4, 4))?;
        let y = build(&mut net, y)?;
        net.output("y", y)?;
        Ok(net)
    };
    let net: Result<Graph> = build();
    net.unwrap_or_else(|error| panic!("{error}"))
}

/// The number first, as in some files.
fn times(net: &mut Graph, x: Value, number: f32) -> Result<Value> {
    let number = net.constant(vec![number], [1])?;
    net.mul(number, x)
}

/// `1 + erf(x / root)`
fn erf_gate(net: &mut Graph, x: Value, root: f32) -> Result<Value> {
    let z = net.with_number(Binary::Div, x, root)?;
    let erf = net.unary(Unary::Erf, z)?;
    net.with_number(Binary::Add, erf, 1.0)
}

/// `1 + tanh(sqrt(2 / pi) (x + number x^3))`
fn tanh_gate(net: &mut Graph, x: Value, number: f32, power: bool) -> Result<Value> {
    let cube = if power {
        net.with_number(Binary::Pow, x, 3.0)?
    } else {
        let square = net.mul(x, x)?;
        net.mul(square, x)?
    };
    let cube = times(net, cube, number)?;
    let sum = net.add(x, cube)?;
    let z = times(net, sum, 0.797_884_6)?;
    let tanh = net.activate(Activation::Tanh, z)?;
    net.with_number(Binary::Add, tanh, 1.0)
}

const SQRT_2: f32 = std::f32::consts::SQRT_2;

type Form = (&'static str, fn(&mut Graph, Value) -> Result<Value>);

/// As files have them: from PyTorch, from TensorFlow, and with factors in other orders.
const FORMS: [Form; 10] = [
    ("silu", |net, x| {
        let gate = net.activate(Activation::Sigmoid, x)?;
        net.mul(x, gate)
    }),
    ("silu", |net, x| {
        let gate = net.activate(Activation::Sigmoid, x)?;
        net.mul(gate, x)
    }),
    ("hard_swish", |net, x| {
        let gate = net.activate(Activation::hard_sigmoid(), x)?;
        net.mul(x, gate)
    }),
    ("hard_swish", |net, x| {
        let moved = net.with_number(Binary::Add, x, 3.0)?;
        let gate = net.activate(Activation::Clamp { low: 0.0, high: 6.0 }, moved)?;
        let product = net.mul(x, gate)?;
        net.with_number(Binary::Div, product, 6.0)
    }),
    ("mish", |net, x| {
        let softplus = net.activate(Activation::softplus(), x)?;
        let gate = net.activate(Activation::Tanh, softplus)?;
        net.mul(x, gate)
    }),
    ("gelu", |net, x| {
        let gate = erf_gate(net, x, SQRT_2)?;
        let product = net.mul(x, gate)?;
        times(net, product, 0.5)
    }),
    ("gelu", |net, x| {
        let gate = erf_gate(net, x, SQRT_2)?;
        let half = times(net, x, 0.5)?;
        net.mul(half, gate)
    }),
    ("gelu", |net, x| {
        let gate = erf_gate(net, x, SQRT_2)?;
        let half = times(net, gate, 0.5)?;
        net.mul(x, half)
    }),
    ("gelu_tanh", |net, x| {
        let gate = tanh_gate(net, x, 0.044_715, true)?;
        let product = net.mul(x, gate)?;
        times(net, product, 0.5)
    }),
    ("gelu_tanh", |net, x| {
        let gate = tanh_gate(net, x, 0.044_715, false)?;
        let half = times(net, x, 0.5)?;
        net.mul(half, gate)
    }),
];

/// Other functions, which look like one of them.
const OTHERS: [Form; 7] = [
    ("half the argument", |net, x| {
        let half = times(net, x, 0.5)?;
        let gate = net.activate(Activation::Sigmoid, half)?;
        net.mul(x, gate)
    }),
    ("half the value", |net, x| {
        let gate = net.activate(Activation::Sigmoid, x)?;
        let product = net.mul(x, gate)?;
        times(net, product, 0.5)
    }),
    ("the square", |net, x| {
        let gate = net.activate(Activation::Sigmoid, x)?;
        let product = net.mul(x, gate)?;
        net.mul(x, product)
    }),
    ("another slope", |net, x| {
        let gate = net.activate(Activation::HardSigmoid { slope: 0.2, offset: 0.5 }, x)?;
        net.mul(x, gate)
    }),
    ("another root", |net, x| {
        let gate = erf_gate(net, x, 1.5)?;
        let product = net.mul(x, gate)?;
        times(net, product, 0.5)
    }),
    ("twice", |net, x| {
        let gate = erf_gate(net, x, SQRT_2)?;
        net.mul(x, gate)
    }),
    ("another cube", |net, x| {
        let gate = tanh_gate(net, x, 0.05, true)?;
        let half = times(net, x, 0.5)?;
        net.mul(half, gate)
    }),
];

#[test]
fn each_form_becomes_one_step() {
    let device = Device::cpu();
    for (name, build) in FORMS {
        let net = behind_conv(build);
        let program = Program::new(&net).expect("a legal network");
        assert_eq!(program.step_count(), 1, "{name}: {program}");
        assert!(program.to_string().contains(name), "{name}: {program}");
        check(&device, &net, name);
    }
}

/// The argument of a SiLU may itself be a product, as behind a factor for each channel.
#[test]
fn an_argument_may_be_a_product() {
    let net = behind_conv(|net, x| {
        let scale = net.reduce(winoconv::graph::Reduction::Mean, x, &[2, 3])?;
        let x = net.mul(x, scale)?;
        let gate = net.activate(Activation::Sigmoid, x)?;
        net.mul(x, gate)
    });
    check(&Device::cpu(), &net, "a product");
    let network = Network::new_blocking(&Device::cpu(), &net, Preferences::new()).expect("a legal network");
    assert!(network.program().to_string().contains("map of 4 operations"), "{}", network.program());
}

#[test]
fn others_stay_what_they_are() {
    for (name, build) in OTHERS {
        let net = behind_conv(build);
        let program = Program::new(&net).expect("a legal network");
        assert!(program.step_count() > 1, "{name}: {program}");
        check(&Device::cpu(), &net, name);
    }
}
