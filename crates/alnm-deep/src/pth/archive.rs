//! The zip archive around a `.pth` file, whose entries PyTorch stores without compression.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;

use rawzip::{CompressionMethod, FileReader, RECOMMENDED_BUFFER_SIZE, ZipArchive, ZipArchiveEntryWayfinder};

use super::pickle::Reason;

/// Archives with more entries are refused: that of a network has one for each tensor and a handful besides.
const MAXIMUM_ENTRIES: u64 = 1 << 16;

/// An open archive and where its entries lie.
pub(super) struct Archive {
    archive: ZipArchive<FileReader>,
    entries: BTreeMap<String, Entry>,
}

struct Entry {
    place: ZipArchiveEntryWayfinder,
    method: CompressionMethod,
    bytes: u64,
}

impl Archive {
    /// Reads the directory of the archive.
    pub(super) fn open(file: File) -> Result<Self, Reason> {
        let reason = |error: rawzip::Error| format!("not a zip archive: {error}");
        let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
        let archive = ZipArchive::from_file(file, &mut buffer).map_err(reason)?;
        if archive.entries_hint() > MAXIMUM_ENTRIES {
            let announced = archive.entries_hint();
            return Err(format!("a zip archive of {announced} entries, more than the limit of {MAXIMUM_ENTRIES}"));
        }
        let mut entries = BTreeMap::new();
        let mut records = archive.entries(&mut buffer);
        while let Some(record) = records.next_entry().map_err(reason)? {
            if entries.len() as u64 == MAXIMUM_ENTRIES {
                return Err(format!("a zip archive with more entries than the limit of {MAXIMUM_ENTRIES}"));
            }
            // PyTorch's names are ASCII; an entry with another name is none of a network's.
            let path = record.file_path();
            let Ok(name) = std::str::from_utf8(path.as_bytes()) else { continue };
            let entry = Entry {
                place: record.wayfinder(),
                method: record.compression_method(),
                bytes: record.uncompressed_size_hint(),
            };
            if entries.insert(name.to_owned(), entry).is_some() {
                return Err(format!("a zip archive with two entries named `{name}`"));
            }
        }
        Ok(Self { archive, entries })
    }

    /// Names of the entries, in order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The bytes of an entry, checked against its size and its CRC-32.
    pub(super) fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>, Reason> {
        let entry = self.entries.get(name).ok_or_else(|| format!("the archive has no `{name}`"))?;
        if entry.bytes > limit {
            return Err(format!("`{name}` has {} bytes, more than the limit of {limit}", entry.bytes));
        }
        if entry.method != CompressionMethod::STORE {
            return Err(format!("`{name}` is compressed; PyTorch stores its entries as they are"));
        }
        let found = self.archive.get_entry(entry.place).map_err(|error| format!("`{name}`: {error}"))?;
        let mut bytes = Vec::new();
        found
            .verifying_reader(found.reader())
            .take(limit.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|error| format!("`{name}`: {error}"))?;
        // What the entry's own header announces counts no more than what is there.
        if bytes.len() as u64 != entry.bytes {
            return Err(format!("`{name}` announces {} bytes and has {}", entry.bytes, bytes.len()));
        }
        Ok(bytes)
    }
}
