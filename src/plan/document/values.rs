//! Values that formats do not hold as they are: floats, labels, sizes by dimension. Each module is a `with` of serde's.

use std::fmt::Display;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

fn read<T: FromStr<Err: Display>, E: de::Error>(text: &str) -> Result<T, E> {
    text.parse().map_err(|error| E::custom(format!("'{text}': {error}")))
}

/// A value as the text that it prints and reads back. Floats are texts as well: their shortest one is exact, and there is
/// one for infinity, where a format's own numbers may lack both.
pub(super) mod text {
    use super::{Deserialize as _, Deserializer, Display, FromStr, Serializer};

    pub(crate) fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        super::read(&String::deserialize(deserializer)?)
    }
}

/// The label of an algorithm that is forced. A transform that is not shipped has none that reads back.
pub(super) mod label {
    use super::{Deserialize as _, Deserializer, Serialize as _, Serializer, ser::Error as _};
    use crate::plan::Algorithm;

    pub(crate) fn serialize<S: Serializer>(value: &Option<Algorithm>, serializer: S) -> Result<S::Ok, S::Error> {
        let label = value.map(|algorithm| algorithm.label());
        match &label {
            Some(label) if label.parse().ok() != *value => {
                Err(S::Error::custom(format!("{label} does not read back: its transform is not a shipped one")))
            }
            label => label.serialize(serializer),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Algorithm>, D::Error> {
        Option::<String>::deserialize(deserializer)?.map(|label| super::read(&label)).transpose()
    }
}

/// The cut of an implicit product: a blocking, and parts where there are several.
pub(super) mod gemm {
    use super::{Deserialize as _, Deserializer, Serializer, de};
    use crate::kernel::MultiplyCut;
    use crate::plan::Cut;

    pub(crate) fn serialize<S: Serializer>(value: &MultiplyCut, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Cut::Gemm(*value))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<MultiplyCut, D::Error> {
        let text = String::deserialize(deserializer)?;
        Cut::gemm_from(&text).map_err(|error| de::Error::custom(format!("'{text}': {error}")))
    }
}

/// A cut that is forced.
pub(super) mod cut {
    use super::{Deserialize, Deserializer, Serialize, Serializer};
    use crate::plan::Cut;
    use crate::plan::document::parts::CutForm;

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Demanded(#[serde(with = "CutForm")] Cut);

    pub(crate) fn serialize<S: Serializer>(value: &Option<Cut>, serializer: S) -> Result<S::Ok, S::Error> {
        value.map(Demanded).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cut>, D::Error> {
        Ok(Option::deserialize(deserializer)?.map(|Demanded(cut)| cut))
    }
}

/// A number for each spatial dimension.
pub(super) mod spatial {
    use super::{Deserialize as _, Deserializer, Serialize as _, Serializer, de};
    use crate::spatial::Spatial;

    pub(crate) fn serialize<S: Serializer>(value: &Spatial, serializer: S) -> Result<S::Ok, S::Error> {
        value[..].serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Spatial, D::Error> {
        from(&Vec::deserialize(deserializer)?)
    }

    pub(super) fn from<E: de::Error>(sizes: &[usize]) -> Result<Spatial, E> {
        let why = || E::invalid_length(sizes.len(), &"1 to 3 numbers, one for each dimension");
        Spatial::from_slice(sizes).ok_or_else(why)
    }
}

/// A number for each spatial dimension, or nothing.
pub(super) mod optional_spatial {
    use super::{Deserialize as _, Deserializer, Serialize as _, Serializer};
    use crate::spatial::Spatial;

    pub(crate) fn serialize<S: Serializer>(value: &Option<Spatial>, serializer: S) -> Result<S::Ok, S::Error> {
        value.as_deref().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Spatial>, D::Error> {
        Option::<Vec<usize>>::deserialize(deserializer)?.map(|sizes| super::spatial::from(&sizes)).transpose()
    }
}

/// A tensor's sizes.
pub(super) mod shape {
    use super::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};
    use crate::spatial::Shape;

    pub(crate) fn serialize<S: Serializer>(value: &Shape, serializer: S) -> Result<S::Ok, S::Error> {
        value[..].serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Shape, D::Error> {
        let sizes = Vec::deserialize(deserializer)?;
        let why = || D::Error::invalid_length(sizes.len(), &"batch, channels and 1 to 3 sizes");
        Shape::from_slice(&sizes).ok_or_else(why)
    }
}
