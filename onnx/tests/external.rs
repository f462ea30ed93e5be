//! Weights in files beside the model, and paths that lead elsewhere.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::build::{bytes, floats, input, model, node};
use support::proto::{StringStringEntryProto, TensorProto};
use support::{dims, run};
use winoconv_onnx::Model;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("winoconv-onnx-{name}-{}", std::process::id()));
        fs::create_dir_all(path.join("models/weights")).expect("a folder for the test");
        Self(path)
    }

    fn models(&self) -> PathBuf {
        self.0.join("models")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A tensor of two floats in another file.
fn external(name: &str, entries: &[(&str, &str)]) -> TensorProto {
    let entry = |&(key, value): &(&str, &str)| StringStringEntryProto { key: key.into(), value: value.into() };
    let external_data = entries.iter().map(entry).collect();
    TensorProto { data_location: 1, external_data, ..floats(name, &[2], &[]) }
}

/// Writes a model that adds tensors to its input, and opens it.
fn opened(folder: &Path, tensors: Vec<TensorProto>) -> winoconv_onnx::Result<Model> {
    let names: Vec<String> = ["x".to_owned()].into_iter().chain(tensors.iter().map(|t| t.name.clone())).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let model = model(input("x", &[2]), tensors, vec![node("Sum", &names, &["y"], Vec::new())]);
    fs::write(folder.join("model.onnx"), bytes(&model)).expect("a file for the test");
    Model::open(folder.join("model.onnx"))
}

fn weights(folder: &Path, numbers: &[f32]) {
    let bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
    fs::write(folder.join("weights/a.bin"), bytes).expect("a file for the test");
}

#[test]
fn weights_are_read_from_files_beside_the_model() {
    let folder = Folder::new("read");
    weights(&folder.models(), &[1.0, 2.0, 3.0, 4.0]);
    let first = external("a", &[("location", "weights/a.bin")]);
    let last = external("b", &[("location", "weights/a.bin"), ("offset", "8"), ("length", "8")]);
    // The same part again is the same tensor, and takes no more of the file.
    let again = external("c", &[("location", "weights/a.bin"), ("offset", "8")]);
    let model = opened(&folder.models(), vec![first, last, again]).expect("all is there");
    let graph = model.graph(&[("x", dims(&[2]))]).expect("it makes sense");
    assert_eq!(run(&graph, &[&[10.0, 20.0]]).expect("it runs"), [[17.0, 30.0]]);
}

#[test]
fn what_is_not_there_is_refused() {
    let folder = Folder::new("refused");
    weights(&folder.models(), &[1.0, 2.0, 3.0]);
    fs::write(folder.0.join("secret"), [0; 64]).expect("a file for the test");
    let refusal = |tensors| opened(&folder.models(), tensors).expect_err("it should be refused").to_string();
    let at = |location: &str| external("a", &[("location", location)]);
    for location in ["../secret", "/etc/passwd", "weights/../../secret", ""] {
        let expected =
            format!("damaged model: tensor a: its data is in {location:?}, expected a path below the model's folder");
        assert_eq!(refusal(vec![at(location)]), expected);
    }
    let part = |name, offset| external(name, &[("location", "weights/a.bin"), ("offset", offset)]);
    for (tensors, expected) in [
        (vec![part("a", "8")], "tensor a: bytes 8 to 16 of weights/a.bin, which has 12"),
        (
            vec![part("a", "18446744073709551615")],
            "tensor a: bytes 18446744073709551615 to 18446744073709551615 of weights/a.bin, which has 12",
        ),
        (vec![part("a", "-1")], "tensor a: offset -1, expected a number"),
        // Parts that overlap would make more of a file than it holds.
        (vec![part("a", "0"), part("b", "4")], "tensor b: tensors take 16 bytes of weights/a.bin, which has 12"),
        (
            vec![external("a", &[("location", "weights/a.bin"), ("length", "4")])],
            "tensor a: 4 bytes in weights/a.bin, expected 8 for 2",
        ),
    ] {
        assert_eq!(refusal(tensors), format!("damaged model: {expected}"));
    }
    assert!(refusal(vec![at("nowhere")]).starts_with("cannot read "));
    assert!(refusal(vec![at("weights")]).contains("weights"), "a folder is no file");
    let model = model(input("x", &[2]), vec![at("weights/a.bin")], vec![node("Sum", &["x", "a"], &["y"], Vec::new())]);
    let error = Model::from_bytes(&bytes(&model)).expect_err("there is no folder").to_string();
    assert_eq!(error, "damaged model: tensor a: its data is in file weights/a.bin; open the model by its path");
}

#[cfg(unix)]
#[test]
fn links_to_elsewhere_are_refused() {
    let folder = Folder::new("links");
    fs::write(folder.0.join("secret"), [0; 64]).expect("a file for the test");
    std::os::unix::fs::symlink(folder.0.join("secret"), folder.models().join("link")).expect("a link for the test");
    let error = opened(&folder.models(), vec![external("a", &[("location", "link")])]);
    let expected = "damaged model: tensor a: its data is in link, a link to outside the model's folder";
    assert_eq!(error.expect_err("it leads elsewhere").to_string(), expected);
}
