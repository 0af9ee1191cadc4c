//! Voxels in files of their own: one, a list of them, or numbered ones.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Where detached voxels lie. Errors are texts, to which the caller adds the format.
#[derive(Debug, Clone)]
pub(crate) enum DataFiles {
    Names(Vec<String>),
    Numbered { pattern: String, first: i64, last: i64, step: i64 },
}

impl DataFiles {
    /// From a name, from `LIST` (with or without a dimension behind it) and the lines below it, or from a pattern such
    /// as `slice%03d.raw 1 60 1`, where a fourth number, the dimension of each file, changes nothing: files hold even
    /// parts in order. A name with a `%` and no numbers behind it is a name.
    pub(crate) fn parse(value: &str, lines_below: &[String]) -> Result<Self, String> {
        if value == "LIST" || value.starts_with("LIST ") {
            return Ok(Self::Names(lines_below.to_vec()));
        }
        let words: Vec<&str> = value.split_whitespace().collect();
        if let [pattern, numbers @ ..] = words.as_slice()
            && pattern.contains('%')
            && let Ok(numbers) = numbers.iter().map(|text| text.parse()).collect::<Result<Vec<i64>, _>>()
        {
            let numbered = |first, last, step| Self::Numbered { pattern: (*pattern).to_owned(), first, last, step };
            match numbers[..] {
                [] => {}
                [first, last] => return Ok(numbered(first, last, 1)),
                [first, last, step] | [first, last, step, _] => return Ok(numbered(first, last, step)),
                _ => {
                    return Err(format!(
                        "the data file pattern {value:?} takes the first and last number and the step"
                    ));
                }
            }
        }
        Ok(Self::Names(vec![value.to_owned()]))
    }

    /// The files, in a folder where their names are relative.
    pub(crate) fn paths(&self, folder: &Path) -> Result<Vec<PathBuf>, String> {
        let names = match self {
            Self::Names(names) => names.clone(),
            Self::Numbered { pattern, first, last, step } => numbered_names(pattern, *first, *last, *step)?,
        };
        if names.is_empty() {
            Err("the list of data files is empty".to_owned())
        } else {
            Ok(names.iter().map(|name| folder.join(name)).collect())
        }
    }
}

/// The names that a `printf` pattern with one `%d`, `%i` or `%0Nd` gives for first, first + step, … last.
fn numbered_names(pattern: &str, first: i64, last: i64, step: i64) -> Result<Vec<String>, String> {
    const MOST_FILES: i64 = 1 << 20;
    const WIDEST: usize = 32;
    let bad = || format!("data file pattern {pattern:?} from {first} to {last} in steps of {step}");
    let count = last.checked_sub(first).and_then(|range| range.checked_div(step)).ok_or_else(bad)?;
    if !(0..MOST_FILES).contains(&count) {
        return Err(bad());
    }
    let (before, rest) = pattern.split_once('%').ok_or_else(bad)?;
    let end = rest.find(['d', 'i', 'u']).ok_or_else(bad)?;
    let (format, after) = (&rest[..end], &rest[end + 1..]);
    let width: usize = if format.is_empty() { 0 } else { format.parse().map_err(|_| bad())? };
    if width > WIDEST {
        return Err(bad());
    }
    let zeros = format.starts_with('0');
    Ok((0..=count)
        .map(|i| {
            let number = first + i * step;
            if zeros { format!("{before}{number:0width$}{after}") } else { format!("{before}{number:width$}{after}") }
        })
        .collect())
}

/// Goes to where the voxels begin, behind what is read already: at a place, or without one where the last `bytes`
/// begin.
pub(crate) fn seek_voxels(file: &mut impl Seek, start: Option<u64>, bytes: u64) -> io::Result<()> {
    let read = file.stream_position()?;
    let length = file.seek(SeekFrom::End(0))?;
    let start = start.or_else(|| length.checked_sub(bytes)).filter(|&start| start >= read);
    let start = start.ok_or_else(|| {
        io::Error::other(format!("{bytes} bytes of voxels in {length} do not begin behind the header"))
    })?;
    file.seek(SeekFrom::Start(start)).map(drop)
}

/// Files read one after the other, each opened when its turn comes.
pub(crate) struct FileSequence<F> {
    paths: std::vec::IntoIter<PathBuf>,
    open: F,
    current: Option<Box<dyn Read>>,
    /// Bytes of each file that count, all of text.
    part: Option<u64>,
    /// Those of the current file that are still to come.
    left: u64,
}

impl<F: FnMut(&Path) -> io::Result<Box<dyn Read>>> FileSequence<F> {
    /// Of each file the first `part` bytes, which it has to hold; all of it without a number, with a line end behind
    /// it.
    pub(crate) fn new(paths: Vec<PathBuf>, part: Option<u64>, open: F) -> Self {
        Self { paths: paths.into_iter(), open, current: None, part, left: 0 }
    }

    fn read_current(&mut self, current: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = current.read(&mut buffer[..wanted])?;
        self.left -= read as u64;
        if read == 0 && wanted > 0 && self.part.is_some() {
            return Err(io::Error::other(format!("a data file ends {} bytes early", self.left)));
        }
        Ok(read)
    }
}

impl<F: FnMut(&Path) -> io::Result<Box<dyn Read>>> Read for FileSequence<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(mut current) = self.current.take() {
                let read = self.read_current(&mut current, buffer)?;
                if read > 0 {
                    self.current = Some(current);
                    return Ok(read);
                }
            }
            let Some(path) = self.paths.next() else { return Ok(0) };
            let file = (self.open)(&path)
                .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
            self.left = self.part.unwrap_or(u64::MAX);
            self.current = Some(if self.part.is_some() { file } else { Box::new(file.chain(&b"\n"[..])) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_number_files() {
        assert_eq!(numbered_names("s%03d.raw", 8, 12, 2).unwrap(), ["s008.raw", "s010.raw", "s012.raw"]);
        assert_eq!(numbered_names("s%d", -1, 0, 1).unwrap(), ["s-1", "s0"]);
        for (first, last, step) in [(0, 1, 0), (1, 0, 1), (0, i64::MAX, 1), (i64::MIN, i64::MAX, 1)] {
            assert!(numbered_names("s%d", first, last, step).is_err());
        }
        assert!(numbered_names("s%999d", 0, 1, 1).is_err());
        assert!(numbered_names("s%x", 0, 1, 1).is_err());
    }
}
