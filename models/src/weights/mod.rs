//! Weights from files. Files are not trusted: what is damaged is an error, and what is allocated is bounded by a file's size.

pub(crate) mod ncnn;
pub(crate) mod safetensors;
pub(crate) mod tza;

use std::sync::Arc;

use winoconv::Conv;

use crate::error::{FileKind, ModelError, Result};

/// Rows and columns of every filter here.
pub(crate) const TAPS: usize = 3;

/// A convolution with filters of 3x3, stride 1 and zeros around the picture: the only kind that the networks here use.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layer {
    pub(crate) channels: usize,
    pub(crate) filters: usize,
    /// `[filter][channel][row][column]`.
    pub(crate) weights: Arc<[f32]>,
    pub(crate) bias: Arc<[f32]>,
}

impl Layer {
    /// From tensors whose sizes a file gives.
    pub(crate) fn new(kind: FileKind, name: &str, dims: &[usize], weights: Vec<f32>, bias: Vec<f32>) -> Result<Self> {
        let &[filters, channels, TAPS, TAPS] = dims else {
            let problem = format!("{name} has sizes {dims:?}, expected filters x channels x 3 x 3");
            return Err(ModelError::unsupported(kind, problem));
        };
        let count = filters.checked_mul(channels).and_then(|count| count.checked_mul(TAPS * TAPS));
        if count != Some(weights.len()) || filters == 0 || channels == 0 {
            let problem = format!("{name} has {} weights for sizes {dims:?}", weights.len());
            return Err(ModelError::damaged(kind, problem));
        }
        if bias.len() != filters {
            let problem = format!("{name} has {filters} filters, and {} numbers of bias", bias.len());
            return Err(ModelError::damaged(kind, problem));
        }
        Ok(Self { channels, filters, weights: weights.into(), bias: bias.into() })
    }

    pub(crate) fn conv(&self) -> Conv {
        Conv::new(self.channels, self.filters, [TAPS, TAPS]).padding(1).bias(true)
    }
}

/// Little-endian bytes, read from the front. `None` is the end of the file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (&taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
}

/// Numbers of 32 bits from little-endian bytes; a rest of fewer than 4 bytes is left out.
pub(crate) fn from_f32(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|&number| f32::from_le_bytes(number)).collect()
}

/// The same from numbers of 16 bits.
pub(crate) fn from_f16(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|&number| half::f16::from_le_bytes(number).to_f32()).collect()
}

/// The same from the upper halves of numbers of 32 bits.
pub(crate) fn from_bf16(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|&number| half::bf16::from_le_bytes(number).to_f32()).collect()
}
