//! Tables as people write them: the separator is found out.

/// What separates the cells of a table, by its first line: of comma, semicolon and tab the one that stands there most
/// often outside of quotation marks; a comma where none does.
fn separator(text: &str) -> u8 {
    let line = text.lines().next().unwrap_or_default();
    let mut is_quoted = false;
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    for byte in line.bytes() {
        is_quoted ^= byte == b'"';
        let found = counts.iter_mut().find(|(separator, _)| !is_quoted && *separator == byte);
        if let Some((_, count)) = found {
            *count += 1;
        }
    }
    // Of equal counts the first.
    counts.iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(separator, _)| *separator)
}

/// A reader of a table with the separator of its first line. Excel's mark at the start of a file is no part of a name.
pub(crate) fn reader(text: &str) -> csv::Reader<&[u8]> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    csv::ReaderBuilder::new()
        .delimiter(separator(text))
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_separator_is_found_out() {
        for (line, expected) in [
            ("a,b", b','),
            ("a;b;c", b';'),
            ("a\tb", b'\t'),
            ("a", b','),
            ("\"a;b;c\",d", b','),
            ("Image;\"Mask, drawn\"", b';'),
        ] {
            assert_eq!(separator(line), expected, "{line}");
        }
        let mut reader = reader("\u{feff}Image;Mask\n a ;b\n");
        assert_eq!(reader.headers().unwrap(), vec!["Image", "Mask"]);
        assert_eq!(reader.records().next().unwrap().unwrap(), vec!["a", "b"]);
    }
}
