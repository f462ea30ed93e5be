//! Tensors in files: `NumPy`'s `.npy`, and numbers of 32 bits one behind the other, `.f32`.

use std::path::Path;

use half::f16;

use crate::error::{CliError, Result};

const MAGIC: &[u8] = b"\x93NUMPY";
/// No array that a network reads has a longer head.
const LONGEST_HEAD: usize = 4096;
/// `NumPy` begins data at multiples of this.
const ALIGNMENT: usize = 64;

/// A tensor, row by row. Without sizes if the file does not say them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Array {
    pub(crate) sizes: Option<Vec<usize>>,
    pub(crate) data: Vec<f32>,
}

/// Whether a name is that of such a file.
pub(crate) fn is_array(path: &Path) -> bool {
    matches!(ending(path).as_deref(), Some("npy" | "f32"))
}

fn ending(path: &Path) -> Option<String> {
    Some(path.extension()?.to_str()?.to_lowercase())
}

pub(crate) fn read(path: &Path) -> Result<Array> {
    let bytes = std::fs::read(path).map_err(|source| CliError::Read { path: path.to_owned(), source })?;
    let wrong = |problem: String| CliError::Array { path: path.to_owned(), problem };
    if ending(path).as_deref() == Some("npy") {
        return read_npy(&bytes).map_err(wrong);
    }
    let (words, rest) = bytes.as_chunks();
    if !rest.is_empty() {
        return Err(wrong(format!("{} bytes are no whole numbers of 32 bits", bytes.len())));
    }
    Ok(Array { sizes: None, data: words.iter().map(|&word| f32::from_le_bytes(word)).collect() })
}

/// The bytes of a file of this name.
pub(crate) fn bytes(path: &Path, sizes: &[usize], data: &[f32]) -> Vec<u8> {
    let mut bytes = if ending(path).as_deref() == Some("npy") { npy_head(sizes) } else { Vec::new() };
    bytes.extend(data.iter().flat_map(|number| number.to_le_bytes()));
    bytes
}

fn npy_head(sizes: &[usize]) -> Vec<u8> {
    let sizes: String = sizes.iter().map(|size| format!("{size},")).collect();
    let mut text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({sizes}), }}");
    let before = MAGIC.len() + 4;
    while !(before + text.len() + 1).is_multiple_of(ALIGNMENT) {
        text.push(' ');
    }
    text.push('\n');
    let mut head = MAGIC.to_vec();
    head.extend([1, 0]);
    // At most eight sizes of 20 digits.
    head.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes());
    head.extend(text.into_bytes());
    head
}

fn read_npy(bytes: &[u8]) -> Result<Array, String> {
    let cut = || "it ends within its head".to_owned();
    let rest = bytes.strip_prefix(MAGIC).ok_or("it is no .npy file")?;
    let (version, rest) = rest.split_first_chunk::<2>().ok_or_else(cut)?;
    let (len, rest) = match version[0] {
        1 => rest.split_first_chunk().map(|(len, rest)| (usize::from(u16::from_le_bytes(*len)), rest)),
        2 | 3 => rest.split_first_chunk().map(|(len, rest)| (u32::from_le_bytes(*len) as usize, rest)),
        other => return Err(format!("its version is {other}, expected 1 to 3")),
    }
    .ok_or_else(cut)?;
    let head = rest.get(..len.min(LONGEST_HEAD)).filter(|_| len <= rest.len()).ok_or_else(cut)?;
    let head = str::from_utf8(head).map_err(|_| "its head is no text")?;
    let value = |key: &str| {
        let (_, rest) = head.split_once(&format!("'{key}':")).ok_or_else(|| format!("its head has no {key}"))?;
        Ok::<_, String>(rest.trim_start())
    };
    if !value("fortran_order")?.starts_with("False") {
        return Err("it is stored by columns; save it with numpy.ascontiguousarray".to_owned());
    }
    let shape =
        value("shape")?.strip_prefix('(').and_then(|rest| rest.split_once(')')).ok_or("its shape is damaged")?.0;
    let sizes = shape.split(',').map(str::trim).filter(|size| !size.is_empty());
    let sizes: Vec<usize> = sizes.map(str::parse).collect::<Result<_, _>>().map_err(|_| "its shape is damaged")?;
    let kind = value("descr")?.trim_start_matches('\'').split('\'').next().unwrap_or_default();
    let size = match kind {
        "<f4" | "<i4" => 4,
        "<f2" => 2,
        "<f8" | "<i8" => 8,
        "|u1" => 1,
        other => return Err(format!("its type is {other}, expected f2, f4, f8, u1, i4 or i8")),
    };
    let expected = sizes.iter().try_fold(size, |product: usize, &size| product.checked_mul(size));
    let data = &rest[len..];
    if expected != Some(data.len()) {
        return Err(format!("it has {} bytes of data for a shape of {sizes:?}", data.len()));
    }
    let data = match kind {
        "<f4" => data.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect(),
        "<f2" => data.as_chunks().0.iter().map(|&bytes| f16::from_le_bytes(bytes).to_f32()).collect(),
        "<f8" => data.as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes) as f32).collect(),
        "<i4" => data.as_chunks().0.iter().map(|&bytes| i32::from_le_bytes(bytes) as f32).collect(),
        "<i8" => data.as_chunks().0.iter().map(|&bytes| i64::from_le_bytes(bytes) as f32).collect(),
        _ => data.iter().map(|&byte| f32::from(byte)).collect(),
    };
    Ok(Array { sizes: Some(sizes), data })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_are_written_and_read_back() {
        for sizes in [vec![], vec![3], vec![2, 1, 5]] {
            let data: Vec<f32> = (0..sizes.iter().product()).map(|i: usize| i as f32 / 7.0).collect();
            let file = bytes(Path::new("a.npy"), &sizes, &data);
            assert!((file.len() - 4 * data.len()).is_multiple_of(ALIGNMENT));
            assert_eq!(read_npy(&file), Ok(Array { sizes: Some(sizes), data: data.clone() }));
            assert_eq!(bytes(Path::new("a.f32"), &[], &data).len(), 4 * data.len());
        }
    }

    #[test]
    fn damaged_arrays_are_refused() {
        let file = bytes(Path::new("a.npy"), &[2, 2], &[1.0; 4]);
        for end in 0..file.len() {
            assert!(read_npy(&file[..end]).is_err(), "{end}");
        }
        let with = |from: &str, to: &str| {
            let text: Vec<u8> = file.clone();
            let at = text.windows(from.len()).position(|window| window == from.as_bytes()).expect("it is there");
            let mut changed = text;
            changed.splice(at..at + from.len(), to.bytes());
            read_npy(&changed)
        };
        assert!(with("False", "True ").is_err_and(|problem| problem.contains("columns")));
        assert!(with("<f4", ">f4").is_err_and(|problem| problem.contains("type")));
        assert!(with("(2,2,)", "(9,9,)").is_err() && with("(2,2,)", "(a,2,)").is_err());
    }
}
