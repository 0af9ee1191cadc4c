//! JSON has no infinity and no NaN: they are written as the words "inf", "-inf" and "NaN", so that results read back as
//! they were.

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

pub(crate) fn serialize<S: Serializer>(v: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    Value::from(*v).serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Value::deserialize(deserializer)?.read()
}

/// The same for a list.
pub(crate) mod list {
    use super::{Deserialize, Deserializer, Serializer, Value};

    pub(crate) fn serialize<S: Serializer>(v: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(v.iter().map(|v| Value::from(*v)))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
        Vec::<Value>::deserialize(deserializer)?.into_iter().map(Value::read).collect()
    }
}
