//! TZA, the format of Intel Open Image Denoise's weights: a head, the data of all tensors, and a table that says where each lies.
//!
//! | bytes | what |
//! |---|---|
//! | 2 | 0x41D7 |
//! | 1, 1 | version, of which the first number must be 2 |
//! | 8 | where the table begins |
//!
//! The table is a count of 4 bytes, and for each tensor: length of its name (2) and the name, number of axes (1), their sizes (4
//! each), their letters (1 each: `oihw` or `x`), the type (1: `f` for 32 bits, `h` for 16), and where its data begin (8).

use std::collections::HashMap;

use super::{Bytes, Layer, from_f16, from_f32};
use crate::error::{FileKind, ModelError, Result};

const MAGIC: u16 = 0x41D7;
const VERSION: u8 = 2;

/// A tensor whose bytes are still in the file: entries of a hostile table may share them, so none is copied before it is asked for.
#[derive(Debug, Clone)]
struct Entry<'a> {
    dims: Vec<usize>,
    is_half: bool,
    bytes: &'a [u8],
}

/// The tensors of a file.
#[derive(Debug)]
pub(crate) struct Tza<'a>(HashMap<&'a str, Entry<'a>>);

impl<'a> Tza<'a> {
    pub(crate) fn read(file: &'a [u8]) -> Result<Self> {
        let damaged = |problem: &str| ModelError::damaged(FileKind::Tza, problem);
        let mut head = Bytes(file);
        if head.u16() != Some(MAGIC) {
            return Err(damaged("it does not begin with 0x41D7"));
        }
        let version = head.u8().zip(head.u8()).ok_or_else(|| damaged("it ends within its head"))?;
        if version.0 != VERSION {
            let problem = format!("version {}.{}, expected 2", version.0, version.1);
            return Err(ModelError::unsupported(FileKind::Tza, problem));
        }
        let table = head.u64().and_then(|at| file.get(usize::try_from(at).ok()?..));
        let mut table = Bytes(table.ok_or_else(|| damaged("its table begins behind its end"))?);
        let count = table.u32().ok_or_else(|| damaged("it ends within its table"))?;
        let mut entries = HashMap::new();
        for _ in 0..count {
            let (name, entry) = entry(file, &mut table)?;
            entries.entry(name).or_insert(entry);
        }
        Ok(Self(entries))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn entry(&self, name: &str) -> Result<&Entry<'a>> {
        self.0.get(name).ok_or_else(|| ModelError::damaged(FileKind::Tza, format!("there is no tensor {name}")))
    }

    /// The convolution of this name.
    pub(crate) fn layer(&self, name: &str) -> Result<Layer> {
        let weights = self.entry(&format!("{name}.weight"))?;
        let bias = self.entry(&format!("{name}.bias"))?;
        Layer::new(FileKind::Tza, name, &weights.dims, weights.numbers(), bias.numbers())
    }
}

impl Entry<'_> {
    fn numbers(&self) -> Vec<f32> {
        if self.is_half { from_f16(self.bytes) } else { from_f32(self.bytes) }
    }
}

fn entry<'a>(file: &'a [u8], table: &mut Bytes<'a>) -> Result<(&'a str, Entry<'a>)> {
    let ended = || ModelError::damaged(FileKind::Tza, "it ends within its table");
    let len = table.u16().ok_or_else(ended)?;
    let name = table.take(len.into()).ok_or_else(ended)?;
    let name = str::from_utf8(name).map_err(|_| ModelError::damaged(FileKind::Tza, "a name is not UTF-8"))?;
    let damaged = |problem: String| ModelError::damaged(FileKind::Tza, format!("tensor {name}: {problem}"));
    let rank = usize::from(table.u8().ok_or_else(ended)?);
    let mut dims = Vec::with_capacity(rank);
    for _ in 0..rank {
        dims.push(table.u32().ok_or_else(ended)? as usize);
    }
    let axes = table.take(rank).ok_or_else(ended)?;
    if !matches!(axes, b"x" | b"oihw") {
        return Err(damaged(format!("axes {}, expected x or oihw", axes.escape_ascii())));
    }
    let is_half = match table.u8().ok_or_else(ended)? {
        b'f' => false,
        b'h' => true,
        other => return Err(damaged(format!("type {}, expected f or h", other.escape_ascii()))),
    };
    let start = table.u64().ok_or_else(ended)?;
    let size = if is_half { 2 } else { 4 };
    let len = dims.iter().try_fold(size, |product: usize, &dim| product.checked_mul(dim));
    let bytes = len.and_then(|len| file.get(usize::try_from(start).ok()?..)?.get(..len));
    let bytes = bytes.ok_or_else(|| damaged(format!("its data of sizes {dims:?} end behind the file's end")))?;
    Ok((name, Entry { dims, is_half, bytes }))
}
