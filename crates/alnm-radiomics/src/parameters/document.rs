//! The values of parameter files, and YAML as a tree that knows its lines.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;
use serde_saphyr::options::NonFiniteFloatPolicy;

use crate::parameter_error::ParameterError;

/// A value of a parameter file. Its text (`Display`) is what Python writes for it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum SettingValue {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a decimal point or an exponent.
    Float(f64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<SettingValue>),
    /// Keys with values.
    #[doc(hidden)]
    Map(Map),
}

/// The entries of a map in the order of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Map(pub(super) Vec<(Entry, Located)>);

/// A key with the line that it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) line: Option<u64>,
}

/// A value with the line that it stands on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Located {
    pub(super) node: SettingValue,
    pub(super) line: Option<u64>,
}

/// Parses the text of a parameter file. An empty text has no entries.
pub(super) fn parse(text: &str) -> Result<Located, ParameterError> {
    if text.trim().is_empty() {
        return Ok(Located { node: SettingValue::Null, line: None });
    }
    // The keys that take numbers say themselves which ones.
    let options = serde_saphyr::options! { non_finite_float_policy: NonFiniteFloatPolicy::PassThrough };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| ParameterError::Syntax(error.to_string()))
}

impl Located {
    /// The entries of a map; none where there is no value.
    pub(super) fn entries(self, part: &str) -> Result<Vec<(Entry, Located)>, ParameterError> {
        match self.node {
            SettingValue::Map(Map(entries)) => Ok(entries),
            SettingValue::Null => Ok(Vec::new()),
            other => Err(ParameterError::Value {
                line: self.line,
                key: part.to_owned(),
                value: other.to_string(),
                expected: "a map of keys and values".to_owned(),
            }),
        }
    }
}

impl<'de> Deserialize<'de> for Located {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<SettingValue>::deserialize(deserializer)?;
        Ok(Self { node: spanned.value, line: Some(spanned.referenced.line()) })
    }
}

impl<'de> Deserialize<'de> for SettingValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SettingValueVisitor)
    }
}

struct SettingValueVisitor;

impl<'de> Visitor<'de> for SettingValueVisitor {
    type Value = SettingValue;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a number, text, list or map")
    }

    fn visit_unit<E: Error>(self) -> Result<SettingValue, E> {
        Ok(SettingValue::Null)
    }

    fn visit_none<E: Error>(self) -> Result<SettingValue, E> {
        Ok(SettingValue::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<SettingValue, D::Error> {
        SettingValue::deserialize(deserializer)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<SettingValue, E> {
        Ok(SettingValue::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<SettingValue, E> {
        Ok(SettingValue::Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<SettingValue, E> {
        i64::try_from(value).map(SettingValue::Integer).map_err(|_| E::custom(format!("{value} is too large")))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<SettingValue, E> {
        Ok(SettingValue::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<SettingValue, E> {
        Ok(SettingValue::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<SettingValue, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element()? {
            items.push(item);
        }
        Ok(SettingValue::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SettingValue, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let entry = Entry { line: Some(key.referenced.line()), name: key.value };
            entries.push((entry, map.next_value()?));
        }
        Ok(SettingValue::Map(Map(entries)))
    }
}

impl From<bool> for SettingValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for SettingValue {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<i32> for SettingValue {
    fn from(value: i32) -> Self {
        Self::Integer(value.into())
    }
}

impl From<f64> for SettingValue {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for SettingValue {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl<T: Into<SettingValue>> From<Vec<T>> for SettingValue {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

impl SettingValue {
    /// The value as YAML that reads back as the same value.
    pub(super) fn to_yaml(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Float(value) if value.is_nan() => ".nan".to_owned(),
            Self::Float(value) if value.is_infinite() => if *value > 0.0 { ".inf" } else { "-.inf" }.to_owned(),
            // Debug writes a decimal point or an exponent, so that the number stays a float.
            Self::Float(value) => format!("{value:?}"),
            Self::Text(text) => quoted(text),
            Self::List(items) => format!("[{}]", joined(items.iter().map(Self::to_yaml))),
            Self::Map(Map(entries)) => {
                let entry =
                    |(key, value): &(Entry, Located)| format!("{}: {}", quoted(&key.name), value.node.to_yaml());
                format!("{{{}}}", joined(entries.iter().map(entry)))
            }
        }
    }
}

/// Text between quotes with the escapes that YAML and JSON share.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control.is_control() => quoted += &format!("\\u{:04x}", u32::from(control)),
            other => quoted.push(other),
        }
    }
    quoted + "\""
}

fn joined(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

impl fmt::Display for SettingValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => formatter.write_str("None"),
            Self::Bool(true) => formatter.write_str("True"),
            Self::Bool(false) => formatter.write_str("False"),
            Self::Integer(value) => write!(formatter, "{value}"),
            Self::Float(value) => formatter.write_str(&crate::python_text::float(*value)),
            Self::Text(text) => write!(formatter, "'{text}'"),
            Self::List(items) => {
                formatter.write_str("[")?;
                for (position, item) in items.iter().enumerate() {
                    let separator = if position > 0 { ", " } else { "" };
                    write!(formatter, "{separator}{item}")?;
                }
                formatter.write_str("]")
            }
            Self::Map(Map(entries)) => {
                formatter.write_str("{")?;
                for (position, (key, value)) in entries.iter().enumerate() {
                    let separator = if position > 0 { ", " } else { "" };
                    write!(formatter, "{separator}'{}': {}", key.name, value.node)?;
                }
                formatter.write_str("}")
            }
        }
    }
}
