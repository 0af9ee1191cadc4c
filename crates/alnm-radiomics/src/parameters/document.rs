//! YAML as a tree that knows its lines.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::ParameterError;

/// A value of a parameter file.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
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
    List(Vec<Node>),
    /// Keys with values.
    #[doc(hidden)]
    Map(Map),
}

/// The entries of a map in the order of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Map(Vec<(Entry, Located)>);

/// A key with the line that it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) line: Option<u64>,
}

/// A value with the line that it stands on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Located {
    pub(super) node: Node,
    pub(super) line: Option<u64>,
}

/// Parses the text of a parameter file. An empty text has no entries.
pub(super) fn parse(text: &str) -> Result<Located, ParameterError> {
    if text.trim().is_empty() {
        return Ok(Located { node: Node::Null, line: None });
    }
    serde_saphyr::from_str(text).map_err(|error| ParameterError::Syntax(error.to_string()))
}

impl Located {
    /// The entries of a map; none where there is no value.
    pub(super) fn entries(self, part: &str) -> Result<Vec<(Entry, Located)>, ParameterError> {
        match self.node {
            Node::Map(Map(entries)) => Ok(entries),
            Node::Null => Ok(Vec::new()),
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
        let spanned = Spanned::<Node>::deserialize(deserializer)?;
        Ok(Self { node: spanned.value, line: Some(spanned.referenced.line()) })
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a number, text, list or map")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        i64::try_from(value).map(Node::Integer).map_err(|_| E::custom(format!("{value} is too large")))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let entry = Entry { line: Some(key.referenced.line()), name: key.value };
            entries.push((entry, map.next_value()?));
        }
        Ok(Node::Map(Map(entries)))
    }
}

impl fmt::Display for Node {
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
