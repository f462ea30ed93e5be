//! Files that are no models, and tensors that contradict themselves.

use winoconv_onnx::Model;

use crate::support::build::{bytes, floats, input, int, integers, model, node, typed};
use crate::support::dims;
use crate::support::folder::{Folder, external};
use crate::support::proto::{GraphProto, ModelProto, TensorProto, data_type};
use crate::{Row, refused, row};

fn plain() -> ModelProto {
    model(input("x", &[1, 4, 5, 5]), Vec::new(), vec![node("Relu", &["x"], &["y"], Vec::new())])
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = vec![
        row("an empty file", Model::from_bytes(b"")),
        row("a picture", Model::from_bytes(b"\x89PNG")),
        row("a file that does not exist", Model::open("/nowhere/model.onnx")),
    ];
    let mut changed = |given, change: &dyn Fn(&mut ModelProto)| {
        let mut model = plain();
        change(&mut model);
        rows.push(refused(given, &model));
    };
    changed("a model that names no version", &|model| model.opset_import.clear());
    changed("a version before 7", &|model| model.opset_import[0].version = 6);
    let graph = |model: &mut ModelProto, change: &dyn Fn(&mut GraphProto)| {
        model.graph.as_mut().into_iter().for_each(|graph| change(graph));
    };
    changed("a node without an operator", &|model| {
        graph(model, &|graph| graph.node[0].op_type.clear());
    });
    changed("two inputs of one name", &|model| {
        graph(model, &|graph| graph.input.push(input("x", &[1])));
    });
    changed("two outputs of one name", &|model| {
        graph(model, &|graph| graph.output.push(input("y", &[])));
    });
    changed("an output that nothing gives", &|model| {
        graph(model, &|graph| graph.output.push(input("z", &[])));
    });
    changed("two results of one name", &|model| {
        let halves = node("Split", &["x"], &["y", "y"], vec![int("axis", 1)]);
        graph(model, &|graph| graph.node = vec![halves.clone()]);
    });
    changed("an output of texts", &|model| {
        let texts = TensorProto { data_type: 8, ..floats("texts", &[1], &[]) };
        graph(model, &|graph| {
            graph.initializer.push(texts.clone());
            graph.output.push(input("texts", &[]));
        });
    });
    changed("an input of integers", &|model| {
        let integers = typed("x", &[3], data_type::INT64);
        graph(model, &|graph| graph.input[0] = integers.clone());
    });
    changed("an input whose sizes are open", &|model| {
        graph(model, &|graph| graph.input[0] = input("x", &[-1, 4]));
    });
    let sizes = Model::from_bytes(&bytes(&plain())).and_then(|model| model.graph(&[("z", dims(&[3, 4]))]));
    rows.push(row("sizes of an input that the model does not have", sizes));
    tensors(&mut rows);
    others(&mut rows);
    rows
}

/// Tensors in the model's file.
fn tensors(rows: &mut Vec<Row>) {
    let mut with = |given, tensor: TensorProto| {
        let relu = node("Relu", &["x"], &["y"], Vec::new());
        rows.push(refused(given, &model(input("x", &[1, 4, 5, 5]), vec![tensor], vec![relu])));
    };
    with("a tensor of too few floats", floats("t", &[3], &[1.0; 2]));
    with("a tensor of too few bytes", TensorProto { raw_data: vec![0; 7], ..integers("t", &[1], &[]) });
    with("a tensor of a negative size", floats("t", &[-1], &[1.0; 2]));
    with("a tensor of nine dimensions", floats("t", &[1; 9], &[1.0]));
    with("a tensor whose elements cannot be counted", floats("t", &[1 << 31; 3], &[]));
    with("a tensor whose bytes cannot be counted", floats("t", &[1 << 48, 1 << 15], &[]));
    with("a tensor in another file, which is not named", external("t", &[]));
    with("a tensor in another file, of a model in memory", external("t", &[("location", "weights/a.bin")]));
}

/// Tensors in other files.
fn others(rows: &mut Vec<Row>) {
    let folder = Folder::new("rows");
    std::fs::write(folder.models().join("weights/a.bin"), [0; 12]).expect("a file for the test");
    std::fs::write(folder.path().join("secret"), [0; 64]).expect("a file for the test");
    let part = |name, offset| external(name, &[("location", "weights/a.bin"), ("offset", offset)]);
    let mut opened = |given, tensors| rows.push(row(given, folder.opened(tensors)));
    opened("a tensor in a file outside the model's folder", vec![external("a", &[("location", "../secret")])]);
    opened("a tensor that ends beyond its file", vec![part("a", "8")]);
    opened("a tensor that begins at a negative offset", vec![part("a", "-1")]);
    opened("tensors that overlap in their file", vec![part("a", "0"), part("b", "4")]);
    let short = external("a", &[("location", "weights/a.bin"), ("length", "4")]);
    opened("a tensor of another length than its file says", vec![short]);
    std::os::unix::fs::symlink(folder.path().join("secret"), folder.models().join("link")).expect("a link");
    opened("a tensor in a link to another folder", vec![external("a", &[("location", "link")])]);
}
