//! Operands that do not fit the description: missing, unasked for, of another length.

use pollster::block_on;
use winoconv::{Activation, Conv, Device, Error, Inputs, Layer, Preferences, Residual, Weights, Workspace};

use super::Section;

const SHAPE: [usize; 4] = [1, 2, 6, 7];
/// Elements of input, output and weights.
const INPUT: [f32; 84] = [0.0; 84];
const OUTPUT: [f32; 80] = [0.0; 80];
const WEIGHTS: [f32; 72] = [0.0; 72];

fn plain() -> Conv {
    Conv::new(2, 4, [3, 3])
}

fn layer(conv: Conv, weights: Weights<'_>) -> Result<Layer, Error> {
    Layer::new_blocking(&Device::cpu(), conv, weights, Preferences::new())
}

fn run(conv: Conv, inputs: Inputs<'_>, output: usize) -> Result<(), Error> {
    let layer = layer(conv, Weights::new(&WEIGHTS))?;
    let mut output = vec![0.0; output];
    block_on(layer.run_with_workspace(SHAPE, inputs, &mut output, &mut Workspace::new())).map(|_| ())
}

fn gradients(table: &mut Section) {
    let layer = layer(plain(), Weights::new(&WEIGHTS)).expect("legal");
    let problem = plain().on(SHAPE).expect("legal");
    let weights = problem.weight_gradient().expect("legal");
    let inputs = Inputs::new(&INPUT);
    let solve = |problem, inputs: Inputs<'_>, len| {
        block_on(layer.run_problem(problem, inputs, &mut vec![0.0; len], &mut Workspace::new()))
    };
    table.row("the weights' gradient without the output's", "Shape(Presence)", solve(&weights, inputs, 72));
    table.row(
        "an output gradient where the problem takes none",
        "Shape(Presence)",
        solve(&problem, inputs.gradient(&OUTPUT), 80),
    );
    table.row(
        "an output's gradient of another length",
        "Shape(Length)",
        layer.weight_gradient_blocking(SHAPE, &INPUT, &OUTPUT[1..]),
    );
    table.row(
        "an input gradient from an output gradient of another length",
        "Shape(Length)",
        layer.input_gradient_blocking(SHAPE, &OUTPUT[1..]),
    );
    table.row(
        "a bias's gradient from an output gradient of another length",
        "Shape(Length)",
        layer.bias_gradient_blocking(SHAPE, &OUTPUT[1..]),
    );
    table.row(
        "what the activation keeps, of another length",
        "Shape(Length)",
        layer.activation_gradient_blocking(SHAPE, &OUTPUT[1..], &OUTPUT),
    );
    table.row(
        "the slopes' gradient without slopes",
        "Unsupported",
        layer.slope_gradient_blocking(SHAPE, &OUTPUT, &OUTPUT),
    );
    table.row("the activation's gradient of a gradient", "Unsupported", weights.activation_gradient());
    table.row("a result in f16 of tensors in f32", "Unsupported", weights.with_result_type(winoconv::DType::F16));
    let of = |conv: Conv| conv.on(SHAPE).expect("legal");
    table.row(
        "a problem of another convolution than the layer's",
        "Shape(OtherConv)",
        layer.plan_for(&of(plain().padding(1))),
    );
    table.row(
        "the gradient of another convolution",
        "Shape(OtherConv)",
        layer.plan_for(&of(plain().stride(2)).input_gradient().expect("legal")),
    );
}

pub(crate) fn operands() -> Section {
    let mut table = Section::new("Operands");
    let weights = Weights::new(&WEIGHTS);
    let (biased, prelu) = (plain().bias(true), plain().activation(Activation::PRelu));
    let kind = "Shape(Presence)";
    table.row("weights of another length", "Shape(Length)", layer(plain(), Weights::new(&WEIGHTS[1..])));
    table.row("no bias for a convolution with bias", kind, layer(biased, weights));
    table.row("a bias for a convolution without bias", kind, layer(plain(), weights.bias(&[0.0; 4])));
    table.row("a bias of another length", "Shape(Length)", layer(biased, weights.bias(&[0.0; 3])));
    table.row("no slopes for PReLU", kind, layer(prelu, weights));
    table.row("slopes without PReLU", kind, layer(plain(), weights.slopes(&[0.0; 4])));
    table.row("slopes of another length", "Shape(Length)", layer(prelu, weights.slopes(&[0.0; 5])));
    let inputs = Inputs::new(&INPUT);
    let residual = plain().residual(Residual::Tensor);
    table.row("an input of another length", "Shape(Length)", run(plain(), Inputs::new(&INPUT[1..]), 80));
    table.row("an output slice of another length", "Shape(Length)", run(plain(), inputs, 81));
    table.row("no residual where there is one", kind, run(residual, inputs, 80));
    table.row("a residual where there is none", kind, run(plain(), inputs.residual(&OUTPUT), 80));
    table.row("a residual of another length", "Shape(Length)", run(residual, inputs.residual(&OUTPUT[1..]), 80));
    let in_place = plain().residual(Residual::InPlace);
    table.row("a residual in place beside the output that holds it", kind, run(in_place, inputs.residual(&OUTPUT), 80));
    let short = layer(in_place, weights).and_then(|layer| layer.run_blocking(SHAPE, inputs.residual(&OUTPUT[1..])));
    table.row("a residual in place of another length", "Shape(Length)", short);
    let none = layer(in_place, weights).and_then(|layer| layer.run_blocking(SHAPE, inputs));
    table.row("no residual in place, for a run that returns its output", kind, none);
    let set = |weights| layer(biased, Weights::new(&WEIGHTS).bias(&[0.0; 4]))?.set_weights_blocking(weights);
    table.row("new weights of another length", "Shape(Length)", set(Weights::new(&WEIGHTS[1..]).bias(&[0.0; 4])));
    table.row("new weights without the bias", kind, set(weights));
    gradients(&mut table);
    table
}
