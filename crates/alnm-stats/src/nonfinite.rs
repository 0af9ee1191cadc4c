//! JSON has no infinity and no NaN: they are written as the words "inf", "-inf" and "NaN", so that results read back as
//! they were. For fields of other crates: `#[serde(with = "alnm_stats::nonfinite")]`, and `nonfinite::list` for a list.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Value {
    Number(f64),
    Word(String),
}

impl From<f64> for Value {
    fn from(v: f64) -> Self {
        if v.is_finite() { Self::Number(v) } else { Self::Word(v.to_string()) }
    }
}

impl Value {
    fn read<E: serde::de::Error>(self) -> Result<f64, E> {
        match self {
            Self::Number(v) => Ok(v),
            Self::Word(w) => w.parse().map_err(|_| E::custom(format!("{w:?} is not a number"))),
        }
    }
}

/// Writes a number.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(v: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    Value::from(*v).serialize(serializer)
}

/// Reads a number.
///
/// # Errors
/// For what is neither a number nor one of the words.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Value::deserialize(deserializer)?.read()
}

/// The same for a list.
pub mod list {
    use super::{Deserialize, Deserializer, Serializer, Value};

    /// Writes a list.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(v: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(v.iter().map(|v| Value::from(*v)))
    }

    /// Reads a list.
    ///
    /// # Errors
    /// For what is neither a number nor one of the words.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
        Vec::<Value>::deserialize(deserializer)?.into_iter().map(Value::read).collect()
    }
}
