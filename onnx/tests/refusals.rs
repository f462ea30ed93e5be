//! What is refused, and in which words.

mod support;

use prost::Message;
use support::build::{bytes, floats, input, int, integers, ints, model, node, text, typed};
use support::dims;
use support::proto::{ModelProto, NodeProto, TensorProto, data_type};
use winoconv_onnx::{Model, OnnxError};

fn refusal(model: &ModelProto) -> String {
    let read = Model::from_bytes(&bytes(model)).and_then(|model| model.graph(&[]).map(drop));
    read.expect_err("it should be refused").to_string()
}

/// A model of one node over an input of 1x4x5x5.
fn one(node: NodeProto) -> ModelProto {
    model(input("x", &[1, 4, 5, 5]), Vec::new(), vec![node])
}

/// The same with tensors that are known.
fn with(initializer: Vec<TensorProto>, node: NodeProto) -> ModelProto {
    model(input("x", &[1, 4, 5, 5]), initializer, vec![node])
}

#[test]
fn files_that_are_no_models() {
    let message = |bytes: &[u8]| Model::from_bytes(bytes).expect_err("it should be refused").to_string();
    assert_eq!(message(b""), "not an ONNX model: it has no graph");
    assert!(message(b"\x89PNG").starts_with("not an ONNX model: failed to decode Protobuf message"));
    let mut plain = one(node("Relu", &["x"], &["y"], Vec::new()));
    plain.opset_import.clear();
    assert_eq!(message(&bytes(&plain)), "not an ONNX model: it names no version of ONNX's operators");
    let nameless = NodeProto { op_type: String::new(), ..node("", &["x"], &["y"], Vec::new()) };
    assert_eq!(message(&bytes(&one(nameless))), "damaged model: node the : it has no operator");
    let error = Model::open("/nowhere/model.onnx").expect_err("there is none");
    assert!(error.to_string().starts_with("cannot read /nowhere/model.onnx: "), "{error}");
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn versions() {
    for version in [1, 6, 24, i64::MAX] {
        let mut other = one(node("Relu", &["x"], &["y"], Vec::new()));
        other.opset_import[0].version = version;
        assert_eq!(refusal(&other), format!("unsupported: opset {version}, expected 7 to 23"));
    }
}

#[test]
fn every_unsupported_node_is_listed() {
    let nodes = vec![
        node("Relu", &["x"], &["a"], Vec::new()),
        node("LSTM", &["a"], &["b"], Vec::new()),
        node("Add", &["b", "a"], &["c"], Vec::new()),
        node("NonZero", &["c"], &["d"], Vec::new()),
        NodeProto { domain: "com.microsoft".into(), ..node("FusedConv", &["a"], &["e"], Vec::new()) },
        node("Resize", &["a", "", "", "sizes"], &["f"], vec![int("antialias", 1)]),
        node("Sum", &["d", "e", "f"], &["y"], Vec::new()),
        // Nothing depends on it.
        node("Loop", &["x"], &["unused"], Vec::new()),
    ];
    let model = model(input("x", &[1, 4, 5, 5]), vec![integers("sizes", &[4], &[1, 4, 10, 10])], nodes);
    let file = Model::from_bytes(&bytes(&model)).expect("the file is whole");
    let error = file.graph(&[]).expect_err("operators are not supported");
    assert_eq!(
        error.to_string(),
        "unsupported: 4 nodes\n\
         the LSTM (LSTM): the operator is not supported\n\
         the NonZero (NonZero): the operator is not supported\n\
         the FusedConv (FusedConv): operators of com.microsoft are not known\n\
         the Resize (Resize): antialias is 1"
    );
    let OnnxError::Unsupported(all) = error else { panic!("of another kind") };
    assert_eq!(all.iter().map(|node| &*node.op).collect::<Vec<_>>(), ["LSTM", "NonZero", "FusedConv", "Resize"]);
}

#[test]
fn one_unsupported_node() {
    for (model, expected) in [
        (
            with(vec![floats("w", &[4, 4, 1, 1], &[0.0; 16])], node("Conv", &["x", "x"], &["y"], Vec::new())),
            "the Conv (Conv): the weights: not known when the graph is made",
        ),
        (
            one(node("MaxPool", &["x"], &["v", "y"], vec![ints("kernel_shape", &[2, 2])])),
            "the MaxPool (MaxPool): output 1 (y) is not computed",
        ),
        (
            one(node("Cast", &["x"], &["y"], vec![int("to", 7)])),
            "the Cast (Cast): the operand of a cast to integers: not known when the graph is made",
        ),
        (
            one(node("BatchNormalization", &["x", "x", "x", "x", "x"], &["y"], vec![int("training_mode", 1)])),
            "the BatchNormalization (BatchNormalization): training_mode is 1, or spatial is 0",
        ),
        (
            with(
                vec![TensorProto { data_type: 8, ..floats("s", &[1], &[]) }],
                node("Add", &["x", "s"], &["y"], Vec::new()),
            ),
            "the Add (Add): an operand is of type string",
        ),
        (
            with(vec![integers("n", &[1], &[1 << 40])], node("ConstantOfShape", &["n"], &["y"], vec![int("value", 3)])),
            "node the ConstantOfShape (ConstantOfShape): attribute value is not a tensor",
        ),
        (
            model(typed("x", &[3], data_type::INT64), Vec::new(), vec![node("Neg", &["x"], &["y"], Vec::new())]),
            "x (input): elements of type int64 are not known when the graph is made",
        ),
    ] {
        let found = refusal(&model);
        assert_eq!(found.trim_start_matches("unsupported: "), expected);
    }
}

#[test]
fn nodes_that_make_no_sense() {
    let two = |a: &[i64], b: &[i64]| {
        let data = |dims: &[i64]| vec![1.0; dims.iter().product::<i64>() as usize];
        vec![floats("a", a, &data(a)), floats("b", b, &data(b))]
    };
    for (model, expected) in [
        (
            with(two(&[2], &[2]), node("Conv", &["x", "a"], &["y"], Vec::new())),
            "the Conv (Conv): weights of 2 for an input of 1x4x5x5, expected 3 to 5 dimensions each",
        ),
        (
            with(two(&[2, 3, 3, 3], &[2]), node("Conv", &["x", "a"], &["y"], Vec::new())),
            "the Conv (Conv): weights of 2x3x3x3 for 4 channels in 1 groups, kernel_shape [3, 3]",
        ),
        (
            with(two(&[3], &[2]), node("Add", &["a", "b"], &["y"], Vec::new())),
            "the Add (Add): 3 and 2 do not broadcast",
        ),
        (
            one(node("Relu", &["z"], &["y"], Vec::new())),
            "the Relu (Relu): z is no input, no initializer, and no result of a node before it",
        ),
        (one(node("Relu", &[], &["y"], Vec::new())), "the Relu (Relu): operand 0 is missing"),
        (one(node("MaxPool", &["x"], &["y"], Vec::new())), "the MaxPool (MaxPool): kernel_shape is missing"),
        (
            one(node("MaxPool", &["x"], &["y"], vec![ints("kernel_shape", &[6, 6])])),
            "the MaxPool (MaxPool): the window is larger than 1x4x5x5 with its padding",
        ),
        (
            one(node("MaxPool", &["x"], &["y"], vec![ints("kernel_shape", &[2])])),
            "the MaxPool (MaxPool): kernel_shape is [2], expected 2 numbers of at most 2147483648",
        ),
        (one(node("Softmax", &["x"], &["y"], vec![int("axis", 4)])), "the Softmax (Softmax): axis 4 of 4"),
        (
            one(node("Softmax", &["x"], &["y"], vec![text("axis", "last")])),
            "the Softmax (Softmax): attribute axis is not an integer",
        ),
        (
            with(vec![integers("s", &[2], &[3, -1])], node("Reshape", &["x", "s"], &["y"], Vec::new())),
            "the Reshape (Reshape): 1x4x5x5 does not have the elements of [3, -1]",
        ),
        (
            with(vec![integers("s", &[2], &[3, 5])], node("Reshape", &["x", "s"], &["y"], Vec::new())),
            "the Reshape (Reshape): 1x4x5x5 does not have the elements of 3x5",
        ),
        (
            with(two(&[4, 2], &[3, 2]), node("MatMul", &["a", "b"], &["y"], Vec::new())),
            "the MatMul (MatMul): 4x2 has 2 columns, 3x2 has 3 rows",
        ),
        (
            with(vec![integers("i", &[1], &[9])], node("Gather", &["x", "i"], &["y"], vec![int("axis", 1)])),
            "the Gather (Gather): axis 9 of 4",
        ),
        (
            one(node("Transpose", &["x"], &["y"], vec![ints("perm", &[0, 1, 2, 2])])),
            "the Transpose (Transpose): [0, 1, 2, 2] is not an order of the 4 axes of 1x4x5x5",
        ),
        (
            with(vec![integers("n", &[3], &[1 << 40; 3])], node("ConstantOfShape", &["n"], &["y"], Vec::new())),
            "the ConstantOfShape (ConstantOfShape): the size of 1099511627776x1099511627776x1099511627776 overflows",
        ),
    ] {
        assert_eq!(refusal(&model), format!("node {expected}"));
    }
}

#[test]
fn tensors_that_contradict_themselves() {
    let relu = || node("Relu", &["x"], &["y"], Vec::new());
    for (tensor, expected) in [
        (floats("t", &[3], &[1.0; 2]), "2 elements, expected 3 for 3 of float"),
        (floats("t", &[-1], &[1.0; 2]), "sizes [-1], expected at most 8 from 0 to 2^48"),
        (floats("t", &[1; 9], &[1.0; 1]), "sizes [1, 1, 1, 1, 1, 1, 1, 1, 1], expected at most 8 from 0 to 2^48"),
        (
            floats("t", &[1 << 31; 3], &[]),
            "sizes [2147483648, 2147483648, 2147483648], expected at most 8 from 0 to 2^48",
        ),
        (floats("t", &[1 << 62], &[]), "sizes [4611686018427387904], expected at most 8 from 0 to 2^48"),
        (TensorProto { raw_data: vec![0; 7], ..integers("t", &[1], &[]) }, "7 bytes, expected 8 for 1 of int64"),
        (TensorProto { data_location: 1, ..floats("t", &[1], &[]) }, "its data is external, without a location"),
    ] {
        assert_eq!(refusal(&with(vec![tensor], relu())), format!("damaged model: tensor t: {expected}"));
    }
}

#[test]
fn sizes_of_inputs() {
    let open = model(input("x", &[-1, 4]), Vec::new(), vec![node("Relu", &["x"], &["y"], Vec::new())]);
    assert_eq!(refusal(&open), "the sizes of input x are not known: the model says ?x4; pass them to Model::graph");
    let file = Model::from_bytes(&bytes(&open)).expect("it is whole");
    assert_eq!(file.inputs()[0].to_string(), "x: ?x4");
    assert_eq!(file.inputs()[0].dims, Some(vec![None, Some(4)]));
    assert_eq!(file.outputs(), ["y"]);
    assert!(file.graph(&[("x", dims(&[3, 4]))]).is_ok());
    let error = file.graph(&[("z", dims(&[3, 4]))]).expect_err("there is no z");
    assert_eq!(error.to_string(), "the model has no input z, only x");
}

#[test]
fn what_nodes_make_is_bounded() {
    // 2^50 elements from a file of some bytes.
    let range = vec![integers("a", &[], &[0]), integers("b", &[], &[1 << 50]), integers("c", &[], &[1])];
    let found = refusal(&with(range, node("Range", &["a", "b", "c"], &["y"], Vec::new())));
    assert_eq!(found, "unsupported: the Range (Range): more than 65536 integers");
    let tensor = vec![integers("a", &[1], &[7]), integers("n", &[1], &[1 << 40])];
    let found = refusal(&with(tensor, node("Expand", &["a", "n"], &["y"], Vec::new())));
    assert_eq!(found, "unsupported: the Expand (Expand): more than 65536 integers");
    // Weights of 2^40 elements, which would be made for a convolution.
    let weights =
        vec![node("ConstantOfShape", &["n"], &["w"], Vec::new()), node("Conv", &["x", "w"], &["y"], Vec::new())];
    let large = model(input("x", &[1, 4, 5, 5]), vec![integers("n", &[4], &[1 << 38, 4, 1, 1])], weights);
    assert_eq!(refusal(&large), "unsupported: the Conv (Conv): the weights: more than 33554432 elements to compute");
    // Groups in groups.
    let mut deep = Vec::new();
    for _ in 0..10_000 {
        let mut outer = vec![0x0a];
        prost::encoding::encode_varint(deep.len() as u64, &mut outer);
        outer.extend(&deep);
        deep = outer;
    }
    assert!(ModelProto::decode(&*deep).is_err() || Model::from_bytes(&deep).is_err());
}
