//! A folder with a model and files beside it.

use std::fs;
use std::path::{Path, PathBuf};

use winoconv_onnx::Model;

use super::build::{bytes, floats, input, model, node};
use super::proto::{StringStringEntryProto, TensorProto};

/// A tensor of two floats in another file.
pub(crate) fn external(name: &str, entries: &[(&str, &str)]) -> TensorProto {
    let entry = |&(key, value): &(&str, &str)| StringStringEntryProto { key: key.into(), value: value.into() };
    let external_data = entries.iter().map(entry).collect();
    TensorProto { data_location: 1, external_data, ..floats(name, &[2], &[]) }
}

/// A folder that goes with the test. The model lies in `models`, its data in `models/weights`.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("winoconv-onnx-{name}-{}", std::process::id()));
        fs::create_dir_all(path.join("models/weights")).expect("a folder for the test");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn models(&self) -> PathBuf {
        self.0.join("models")
    }

    /// Writes a model that adds tensors to its input, and opens it.
    pub(crate) fn opened(&self, tensors: Vec<TensorProto>) -> winoconv_onnx::Result<Model> {
        let names: Vec<String> = ["x".to_owned()].into_iter().chain(tensors.iter().map(|t| t.name.clone())).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let model = model(input("x", &[2]), tensors, vec![node("Sum", &names, &["y"], Vec::new())]);
        let path = self.models().join("model.onnx");
        fs::write(&path, bytes(&model)).expect("a file for the test");
        Model::open(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
