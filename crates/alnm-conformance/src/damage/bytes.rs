//! Variants of text files of lines, and of binary files.

use super::json::{first_digit_changed, last_digit_changed, plus};
use super::{Damaged, DamagedBytes, Rewriting, spread};

/// Places of the file at which each kind of damage is done: the first, the last and what lies between.
const PLACES: usize = 6;

/// Variants of a text file of lines such as `key=1 2 3`, of some sixty kinds: cut short, lines missing, doubled,
/// exchanged and broken, keys renamed, numbers changed and mistyped, lists of other lengths and orders, other
/// encodings.
///
/// The variants depend on the file alone and none of them is equal to it.
#[must_use]
pub fn text_variants(good: &str) -> Vec<Damaged> {
    let mut edits = TextEdits { good, lines: good.split('\n').collect(), made: Vec::new() };
    edits.whole_file();
    edits.whole_lines();
    edits.keys_and_values();
    edits.words();
    edits.made
}

struct TextEdits<'a> {
    good: &'a str,
    lines: Vec<&'a str>,
    made: Vec<Damaged>,
}

impl<'a> TextEdits<'a> {
    fn add(&mut self, kind: &'static str, what: String, text: String) {
        if text != self.good {
            self.made.push(Damaged { kind, what, text });
        }
    }

    fn whole(&mut self, kind: &'static str, text: impl Into<String>) {
        self.add(kind, kind.to_owned(), text.into());
    }

    /// The file with other lines: `change` gets the lines and the position of the one to change.
    fn lines(&mut self, kind: &'static str, wanted: &dyn Fn(&str) -> bool, change: impl Fn(&mut Vec<String>, usize)) {
        let places: Vec<usize> = (0..self.lines.len()).filter(|&at| wanted(self.lines[at])).collect();
        for at in spread(&places, PLACES) {
            let mut lines: Vec<String> = self.lines.iter().map(|&line| line.to_owned()).collect();
            change(&mut lines, at);
            self.add(kind, format!("{kind}, in line {}", at + 1), lines.join("\n"));
        }
    }

    /// The file with another text in lines that satisfy a condition.
    fn line(&mut self, kind: &'static str, wanted: &dyn Fn(&str) -> bool, change: impl Fn(&str) -> String) {
        self.lines(kind, wanted, |lines, at| lines[at] = change(&lines[at]));
    }

    fn whole_file(&mut self) {
        let good = self.good;
        let boundary = |at: usize| (0..=at).rev().find(|&at| good.is_char_boundary(at)).unwrap_or_default();
        self.whole("nothing at all", "");
        self.whole("white space alone", "\n \n\t\n");
        for part in 1..8 {
            self.whole("cut short", &good[..boundary(good.len() * part / 8)]);
        }
        self.whole("without the last character", &good[..boundary(good.len().saturating_sub(1))]);
        self.whole("without the last word", good.trim_end().rsplit_once([' ', '=', '\n']).map_or("", |(rest, _)| rest));
        for part in 1..8 {
            self.whole("cut behind a line", self.lines[..self.lines.len() * part / 8].join("\n"));
        }
        self.whole("the second half alone", &good[boundary(good.len() / 2)..]);
        self.whole("twice", format!("{good}{good}"));
        self.whole("letters behind the end", format!("{good}x"));
        self.whole("a line behind the end", format!("{good}\nadded=1\n"));
        self.whole("a zero byte behind the end", format!("{good}\0"));
        self.whole("a byte order mark before the beginning", format!("\u{feff}{good}"));
        self.whole("a blank before the beginning", format!(" {good}"));
        self.whole("a line before the beginning", format!("added=1\n{good}"));
        self.whole("a part zeroed in the middle", {
            let (from, to) = (boundary(good.len() / 3), boundary(good.len() / 2));
            format!("{}{}{}", &good[..from], "\0".repeat(to - from), &good[to..])
        });
        self.whole("line ends of Windows", good.replace('\n', "\r\n"));
        self.whole("line ends of old Macs", good.replace('\n', "\r"));
        self.whole("without line ends", good.replace('\n', " "));
        self.whole("an empty line behind each line", good.replace('\n', "\n\n"));
        self.whole("without empty lines", self.lines.iter().filter(|l| !l.is_empty()).fold(String::new(), join));
        self.whole("lines in reverse order", self.lines.iter().rev().copied().collect::<Vec<_>>().join("\n"));
        self.whole("in capitals", good.to_uppercase());
        self.whole("decimal commas", good.replace('.', ","));
        self.whole("tabs for blanks", good.replace(' ', "\t"));
        self.whole("two blanks for one", good.replace(' ', "  "));
        self.whole("read in a wrong encoding", good.chars().flat_map(|c| [c, '\0']).collect::<String>());
        self.whole("another document", "{\"format\": \"something else\"}");
    }

    fn whole_lines(&mut self) {
        let filled = |line: &str| !line.trim().is_empty();
        self.lines("a line missing", &filled, |lines, at| drop(lines.remove(at)));
        self.lines("a line twice", &filled, |lines, at| lines.insert(at, lines[at].clone()));
        self.lines("a line at the end as well", &filled, |lines, at| lines.push(lines[at].clone()));
        self.lines("a line exchanged with the next", &filled, |lines, at| {
            let other = (at + 1) % lines.len();
            lines.swap(at, other);
        });
        self.lines("an empty line before a line", &filled, |lines, at| lines.insert(at, String::new()));
        self.lines("a line joined with the next", &filled, |lines, at| {
            if at + 1 < lines.len() {
                let next = lines.remove(at + 1);
                lines[at].push_str(&next);
            }
        });
        self.line("a line broken in the middle", &filled, |line| {
            let middle = (0..=line.len() / 2).rev().find(|&at| line.is_char_boundary(at)).unwrap_or_default();
            format!("{}\n{}", &line[..middle], &line[middle..])
        });
        self.line("half of a line", &filled, |line| {
            line[..(0..=line.len() / 2).rev().find(|&at| line.is_char_boundary(at)).unwrap_or_default()].to_owned()
        });
        self.line("an empty line for a line", &filled, |_| String::new());
        self.line("a line of other words", &filled, |_| "something else".to_owned());
        self.line("a line as a remark", &filled, |line| format!("# {line}"));
        self.line("a blank at the end of a line", &filled, |line| format!("{line} "));
        self.line("a blank at the beginning of a line", &filled, |line| format!(" {line}"));
        self.line("a letter at the end of a line", &filled, |line| format!("{line}x"));
        let empty: Vec<usize> = (0..self.lines.len()).filter(|&at| self.lines[at].is_empty()).collect();
        for pair in spread(&empty.windows(2).collect::<Vec<_>>(), PLACES) {
            let kept: Vec<&str> = [&self.lines[..pair[0]], &self.lines[pair[1]..]].concat();
            let doubled: Vec<&str> = [&self.lines[..pair[1]], &self.lines[pair[0]..]].concat();
            let place = format!("lines {} to {}", pair[0] + 1, pair[1] + 1);
            self.add("a paragraph missing", format!("a paragraph missing, {place}"), kept.join("\n"));
            self.add("a paragraph twice", format!("a paragraph twice, {place}"), doubled.join("\n"));
        }
    }

    fn keys_and_values(&mut self) {
        let pair = |line: &str| line.contains('=');
        let split = |line: &str| -> (String, String) {
            line.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())).unwrap_or_default()
        };
        self.line("a key renamed", &pair, |line| line.replacen('=', "_=", 1));
        self.line("a key in capitals", &pair, |line| {
            let (key, value) = split(line);
            format!("{}={value}", key.to_uppercase())
        });
        self.line("a value without its key", &pair, |line| split(line).1);
        self.line("a key without its value", &pair, |line| format!("{}=", split(line).0));
        self.line("a colon for an equals sign", &pair, |line| line.replacen('=', ":", 1));
        self.line("an equals sign doubled", &pair, |line| line.replacen('=', "==", 1));
        self.line("blanks around an equals sign", &pair, |line| line.replacen('=', " = ", 1));
        self.line("a value in quotation marks", &pair, |line| {
            let (key, value) = split(line);
            format!("{key}=\"{value}\"")
        });
    }

    /// Words of a line that are numbers, and lists of words.
    fn words(&mut self) {
        let is_number = |word: &str| word.parse::<f64>().is_ok_and(f64::is_finite);
        let places: Vec<(usize, usize, usize)> = (0..self.lines.len())
            .flat_map(|line| words(self.lines[line]).into_iter().map(move |(start, end)| (line, start, end)))
            .filter(|&(line, start, end)| is_number(&self.lines[line][start..end]))
            .collect();
        let changes: [Rewriting<'_>; 18] = [
            ("another last digit", &last_digit_changed),
            ("another first digit", &first_digit_changed),
            ("the other sign", &|w| w.strip_prefix('-').map_or_else(|| format!("-{w}"), str::to_owned)),
            ("one more", &|w| plus(w, 1.0)),
            ("one less", &|w| plus(w, -1.0)),
            ("zero", &|_| "0".to_owned()),
            ("minus one", &|_| "-1".to_owned()),
            ("a half", &|_| "0.5".to_owned()),
            ("a huge number", &|_| "1e300".to_owned()),
            ("a number beyond all doubles", &|_| "1e999".to_owned()),
            ("a count beyond 64 bits", &|_| "18446744073709551616".to_owned()),
            ("NaN", &|_| "nan".to_owned()),
            ("infinity", &|_| "inf".to_owned()),
            ("minus infinity", &|_| "-inf".to_owned()),
            ("a word for a number", &|_| "one".to_owned()),
            ("a number missing", &|_| String::new()),
            ("a number twice", &|w| format!("{w} {w}")),
            ("a point inside a number", &|w| format!("{w}.5.5")),
        ];
        for (kind, change) in changes {
            for (at, start, end) in spread(&places, 4 * PLACES) {
                let mut lines: Vec<String> = self.lines.iter().map(|&line| line.to_owned()).collect();
                let changed = change(&lines[at][start..end]);
                lines[at].replace_range(start..end, &changed);
                self.add(kind, format!("{kind}, in line {} at column {}", at + 1, start + 1), lines.join("\n"));
            }
        }
        let list = |line: &str| words(line).len() > 1 && line.contains('=') && line.contains(' ');
        let turned = |line: &str, turn: &dyn Fn(&mut Vec<&str>)| {
            let (key, value) = line.split_once('=').unwrap_or(("", line));
            let mut words: Vec<&str> = value.split(' ').collect();
            turn(&mut words);
            format!("{key}={}", words.join(" "))
        };
        self.line("a list in reverse order", &list, |line| turned(line, &|words| words.reverse()));
        self.line("a list turned by one", &list, |line| turned(line, &|words| words.rotate_left(1)));
        self.line("a list without its first item", &list, |line| turned(line, &|words| *words = words.split_off(1)));
        self.line("a list without its last item", &list, |line| turned(line, &|words| words.truncate(words.len() - 1)));
        self.line("a list with its last item twice", &list, |line| {
            turned(line, &|words| words.push(words[words.len() - 1]))
        });
        self.line("commas in a list", &list, |line| {
            let (key, value) = line.split_once('=').unwrap_or(("", line));
            format!("{key}={}", value.replace(' ', ","))
        });
    }
}

fn join(mut text: String, line: &&str) -> String {
    text.push_str(line);
    text.push('\n');
    text
}

/// Where the words of a line begin and end: what stands between blanks, equals signs, colons and commas.
fn words(line: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut start = 0;
    for part in line.split([' ', '=', ':', ',', '[', ']', '\r']) {
        if !part.is_empty() {
            found.push((start, start + part.len()));
        }
        // All separators are one byte long.
        start += part.len() + 1;
    }
    found
}

/// Variants of a binary file, of some thirty kinds: cut short, bits turned over, bytes missing, added, zeroed and
/// exchanged, parts moved, and other lengths in the first eight bytes, where many formats state the size of a header.
///
/// The variants depend on the file alone and none of them is equal to it.
#[must_use]
pub fn bytes_variants(good: &[u8]) -> Vec<DamagedBytes> {
    let mut damages = ByteDamages { good, made: Vec::new() };
    damages.whole_file();
    damages.single_bytes();
    damages.parts();
    damages.lengths();
    damages.made
}

/// A kind of damage to one byte.
type ByteChange = (&'static str, fn(u8) -> u8);

struct ByteDamages<'a> {
    good: &'a [u8],
    made: Vec<DamagedBytes>,
}

impl ByteDamages<'_> {
    fn add(&mut self, kind: &'static str, what: String, bytes: Vec<u8>) {
        if bytes != self.good {
            self.made.push(DamagedBytes { kind, what, bytes });
        }
    }

    fn whole(&mut self, kind: &'static str, bytes: Vec<u8>) {
        self.add(kind, kind.to_owned(), bytes);
    }

    fn whole_file(&mut self) {
        let good = self.good;
        self.whole("nothing at all", Vec::new());
        for length in [1, 4, 8, 16, 64, 128].into_iter().filter(|&length| length < good.len()) {
            self.add("the beginning alone", format!("the first {length} bytes alone"), good[..length].to_vec());
        }
        for part in 1..16 {
            let length = good.len() * part / 16;
            self.add("cut short", format!("cut short behind {length} bytes"), good[..length].to_vec());
        }
        for missing in [1, 2, 4, 8].into_iter().filter(|&missing| missing < good.len()) {
            let length = good.len() - missing;
            self.add("cut short at the end", format!("without the last {missing} bytes"), good[..length].to_vec());
        }
        self.whole("without the first byte", good.iter().skip(1).copied().collect());
        self.whole("a byte behind the end", [good, &[0]].concat());
        self.whole("a page of zeros behind the end", [good, &[0; 4096]].concat());
        self.whole("a byte before the beginning", [&[0], good].concat());
        self.whole("twice", [good, good].concat());
        self.whole("in reverse order", good.iter().rev().copied().collect());
        self.whole("zeros alone", vec![0; good.len()]);
        self.whole("ones alone", vec![0xff; good.len()]);
        self.whole("all bits turned over", good.iter().map(|byte| !byte).collect());
        self.whole("seven bits of each byte", good.iter().map(|byte| byte & 0x7f).collect());
        self.whole("line ends turned into those of Windows", {
            good.iter().flat_map(|&byte| if byte == b'\n' { vec![b'\r', b'\n'] } else { vec![byte] }).collect()
        });
        self.whole("read as text and written again", String::from_utf8_lossy(good).into_owned().into_bytes());
        self.whole("pairs of bytes exchanged", good.chunks(2).flat_map(|pair| pair.iter().rev().copied()).collect());
        self.whole("another document", b"<html><body>404 Not Found</body></html>".to_vec());
    }

    /// Damage to one byte, in the beginning, where the header is, and all over the file.
    fn single_bytes(&mut self) {
        let good = self.good;
        let header: Vec<usize> = (0..good.len().min(512)).collect();
        let all: Vec<usize> = (0..good.len()).collect();
        let mut places = spread(&header, 24);
        places.extend(spread(&all, 24));
        places.sort_unstable();
        places.dedup();
        let changes: [ByteChange; 8] = [
            ("the lowest bit turned over", |byte| byte ^ 1),
            ("the sixth bit turned over", |byte| byte ^ 0x20),
            ("the highest bit turned over", |byte| byte ^ 0x80),
            ("a byte of zero", |_| 0),
            ("a byte of ones", |_| 0xff),
            ("a byte one higher", |byte| byte.wrapping_add(1)),
            ("a byte one lower", |byte| byte.wrapping_sub(1)),
            ("a byte turned into a blank", |_| b' '),
        ];
        for &at in &places {
            for (kind, change) in changes {
                let mut bytes = good.to_vec();
                bytes[at] = change(bytes[at]);
                self.add(kind, format!("{kind}, at {at}"), bytes);
            }
            let mut bytes = good.to_vec();
            bytes.remove(at);
            self.add("a byte missing", format!("a byte missing, at {at}"), bytes);
            let mut bytes = good.to_vec();
            bytes.insert(at, good[at]);
            self.add("a byte twice", format!("a byte twice, at {at}"), bytes);
            let mut bytes = good.to_vec();
            bytes.swap(at, (at + 1) % good.len());
            self.add("two bytes exchanged", format!("two bytes exchanged, at {at}"), bytes);
        }
    }

    /// Damage to a sixteenth of the file at a time.
    fn parts(&mut self) {
        let good = self.good;
        let length = good.len().div_ceil(16).max(1);
        let starts: Vec<usize> = (0..good.len()).step_by(length).collect();
        for &start in &starts {
            let end = (start + length).min(good.len());
            let place = format!("at {start} to {end}");
            let mut zeroed = good.to_vec();
            zeroed[start..end].fill(0);
            self.add("a part zeroed", format!("a part zeroed, {place}"), zeroed);
            let missing = [&good[..start], &good[end..]].concat();
            self.add("a part missing", format!("a part missing, {place}"), missing);
            let doubled = [&good[..end], &good[start..]].concat();
            self.add("a part twice", format!("a part twice, {place}"), doubled);
            let mut first = good.to_vec();
            first.copy_within(0..(end - start).min(good.len()), start);
            self.add("the beginning copied over a part", format!("the beginning copied over a part, {place}"), first);
        }
        let half = good.len() / 2;
        self.whole("halves exchanged", [&good[half..], &good[..half]].concat());
    }

    /// Other values of the first eight and four bytes as a little-endian and a big-endian number.
    fn lengths(&mut self) {
        let good = self.good;
        let Some(head) = good.first_chunk::<8>() else { return };
        let stated = u64::from_le_bytes(*head);
        let others = [
            0,
            1,
            stated.wrapping_sub(1),
            stated.wrapping_add(1),
            stated.wrapping_mul(2),
            good.len() as u64,
            good.len() as u64 - 8,
            good.len() as u64 - 7,
            u64::from(u32::MAX),
            i64::MAX as u64,
            u64::MAX - 7,
            u64::MAX,
        ];
        for other in others {
            let little = [&other.to_le_bytes(), &good[8..]].concat();
            self.add("another number in the first eight bytes", format!("the first eight bytes are {other}"), little);
            let big = [&other.to_be_bytes(), &good[8..]].concat();
            self.add(
                "another number in the first eight bytes, big-endian",
                format!("the first eight bytes are {other}, big-endian"),
                big,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const GOOD: &str = "tree\nversion=v4\nnum_leaves=3\n\nTree=0\nthreshold=0.5 -1.25\nleaf_value=1 2 3\n\nTree=1\nleaf_value=0.5\n\nend\n";

    #[test]
    fn there_are_many_kinds_of_text_and_each_changes_it() {
        let variants = text_variants(GOOD);
        let kinds: BTreeSet<&str> = variants.iter().map(|variant| variant.kind).collect();
        assert!(kinds.len() >= 60, "{} kinds", kinds.len());
        assert!(variants.iter().all(|variant| variant.text != GOOD));
        assert_eq!(variants, text_variants(GOOD));
    }

    #[test]
    fn there_are_many_kinds_of_bytes_and_each_changes_them() {
        let good: Vec<u8> = (0..200u8).chain(0..200).collect();
        let variants = bytes_variants(&good);
        let kinds: BTreeSet<&str> = variants.iter().map(|variant| variant.kind).collect();
        assert!(kinds.len() >= 30, "{} kinds", kinds.len());
        assert!(variants.iter().all(|variant| variant.bytes != good));
        assert_eq!(variants, bytes_variants(&good));
    }

    #[test]
    fn small_files_do() {
        for good in ["", "x", "\n", "a=1"] {
            assert!(text_variants(good).iter().all(|variant| variant.text != good), "{good:?}");
            assert!(bytes_variants(good.as_bytes()).iter().all(|variant| variant.bytes != good.as_bytes()));
        }
    }

    #[test]
    fn words_are_found_by_position() {
        assert_eq!(words("threshold=0.5 -1.25"), [(0, 9), (10, 13), (14, 19)]);
    }
}
