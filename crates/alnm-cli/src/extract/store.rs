//! The folder of finished cases: one file for each, which is read back only for what it was computed from.
//!
//! A file's name and its column `stored_key` come from everything that decides the values: the files of image and mask
//! (path, size, times of their last change), the region, the parameters with their profile, and the version of this
//! program. So a row of the batch may move or vanish, an image may be replaced and a setting may change without a value
//! that belongs to something else. The last column is a hash over all other cells: a file that was cut short, zeroed or
//! edited is computed again.

use std::fmt::Write as _;
use std::fs::Metadata;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use alnm_imaging::file::{remove_unfinished, write_atomically};
use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use super::arguments::ExtractArgs;
use super::batch::Case;
use super::engine::Engine;
use super::regions::{self, CaseFiles};
use super::table::{self, Row, RowValue};
use crate::output::require_folder;

/// The form of the files. Files of another form have other keys.
const FORM: u64 = 3;

/// The last columns of a file: how many columns in front are those of the batch, the key, and the hash over all cells
/// before it.
const LAST_COLUMNS: [&str; 3] = ["stored_inputs", "stored_key", "stored_sha256"];

/// What the names of files begin with and end with.
const NAME: (&str, &str) = ("features_", ".csv");

/// Digits of the key that stand in a file's name.
const NAMED_DIGITS: usize = 20;

/// How long a file may have been in the making. An older one was left behind by a program that was killed.
const LONGEST_WRITE: Duration = Duration::from_secs(3600);

/// What decides the values of a case, as a hash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CaseKey(String);

/// The folder of `--out-dir`.
#[derive(Debug)]
pub(super) struct CaseStore {
    folder: PathBuf,
    /// What all cases share: version, parameters, regions.
    settings: String,
}

/// A hash over texts and numbers of which each ends where it ends.
#[derive(Default)]
pub(super) struct Fingerprint(Sha256);

impl Fingerprint {
    fn number(&mut self, number: u64) {
        self.0.update(number.to_le_bytes());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.update(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn optional(&mut self, number: Option<u64>) {
        self.number(number.is_some().into());
        self.number(number.unwrap_or_default());
    }

    /// A file as the system describes it. Where it keeps the time of the last change of any kind, a file that was
    /// replaced by one of equal size and date differs as well.
    fn file(&mut self, path: &Path, found: &Metadata) {
        self.text(&path.to_string_lossy());
        self.number(found.len());
        let since_1970 = found.modified().ok().and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        self.text(&since_1970.unwrap_or_default().as_nanos().to_string());
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            self.text(&format!("{}.{:09}", found.ctime(), found.ctime_nsec()));
        }
    }

    pub(super) fn digits(self) -> String {
        self.0.finalize().iter().fold(String::new(), |mut digits, byte| {
            // Writing to a text cannot fail.
            let _ = write!(digits, "{byte:02x}");
            digits
        })
    }
}

impl CaseStore {
    /// Makes the folder where it is not there, and removes what programs that were killed left unfinished in it.
    pub(super) fn open(folder: &Path, arguments: &ExtractArgs, engine: &Engine) -> Result<Self> {
        require_folder(folder)?;
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create the folder {}", folder.display()))?;
        remove_unfinished(folder, LONGEST_WRITE).with_context(|| format!("cannot tidy {}", folder.display()))?;
        let mut settings = Fingerprint::default();
        settings.number(FORM);
        settings.text(env!("CARGO_PKG_VERSION"));
        settings.text(&engine.description()?);
        settings.text(&regions::description(arguments));
        Ok(Self { folder: folder.to_owned(), settings: settings.digits() })
    }

    /// The key of a case, from its opened files as they are now. It has to be taken before they are read: a file that
    /// changes while it is read then has another key afterwards.
    pub(super) fn key(&self, case: &Case, files: &CaseFiles) -> Result<CaseKey> {
        let mut key = Fingerprint::default();
        key.text(&self.settings);
        key.optional(case.label_number()?.map(u64::from));
        key.optional(case.label_channel_number()?.map(|channel| channel as u64));
        for choice in [&case.roi, &case.series, &case.phase, &case.volume, &case.mask_volume] {
            key.number(choice.is_some().into());
            key.text(choice.as_deref().unwrap_or_default());
        }
        for source in std::iter::once(&files.image).chain(&files.mask) {
            let files = source.files()?;
            key.number(files.len() as u64);
            for file in files {
                let unreadable = || format!("cannot read {}", file.display());
                let found = std::fs::metadata(&file).with_context(unreadable)?;
                key.file(&file.canonicalize().with_context(unreadable)?, &found);
            }
        }
        Ok(CaseKey(key.digits()))
    }

    fn path(&self, key: &CaseKey) -> PathBuf {
        let (start, end) = NAME;
        self.folder.join(format!("{start}{}{end}", &key.0[..NAMED_DIGITS]))
    }

    /// The rows of a case that was finished before, with the columns that the batch has now. An error says why a file
    /// that is there is not taken.
    pub(super) fn find(&self, key: &CaseKey, arguments: &ExtractArgs, case: &Case) -> Result<Option<Vec<Row>>> {
        let path = self.path(key);
        let bytes = match std::fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            read => read.with_context(|| format!("cannot read {}", path.display()))?,
        };
        let inputs = regions::inputs(arguments, case);
        Self::rows(&bytes, key, &inputs).map(Some).with_context(|| format!("{} is damaged", path.display()))
    }

    fn rows(bytes: &[u8], key: &CaseKey, inputs: &Row) -> Result<Vec<Row>> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes);
        let records: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>()?;
        let Some((header, records)) = records.split_first().filter(|(_, records)| !records.is_empty()) else {
            bail!("it holds no row");
        };
        let Some(named) = header.len().checked_sub(LAST_COLUMNS.len()) else { bail!("columns are missing") };
        ensure!(header.iter().skip(named).eq(LAST_COLUMNS), "the last columns are not {LAST_COLUMNS:?}");
        let lines: Vec<Vec<&str>> =
            std::iter::once(header).chain(records).map(|line| line.iter().take(header.len() - 1).collect()).collect();
        let hash = hash(&lines);
        let given = records[0][named].parse().ok().filter(|&given: &usize| given <= named);
        let Some(given) = given else { bail!("the number of columns of the batch is {:?}", &records[0][named]) };
        for record in records {
            ensure!(record[named + 1] == key.0, "it was computed from something else");
            ensure!(record[named + 2] == hash, "its content is not what was stored");
        }
        let row = |record: &csv::StringRecord| -> Row {
            let computed = header.iter().zip(record).take(named).skip(given).filter(|(_, text)| !text.is_empty());
            let computed = computed.map(|(name, text)| (name.to_owned(), table::value_of(name, text)));
            inputs.iter().cloned().chain(computed).collect()
        };
        Ok(records.iter().map(row).collect())
    }

    /// Stores the rows of a case, each of which begins with the columns of the batch. The file is there as a whole or
    /// not at all.
    pub(super) fn save(&self, key: &CaseKey, arguments: &ExtractArgs, case: &Case, rows: &[Row]) -> Result<()> {
        let path = self.path(key);
        let given = regions::inputs(arguments, case).len();
        let bytes = content(rows, given, key)?;
        let _whole = crate::interrupt::while_writing();
        write_atomically(&path, |file| file.write_all(&bytes))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// How many files of the folder belong to none of these cases.
    pub(super) fn strangers(&self, keys: &[CaseKey]) -> Result<usize> {
        let ours: Vec<PathBuf> = keys.iter().map(|key| self.path(key)).collect();
        let (start, end) = NAME;
        let mut count = 0;
        for entry in self.folder.read_dir().with_context(|| format!("cannot read {}", self.folder.display()))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            count += usize::from(name.starts_with(start) && name.ends_with(end) && !ours.contains(&path));
        }
        Ok(count)
    }
}

/// What a file holds.
fn content(rows: &[Row], given: usize, key: &CaseKey) -> Result<Vec<u8>> {
    let lines = lines(rows, given, key);
    let hash = hash(&lines.iter().map(|line| line.iter().map(String::as_str).collect()).collect::<Vec<_>>());
    let mut writer = csv::Writer::from_writer(Vec::new());
    for (place, line) in lines.iter().enumerate() {
        let last = if place == 0 { LAST_COLUMNS[2] } else { &hash };
        writer.write_record(line.iter().map(String::as_str).chain([last]))?;
    }
    Ok(writer.into_inner().map_err(csv::IntoInnerError::into_error)?)
}

/// The header and the rows as text, but for the last column.
fn lines(rows: &[Row], given: usize, key: &CaseKey) -> Vec<Vec<String>> {
    let computed = merged_names(rows.iter().map(|row| &row[given..]));
    let inputs = rows.first().map_or(&[][..], |row| &row[..given]).iter().map(|(name, _)| name.as_str());
    let names = inputs.chain(computed.iter().copied()).chain([LAST_COLUMNS[0], LAST_COLUMNS[1]]);
    let header = names.map(str::to_owned).collect();
    let line = |row: &Row| -> Vec<String> {
        let found = |name: &&str| row[given..].iter().find(|(column, _)| column == name);
        let cells = computed.iter().map(|name| found(name).map_or_else(String::new, |(_, cell)| cell.text()));
        let inputs = row[..given].iter().map(|(_, cell)| RowValue::text(cell));
        inputs.chain(cells).chain([given.to_string(), key.0.clone()]).collect()
    };
    std::iter::once(header).chain(rows.iter().map(line)).collect()
}

/// The names of all rows, in an order that is that of each row where the rows agree about it.
fn merged_names<'a>(rows: impl Iterator<Item = &'a [(String, RowValue)]>) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for row in rows {
        let mut next = 0;
        for (name, _) in row {
            let place = match names.get(next) {
                Some(expected) if expected == name => Some(next),
                _ => names.iter().position(|known| known == name),
            };
            let place = place.unwrap_or_else(|| {
                names.insert(next, name);
                next
            });
            next = place + 1;
        }
    }
    names
}

fn hash(lines: &[Vec<&str>]) -> String {
    let mut hash = Fingerprint::default();
    for line in lines {
        hash.number(line.len() as u64);
        line.iter().for_each(|cell| hash.text(cell));
    }
    hash.digits()
}

#[cfg(test)]
mod tests {
    use alnm_radiomics::DiagnosticValue;

    use super::*;

    fn number(name: &str, value: f64) -> (String, RowValue) {
        (name.to_owned(), RowValue::Number(value))
    }

    fn text(name: &str, value: &str) -> (String, RowValue) {
        (name.to_owned(), RowValue::Text(value.to_owned()))
    }

    /// Two rows whose batch has a column with the name of a feature.
    fn rows() -> (Row, Vec<Row>) {
        let inputs = vec![text("ID", "a \"quoted\", one"), text("original_glcm_Idn", "of before")];
        let voxels = DiagnosticValue::Integer(12);
        let first = [
            text("Label", "1"),
            ("diagnostics_Mask-original_VoxelNum".to_owned(), RowValue::Diagnostic(voxels)),
            number("original_glcm_Idn", -0.1 - 0.2),
        ];
        let second = [text("Label", "2"), number("original_glcm_Imc1", 1e-5), number("original_glcm_Idn", f64::NAN)];
        let rows = [first, second].map(|computed| inputs.iter().cloned().chain(computed).collect());
        (inputs, rows.to_vec())
    }

    #[test]
    fn rows_come_back_with_their_bits_and_the_columns_that_the_batch_has_now() {
        let (inputs, rows) = rows();
        let key = CaseKey("k".repeat(64));
        let stored = content(&rows, 2, &key).unwrap();
        let read = CaseStore::rows(&stored, &key, &inputs).unwrap();
        // NaN is equal to nothing, but has a text.
        assert_eq!(format!("{read:?}"), format!("{rows:?}"));
        let renamed = vec![text("Patient", "7")];
        let read = CaseStore::rows(&stored, &key, &renamed).unwrap();
        assert_eq!(read[0][..2], [text("Patient", "7"), text("Label", "1")]);
    }

    #[test]
    fn nothing_but_the_whole_file_is_taken() {
        let (inputs, rows) = rows();
        let key = CaseKey("k".repeat(64));
        let stored = content(&rows, 2, &key).unwrap();
        // Without its last line end it is whole.
        for length in 0..stored.len() - 1 {
            assert!(CaseStore::rows(&stored[..length], &key, &inputs).is_err(), "cut to {length} bytes");
        }
        assert!(CaseStore::rows(&vec![0; stored.len()], &key, &inputs).is_err());
        for place in 0..stored.len() - 1 {
            let mut damaged = stored.clone();
            damaged[place] ^= 1;
            if let Ok(read) = CaseStore::rows(&damaged, &key, &inputs) {
                // A comma cannot become a quotation mark, nor a line end another one, by one bit; what is read is equal.
                assert_eq!(format!("{read:?}"), format!("{rows:?}"), "byte {place}");
            }
        }
        let other = CaseKey("l".repeat(64));
        let refused = CaseStore::rows(&stored, &other, &inputs).unwrap_err();
        assert_eq!(refused.to_string(), "it was computed from something else");
    }
}
