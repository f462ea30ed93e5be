//! A node with its operands, and its arguments by name and type.

use winoconv::graph::{Dims, Value};

use super::{Fault, Held, Import, Outcome, invalid, unsupported};
use crate::error::refusal;
use crate::model::{Attribute, Node};
use crate::tensor::{Floats, Ints};

/// A node that is imported.
pub(super) struct Call<'a> {
    pub(super) node: &'a Node,
    pub(super) operands: Vec<Option<Held>>,
    pub(super) opset: i64,
}

impl Call<'_> {
    /// An operand that may be left out.
    pub(super) fn optional(&self, index: usize) -> Option<&Held> {
        self.operands.get(index).and_then(Option::as_ref)
    }

    /// An operand that must be there.
    pub(super) fn operand(&self, index: usize) -> Outcome<&Held> {
        self.optional(index).ok_or_else(|| Fault::Invalid(refusal!("operand {index}: expected a tensor, got none")))
    }

    /// All operands, none of which may be left out.
    pub(super) fn all(&self) -> Outcome<Vec<&Held>> {
        (0..self.operands.len().max(1)).map(|i| self.operand(i)).collect()
    }

    /// Whether a result is named.
    pub(super) fn gives(&self, index: usize) -> bool {
        self.node.outputs.get(index).is_some_and(|name| !name.is_empty())
    }

    fn attribute(&self, key: &str) -> Option<&Attribute> {
        self.node.attributes.get(key)
    }

    fn wrong<T>(key: &str, expected: &str) -> Outcome<T> {
        invalid(refusal!("attribute {key}: expected {expected}, got another type"))
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.attribute(key).is_some()
    }

    pub(super) fn int(&self, key: &str, default: i64) -> Outcome<i64> {
        match self.attribute(key) {
            None => Ok(default),
            Some(Attribute::Int(i)) => Ok(*i),
            Some(_) => Self::wrong(key, "an integer"),
        }
    }

    /// An integer of 0 or 1.
    pub(super) fn flag(&self, key: &str, default: bool) -> Outcome<bool> {
        Ok(self.int(key, i64::from(default))? != 0)
    }

    pub(super) fn float(&self, key: &str, default: f32) -> Outcome<f32> {
        match self.attribute(key) {
            None => Ok(default),
            Some(Attribute::Float(x)) => Ok(*x),
            // A file without types does not tell 0 from 0.0.
            Some(Attribute::Int(0)) => Ok(0.0),
            Some(_) => Self::wrong(key, "a float"),
        }
    }

    pub(super) fn text<'t>(&'t self, key: &str, default: &'t str) -> Outcome<&'t str> {
        match self.attribute(key) {
            None => Ok(default),
            Some(Attribute::Text(text)) => Ok(text),
            Some(_) => Self::wrong(key, "a text"),
        }
    }

    pub(super) fn ints(&self, key: &str) -> Outcome<Option<&[i64]>> {
        match self.attribute(key) {
            None => Ok(None),
            Some(Attribute::Ints(ints)) => Ok(Some(ints)),
            // A file without types does not tell an empty list from 0.
            Some(Attribute::Int(0)) => Ok(Some(&[])),
            Some(_) => Self::wrong(key, "a list of integers"),
        }
    }

    pub(super) fn floats(&self, key: &str) -> Outcome<Option<&[f32]>> {
        match self.attribute(key) {
            None => Ok(None),
            Some(Attribute::Floats(floats)) => Ok(Some(floats)),
            Some(_) => Self::wrong(key, "a list of floats"),
        }
    }

    pub(super) fn tensor(&self, key: &str) -> Outcome<Option<Held>> {
        use crate::tensor::Known;
        match self.attribute(key) {
            None => Ok(None),
            Some(Attribute::Tensor(Known::Floats(floats))) => Ok(Some(Held::Floats(floats.clone()))),
            Some(Attribute::Tensor(Known::Ints(ints))) => Ok(Some(Held::Ints(ints.clone()))),
            Some(Attribute::Tensor(Known::Other(kind))) => {
                unsupported(refusal!("attribute {key}: expected floats or integers, got elements of type {kind}"))
            }
            Some(_) => Self::wrong(key, "a tensor"),
        }
    }

    /// Integers that are an operand in new versions and an attribute in old ones.
    pub(super) fn ints_at(&self, index: usize, key: &str) -> Outcome<Option<Vec<i64>>> {
        match self.optional(index) {
            Some(held) => Ok(Some(known_ints(held, key)?.data.to_vec())),
            None => Ok(self.ints(key)?.map(<[i64]>::to_vec)),
        }
    }

    /// The same, which must be there.
    pub(super) fn needed_ints(&self, index: usize, key: &str) -> Outcome<Vec<i64>> {
        self.ints_at(index, key)?.ok_or_else(|| Fault::Invalid(refusal!("{key}: expected integers, got none")))
    }

    /// The operand as a value.
    pub(super) fn value(&self, import: &mut Import<'_>, index: usize) -> Outcome<Value> {
        import.value(self.operand(index)?)
    }

    /// The operand as a value, with its sizes.
    pub(super) fn tensor_at(&self, import: &mut Import<'_>, index: usize) -> Outcome<(Value, Dims)> {
        let value = self.value(import, index)?;
        Ok((value, import.graph.dims(value)))
    }
}

/// Integers that must be known.
pub(super) fn known_ints<'h>(held: &'h Held, what: &str) -> Outcome<&'h Ints> {
    match held {
        Held::Ints(ints) => Ok(ints),
        Held::Value(_) => unsupported(refusal!("{what}: expected integers that are known when the graph is made")),
        _ => invalid(refusal!("{what}: expected integers, got floats")),
    }
}

/// The one number of a known tensor.
pub(super) fn scalar(floats: &Floats, what: &str) -> Outcome<f32> {
    match floats.data[..] {
        [number] => Ok(number),
        _ => invalid(refusal!("{what}: expected one number, got {}", floats.dims)),
    }
}
