//! The files of feature maps and of the images that features are computed on: `Case-1_original_glcm_Contrast.nrrd`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use alnm_imaging::{Image, LabelMap, write_image, write_mask};
use anyhow::{Context, Result};

use super::arguments::{ExtractArgs, Mode};
use super::batch::Case;
use super::engine::Engine;
use super::regions::{Subject, file_part};
use super::table::RowValue;
use crate::interrupt::while_writing;
use crate::output::{Overwriting, require_folder};

/// What the names of files begin with.
const PREFIX: &str = "Case-";
/// What they end with.
const SUFFIX: &str = ".nrrd";

/// The name of the prepared image.
pub(super) const IMAGE: &str = "image";
/// The name of the prepared mask.
pub(super) const MASK: &str = "mask";

/// The number of the case in the name of a file, and what follows it.
fn file_name_parts(name: &str) -> Option<(usize, &str)> {
    let (number, rest) = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.split_once('_')?;
    Some((number.parse().ok()?, rest))
}

/// The folder that `--out-dir` names, or the current one.
fn folder(arguments: &ExtractArgs) -> PathBuf {
    arguments.out_dir.clone().unwrap_or_default()
}

/// Refuses, before any work is done, a folder that holds files of cases with these numbers from an earlier run, which
/// this run would replace.
pub(super) fn check(arguments: &ExtractArgs, engine: &Engine, cases: &[Case]) -> Result<()> {
    let names = match arguments.mode {
        Mode::Segment => return Ok(()),
        Mode::Voxel => [engine.feature_columns(2), engine.feature_columns(3)].concat(),
        // They are written for every region.
        Mode::Images => vec![IMAGE.to_owned(), MASK.to_owned()],
    };
    let folder = folder(arguments);
    require_folder(&folder)?;
    let shown = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
    if !shown.is_dir() {
        return Ok(());
    }
    // The names tell regions and phases of a case apart where it may have several.
    let has_regions = arguments.labels.is_some() || arguments.components.is_some() || arguments.all_phases;
    let numbers: BTreeSet<usize> = cases.iter().map(|case| case.number).collect();
    let is_written = |file: &str| {
        let Some((number, rest)) = file_name_parts(file) else { return false };
        let is_named = |name: &String| {
            let region = rest.strip_suffix(name.as_str());
            region.is_some_and(|region| if has_regions { region.ends_with('_') } else { region.is_empty() })
        };
        numbers.contains(&number) && names.iter().any(is_named)
    };
    let mut there = Vec::new();
    for entry in shown.read_dir().with_context(|| format!("cannot read {}", shown.display()))? {
        let name = entry?.file_name();
        if is_written(&name.to_string_lossy()) {
            there.push(folder.join(name));
        }
    }
    there.sort();
    arguments.overwriting.check(there.iter().map(PathBuf::as_path))
}

/// The files of one region.
pub(super) struct VolumeFiles {
    folder: PathBuf,
    /// What the names of all begin with.
    start: String,
    overwriting: Overwriting,
}

impl VolumeFiles {
    /// Those of this region.
    pub(super) fn of(arguments: &ExtractArgs, subject: &Subject<'_>) -> Self {
        let start = format!("{PREFIX}{}{}_", subject.number, file_part(subject.columns));
        Self { folder: folder(arguments), start, overwriting: arguments.overwriting }
    }

    /// Writes an image, and returns the cell that names its file.
    pub(super) fn write_image(&self, name: &str, image: &Image) -> Result<RowValue> {
        self.write(name, |path| Ok(write_image(path, image)?))
    }

    /// Writes a mask or grey levels, and returns the cell that names its file.
    pub(super) fn write_mask(&self, name: &str, mask: &LabelMap) -> Result<RowValue> {
        self.write(name, |path| Ok(write_mask(path, mask)?))
    }

    fn write(&self, name: &str, write: impl FnOnce(&Path) -> Result<()>) -> Result<RowValue> {
        let _whole = while_writing();
        let path = self.folder.join(format!("{}{name}{SUFFIX}", self.start));
        self.overwriting.check([path.as_path()])?;
        write(&path)?;
        Ok(RowValue::Text(path.to_string_lossy().into_owned()))
    }
}
