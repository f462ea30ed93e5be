//! Tensors in files beside the model's: large models keep their weights so.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use winoconv::graph::Dims;

use crate::error::{OnnxError, Refusal, Result, refusal};
use crate::proto::TensorProto;
use crate::tensor::{Known, from_bytes};

/// A part of a file, read as elements of a type in these sizes.
type Part = (String, u64, usize, i32, Dims);

/// The folder of a model, and what was read from its files.
#[derive(Debug, Default)]
pub(crate) struct External {
    /// None for a model that is no file.
    folder: Option<PathBuf>,
    /// What many tensors are, is read once.
    parts: HashMap<Part, Known>,
    /// Bytes that were taken from each file: not more than it holds, so that memory is bounded by the files.
    taken: HashMap<PathBuf, u64>,
}

impl External {
    /// For a model that lies in a folder.
    pub(crate) fn beside(model: &Path) -> Self {
        let folder = model.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Self { folder: Some(folder.to_owned()), ..Self::default() }
    }

    /// The elements of a tensor that takes so many bytes.
    pub(crate) fn read(&mut self, tensor: &TensorProto, what: &str, dims: Dims, bytes: usize) -> Result<Known> {
        let damaged = |problem| OnnxError::damaged(format!("tensor {what}"), problem);
        let entry = |key: &str| tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| &*entry.value);
        let number = |key: &str| {
            let parse = |text: &str| {
                text.parse::<u64>().map_err(|_| damaged(refusal!("{key} is {text}, expected a whole number")))
            };
            entry(key).map(parse).transpose()
        };
        let location = entry("location")
            .ok_or_else(|| damaged(refusal!("its data is in another file, expected the file's location")))?;
        let offset = number("offset")?.unwrap_or(0);
        let size = bytes as u64;
        if let Some(length) = number("length")?.filter(|&length| length != size) {
            return Err(damaged(refusal!("{length} bytes in {location}, expected {bytes} for {dims}")));
        }
        let Some(folder) = &self.folder else {
            return Err(damaged(refusal!(
                "its data is in {location}, expected a model that is read by its path: Model::open"
            )));
        };
        let part: Part = (location.to_owned(), offset, bytes, tensor.data_type, dims);
        if let Some(known) = self.parts.get(&part) {
            return Ok(known.clone());
        }
        let path = inside(folder, location).map_err(damaged)?;
        let read_error = |source| OnnxError::Read { path: path.clone(), source };
        let real = path.canonicalize().map_err(read_error)?;
        if !real.starts_with(folder.canonicalize().map_err(read_error)?) {
            return Err(damaged(refusal!(
                "its data is in {location}, a link, expected a file below the model's folder"
            )));
        }
        let mut file = File::open(&real).map_err(read_error)?;
        let about = file.metadata().map_err(read_error)?;
        let end = offset.checked_add(size).filter(|&end| about.is_file() && end <= about.len());
        if end.is_none() {
            let problem = refusal!(
                "bytes {offset} to {} of {location}, expected at most {}",
                offset.saturating_add(size),
                about.len()
            );
            return Err(damaged(problem));
        }
        let taken = self.taken.entry(real.clone()).or_default();
        *taken = taken.saturating_add(size);
        if *taken > about.len() {
            return Err(damaged(refusal!(
                "tensors take {taken} bytes of {location}, expected at most {}",
                about.len()
            )));
        }
        file.seek(SeekFrom::Start(offset)).map_err(read_error)?;
        let mut data = vec![0; bytes];
        file.read_exact(&mut data).map_err(read_error)?;
        let known = from_bytes(tensor.data_type, dims, &data);
        self.parts.insert(part, known.clone());
        Ok(known)
    }
}

/// A path that does not leave the folder.
fn inside(folder: &Path, location: &str) -> Result<PathBuf, Refusal> {
    let path = Path::new(location);
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if location.is_empty() || location.contains(['\\', ':']) || !path.components().all(is_plain) {
        return Err(refusal!("its data is in {location:?}, expected a path below the model's folder"));
    }
    Ok(folder.join(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_the_folder() {
        let folder = Path::new("models");
        assert_eq!(inside(folder, "weights/a.bin").ok(), Some(PathBuf::from("models/weights/a.bin")));
        for location in ["", "..", "../a", "a/../../b", "/etc/passwd", "C:\\a", "a\\..\\b"] {
            assert!(inside(folder, location).is_err(), "{location}");
        }
    }
}
