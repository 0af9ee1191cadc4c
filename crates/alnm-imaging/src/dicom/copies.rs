//! Files that stand in a folder several times.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::image_file::ImageFile;
use super::series_warning::SeriesWarning;

/// The files of a series, each once.
pub(super) struct Distinct {
    pub(super) files: Vec<ImageFile>,
    /// A word about the copies that were left out.
    pub(super) warning: Option<SeriesWarning>,
}

impl Distinct {
    /// Leaves out files that are equal, byte for byte, to one before them. Only files of the same instance and length
    /// are compared, so that no pixels are read where there are no copies.
    pub(super) fn of(files: Vec<ImageFile>) -> Self {
        let mut kept: Vec<ImageFile> = Vec::with_capacity(files.len());
        let mut of_instance: HashMap<(String, u64), Vec<usize>> = HashMap::new();
        let mut copies = Vec::new();
        for file in files {
            if let Some(instance) = instance(&file) {
                let alike = of_instance.entry(instance).or_default();
                if alike.iter().any(|&other| is_copy(&kept[other].path, &file.path)) {
                    copies.push(file.path);
                    continue;
                }
                alike.push(kept.len());
            }
            kept.push(file);
        }
        let count = copies.len();
        let warning = copies.into_iter().next().map(|file| SeriesWarning::Copies { count, file });
        Self { files: kept, warning }
    }
}

/// Identifier and length of a file on disk.
fn instance(file: &ImageFile) -> Option<(String, u64)> {
    let slice = file.slices.as_ref().ok()?.first()?;
    let is_named = !slice.sop_instance_uid.is_empty() && !file.path.as_os_str().is_empty();
    is_named.then(|| (slice.sop_instance_uid.clone(), slice.file.bytes()))
}

/// Whether two files hold the same bytes; one that cannot be read is no copy, and its own fault is met later.
fn is_copy(one: &Path, other: &Path) -> bool {
    let compare = || -> io::Result<bool> {
        let mut files = [BufReader::new(File::open(one)?), BufReader::new(File::open(other)?)];
        let mut pieces = [[0; 8192]; 2];
        loop {
            let mut lengths = [0; 2];
            for ((file, piece), length) in files.iter_mut().zip(&mut pieces).zip(&mut lengths) {
                while *length < piece.len() {
                    match file.read(&mut piece[*length..])? {
                        0 => break,
                        read => *length += read,
                    }
                }
            }
            if lengths[0] != lengths[1] || pieces[0][..lengths[0]] != pieces[1][..lengths[1]] {
                return Ok(false);
            }
            if lengths[0] == 0 {
                return Ok(true);
            }
        }
    };
    compare().unwrap_or(false)
}
