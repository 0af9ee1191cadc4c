//! JSON as it stands in a file: keys in their order, even when doubled, and numbers as they were written.

use std::fmt::Write;

/// A value, whose scalars and keys are the text of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    Object(Entries),
    List(Vec<Node>),
    /// A number, a string with its quotation marks, `true`, `false` or `null`.
    Scalar(String),
}

/// The keys of an object, with their quotation marks, and its values.
pub(super) type Entries = Vec<(String, Node)>;

/// The children to descend through from the root, by their position.
pub(super) type Path = Vec<usize>;

impl Node {
    /// The tree of a text.
    ///
    /// # Panics
    /// When the text is not JSON: variants are made of good files.
    pub(super) fn parse(text: &str) -> Self {
        serde_json::from_str::<serde_json::Value>(text)
            .unwrap_or_else(|error| panic!("the good file is no JSON: {error}"));
        let mut scanner = Scanner { text, at: 0 };
        scanner.value()
    }

    /// The text without white space.
    pub(super) fn compact(&self) -> String {
        let mut text = String::new();
        self.write(&mut text, None);
        text
    }

    /// The text with one entry a line, each line ended by `end` and indented by tabs.
    pub(super) fn pretty(&self, end: &str) -> String {
        let mut text = String::new();
        self.write(&mut text, Some((end, 0)));
        text + end
    }

    fn write(&self, text: &mut String, layout: Option<(&str, usize)>) {
        let new_line = |text: &mut String, deeper: usize| {
            if let Some((end, depth)) = layout {
                text.push_str(end);
                text.push_str(&"\t".repeat(depth + deeper));
            }
        };
        let inner = layout.map(|(end, depth)| (end, depth + 1));
        match self {
            Node::Scalar(raw) => text.push_str(raw),
            Node::Object(entries) => {
                text.push('{');
                for (position, (key, value)) in entries.iter().enumerate() {
                    text.push_str(if position > 0 { "," } else { "" });
                    new_line(text, 1);
                    text.push_str(key);
                    text.push_str(if layout.is_some() { " : " } else { ":" });
                    value.write(text, inner);
                }
                new_line(text, 0);
                text.push('}');
            }
            Node::List(items) => {
                text.push('[');
                for (position, item) in items.iter().enumerate() {
                    text.push_str(if position > 0 { "," } else { "" });
                    new_line(text, 1);
                    item.write(text, inner);
                }
                new_line(text, 0);
                text.push(']');
            }
        }
    }

    /// The paths of all values that satisfy a condition, in the order of the file.
    pub(super) fn paths(&self, wanted: &dyn Fn(&Node) -> bool) -> Vec<Path> {
        let mut found = Vec::new();
        self.collect(&mut Vec::new(), wanted, &mut found);
        found
    }

    fn collect(&self, path: &mut Path, wanted: &dyn Fn(&Node) -> bool, found: &mut Vec<Path>) {
        if wanted(self) {
            found.push(path.clone());
        }
        for position in 0..self.len() {
            path.push(position);
            self.child(position).collect(path, wanted, found);
            path.pop();
        }
    }

    /// The number of children.
    pub(super) fn len(&self) -> usize {
        match self {
            Node::Object(entries) => entries.len(),
            Node::List(items) => items.len(),
            Node::Scalar(_) => 0,
        }
    }

    fn child(&self, position: usize) -> &Node {
        match self {
            Node::Object(entries) => &entries[position].1,
            Node::List(items) => &items[position],
            Node::Scalar(raw) => panic!("{raw} has no children"),
        }
    }

    /// The value at a path.
    pub(super) fn at(&self, path: &[usize]) -> &Node {
        path.iter().fold(self, |node, position| node.child(*position))
    }

    /// The value at a path, to be changed.
    pub(super) fn at_mut(&mut self, path: &[usize]) -> &mut Node {
        path.iter().fold(self, |node, position| match node {
            Node::Object(entries) => &mut entries[*position].1,
            Node::List(items) => &mut items[*position],
            Node::Scalar(raw) => panic!("{raw} has no children"),
        })
    }

    /// A path in words: `/value/weights/3`.
    pub(super) fn name(&self, path: &[usize]) -> String {
        let mut name = String::new();
        let mut node = self;
        for &position in path {
            match node {
                Node::Object(entries) => {
                    let _ = write!(name, "/{}", entries[position].0.trim_matches('"'));
                }
                _ => {
                    let _ = write!(name, "/{position}");
                }
            }
            node = node.child(position);
        }
        if name.is_empty() { "/".to_owned() } else { name }
    }

    /// Turns the entries of every object by `turn`.
    pub(super) fn each_object(&mut self, turn: &dyn Fn(&mut Entries)) {
        match self {
            Node::Object(entries) => {
                turn(entries);
                entries.iter_mut().for_each(|(_, value)| value.each_object(turn));
            }
            Node::List(items) => items.iter_mut().for_each(|item| item.each_object(turn)),
            Node::Scalar(_) => {}
        }
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self, Node::Scalar(raw) if raw.starts_with(|c: char| c == '-' || c.is_ascii_digit()))
    }

    pub(super) fn is_text(&self) -> bool {
        matches!(self, Node::Scalar(raw) if raw.starts_with('"'))
    }

    pub(super) fn is_truth_value(&self) -> bool {
        matches!(self, Node::Scalar(raw) if raw == "true" || raw == "false")
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self, Node::Scalar(raw) if raw == "null")
    }
}

/// A walk over a text that is known to be JSON.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl Scanner<'_> {
    fn skip(&mut self, skipped: &[u8]) {
        while self.text.as_bytes().get(self.at).is_some_and(|byte| skipped.contains(byte)) {
            self.at += 1;
        }
    }

    fn next(&mut self) -> u8 {
        self.skip(b" \t\r\n,:");
        self.text.as_bytes()[self.at]
    }

    fn string(&mut self) -> String {
        let start = self.at;
        self.at += 1;
        while self.text.as_bytes()[self.at] != b'"' {
            self.at += if self.text.as_bytes()[self.at] == b'\\' { 2 } else { 1 };
        }
        self.at += 1;
        self.text[start..self.at].to_owned()
    }

    fn value(&mut self) -> Node {
        match self.next() {
            b'{' => {
                self.at += 1;
                let mut entries = Vec::new();
                while self.next() != b'}' {
                    let key = self.string();
                    entries.push((key, self.value()));
                }
                self.at += 1;
                Node::Object(entries)
            }
            b'[' => {
                self.at += 1;
                let mut items = Vec::new();
                while self.next() != b']' {
                    items.push(self.value());
                }
                self.at += 1;
                Node::List(items)
            }
            b'"' => Node::Scalar(self.string()),
            _ => {
                let rest = &self.text[self.at..];
                let end = rest.find([',', ']', '}', ' ', '\t', '\r', '\n']).unwrap_or(rest.len());
                self.at += end;
                Node::Scalar(rest[..end].to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Node;

    const TEXT: &str = r#" {"a" : [1.50, -2e3, {"b, \" }": null}], "c": "x]", "empty": {}, "none":[ ] , "t":true}"#;

    #[test]
    fn the_text_is_kept_but_for_white_space() {
        let compact = r#"{"a":[1.50,-2e3,{"b, \" }":null}],"c":"x]","empty":{},"none":[],"t":true}"#;
        assert_eq!(Node::parse(TEXT).compact(), compact);
    }

    #[test]
    fn the_layout_does_not_change_the_value() {
        let value: serde_json::Value = serde_json::from_str(TEXT).unwrap();
        for text in [Node::parse(TEXT).pretty("\r\n"), Node::parse(TEXT).compact()] {
            assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
        }
    }

    #[test]
    fn places_have_names() {
        let tree = Node::parse(TEXT);
        let numbers = tree.paths(&Node::is_number);
        assert_eq!(numbers.iter().map(|path| tree.name(path)).collect::<Vec<_>>(), ["/a/0", "/a/1"]);
        assert_eq!(tree.name(&[]), "/");
        assert_eq!(tree.at(&[0, 2, 0]), &Node::Scalar("null".to_owned()));
    }
}
