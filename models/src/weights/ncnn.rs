//! Compact networks in ncnn's files. `.param` names the layers, one in a line:
//!
//! ```text
//! 7767517
//! <layers> <blobs>
//! <type> <name> <inputs> <outputs> <input>.. <output>.. <key>=<value>..
//! ```
//!
//! `.bin` has the numbers of all layers in the same order: of a convolution a word that says how its weights are stored, the weights and
//! the bias, and of a PReLU the slopes.

use std::collections::HashMap;

use super::{Bytes, Layer, TAPS, from_f16, from_f32};
use crate::error::{FileKind, ModelError, Result};

const MAGIC: &str = "7767517";
/// The word before weights in 32 bits, and before those in 16.
const STORED_F32: u32 = 0;
const STORED_F16: u32 = 0x0130_6B47;

fn unsupported(problem: impl Into<String>) -> ModelError {
    ModelError::unsupported(FileKind::NcnnParam, problem)
}

fn damaged(problem: impl Into<String>) -> ModelError {
    ModelError::damaged(FileKind::NcnnParam, problem)
}

/// A line of a `.param` file.
struct Line<'a> {
    kind: &'a str,
    name: &'a str,
    inputs: Vec<&'a str>,
    outputs: Vec<&'a str>,
    values: HashMap<&'a str, &'a str>,
}

impl<'a> Line<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let (kind, name) = (words.next()?, words.next()?);
        let counts: [usize; 2] = [words.next()?.parse().ok()?, words.next()?.parse().ok()?];
        let [inputs, outputs] = counts.map(|count| words.by_ref().take(count).collect::<Vec<_>>());
        if [inputs.len(), outputs.len()] != counts {
            return None;
        }
        let values = words.map(|word| word.split_once('=')).collect::<Option<_>>()?;
        Some(Self { kind, name, inputs, outputs, values })
    }

    /// An integer, or what ncnn takes for it where it is not given.
    fn integer(&self, key: &str, default: i64) -> Result<i64> {
        let Some(value) = self.values.get(key) else { return Ok(default) };
        value.parse().map_err(|_| damaged(format!("{}: {key}={value} is no integer", self.name)))
    }

    fn count(&self, key: &str) -> Result<usize> {
        let value = self.integer(key, 0)?;
        usize::try_from(value).map_err(|_| damaged(format!("{}: {key}={value} is no count", self.name)))
    }

    /// Refuses values other than these, and keys that are not among them or `free`.
    fn expect(&self, fixed: &[(&str, i64, i64)], free: &[&str]) -> Result<()> {
        for &(key, default, expected) in fixed {
            let got = self.integer(key, default)?;
            if got != expected {
                let problem = format!("{} ({}): {key}={got}, expected {expected}", self.name, self.kind);
                return Err(unsupported(problem));
            }
        }
        let is_known = |key: &str| free.contains(&key) || fixed.iter().any(|(known, ..)| *known == key);
        match self.values.iter().find(|(key, _)| !is_known(key)) {
            Some((key, value)) => Err(unsupported(format!("{} ({}): {key}={value}", self.name, self.kind))),
            None => Ok(()),
        }
    }

    /// The one input of a line that has one.
    fn input(&self) -> Result<&'a str> {
        match self.inputs[..] {
            [input] => Ok(input),
            _ => {
                Err(unsupported(format!("{} ({}) has {} inputs, expected 1", self.name, self.kind, self.inputs.len())))
            }
        }
    }

    fn output(&self) -> Result<&'a str> {
        match self.outputs[..] {
            [output] => Ok(output),
            _ => Err(unsupported(format!(
                "{} ({}) has {} outputs, expected 1",
                self.name,
                self.kind,
                self.outputs.len()
            ))),
        }
    }
}

/// The lines of the network, walked along its one chain of layers.
struct Chain<'a> {
    /// What was computed last.
    at: &'a str,
    /// Names of the picture.
    picture: Vec<&'a str>,
    layers: Vec<(Layer, Vec<f32>)>,
    /// The factor of the pixel shuffle, once there was one.
    shuffled: Option<usize>,
    /// The picture, repeated.
    enlarged: Option<(&'a str, usize)>,
    is_whole: bool,
}

/// The convolutions, each but the last with its slopes.
pub(crate) fn compact(param: &str, bin: &[u8]) -> Result<Vec<(Layer, Vec<f32>)>> {
    let mut lines = param.lines().filter(|line| !line.trim().is_empty());
    if lines.next().map(str::trim) != Some(MAGIC) {
        return Err(damaged(format!("it does not begin with {MAGIC}, as the text form does")));
    }
    let mut counts = lines.next().unwrap_or_default().split_whitespace();
    let count: Option<usize> = counts.next().and_then(|count| count.parse().ok());
    let mut chain =
        Chain { at: "", picture: Vec::new(), layers: Vec::new(), shuffled: None, enlarged: None, is_whole: false };
    let mut bytes = Bytes(bin);
    let mut read = 0;
    for text in lines {
        let line = Line::read(text).ok_or_else(|| damaged(format!("a line that cannot be read: {text:.80}")))?;
        chain.step(&line, &mut bytes)?;
        read += 1;
    }
    if count != Some(read) {
        return Err(damaged(format!("it has {read} layers, and its head does not say so")));
    }
    if !bytes.0.is_empty() {
        let problem = format!("{} bytes are left over behind the last layer", bytes.0.len());
        return Err(ModelError::damaged(FileKind::NcnnBin, problem));
    }
    if !chain.is_whole {
        return Err(unsupported("it does not end with the sum of the details and the repeated picture"));
    }
    Ok(chain.layers)
}

impl<'a> Chain<'a> {
    fn step(&mut self, line: &Line<'a>, bytes: &mut Bytes<'_>) -> Result<()> {
        if self.is_whole {
            let (name, kind) = (line.name, line.kind);
            let problem =
                format!("{name} ({kind}) changes the finished picture; read the file that does not resize it");
            return Err(unsupported(problem));
        }
        match line.kind {
            "Input" if self.picture.is_empty() => {
                self.picture = vec![line.output()?];
                self.at = self.picture[0];
            }
            "Split" if self.picture.contains(&line.input()?) => self.picture.extend(&line.outputs),
            "Convolution" if self.shuffled.is_none() => {
                let layer = convolution(line, bytes)?;
                self.advance(line)?;
                self.layers.push((layer, Vec::new()));
            }
            "PReLU" if self.shuffled.is_none() => {
                let slopes = slopes(line, bytes)?;
                self.advance(line)?;
                match self.layers.last_mut() {
                    Some((_, none)) if none.is_empty() => *none = slopes,
                    _ => return Err(unsupported(format!("{} does not follow a convolution", line.name))),
                }
            }
            "PixelShuffle" if self.shuffled.is_none() => {
                line.expect(&[("1", 0, 0)], &["0"])?;
                self.shuffled = Some(line.count("0")?);
                self.advance(line)?;
            }
            "Interp" if self.enlarged.is_none() && self.picture.contains(&line.input()?) => {
                line.expect(&[("0", 0, 1)], &["1", "2"])?;
                let factor = |key: &str| line.values.get(key).and_then(|value| value.parse::<f32>().ok());
                let (rows, columns) = (factor("1"), factor("2"));
                let whole = (1..=64).find(|&whole| rows == Some(whole as f32) && columns == rows);
                let whole = whole.ok_or_else(|| unsupported(format!("{} has no whole factor", line.name)))?;
                self.enlarged = Some((line.output()?, whole));
            }
            "BinaryOp" => self.sum(line)?,
            kind => return Err(unsupported(format!("layer {} ({kind})", line.name))),
        }
        Ok(())
    }

    /// The next layer of the chain reads what the last one gave; the first reads the picture.
    fn advance(&mut self, line: &Line<'a>) -> Result<()> {
        let input = line.input()?;
        if input != self.at && !(self.layers.is_empty() && self.picture.contains(&input)) {
            return Err(unsupported(format!("{} reads {input}, expected {}", line.name, self.at)));
        }
        self.at = line.output()?;
        Ok(())
    }

    fn sum(&mut self, line: &Line<'a>) -> Result<()> {
        line.expect(&[("0", 0, 0), ("1", 0, 0)], &["2"])?;
        let (Some(shuffled), Some((enlarged, factor))) = (self.shuffled, self.enlarged) else {
            return Err(unsupported(format!("{} comes before the pixel shuffle or the repeated picture", line.name)));
        };
        let is_sum = line.inputs[..] == [self.at, enlarged] || line.inputs[..] == [enlarged, self.at];
        if !is_sum || shuffled != factor {
            let problem = format!("{} does not add the repeated picture to details of its size", line.name);
            return Err(unsupported(problem));
        }
        let filters = self.layers.last().map(|(layer, _)| layer.filters);
        if filters != Some(3 * factor * factor) {
            return Err(unsupported(format!("the last convolution has {filters:?} filters for a factor of {factor}")));
        }
        self.is_whole = true;
        Ok(())
    }
}

fn ended(line: &Line<'_>) -> ModelError {
    ModelError::damaged(FileKind::NcnnBin, format!("it ends within layer {}", line.name))
}

fn convolution(line: &Line<'_>, bytes: &mut Bytes<'_>) -> Result<Layer> {
    let taps = TAPS as i64;
    // Rows are as columns where they have no key of their own.
    for (key, of, expected) in [("11", "1", taps), ("12", "2", 1), ("13", "3", 1), ("14", "4", 1)] {
        let default = line.integer(of, if of == "4" { 0 } else { 1 })?;
        line.expect(&[(of, default, expected), (key, default, expected)], ALL_KEYS)?;
    }
    let padding = ("4", 0, 1);
    let of_sides = [("15", 1, 1), ("16", 1, 1), ("18", 0, 0)];
    line.expect(&[padding, of_sides[0], of_sides[1], of_sides[2], ("5", 0, 1), ("8", 0, 0), ("9", 0, 0)], ALL_KEYS)?;
    let (filters, count) = (line.count("0")?, line.count("6")?);
    let per_channel = filters.checked_mul(TAPS * TAPS).filter(|&product| product > 0);
    let channels = per_channel.filter(|&product| count.is_multiple_of(product)).map(|product| count / product);
    let channels = channels.ok_or_else(|| damaged(format!("{}: {count} weights of {filters} filters", line.name)))?;
    let stored = bytes.u32().ok_or_else(|| ended(line))?;
    let weights = match stored {
        STORED_F32 => count.checked_mul(4).and_then(|len| bytes.take(len)).map(from_f32),
        // Padded to whole words.
        STORED_F16 => count.checked_mul(2).and_then(|len| {
            let padded = bytes.take(len.checked_next_multiple_of(4)?)?;
            Some(from_f16(&padded[..len]))
        }),
        other => {
            let problem = format!("{}: weights are stored as {other:#010x}, expected f32 or f16", line.name);
            return Err(ModelError::unsupported(FileKind::NcnnBin, problem));
        }
    };
    let weights = weights.ok_or_else(|| ended(line))?;
    let bias = filters.checked_mul(4).and_then(|len| bytes.take(len)).ok_or_else(|| ended(line))?;
    Layer::new(FileKind::NcnnBin, line.name, &[filters, channels, TAPS, TAPS], weights, from_f32(bias))
}

/// Every key of a convolution that is looked at.
const ALL_KEYS: &[&str] = &["0", "1", "2", "3", "4", "5", "6", "8", "9", "11", "12", "13", "14", "15", "16", "18"];

fn slopes(line: &Line<'_>, bytes: &mut Bytes<'_>) -> Result<Vec<f32>> {
    line.expect(&[], &["0"])?;
    let count = line.count("0")?;
    let slopes = count.checked_mul(4).and_then(|len| bytes.take(len)).ok_or_else(|| ended(line))?;
    Ok(from_f32(slopes))
}
