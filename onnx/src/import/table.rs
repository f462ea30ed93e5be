//! The operators: a row for each, by its name in the standard.

use winoconv::Activation;
use winoconv::graph::{Binary, Reduction, Unary};

use super::call::Call;
use super::reduce::{Around, reduce};
use super::{Held, Import, Outcome, conv, elementwise, ints, layout, norm, pool, resize, select, source};
use crate::error::refusal;

/// Imports a node: its results in their order.
pub(super) type Run = fn(&mut Import<'_>, &Call<'_>) -> Outcome<Vec<Held>>;

/// The row of an operator.
pub(super) fn find(op: &str) -> Option<Run> {
    TABLE.iter().find(|(name, _)| *name == op).map(|(_, run)| *run)
}

/// The names of all.
pub(crate) fn operators() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(name, _)| *name)
}

/// What is no operator of a graph, but of integers alone.
fn modulo(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    match (call.operand(0)?, call.operand(1)?) {
        (Held::Ints(a), Held::Ints(b)) => {
            let rest = if call.flag("fmod", false)? { i64::checked_rem } else { ints::modulo };
            Ok(vec![import.zip_ints(a, b, false, rest)?])
        }
        _ => super::unsupported(refusal!(
            "a remainder of floats, expected integers that are known when the graph is made"
        )),
    }
}

const TABLE: &[(&str, Run)] = &[
    ("Abs", |i, c| elementwise::unary(i, c, Unary::Abs)),
    ("Add", |i, c| elementwise::binary(i, c, Binary::Add)),
    ("And", |i, c| elementwise::binary(i, c, Binary::Mul)),
    ("AveragePool", pool::average),
    ("BatchNormalization", norm::batch),
    ("Cast", source::cast),
    ("CastLike", source::cast_like),
    ("Ceil", |i, c| elementwise::unary(i, c, Unary::Ceil)),
    ("Clip", elementwise::clip),
    ("Concat", select::concat),
    ("Constant", source::constant),
    ("ConstantOfShape", source::constant_of_shape),
    ("Conv", |i, c| conv::conv(i, c, false)),
    ("ConvTranspose", |i, c| conv::conv(i, c, true)),
    ("Cos", |i, c| elementwise::unary(i, c, Unary::Cos)),
    ("DepthToSpace", layout::depth_to_space),
    ("Div", |i, c| elementwise::binary(i, c, Binary::Div)),
    ("Dropout", source::dropout),
    ("Elu", |i, c| elementwise::activate(i, c, Activation::Elu { alpha: c.float("alpha", 1.0)? })),
    ("Equal", |i, c| elementwise::binary(i, c, Binary::Equal)),
    ("Erf", |i, c| elementwise::unary(i, c, Unary::Erf)),
    ("Exp", |i, c| elementwise::unary(i, c, Unary::Exp)),
    ("Expand", layout::expand),
    ("Flatten", layout::flatten),
    ("Floor", |i, c| elementwise::unary(i, c, Unary::Floor)),
    ("Gather", select::gather),
    ("GatherElements", source::gather_elements),
    ("Gelu", elementwise::gelu),
    ("Gemm", conv::gemm),
    ("GlobalAveragePool", |i, c| pool::global(i, c, Reduction::Mean)),
    ("GlobalMaxPool", |i, c| pool::global(i, c, Reduction::Max)),
    ("Greater", |i, c| elementwise::binary(i, c, Binary::Greater)),
    ("GreaterOrEqual", |i, c| elementwise::binary(i, c, Binary::GreaterEqual)),
    ("GroupNormalization", norm::group),
    ("HardSigmoid", |i, c| {
        let (slope, offset) = (c.float("alpha", 0.2)?, c.float("beta", 0.5)?);
        elementwise::activate(i, c, Activation::HardSigmoid { slope, offset })
    }),
    ("HardSwish", |i, c| elementwise::activate(i, c, Activation::HardSwish)),
    ("Identity", source::identity),
    ("InstanceNormalization", norm::instance),
    ("LRN", norm::local_response),
    ("LayerNormalization", norm::layer),
    ("LeakyRelu", |i, c| elementwise::activate(i, c, Activation::LeakyRelu { slope: c.float("alpha", 0.01)? })),
    ("Less", |i, c| elementwise::binary(i, c, Binary::Less)),
    ("LessOrEqual", |i, c| elementwise::binary(i, c, Binary::LessEqual)),
    ("Log", |i, c| elementwise::unary(i, c, Unary::Log)),
    ("LogSoftmax", |i, c| norm::softmax(i, c, true)),
    ("LpPool", pool::lp),
    ("MatMul", conv::matmul),
    ("Max", |i, c| elementwise::many(i, c, Binary::Max, false)),
    ("MaxPool", pool::max),
    ("Mean", |i, c| elementwise::many(i, c, Binary::Add, true)),
    ("Min", |i, c| elementwise::many(i, c, Binary::Min, false)),
    ("Mish", |i, c| elementwise::activate(i, c, Activation::Mish)),
    ("Mod", modulo),
    ("Mul", |i, c| elementwise::binary(i, c, Binary::Mul)),
    ("Neg", |i, c| elementwise::unary(i, c, Unary::Neg)),
    ("Not", |i, c| elementwise::unary(i, c, Unary::Not)),
    ("Or", |i, c| elementwise::binary(i, c, Binary::Max)),
    ("PRelu", |i, c| elementwise::binary(i, c, Binary::PRelu)),
    ("Pad", select::pad),
    ("Pow", elementwise::pow),
    ("Range", source::range),
    ("Reciprocal", |i, c| elementwise::unary(i, c, Unary::Reciprocal)),
    ("ReduceL1", |i, c| reduce(i, c, Reduction::Sum, Around::Abs)),
    ("ReduceL2", |i, c| reduce(i, c, Reduction::L2, Around::Nothing)),
    ("ReduceLogSum", |i, c| reduce(i, c, Reduction::Sum, Around::Log)),
    ("ReduceMax", |i, c| reduce(i, c, Reduction::Max, Around::Nothing)),
    ("ReduceMean", |i, c| reduce(i, c, Reduction::Mean, Around::Nothing)),
    ("ReduceMin", |i, c| reduce(i, c, Reduction::Min, Around::Nothing)),
    ("ReduceProd", |i, c| reduce(i, c, Reduction::Product, Around::Nothing)),
    ("ReduceSum", |i, c| reduce(i, c, Reduction::Sum, Around::Nothing)),
    ("ReduceSumSquare", |i, c| reduce(i, c, Reduction::Sum, Around::Square)),
    ("Relu", |i, c| elementwise::activate(i, c, Activation::Relu)),
    ("Reshape", layout::reshaped),
    ("Resize", resize::resize),
    ("Round", |i, c| elementwise::unary(i, c, Unary::Round)),
    ("Selu", elementwise::selu),
    ("Shape", source::shape),
    ("Sigmoid", |i, c| elementwise::activate(i, c, Activation::Sigmoid)),
    ("Sign", |i, c| elementwise::unary(i, c, Unary::Sign)),
    ("Sin", |i, c| elementwise::unary(i, c, Unary::Sin)),
    ("Size", source::size),
    ("Slice", select::slice),
    ("Softmax", |i, c| norm::softmax(i, c, false)),
    ("Softplus", |i, c| elementwise::activate(i, c, Activation::Softplus { beta: 1.0, threshold: 20.0 })),
    ("SpaceToDepth", layout::space_to_depth),
    ("Split", select::split),
    ("Sqrt", |i, c| elementwise::unary(i, c, Unary::Sqrt)),
    ("Squeeze", layout::squeeze),
    ("Sub", |i, c| elementwise::binary(i, c, Binary::Sub)),
    ("Sum", |i, c| elementwise::many(i, c, Binary::Add, false)),
    ("Tanh", |i, c| elementwise::activate(i, c, Activation::Tanh)),
    ("Tile", layout::tile),
    ("Transpose", layout::transpose),
    ("Unsqueeze", layout::unsqueeze),
    ("Upsample", resize::upsample),
    ("Where", elementwise::choose),
    ("Xor", elementwise::xor),
];
