//! Several refusals in one error, versions, sizes of inputs, and a file that is nested too deeply.

use prost::Message;
use winoconv_onnx::{Model, OnnxError};

use crate::support::build::{bytes, input, int, integers, model, node};
use crate::support::dims;
use crate::support::proto::{ModelProto, NodeProto};

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
    let error = Model::from_bytes(&bytes(&model)).expect("the file is whole").graph(&[]).expect_err("unsupported");
    let text = error.to_string();
    assert_eq!(text.lines().count(), 5, "{text}");
    assert!(text.starts_with("unsupported: 4 nodes\nthe LSTM (LSTM): "), "{text}");
    let OnnxError::Unsupported(all) = error else { panic!("of another kind") };
    assert_eq!(all.iter().map(|node| &*node.op).collect::<Vec<_>>(), ["LSTM", "NonZero", "FusedConv", "Resize"]);
}

#[test]
fn versions_out_of_range_are_refused() {
    for version in [1, 6, 24, i64::MAX] {
        let relu = node("Relu", &["x"], &["y"], Vec::new());
        let mut other = model(input("x", &[1, 4, 5, 5]), Vec::new(), vec![relu]);
        other.opset_import[0].version = version;
        let error = Model::from_bytes(&bytes(&other)).expect_err("another version").to_string();
        assert_eq!(error, format!("unsupported: opset {version}, expected 7 to 23"));
    }
}

#[test]
fn sizes_that_are_open_may_be_given() {
    let relu = node("Relu", &["x"], &["y"], Vec::new());
    let open = Model::from_bytes(&bytes(&model(input("x", &[-1, 4]), Vec::new(), vec![relu]))).expect("it is whole");
    assert_eq!(open.inputs()[0].to_string(), "x: ?x4");
    assert_eq!(open.inputs()[0].dims, Some(vec![None, Some(4)]));
    assert_eq!(open.outputs(), ["y"]);
    assert!(open.graph(&[("x", dims(&[3, 4]))]).is_ok());
}

#[test]
fn groups_in_groups_are_refused() {
    let mut deep = Vec::new();
    for _ in 0..10_000 {
        let mut outer = vec![0x0a];
        prost::encoding::encode_varint(deep.len() as u64, &mut outer);
        outer.extend(&deep);
        deep = outer;
    }
    assert!(ModelProto::decode(&*deep).is_err() || Model::from_bytes(&deep).is_err());
}
