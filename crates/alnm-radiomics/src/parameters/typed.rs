//! Types of serde out of the tree of a parameter file, whose mistakes are named with their line.
//!
//! What reads YAML is generic over the type that is read, and long. It reads the tree alone, and types come out of
//! that.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Error, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::document::{Entry, Located, Map, SettingValue, parse};

/// A value from the text of a parameter file, in YAML or JSON. A map that is left empty has no entries.
pub(crate) fn from_text<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let tree = parse(text).map_err(|error| error.to_string())?;
    T::deserialize(tree).map_err(|mistake| mistake.to_string())
}

/// What is wrong with a value, and on which line.
#[derive(Debug)]
pub(crate) struct Mistake {
    line: Option<u64>,
    what: String,
}

impl Mistake {
    /// The mistake on a line, if none is known from further inside.
    fn on(self, line: Option<u64>) -> Self {
        Self { line: self.line.or(line), ..self }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "line {line}: {}", self.what),
            None => formatter.write_str(&self.what),
        }
    }
}

impl std::error::Error for Mistake {}

impl Error for Mistake {
    fn custom<T: fmt::Display>(what: T) -> Self {
        Self { line: None, what: what.to_string() }
    }
}

impl<'de> IntoDeserializer<'de, Mistake> for Located {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Keys and values as deserializers of their own.
fn entries_of<'de>(
    entries: Vec<(Entry, Located)>,
) -> MapDeserializer<'de, std::vec::IntoIter<(Located, Located)>, Mistake> {
    let key = |entry: Entry| Located { node: SettingValue::Text(entry.name), line: entry.line };
    let pairs: Vec<(Located, Located)> = entries.into_iter().map(|(entry, value)| (key(entry), value)).collect();
    MapDeserializer::new(pairs.into_iter())
}

impl<'de> Deserializer<'de> for Located {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        let line = self.line;
        let visited = match self.node {
            SettingValue::Null => visitor.visit_unit(),
            SettingValue::Bool(value) => visitor.visit_bool(value),
            SettingValue::Integer(value) => visitor.visit_i64(value),
            SettingValue::Float(value) if value.is_finite() => visitor.visit_f64(value),
            SettingValue::Float(value) => Err(Mistake::invalid_value(Unexpected::Float(value), &"a finite number")),
            SettingValue::Text(text) => visitor.visit_string(text),
            SettingValue::List(items) => {
                let located: Vec<Self> = items.into_iter().map(|node| Self { node, line }).collect();
                visitor.visit_seq(SeqDeserializer::new(located.into_iter()))
            }
            SettingValue::Map(Map(entries)) => visitor.visit_map(entries_of(entries)),
        };
        visited.map_err(|mistake| mistake.on(line))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.node {
            SettingValue::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        match self.node {
            SettingValue::Null => visitor.visit_map(entries_of(Vec::new())),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        let line = self.line;
        let visited = match self.node {
            SettingValue::Map(Map(entries)) if entries.len() == 1 => {
                visitor.visit_enum(MapAccessDeserializer::new(entries_of(entries)))
            }
            // A name alone is a variant without content.
            SettingValue::Text(name) => visitor.visit_enum(name.into_deserializer()),
            other => Err(Mistake::custom(format!("{other} is neither a name nor a map of one name"))),
        };
        visited.map_err(|mistake: Mistake| mistake.on(line))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Recipe {
        name: String,
        #[serde(default)]
        steps: Vec<Step>,
        weights: Option<[f64; 2]>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Step {
        Rest,
        Mix { turns: u8 },
        Heat(f64),
    }

    #[test]
    fn types_are_read_as_they_stand() {
        let text = "name: bread\nsteps: [rest, {mix: {turns: 3}}, {heat: 220}]\nweights: [1, 0.5]";
        let steps = vec![Step::Rest, Step::Mix { turns: 3 }, Step::Heat(220.0)];
        let expected = Recipe { name: "bread".to_owned(), steps, weights: Some([1.0, 0.5]) };
        assert_eq!(from_text(text), Ok(expected));
        let json = r#"{"name": "water", "weights": null}"#;
        assert_eq!(from_text(json), Ok(Recipe { name: "water".to_owned(), steps: Vec::new(), weights: None }));
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let refused = |text: &str| from_text::<Recipe>(text).unwrap_err();
        for (text, words) in [
            ("name: bread\nflour: 3", "line 2: unknown field `flour`"),
            ("name: bread\nsteps:\n  - rest\nweights: [1, x]", "line 4: invalid type: string \"x\", expected f64"),
            ("name: bread\nsteps: [{mix: {turns: 300}}]", "line 2: invalid value: integer `300`, expected u8"),
            ("name: bread\nsteps: [bake]", "line 2: unknown variant `bake`"),
            ("name: bread\nsteps: [{heat: 3, rest: 4}]", "is neither a name nor a map of one name"),
            ("name: bread\nsteps: [{heat: .inf}]", "finite number"),
            ("steps: []", "missing field `name`"),
            ("", "missing field `name`"),
            ("name: [", "line"),
        ] {
            assert!(refused(text).contains(words), "{text}: {}", refused(text));
        }
    }
}
