//! Tensors that a file holds, widened to the two types that a network is made of.

use std::sync::Arc;

use half::{bf16, f16};
use winoconv::graph::{Dims, MAX_DIMS};

use crate::error::{OnnxError, Refusal, Result, refusal};
use crate::external::External;
use crate::proto::{TensorProto, data_type};

/// Floats with their sizes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Floats {
    pub(crate) dims: Dims,
    pub(crate) data: Arc<[f32]>,
}

/// Integers, or booleans as 0 and 1, with their sizes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ints {
    pub(crate) dims: Dims,
    pub(crate) data: Arc<[i64]>,
    pub(crate) is_bool: bool,
}

impl Ints {
    /// Numbers in a row.
    pub(crate) fn row(data: &[i64]) -> Self {
        Self { dims: [data.len()].into(), data: data.into(), is_bool: false }
    }
}

/// A tensor that is known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Known {
    Floats(Floats),
    Ints(Ints),
    /// Of a type that no node can read here.
    Other(&'static str),
}

/// The name of a type of elements.
pub(crate) fn type_name(number: i32) -> &'static str {
    usize::try_from(number).ok().and_then(|number| data_type::NAMES.get(number)).copied().unwrap_or("an unknown type")
}

/// Whether elements of this type are f32 in a graph.
pub(crate) const fn is_float(number: i32) -> bool {
    matches!(number, data_type::FLOAT | data_type::FLOAT16 | data_type::BFLOAT16 | data_type::DOUBLE)
}

/// Bytes of an element of this type, of those that are read.
const fn width(number: i32) -> Option<usize> {
    match number {
        data_type::UINT8 | data_type::INT8 | data_type::BOOL => Some(1),
        data_type::UINT16 | data_type::INT16 | data_type::FLOAT16 | data_type::BFLOAT16 => Some(2),
        data_type::FLOAT | data_type::INT32 | data_type::UINT32 => Some(4),
        data_type::INT64 | data_type::UINT64 | data_type::DOUBLE => Some(8),
        _ => None,
    }
}

/// The largest size of a dimension. A tensor without elements may have others of any size, and their sums must not overflow.
pub(crate) const MOST_SIZE: usize = 1 << 48;

/// Sizes as a graph has them, and the number of elements.
pub(crate) fn dims(sizes: &[i64]) -> Result<(Dims, usize), Refusal> {
    let refused = || refusal!("sizes {sizes:?}, expected at most {MAX_DIMS} from 0 to 2^48");
    let sizes: Option<Vec<usize>> = sizes.iter().map(|&size| usize::try_from(size).ok()).collect();
    let dims = sizes.as_deref().and_then(Dims::from_slice).ok_or_else(refused)?;
    let elements = dims.elements();
    if elements == usize::MAX || dims.iter().any(|&size| size > MOST_SIZE) {
        Err(refused())
    } else {
        Ok((dims, elements))
    }
}

/// The tensor of a message, whose name is used in errors. Nothing is allocated before the elements are known to be there.
pub(crate) fn read(tensor: &TensorProto, what: &str, external: &mut External) -> Result<Known> {
    let damaged = |problem| OnnxError::damaged(format!("tensor {what}"), problem);
    let kind = tensor.data_type;
    let Some(width) = width(kind) else { return Ok(Known::Other(type_name(kind))) };
    let (dims, elements) = dims(&tensor.dims).map_err(damaged)?;
    let bytes = elements
        .checked_mul(width)
        .ok_or_else(|| damaged(refusal!("{dims} elements of {width} bytes, expected at most 2^64 bytes")))?;
    if tensor.data_location == 1 {
        return external.read(tensor, what, dims, bytes);
    }
    if !tensor.raw_data.is_empty() {
        if tensor.raw_data.len() != bytes {
            let problem =
                refusal!("{} bytes, expected {bytes} for {dims} of {}", tensor.raw_data.len(), type_name(kind));
            return Err(damaged(problem));
        }
        return Ok(from_bytes(kind, dims, &tensor.raw_data));
    }
    let len = |found: usize| {
        let problem = || damaged(refusal!("{found} elements, expected {elements} for {dims} of {}", type_name(kind)));
        if found == elements { Ok(()) } else { Err(problem()) }
    };
    let floats = |data: Arc<[f32]>| Known::Floats(Floats { dims, data });
    let ints = |data: Arc<[i64]>| Known::Ints(Ints { dims, data, is_bool: kind == data_type::BOOL });
    match kind {
        data_type::FLOAT => {
            len(tensor.float_data.len())?;
            Ok(floats(tensor.float_data.as_slice().into()))
        }
        data_type::DOUBLE => {
            len(tensor.double_data.len())?;
            Ok(floats(tensor.double_data.iter().map(|&x| x as f32).collect()))
        }
        data_type::FLOAT16 | data_type::BFLOAT16 => {
            len(tensor.int32_data.len())?;
            let widened = |&bits: &i32| widened(kind, (bits as u16).to_le_bytes());
            Ok(floats(tensor.int32_data.iter().map(widened).collect()))
        }
        data_type::INT64 => {
            len(tensor.int64_data.len())?;
            Ok(ints(tensor.int64_data.as_slice().into()))
        }
        data_type::UINT32 | data_type::UINT64 => {
            len(tensor.uint64_data.len())?;
            Ok(ints(tensor.uint64_data.iter().map(|&x| x as i64).collect()))
        }
        _ => {
            len(tensor.int32_data.len())?;
            Ok(ints(tensor.int32_data.iter().map(|&x| i64::from(x)).collect()))
        }
    }
}

/// A 16-bit float as f32.
fn widened(kind: i32, bytes: [u8; 2]) -> f32 {
    let bits = u16::from_le_bytes(bytes);
    if kind == data_type::FLOAT16 { f16::from_bits(bits).to_f32() } else { bf16::from_bits(bits).to_f32() }
}

/// Little-endian elements, as many as the sizes say.
pub(crate) fn from_bytes(kind: i32, dims: Dims, bytes: &[u8]) -> Known {
    fn words<const N: usize, T>(bytes: &[u8], read: impl Fn([u8; N]) -> T) -> Arc<[T]> {
        bytes.as_chunks::<N>().0.iter().map(|word| read(*word)).collect()
    }
    let floats = |data| Known::Floats(Floats { dims, data });
    let ints = |data| Known::Ints(Ints { dims, data, is_bool: kind == data_type::BOOL });
    match kind {
        data_type::FLOAT => floats(words(bytes, f32::from_le_bytes)),
        data_type::DOUBLE => floats(words(bytes, |word| f64::from_le_bytes(word) as f32)),
        data_type::FLOAT16 | data_type::BFLOAT16 => floats(words(bytes, |word| widened(kind, word))),
        data_type::INT8 => ints(words(bytes, |[byte]: [u8; 1]| i64::from(byte.cast_signed()))),
        data_type::UINT8 => ints(words(bytes, |[byte]: [u8; 1]| i64::from(byte))),
        data_type::BOOL => ints(words(bytes, |[byte]: [u8; 1]| i64::from(byte != 0))),
        data_type::INT16 => ints(words(bytes, |word| i64::from(i16::from_le_bytes(word)))),
        data_type::UINT16 => ints(words(bytes, |word| i64::from(u16::from_le_bytes(word)))),
        data_type::INT32 => ints(words(bytes, |word| i64::from(i32::from_le_bytes(word)))),
        data_type::UINT32 => ints(words(bytes, |word| i64::from(u32::from_le_bytes(word)))),
        data_type::UINT64 => ints(words(bytes, |word| u64::from_le_bytes(word).cast_signed())),
        _ => ints(words(bytes, i64::from_le_bytes)),
    }
}
