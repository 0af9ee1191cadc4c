//! Variants of a JSON file.

use super::tree::{Entries, Node, Path};
use super::{Damaged, Rewriting, spread};

/// Places of the file at which each kind of edit is made: the first, the last and what lies between.
const PLACES: usize = 4;
/// Places for the edits that a damaged file most often shows: another number, a missing or renamed key.
const MANY_PLACES: usize = 24;

/// Variants of a JSON file, of more than a hundred kinds: cut short, keys missing, doubled and renamed, numbers changed
/// and mistyped, lists of other lengths and orders, other versions and hashes, and some that mean the same.
///
/// The variants depend on the file alone and none of them is equal to it. A kind for which the file has no place, such
/// as a changed truth value in a file without any, is left out.
///
/// # Panics
/// When `good` is not JSON.
#[must_use]
pub fn json_variants(good: &str) -> Vec<Damaged> {
    let tree = Node::parse(good);
    let mut edits = Edits { good: good.to_owned(), plain: tree.compact(), tree, made: Vec::new() };
    edits.cut();
    edits.replaced();
    edits.mistyped();
    edits.laid_out();
    edits.entries();
    edits.envelope();
    edits.numbers();
    edits.texts();
    edits.truth_values_and_nulls();
    edits.lists();
    edits.made
}

struct Edits {
    good: String,
    plain: String,
    tree: Node,
    made: Vec<Damaged>,
}

impl Edits {
    /// The file with another text.
    fn whole(&mut self, kind: &'static str, text: impl Into<String>) {
        let text = text.into();
        if text != self.good && text != self.plain {
            self.made.push(Damaged { kind, what: kind.to_owned(), text });
        }
    }

    /// The file with another value at some of the places that satisfy a condition.
    fn at(&mut self, kind: &'static str, count: usize, wanted: &dyn Fn(&Node) -> bool, change: impl Fn(&mut Node)) {
        for path in spread(&self.tree.paths(wanted), count) {
            self.at_path(kind, &path, &change);
        }
    }

    fn at_path(&mut self, kind: &'static str, path: &Path, change: &dyn Fn(&mut Node)) {
        let mut tree = self.tree.clone();
        change(tree.at_mut(path));
        let text = tree.compact();
        if text != self.plain {
            self.made.push(Damaged { kind, what: format!("{kind}, at {}", self.tree.name(path)), text });
        }
    }

    /// The file with another text of some scalars.
    fn scalars(
        &mut self,
        kind: &'static str,
        count: usize,
        wanted: &dyn Fn(&Node) -> bool,
        change: impl Fn(&str) -> String,
    ) {
        self.at(kind, count, wanted, |node| {
            if let Node::Scalar(raw) = node {
                *raw = change(raw);
            }
        });
    }

    /// The file with other entries in some objects: the entry at `position` of each is the one to change.
    fn entry(&mut self, kind: &'static str, count: usize, change: impl Fn(&mut Entries, usize)) {
        let objects = self.tree.paths(&|node| matches!(node, Node::Object(entries) if !entries.is_empty()));
        let all: Vec<(Path, usize)> = objects
            .into_iter()
            .flat_map(|path| {
                let len = self.tree.at(&path).len();
                (0..len).map(move |position| (path.clone(), position))
            })
            .collect();
        for (path, position) in spread(&all, count) {
            let mut tree = self.tree.clone();
            if let Node::Object(entries) = tree.at_mut(&path) {
                change(entries, position);
            }
            let mut place = path;
            place.push(position);
            let text = tree.compact();
            if text != self.plain {
                self.made.push(Damaged { kind, what: format!("{kind}, at {}", self.tree.name(&place)), text });
            }
        }
    }

    /// The file without its end.
    fn cut(&mut self) {
        let good = self.good.trim_end().to_owned();
        let until = |part: usize| good[..floor_boundary(&good, good.len() * part / 8)].to_owned();
        self.whole("nothing at all", "");
        self.whole("white space alone", " \n\t\n");
        self.whole("the first character alone", &good[..1]);
        for part in 1..8 {
            self.whole("cut short", until(part));
        }
        self.whole("without the last character", &good[..good.len() - 1]);
        self.whole("without the first character", &good[1..]);
        for (kind, mark) in
            [("cut behind a comma", ','), ("cut behind a colon", ':'), ("cut behind an opening bracket", '[')]
        {
            let places: Vec<usize> = good.match_indices(mark).map(|(at, _)| at + 1).collect();
            for at in spread(&places, PLACES) {
                self.whole(kind, &good[..at]);
            }
        }
        self.whole("the second half alone", &good[floor_boundary(&good, good.len() / 2)..]);
        let middle = floor_boundary(&good, good.len() / 3)..floor_boundary(&good, good.len() / 2);
        self.whole("a part missing in the middle", format!("{}{}", &good[..middle.start], &good[middle.end..]));
        self.whole("a part zeroed in the middle", {
            let zeros = "\0".repeat(middle.len());
            format!("{}{zeros}{}", &good[..middle.start], &good[middle.end..])
        });
    }

    /// Another document in place of the file, or something before or behind it.
    fn replaced(&mut self) {
        for other in ["null", "true", "0", "\"\"", "[]", "{}", "{\"value\":{}}"] {
            self.whole("another document", other);
        }
        let good = self.good.clone();
        self.whole("inside a list", format!("[{good}]"));
        self.whole("inside an object", format!("{{\"value\":{good}}}"));
        self.whole("twice", format!("{good}{good}"));
        self.whole("letters behind the end", format!("{good}x"));
        self.whole("a bracket behind the end", format!("{good}}}"));
        self.whole("a zero byte behind the end", format!("{good}\0"));
        self.whole("a byte order mark before the beginning", format!("\u{feff}{good}"));
        self.whole("letters before the beginning", format!("model = {good}"));
        self.whole("read in a wrong encoding", good.chars().flat_map(|c| [c, '\0']).collect::<String>());
        self.whole("as the text of a JSON string", serde_json::Value::from(good).to_string());
    }

    /// Slips of the pen that leave no JSON.
    fn mistyped(&mut self) {
        let plain = self.plain.clone();
        for (kind, from, to) in [
            ("a comma missing", ",", " "),
            ("a comma doubled", ",", ",,"),
            ("a semicolon for a comma", ",", ";"),
            ("a colon missing", ":", " "),
            ("an equals sign for a colon", ":", "="),
            ("an opening brace missing", "{", ""),
            ("a closing brace missing", "}", ""),
            ("an opening bracket missing", "[", ""),
            ("a closing bracket missing", "]", ""),
            ("a parenthesis for a bracket", "[", "("),
            ("a quotation mark missing", "\"", ""),
            ("a typographic quotation mark", "\"", "\u{201c}"),
            ("a comma before a closing brace", "}", ",}"),
            ("a comma before a closing bracket", "]", ",]"),
            ("a remark", ",", ", // as in the paper\n"),
        ] {
            let places: Vec<usize> = plain.match_indices(from).map(|(at, _)| at).collect();
            for at in spread(&places, PLACES) {
                self.whole(kind, format!("{}{to}{}", &plain[..at], &plain[at + from.len()..]));
            }
        }
        self.whole("apostrophes for quotation marks", plain.replace('"', "'"));
        self.whole("in capitals", plain.to_uppercase());
        self.whole("decimal commas", plain.replace('.', ","));
    }

    /// The same content in another layout.
    fn laid_out(&mut self) {
        self.whole("without white space", self.plain.clone() + "\n");
        self.whole("one entry a line", self.tree.pretty("\n"));
        self.whole("line ends of Windows", self.tree.pretty("\r\n"));
        let turned = |turn: &dyn Fn(&mut Entries)| {
            let mut tree = self.tree.clone();
            tree.each_object(turn);
            tree.compact()
        };
        let reversed = turned(&|entries| entries.reverse());
        let sorted = turned(&|entries| entries.sort_by(|a, b| a.0.cmp(&b.0)));
        let escaped = turned(&|entries| entries.iter_mut().for_each(|(key, _)| *key = escape_first_letter(key)));
        let upper = turned(&|entries| entries.iter_mut().for_each(|(key, _)| *key = key.to_uppercase()));
        self.whole("keys in reverse order", reversed);
        self.whole("keys in alphabetical order", sorted);
        self.whole("keys with an escaped letter", escaped);
        self.whole("keys in capitals", upper);
    }

    /// Keys and their values.
    fn entries(&mut self) {
        self.entry("a key missing", MANY_PLACES, |entries, at| drop(entries.remove(at)));
        self.entry("a key renamed", MANY_PLACES, |entries, at| entries[at].0 = with_letter(&entries[at].0, '_'));
        self.entry("a key with a blank", PLACES, |entries, at| entries[at].0 = with_letter(&entries[at].0, ' '));
        self.entry("a key in capitals", PLACES, |entries, at| entries[at].0 = entries[at].0.to_uppercase());
        self.entry("a key without letters", PLACES, |entries, at| entries[at].0 = "\"\"".to_owned());
        self.entry("a key doubled with its value", PLACES, |entries, at| entries.insert(at, entries[at].clone()));
        self.entry("a key doubled with null first", PLACES, |entries, at| {
            entries.insert(at, (entries[at].0.clone(), Node::Scalar("null".to_owned())));
        });
        self.entry("a key doubled with a zero behind", PLACES, |entries, at| {
            entries.push((entries[at].0.clone(), Node::Scalar("0".to_owned())));
        });
        self.entry("a value of null", MANY_PLACES, |entries, at| entries[at].1 = Node::Scalar("null".to_owned()));
        self.entry("a value replaced by an object", PLACES, |entries, at| entries[at].1 = Node::Object(Vec::new()));
        self.entry("a value replaced by a list", PLACES, |entries, at| entries[at].1 = Node::List(Vec::new()));
        self.entry("a value replaced by a number", PLACES, |entries, at| entries[at].1 = Node::Scalar("1".to_owned()));
        self.entry("a value replaced by a word", PLACES, |entries, at| {
            entries[at].1 = Node::Scalar("\"yes\"".to_owned());
        });
        self.entry("values of two keys exchanged", MANY_PLACES, |entries, at| {
            let other = (at + 1) % entries.len();
            let value = std::mem::replace(&mut entries[at].1, Node::Scalar(String::new()));
            let value = std::mem::replace(&mut entries[other].1, value);
            entries[at].1 = value;
        });
        self.entry("an unknown key", PLACES, |entries, at| {
            entries.insert(at, ("\"added_by_hand\"".to_owned(), Node::Scalar("1".to_owned())));
        });
        let object = |node: &Node| matches!(node, Node::Object(entries) if !entries.is_empty());
        self.at("an object without entries", PLACES, &object, |node| *node = Node::Object(Vec::new()));
        self.at("an object as the list of its values", PLACES, &object, |node| {
            if let Node::Object(entries) = node {
                *node = Node::List(entries.drain(..).map(|(_, value)| value).collect());
            }
        });
        self.at("an object inside a list", PLACES, &object, |node| *node = Node::List(vec![node.clone()]));
    }

    /// What says which file this is, which version of it, and what its content has to be.
    fn envelope(&mut self) {
        let paths = |edits: &Self, words: &[&str]| -> Vec<Path> {
            let Node::Object(entries) = &edits.tree else { return Vec::new() };
            let named = |key: &str| words.contains(&key.trim_matches('"'));
            (0..entries.len()).filter(|&at| named(&entries[at].0)).map(|at| vec![at]).collect()
        };
        for path in paths(self, &["version"]) {
            for other in ["0", "2", "99", "-1", "1.5", "1e3", "18446744073709551616", "\"1\"", "\"1.0\"", "[1]", "true"]
            {
                self.at_path("another version", &path, &|node| *node = Node::Scalar(other.to_owned()));
            }
        }
        for path in paths(self, &["format", "kind", "type"]) {
            for other in ["\"\"", "\"alnm\"", "\"something else\"", "1", "[]"] {
                self.at_path("another format", &path, &|node| *node = Node::Scalar(other.to_owned()));
            }
        }
        let hashes = paths(self, &["sha256", "hash", "checksum", "digest"]);
        for path in hashes.into_iter().filter(|path| self.tree.at(path).is_text()).collect::<Vec<_>>() {
            let changes: [Rewriting<'_>; 7] = [
                ("a hash with another first digit", &|raw| with_digit_changed(raw, 1)),
                ("a hash with another last digit", &|raw| with_digit_changed(raw, raw.len() - 2)),
                ("a hash without its last digit", &|raw| format!("{}\"", &raw[..raw.len().saturating_sub(2)])),
                ("a hash with a digit too many", &|raw| with_letter(raw, '0')),
                ("a hash in capitals", &str::to_uppercase),
                ("a hash of zeros", &|raw| format!("\"{}\"", "0".repeat(raw.len() - 2))),
                ("a hash of another file", &|_| {
                    "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"".to_owned()
                }),
            ];
            for (kind, change) in changes {
                self.at_path(kind, &path, &|node| {
                    if let Node::Scalar(raw) = node {
                        *raw = change(raw);
                    }
                });
            }
        }
    }

    fn numbers(&mut self) {
        let number = Node::is_number;
        self.scalars("another last digit", MANY_PLACES, &number, last_digit_changed);
        self.scalars("another first digit", MANY_PLACES, &number, first_digit_changed);
        self.scalars("the other sign", MANY_PLACES, &number, |raw| {
            raw.strip_prefix('-').map_or_else(|| format!("-{raw}"), str::to_owned)
        });
        self.scalars("one more", MANY_PLACES, &number, |raw| plus(raw, 1.0));
        self.scalars("one less", PLACES, &number, |raw| plus(raw, -1.0));
        self.scalars("ten times as much", PLACES, &number, |raw| times(raw, 10.0));
        self.scalars("a tenth as much", PLACES, &number, |raw| times(raw, 0.1));
        self.scalars("the next number", PLACES, &number, |raw| {
            raw.parse::<f64>().map_or_else(|_| raw.to_owned(), |value| format!("{:?}", value.next_up()))
        });
        for (kind, other) in [
            ("zero", "0"),
            ("minus zero", "-0.0"),
            ("minus one", "-1"),
            ("a half", "0.5"),
            ("a huge number", "1e300"),
            ("a number beyond all doubles", "1e999"),
            ("a number below all doubles", "-1e999"),
            ("a tiny number", "5e-324"),
            ("a count beyond 32 bits", "4294967296"),
            ("a count beyond 63 bits", "9223372036854775808"),
            ("a count beyond 64 bits", "18446744073709551616"),
            ("NaN", "NaN"),
            ("NaN in quotation marks", "\"NaN\""),
            ("infinity", "Infinity"),
            ("minus infinity", "-Infinity"),
            ("NA", "NA"),
            ("null for a number", "null"),
            ("a truth value for a number", "true"),
            ("a word for a number", "\"one\""),
            ("a hexadecimal number", "0x10"),
            ("a number without digits", "-"),
        ] {
            self.scalars(kind, PLACES, &number, |_| other.to_owned());
        }
        self.scalars("a number in quotation marks", PLACES, &number, |raw| format!("\"{raw}\""));
        self.scalars("a plus sign", PLACES, &number, |raw| format!("+{}", raw.trim_start_matches('-')));
        self.scalars("a leading zero", PLACES, &number, |raw| format!("0{}", raw.trim_start_matches('-')));
        self.scalars("a point without digits", PLACES, &number, |raw| {
            format!("{}.", raw.split(['.', 'e', 'E']).next().unwrap_or_default())
        });
        self.scalars("a thousand as a group", PLACES, &number, |raw| format!("1,{raw}"));
        self.scalars("an exponent of zero", PLACES, &number, |raw| {
            if raw.contains(['e', 'E']) { raw.to_owned() } else { format!("{raw}e0") }
        });
        self.scalars("fewer digits", PLACES, &number, |raw| {
            raw.parse::<f64>().map_or_else(|_| raw.to_owned(), |value| format!("{value:.2e}"))
        });
        self.at("a number inside a list", PLACES, &number, |node| *node = Node::List(vec![node.clone()]));
        self.at("a number inside an object", PLACES, &number, |node| {
            *node = Node::Object(vec![("\"value\"".to_owned(), node.clone())]);
        });
        self.scalars("lists nested deeply", 2, &number, |raw| {
            format!("{}{raw}{}", "[".repeat(20_000), "]".repeat(20_000))
        });
        self.scalars("objects nested deeply", 2, &number, |raw| {
            format!("{}{raw}{}", "{\"a\":".repeat(20_000), "}".repeat(20_000))
        });
        self.scalars("a number of a thousand digits", 2, &number, |raw| {
            format!("{}{}", raw.split(['.', 'e', 'E']).next().unwrap_or_default(), "1".repeat(1000))
        });
        let all = self.tree.paths(&number);
        for pair in spread(&all.windows(2).collect::<Vec<_>>(), PLACES) {
            let mut tree = self.tree.clone();
            let (first, second) = (tree.at(&pair[0]).clone(), tree.at(&pair[1]).clone());
            *tree.at_mut(&pair[0]) = second;
            *tree.at_mut(&pair[1]) = first;
            let kind = "two numbers exchanged";
            let what = format!("{kind}, at {} and {}", self.tree.name(&pair[0]), self.tree.name(&pair[1]));
            let text = tree.compact();
            if text != self.plain {
                self.made.push(Damaged { kind, what, text });
            }
        }
    }

    fn texts(&mut self) {
        let text = Node::is_text;
        self.scalars("a word with a letter more", MANY_PLACES, &text, |raw| with_letter(raw, 'x'));
        self.scalars("a word without its last letter", PLACES, &text, |raw| {
            let inner = &raw[1..raw.len() - 1];
            let kept = inner.char_indices().next_back().map_or(0, |(at, _)| at);
            // An escape is left as it is: half of one would be another slip.
            if inner.contains('\\') { raw.to_owned() } else { format!("\"{}\"", &inner[..kept]) }
        });
        self.scalars("a word with a blank", PLACES, &text, |raw| with_letter(raw, ' '));
        self.scalars("a word in capitals", PLACES, &text, str::to_uppercase);
        self.scalars("an escaped letter", PLACES, &text, escape_first_letter);
        self.scalars("half of a pair of surrogates", PLACES, &text, |raw| format!("\"\\ud800{}", &raw[1..]));
        self.scalars("an escape that is none", PLACES, &text, |raw| format!("\"\\q{}", &raw[1..]));
        self.scalars("a line end inside a word", PLACES, &text, |raw| with_letter(raw, '\n'));
        self.scalars("a look-alike letter", PLACES, &text, |raw| {
            raw.replacen('a', "\u{430}", 1).replacen('e', "\u{435}", 1).replacen('o', "\u{43e}", 1)
        });
        self.scalars("a word of a million letters", 1, &text, |raw| {
            format!("{}{}\"", &raw[..raw.len() - 1], "x".repeat(1_000_000))
        });
        for (kind, other) in [
            ("an empty word", "\"\""),
            ("null for a word", "null"),
            ("a number for a word", "7"),
            ("a truth value for a word", "false"),
            ("a list for a word", "[]"),
            ("a word without quotation marks", "word"),
        ] {
            self.scalars(kind, PLACES, &text, |_| other.to_owned());
        }
        let all = self.tree.paths(&text);
        for pair in spread(&all.windows(2).collect::<Vec<_>>(), PLACES) {
            let copied = self.tree.at(&pair[0]).clone();
            self.at_path("a word that stands there twice", &pair[1].clone(), &|node| *node = copied.clone());
        }
    }

    fn truth_values_and_nulls(&mut self) {
        let truth = Node::is_truth_value;
        self.scalars("the other truth value", MANY_PLACES, &truth, |raw| (raw != "true").to_string());
        for (kind, other) in [
            ("a number for a truth value", "1"),
            ("a word for a truth value", "\"true\""),
            ("null for a truth value", "null"),
            ("a truth value of Python", "True"),
        ] {
            self.scalars(kind, PLACES, &truth, |_| other.to_owned());
        }
        for (kind, other) in [
            ("a number for null", "0"),
            ("a word for null", "\"null\""),
            ("a list for null", "[]"),
            ("an object for null", "{}"),
            ("null of Python", "None"),
        ] {
            self.scalars(kind, PLACES, &Node::is_null, |_| other.to_owned());
        }
    }

    fn lists(&mut self) {
        let filled = |node: &Node| matches!(node, Node::List(items) if !items.is_empty());
        let list = |edits: &mut Self, kind: &'static str, count: usize, change: &dyn Fn(&mut Vec<Node>)| {
            edits.at(kind, count, &filled, |node| {
                if let Node::List(items) = node {
                    change(items);
                }
            });
        };
        list(self, "a list without items", MANY_PLACES, &|items| items.clear());
        list(self, "a list without its first item", MANY_PLACES, &|items| drop(items.remove(0)));
        list(self, "a list without its last item", MANY_PLACES, &|items| drop(items.pop()));
        list(self, "half of a list", PLACES, &|items| items.truncate(items.len() / 2));
        list(self, "a list with its last item twice", MANY_PLACES, &|items| {
            items.push(items[items.len() - 1].clone());
        });
        list(self, "a list with a zero more", PLACES, &|items| items.push(Node::Scalar("0".to_owned())));
        list(self, "a list with a null more", PLACES, &|items| items.push(Node::Scalar("null".to_owned())));
        list(self, "a list a thousand times as long", 1, &|items| {
            *items = std::iter::repeat_n(items.clone(), 1000).flatten().collect();
        });
        list(self, "a list in reverse order", MANY_PLACES, &|items| items.reverse());
        list(self, "a list turned by one", PLACES, &|items| items.rotate_left(1));
        list(self, "neighbours of a list exchanged", PLACES, &|items| {
            let at = items.len() / 2;
            items.swap(at, at.saturating_sub(1));
        });
        list(self, "a list of its first item repeated", PLACES, &|items| {
            let first = items[0].clone();
            items.fill(first);
        });
        self.at("a list inside a list", PLACES, &filled, |node| *node = Node::List(vec![node.clone()]));
        self.at("the first item for a list", PLACES, &filled, |node| {
            if let Node::List(items) = node {
                *node = items.swap_remove(0);
            }
        });
        self.at("a list as an object", PLACES, &filled, |node| {
            if let Node::List(items) = node {
                let entries = items.drain(..).enumerate().map(|(at, item)| (format!("\"{at}\""), item));
                *node = Node::Object(entries.collect());
            }
        });
        let nested = |node: &Node| matches!(node, Node::List(items) if !items.is_empty() && items.iter().all(|i| matches!(i, Node::List(_))));
        self.at("a table in one row", PLACES, &nested, |node| {
            if let Node::List(rows) = node {
                let items = rows.drain(..).flat_map(|row| if let Node::List(items) = row { items } else { vec![row] });
                *node = Node::List(items.collect());
            }
        });
    }
}

/// The last boundary of characters at or before a position.
fn floor_boundary(text: &str, position: usize) -> usize {
    (0..=position).rev().find(|&at| text.is_char_boundary(at)).unwrap_or_default()
}

/// A quoted word with a letter more at its end.
fn with_letter(quoted: &str, letter: char) -> String {
    format!("{}{letter}\"", &quoted[..quoted.len() - 1])
}

/// A quoted word whose first letter is written as `\u0000` with its code; an empty one stays as it is.
fn escape_first_letter(quoted: &str) -> String {
    match quoted[1..].chars().next() {
        Some(letter) if letter.is_ascii_alphanumeric() => {
            format!("\"\\u{:04x}{}", u32::from(letter), &quoted[1 + letter.len_utf8()..])
        }
        _ => quoted.to_owned(),
    }
}

/// A text with another hexadecimal digit at a position; the same text where none stands there.
fn with_digit_changed(text: &str, position: usize) -> String {
    let changed = |at: usize, c: char| match c {
        '0' if at == position => '1',
        c if at == position && c.is_ascii_hexdigit() => '0',
        c => c,
    };
    text.char_indices().map(|(at, c)| changed(at, c)).collect()
}

/// A number whose last digit before the exponent is another one.
pub(super) fn last_digit_changed(number: &str) -> String {
    let mantissa = number.find(['e', 'E']).unwrap_or(number.len());
    digit_changed(number, number[..mantissa].rfind(|c: char| c.is_ascii_digit()))
}

/// A number whose first digit is another one, and not a zero.
pub(super) fn first_digit_changed(number: &str) -> String {
    digit_changed(number, number.find(|c: char| c.is_ascii_digit()))
}

fn digit_changed(number: &str, position: Option<usize>) -> String {
    let Some(at) = position else { return number.to_owned() };
    let digit = number.as_bytes()[at] - b'0';
    format!("{}{}{}", &number[..at], digit % 9 + 1, &number[at + 1..])
}

/// A number and a step, whole numbers remaining whole.
pub(super) fn plus(number: &str, step: f64) -> String {
    match (number.parse::<i128>(), number.parse::<f64>()) {
        (Ok(whole), _) => (whole + step as i128).to_string(),
        (_, Ok(value)) => format!("{:?}", value + step),
        _ => number.to_owned(),
    }
}

/// A multiple of a number, whole numbers remaining whole.
fn times(number: &str, factor: f64) -> String {
    match (number.parse::<i128>(), number.parse::<f64>()) {
        (Ok(whole), _) => ((whole as f64 * factor) as i128).to_string(),
        (_, Ok(value)) => format!("{:?}", value * factor),
        _ => number.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    const GOOD: &str = r#"{
        "format": "a fitted model", "version": 1, "sha256": "00ff12ab00ff12ab00ff12ab00ff12ab00ff12ab00ff12ab00ff12ab00ff12ab",
        "value": {"names": ["age", "size"], "weights": [0.25, -1.5e-3], "table": [[1, 2], [3, 4]], "centred": true, "note": null}
    }"#;

    #[test]
    fn there_are_many_kinds_and_each_changes_the_text() {
        let variants = json_variants(GOOD);
        let kinds: BTreeSet<&str> = variants.iter().map(|variant| variant.kind).collect();
        assert!(kinds.len() >= 120, "{} kinds", kinds.len());
        assert!(variants.iter().all(|variant| variant.text != GOOD && variant.what.starts_with(variant.kind)));
    }

    #[test]
    fn what_means_the_same_is_known() {
        let good: Value = serde_json::from_str(GOOD).unwrap();
        let variants = json_variants(GOOD);
        let same = variants.iter().filter(|v| serde_json::from_str::<Value>(&v.text).is_ok_and(|value| value == good));
        let kinds: BTreeSet<&str> = same.map(|variant| variant.kind).collect();
        for kind in ["without white space", "one entry a line", "line ends of Windows", "keys in reverse order"] {
            assert!(kinds.contains(kind), "{kind}");
        }
        assert!(kinds.len() < 20, "{kinds:?}");
    }

    #[test]
    fn the_same_file_gives_the_same_variants() {
        assert_eq!(json_variants(GOOD), json_variants(GOOD));
    }

    #[test]
    fn files_with_little_in_them_do() {
        for good in ["{}", "[]", "3", "\"word\"", "{\"a\":[]}", "[[],[]]"] {
            let variants = json_variants(good);
            assert!(variants.iter().all(|variant| variant.text != good), "{good}");
        }
    }

    #[test]
    fn digits_and_steps() {
        assert_eq!(last_digit_changed("-1.25e-3"), "-1.26e-3");
        assert_eq!(first_digit_changed("0.5"), "1.5");
        assert_eq!(last_digit_changed("19"), "11");
        assert_eq!((plus("3", 1.0), plus("0.5", 1.0)), ("4".to_owned(), "1.5".to_owned()));
        assert_eq!((times("3", 10.0), times("0.5", 10.0)), ("30".to_owned(), "5.0".to_owned()));
        assert_eq!(with_digit_changed("\"0f\"", 1), "\"1f\"");
        assert_eq!(escape_first_letter("\"ab\""), "\"\\u0061b\"");
    }
}
