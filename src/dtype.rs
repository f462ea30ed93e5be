//! Element types.

use std::borrow::Cow;
use std::fmt;

use half::f16;

/// The type in which a tensor is stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DType {
    /// IEEE 754 binary32.
    #[default]
    F32,
    /// IEEE 754 binary16: rounded when it is stored, f32 in between. What is beyond 65,504 becomes infinite.
    F16,
}

impl DType {
    /// Bytes of one element.
    pub const fn size(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }

    /// Bytes of a tensor of so many elements, rounded up to whole words of 4 bytes, as bindings and copies need them. Where
    /// that overflows it is the largest multiple of 4, which is beyond every bound.
    pub const fn bytes(self, len: usize) -> u64 {
        let bytes = self.size().saturating_mul(len as u64);
        if bytes > u64::MAX - 3 { u64::MAX - 3 } else { bytes.next_multiple_of(4) }
    }

    /// The nearest value that the type has, ties to even.
    #[inline(always)]
    pub fn rounded(self, value: f32) -> f32 {
        match self {
            Self::F32 => value,
            Self::F16 => rounded_to_f16(value),
        }
    }

    /// Values as they are stored, in whole words: rounded to the nearest, and a zero behind the last one where it needs a
    /// partner.
    pub fn to_bytes(self, values: &[f32]) -> Cow<'_, [u8]> {
        match self {
            Self::F32 => Cow::Borrowed(bytemuck::cast_slice(values)),
            Self::F16 => {
                let mut halves: Vec<f16> = values.iter().copied().map(f16::from_f32).collect();
                halves.resize(values.len().next_multiple_of(2), f16::ZERO);
                Cow::Owned(bytemuck::cast_slice(&halves).to_vec())
            }
        }
    }

    /// The first `len` values of what is stored.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn from_bytes(self, bytes: &[u8], len: usize) -> Vec<f32> {
        let bytes = &bytes[..len.saturating_mul(self.size() as usize)];
        match self {
            Self::F32 => bytemuck::pod_collect_to_vec(bytes),
            Self::F16 => bytemuck::pod_collect_to_vec::<u8, f16>(bytes).into_iter().map(f16::to_f32).collect(),
        }
    }

    /// The first values of what is stored, as many as the slice has.
    ///
    /// # Panics
    /// If there are fewer.
    pub(crate) fn read_bytes(self, bytes: &[u8], to: &mut [f32]) {
        let bytes = &bytes[..to.len().saturating_mul(self.size() as usize)];
        match self {
            Self::F32 => bytemuck::cast_slice_mut(to).copy_from_slice(bytes),
            Self::F16 => {
                let halves = bytes.chunks_exact(2).map(|half| f16::from_le_bytes([half[0], half[1]]));
                to.iter_mut().zip(halves).for_each(|(value, half)| *value = half.to_f32());
            }
        }
    }

    /// Unit roundoff: half the distance from 1 to the next number.
    pub const fn unit_roundoff(self) -> f64 {
        match self {
            Self::F32 => 1.0 / 16_777_216.0,
            Self::F16 => 1.0 / 2048.0,
        }
    }

    /// The smallest number of full precision.
    pub const fn smallest_normal(self) -> f64 {
        match self {
            Self::F32 => f32::MIN_POSITIVE as f64,
            Self::F16 => 1.0 / 16384.0,
        }
    }

    /// Its name in WGSL, in variant names and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
        }
    }
}

/// The nearest number that binary16 has, ties to even: without branches or calls, so that loops become vector instructions.
#[inline(always)]
fn rounded_to_f16(value: f32) -> f32 {
    /// The bits of 2^-14, below which numbers are multiples of 2^-24.
    const NORMAL: u32 = 0x3880_0000;
    /// The bits of 65,536, where infinity begins.
    const OVERFLOW: u32 = 0x4780_0000;
    /// The bits that binary16 does not have.
    const DROPPED: u32 = 0x1fff;
    let (sign, size) = (value.to_bits() & 1 << 31, value.to_bits() & !(1 << 31));
    let normal = (size + (DROPPED >> 1) + (size >> 13 & 1)) & !DROPPED;
    // Numbers from 1/2 to 1 are multiples of 2^-24.
    let small = (f32::from_bits(size) + 0.5 - 0.5).to_bits();
    let rounded = if size < NORMAL { small } else { normal };
    let infinite = f32::INFINITY.to_bits();
    let rounded = if rounded >= OVERFLOW { infinite } else { rounded };
    let quiet = size & !DROPPED | 0x0040_0000;
    f32::from_bits(sign | if size > infinite { quiet } else { rounded })
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each number of binary16, the middles between neighbours, and what lies next to both; and some of all others.
    #[test]
    fn rounds_as_the_standard_says() {
        let halves = (0..=u16::MAX).map(|bits| f16::from_bits(bits).to_f32().to_bits());
        let near = halves.flat_map(|bits| {
            let around = |bits: u32| [bits.wrapping_sub(1), bits, bits.wrapping_add(1)];
            around(bits).into_iter().chain(around(bits.wrapping_add(0x1000))).chain(around(bits / 2))
        });
        let step = if cfg!(miri) { 10_000_019 } else { 1_009 };
        let step_near = if cfg!(miri) { 1_009 } else { 1 };
        for bits in near.step_by(step_near).chain((0..=u32::MAX).step_by(step)) {
            let value = f32::from_bits(bits);
            let (got, expected) = (DType::F16.rounded(value), f16::from_f32(value).to_f32());
            assert_eq!(got.to_bits(), expected.to_bits(), "{value:e}");
        }
    }
}
