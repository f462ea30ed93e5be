//! PFM, portable float maps, which renderers write: `PF` for three colours or `Pf` for one, sizes, a scale whose sign says the order
//! of bytes, and the rows from the bottom up.

use super::{Depth, Picture};

const GREY: usize = 1;
const RGB: usize = 3;

/// Reads a picture, or says what is wrong.
pub(crate) fn read(bytes: &[u8]) -> Result<Picture, String> {
    let mut rest = bytes;
    let channels = match word(&mut rest) {
        Some("PF") => RGB,
        Some("Pf") => GREY,
        _ => return Err("it does not begin with PF or Pf".to_owned()),
    };
    let mut size = || word(&mut rest).and_then(|word| word.parse::<usize>().ok()).filter(|&size| size > 0);
    let (width, height) = size().zip(size()).ok_or("its sizes are missing")?;
    let scale = word(&mut rest).and_then(|word| word.parse::<f32>().ok()).filter(|scale| *scale != 0.0);
    let is_little = scale.ok_or("its scale is missing")? < 0.0;
    let len = width.checked_mul(height).and_then(|count| count.checked_mul(4 * channels));
    let bytes = len.and_then(|len| rest.get(..len)).ok_or_else(|| {
        format!("its {width} x {height} pixels need more than the {} bytes behind the head", rest.len())
    })?;
    let number = |&bytes: &[u8; 4]| if is_little { f32::from_le_bytes(bytes) } else { f32::from_be_bytes(bytes) };
    let mut colour = Vec::with_capacity(width * height * RGB);
    for row in bytes.chunks_exact(4 * channels * width).rev() {
        for value in row.as_chunks().0.iter().map(number) {
            colour.extend(std::iter::repeat_n(value, RGB / channels));
        }
    }
    Ok(Picture {
        width,
        height,
        colour,
        alpha: None,
        is_linear: true,
        is_grey: channels == GREY,
        depth: Depth::Float,
        profile: None,
    })
}

/// The next word, and one white space behind it.
fn word<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let start = rest.iter().position(|byte| !byte.is_ascii_whitespace())?;
    let (_, from) = rest.split_at(start);
    // No word of a head is longer.
    let end = from.iter().take(32).position(u8::is_ascii_whitespace)?;
    *rest = &from[end + 1..];
    str::from_utf8(&from[..end]).ok()
}

/// The file of a picture in linear steps.
pub(crate) fn write(picture: &Picture) -> Vec<u8> {
    let (kind, step) = if picture.is_grey { ("Pf", RGB) } else { ("PF", 1) };
    let mut bytes = format!("{kind}\n{} {}\n-1.0\n", picture.width, picture.height).into_bytes();
    for row in picture.colour.chunks_exact(RGB * picture.width).rev() {
        bytes.extend(row.iter().step_by(step).flat_map(|value| value.to_le_bytes()));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_written_and_read_back() {
        for is_grey in [false, true] {
            let colour: Vec<f32> = (0..2 * 3 * RGB).map(|i| (if is_grey { i / 3 } else { i }) as f32 - 2.5).collect();
            let picture = Picture {
                width: 2,
                height: 3,
                colour,
                alpha: None,
                is_linear: true,
                is_grey,
                depth: Depth::Float,
                profile: None,
            };
            assert_eq!(read(&write(&picture)), Ok(picture));
        }
        let big_endian = [b"Pf 1 2 1.0\n".to_vec(), 7f32.to_be_bytes().to_vec(), 9f32.to_be_bytes().to_vec()].concat();
        assert_eq!(read(&big_endian).map(|picture| picture.colour), Ok(vec![9.0, 9.0, 9.0, 7.0, 7.0, 7.0]));
    }

    #[test]
    fn damaged_files_are_refused() {
        let whole = b"PF\n1 1\n-1\n0123456789ab";
        assert!(read(whole).is_ok());
        for end in 0..whole.len() {
            assert!(read(&whole[..end]).is_err(), "{end}");
        }
        assert!(read(b"PF 99999999999 99999999999 -1\n").is_err() && read(b"P6 1 1 255\n123").is_err());
    }
}
