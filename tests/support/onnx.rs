//! The ONNX standard's node tests of `Conv` and `ConvTranspose`, as `tests/onnx` has them, in the standard's own terms.
//! Nothing here knows the library, so that a mistake in the library's reading of ONNX cannot hide in the test's; and
//! nothing in a file is passed over, as an attribute that is not read is a test that tests less than it says.

use std::fs;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value};

/// An operator of ONNX.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    /// Cross-correlation; the weights are `[K, C / group, R, S]`.
    Conv,
    /// Its transpose; the weights are `[C, K / group, R, S]`.
    ConvTranspose,
}

/// The attributes, each list with one entry for each spatial dimension, `pads` with two. `None` is one that the case
/// leaves to its default, where that default depends on the rank or on other attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attributes {
    /// The extent of the kernel. The standard lets it be inferred from the weights; that is done here already.
    pub(crate) kernel_shape: Vec<usize>,
    /// Each 1 by default.
    pub(crate) strides: Option<Vec<usize>>,
    /// Each 1 by default.
    pub(crate) dilations: Option<Vec<usize>>,
    /// 1 where the case does not say.
    pub(crate) group: usize,
    /// All begins, then all ends: `[top, left, bottom, right]` in two dimensions. Each 0 by default, if `auto_pad` and
    /// `output_shape` do not say otherwise.
    pub(crate) pads: Option<Vec<usize>>,
    /// `NOTSET`, which it is where the case does not say, `SAME_UPPER`, `SAME_LOWER` or `VALID`.
    pub(crate) auto_pad: String,
    /// Of `ConvTranspose` alone: added to the output's extent, at its end. Each 0 by default.
    pub(crate) output_padding: Option<Vec<usize>>,
    /// Of `ConvTranspose` alone: the output's spatial extent, from which the padding follows then.
    pub(crate) output_shape: Option<Vec<usize>>,
}

/// An array of f32, the last dimension dense.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tensor {
    /// Any rank: there are cases of one and of three spatial dimensions.
    pub(crate) shape: Vec<usize>,
    /// As many as the shape says.
    pub(crate) data: Vec<f32>,
}

/// A test of the standard.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Case {
    /// As the standard names it.
    pub(crate) name: String,
    /// What is computed.
    pub(crate) op: Op,
    /// How.
    pub(crate) attributes: Attributes,
    /// The input, `[N, C, ..]`.
    pub(crate) x: Tensor,
    /// The weights, whose layout depends on the operator.
    pub(crate) w: Tensor,
    /// The bias, `[K]`.
    pub(crate) b: Option<Tensor>,
    /// What must come out, `[N, K, ..]`.
    pub(crate) y: Tensor,
}

/// All cases, by name.
///
/// # Panics
/// If the folder has none, or a file says anything that is not understood here.
pub(crate) fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join("onnx");
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap_or_else(|error| panic!("{}: {error}", folder.display())).path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "safetensors"))
        .collect();
    assert!(!paths.is_empty(), "{}: no case; tests/onnx/write_cases.py writes them", folder.display());
    paths.sort();
    paths.iter().map(|path| read(path).unwrap_or_else(|what| panic!("{}: {what}", path.display()))).collect()
}

/// One file; the error is for a reader who knows which.
fn read(path: &Path) -> Result<Case, String> {
    let name = path.file_stem().and_then(|stem| stem.to_str()).ok_or("the name is no UTF-8")?.to_owned();
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    case(name, &bytes)
}

fn case(name: String, bytes: &[u8]) -> Result<Case, String> {
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    if let Some(other) = tensors.names().into_iter().find(|name| !["x", "w", "b", "y"].contains(name)) {
        return Err(format!("a tensor {other}, which no case has"));
    }
    let x = tensor(&tensors, "x")?;
    let w = tensor(&tensors, "w")?;
    let b = if tensors.names().contains(&"b") { Some(tensor(&tensors, "b")?) } else { None };
    let y = tensor(&tensors, "y")?;
    let rank = x.shape.len();
    if rank < 3 || w.shape.len() != rank || y.shape.len() != rank {
        return Err(format!("x, w and y are of shapes {:?}, {:?}, {:?}", x.shape, w.shape, y.shape));
    }

    let mut about = about(bytes)?;
    let op = match take(&mut about, "op", Value::as_str)?.ok_or("no op")?.as_str() {
        "Conv" => Op::Conv,
        "ConvTranspose" => Op::ConvTranspose,
        other => return Err(format!("the operator {other}")),
    };
    let mut given = take(&mut about, "attributes", Value::as_object)?.ok_or("no attributes")?;
    nothing_left(&about)?;
    let attributes = attributes(&mut given, op, &w.shape[2..])?;
    nothing_left(&given)?;
    Ok(Case { name, op, attributes, x, w, b, y })
}

/// The object under the only key of the metadata.
fn about(bytes: &[u8]) -> Result<Map<String, Value>, String> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
    let metadata = header.metadata().clone().unwrap_or_default();
    let text = match metadata.get("case") {
        Some(text) if metadata.len() == 1 => text,
        _ => return Err(format!("the metadata's one key should be `case`: {metadata:?}")),
    };
    serde_json::from_str(text).map_err(|error| format!("{text}: {error}"))
}

/// Takes the attributes that are known out of those that are given.
fn attributes(given: &mut Map<String, Value>, op: Op, kernel: &[usize]) -> Result<Attributes, String> {
    let rank = kernel.len();
    let attributes = Attributes {
        kernel_shape: list(given, "kernel_shape", rank)?.unwrap_or_else(|| kernel.to_vec()),
        strides: list(given, "strides", rank)?,
        dilations: list(given, "dilations", rank)?,
        group: take_with(given, "group", size)?.unwrap_or(1),
        pads: list(given, "pads", 2 * rank)?,
        auto_pad: take(given, "auto_pad", Value::as_str)?.unwrap_or_else(|| "NOTSET".into()),
        output_padding: list(given, "output_padding", rank)?,
        output_shape: list(given, "output_shape", rank)?,
    };
    if attributes.kernel_shape != kernel {
        return Err(format!("kernel_shape is {:?}, that of the weights {kernel:?}", attributes.kernel_shape));
    }
    if !["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"].contains(&attributes.auto_pad.as_str()) {
        return Err(format!("auto_pad is {}", attributes.auto_pad));
    }
    if op == Op::Conv && (attributes.output_padding.is_some() || attributes.output_shape.is_some()) {
        return Err("attributes of ConvTranspose at a Conv".into());
    }
    Ok(attributes)
}

fn list(given: &mut Map<String, Value>, key: &str, len: usize) -> Result<Option<Vec<usize>>, String> {
    let sizes = |value: &Value| value.as_array()?.iter().map(size).collect::<Option<Vec<_>>>();
    match take_with(given, key, sizes)? {
        Some(list) if list.len() != len => Err(format!("{key} is {list:?}, {len} entries are due")),
        list => Ok(list),
    }
}

/// ONNX has i64 here; a negative one is none that this loader reads.
fn size(value: &Value) -> Option<usize> {
    value.as_u64()?.try_into().ok()
}

/// Takes an entry out, so that what is left at the end is what nobody asked for.
fn take_with<T>(
    given: &mut Map<String, Value>,
    key: &str,
    read: impl FnOnce(&Value) -> Option<T>,
) -> Result<Option<T>, String> {
    let Some(value) = given.remove(key) else { return Ok(None) };
    read(&value).map(Some).ok_or_else(|| format!("{key} is {value}"))
}

/// [`take_with`] for what `Value` reads by reference.
fn take<T: ToOwned + ?Sized>(
    given: &mut Map<String, Value>,
    key: &str,
    read: impl FnOnce(&Value) -> Option<&T>,
) -> Result<Option<T::Owned>, String> {
    take_with(given, key, |value| read(value).map(ToOwned::to_owned))
}

fn nothing_left(given: &Map<String, Value>) -> Result<(), String> {
    given.iter().next().map_or(Ok(()), |(key, value)| Err(format!("{key} is {value}, and nobody reads that")))
}

fn tensor(tensors: &SafeTensors<'_>, name: &str) -> Result<Tensor, String> {
    let view = tensors.tensor(name).map_err(|error| format!("{name}: {error}"))?;
    if view.dtype() != Dtype::F32 {
        return Err(format!("{name} is of {:?}, not of f32", view.dtype()));
    }
    // The bytes lie at any address, so they are read one by one; their number was checked against the shape.
    let (words, _) = view.data().as_chunks();
    Ok(Tensor { shape: view.shape().to_vec(), data: words.iter().map(|word| f32::from_le_bytes(*word)).collect() })
}
