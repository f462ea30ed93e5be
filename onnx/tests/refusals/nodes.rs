//! Nodes of any operator: operands, arguments, axes, sizes, and what is computed when the graph is made.

use crate::support::build::{floats, input, int, integers, ints, model, node, tensor, text};
use crate::support::proto::{ModelProto, NodeProto, TensorProto};
use crate::{Row, refused};

/// A model of one node over an input of 1x4x5x5, with tensors that are known.
pub(crate) fn with(initializer: Vec<TensorProto>, node: NodeProto) -> ModelProto {
    model(input("x", &[1, 4, 5, 5]), initializer, vec![node])
}

/// The same with two tensors of ones, `a` and `b`.
pub(crate) fn two(a: &[i64], b: &[i64], node: NodeProto) -> ModelProto {
    let ones = |name, dims: &[i64]| floats(name, dims, &vec![1.0; dims.iter().product::<i64>() as usize]);
    with(vec![ones("a", a), ones("b", b)], node)
}

pub(crate) fn rows() -> Vec<Row> {
    let texts = || TensorProto { data_type: 8, ..floats("s", &[1], &[]) };
    let mut rows: Vec<Row> = [
        ("an operator that is not supported", with(vec![], node("LSTM", &["x"], &["y"], vec![]))),
        (
            "an operator of another domain",
            with(vec![], NodeProto { domain: "com.microsoft".into(), ..node("FusedConv", &["x"], &["y"], Vec::new()) }),
        ),
        (
            "a result that is not supported",
            with(vec![], node("MaxPool", &["x"], &["v", "y"], vec![ints("kernel_shape", &[2, 2])])),
        ),
        ("an operand of texts", with(vec![texts()], node("Add", &["x", "s"], &["y"], vec![]))),
        ("an operand that nothing gives", with(vec![], node("Relu", &["z"], &["y"], vec![]))),
        ("a node without its operand", with(vec![], node("Relu", &[], &["y"], vec![]))),
        ("a text where an integer belongs", with(vec![], node("Softmax", &["x"], &["y"], vec![text("axis", "last")]))),
        ("a constant of texts", with(vec![], node("Constant", &[], &["y"], vec![tensor("value", texts())]))),
        ("a shape that depends on the input", with(vec![], node("Reshape", &["x", "x"], &["y"], vec![]))),
        ("a shape of floats", with(vec![floats("s", &[1], &[-1.0])], node("Reshape", &["x", "s"], &["y"], vec![]))),
        ("weights that depend on the input", with(vec![], node("Conv", &["x", "x"], &["y"], vec![]))),
        ("two bounds where one belongs", two(&[2], &[1], node("Clip", &["x", "a", "b"], &["y"], vec![]))),
        ("an axis that does not exist", with(vec![], node("Softmax", &["x"], &["y"], vec![int("axis", 4)]))),
        ("an axis that is named twice", with(vec![], node("ReduceMean", &["x"], &["y"], vec![ints("axes", &[1, -3])]))),
        (
            "a negative number of groups",
            with(
                vec![floats("w", &[4, 4, 1, 1], &[0.0; 16])],
                node("Conv", &["x", "w"], &["y"], vec![int("group", -1)]),
            ),
        ),
        (
            "nine dimensions",
            with(vec![integers("axes", &[5], &[0, 1, 2, 3, 4])], node("Unsqueeze", &["x", "axes"], &["y"], vec![])),
        ),
        (
            "a result whose elements cannot be counted",
            with(vec![integers("n", &[3], &[1 << 40; 3])], node("ConstantOfShape", &["n"], &["y"], vec![])),
        ),
        ("operands that do not broadcast", two(&[3], &[2], node("Add", &["a", "b"], &["y"], vec![]))),
    ]
    .into_iter()
    .map(|(given, model)| refused(given, &model))
    .collect();
    rows.extend(known());
    rows
}

/// What is computed of known tensors.
fn known() -> Vec<Row> {
    let both = |op: &str, a: &[i64], b: &[i64]| {
        let row = |name, of: &[i64]| integers(name, &[of.len() as i64], of);
        with(vec![row("a", a), row("b", b)], node(op, &["a", "b"], &["y"], vec![]))
    };
    let range = vec![integers("a", &[], &[0]), integers("b", &[], &[1 << 50]), integers("c", &[], &[1])];
    let choice = vec![integers("a", &[2], &[0, 1]), integers("b", &[3], &[0; 3]), integers("c", &[1], &[0])];
    let large = vec![node("ConstantOfShape", &["n"], &["w"], vec![]), node("Conv", &["x", "w"], &["y"], vec![])];
    // Each sum reads 2^16 known integers, and 2^27 are too many.
    let names: Vec<String> = (0..1 << 11).map(|i| format!("sum{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let sum = |name: &&str| NodeProto { name: (*name).into(), ..node("ReduceSum", &["n"], &[name], vec![]) };
    let mut sums: Vec<NodeProto> = names.iter().map(sum).collect();
    sums.push(node("Concat", &names, &["y"], vec![int("axis", 0)]));
    let many = model(input("x", &[1]), vec![integers("n", &[1 << 16], &[1; 1 << 16])], sums);
    let rows = [
        ("integers that do not broadcast", both("Add", &[1, 2], &[1, 2, 3])),
        ("a choice of integers that do not broadcast", with(choice, node("Where", &["a", "b", "c"], &["y"], vec![]))),
        ("an integer divided by 0", both("Div", &[1], &[0])),
        ("a PReLU of known integers", both("PRelu", &[1], &[2])),
        (
            "a mean of known integers",
            with(vec![integers("a", &[2], &[1, 2])], node("ReduceMean", &["a"], &["y"], vec![])),
        ),
        ("a range of 2^50 integers", with(range, node("Range", &["a", "b", "c"], &["y"], vec![]))),
        (
            "weights of 2^40 elements from a few bytes",
            model(input("x", &[1, 4, 5, 5]), vec![integers("n", &[4], &[1 << 38, 4, 1, 1])], large),
        ),
        ("more to compute than a file may ask for", many),
    ];
    rows.into_iter().map(|(given, model)| refused(given, &model)).collect()
}
