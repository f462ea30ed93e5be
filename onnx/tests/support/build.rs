//! Models made by hand, in the messages that the reader has.

use prost::Message;

use super::proto::{
    AttributeProto, DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto, attribute_type, data_type,
};

/// A float input; -1 is a size that is open.
pub(crate) fn input(name: &str, sizes: &[i64]) -> ValueInfoProto {
    typed(name, sizes, data_type::FLOAT)
}

pub(crate) fn typed(name: &str, sizes: &[i64], elem_type: i32) -> ValueInfoProto {
    let size = |&size: &i64| DimensionProto { dim_value: (size >= 0).then_some(size), dim_param: None };
    let shape = Some(TensorShapeProto { dim: sizes.iter().map(size).collect() });
    let tensor_type = Some(TensorTypeProto { elem_type, shape });
    ValueInfoProto { name: name.into(), r#type: Some(TypeProto { tensor_type }) }
}

pub(crate) fn node(op: &str, inputs: &[&str], outputs: &[&str], attribute: Vec<AttributeProto>) -> NodeProto {
    let names = |names: &[&str]| names.iter().map(|&name| name.into()).collect();
    NodeProto {
        input: names(inputs),
        output: names(outputs),
        name: format!("the {op}"),
        op_type: op.into(),
        attribute,
        domain: String::new(),
    }
}

pub(crate) fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.into(), i, kind: attribute_type::INT, ..AttributeProto::default() }
}

pub(crate) fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto { name: name.into(), ints: ints.into(), kind: attribute_type::INTS, ..AttributeProto::default() }
}

pub(crate) fn text(name: &str, text: &str) -> AttributeProto {
    AttributeProto { name: name.into(), s: text.into(), kind: attribute_type::STRING, ..AttributeProto::default() }
}

pub(crate) fn floats(name: &str, dims: &[i64], data: &[f32]) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: dims.into(),
        data_type: data_type::FLOAT,
        float_data: data.into(),
        ..TensorProto::default()
    }
}

pub(crate) fn integers(name: &str, dims: &[i64], data: &[i64]) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: dims.into(),
        data_type: data_type::INT64,
        int64_data: data.into(),
        ..TensorProto::default()
    }
}

/// An argument that is a tensor.
pub(crate) fn tensor(name: &str, t: TensorProto) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        t: Some(Box::new(t)),
        kind: attribute_type::TENSOR,
        ..AttributeProto::default()
    }
}

/// A model of opset 17 with an input `x` and an output `y`.
pub(crate) fn model(x: ValueInfoProto, initializer: Vec<TensorProto>, node: Vec<NodeProto>) -> ModelProto {
    let graph = GraphProto { node, initializer, input: vec![x], output: vec![input("y", &[])] };
    ModelProto {
        ir_version: 8,
        graph: Some(Box::new(graph)),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: 17 }],
    }
}

/// The bytes of its file.
pub(crate) fn bytes(model: &ModelProto) -> Vec<u8> {
    model.encode_to_vec()
}
