//! Images that a command reads.

use std::path::Path;

use alnm_imaging::dicom::{DicomFolder, Series};
use alnm_imaging::{FileFormat, Image, file_format};
use anyhow::ensure;

/// Which image of a DICOM folder or file is meant.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct SeriesChoice {
    /// Phase of a dynamic DICOM series, from 1.
    #[arg(long, value_name = "N")]
    pub(crate) phase: Option<usize>,
    /// SeriesInstanceUID, where a folder holds several.
    #[arg(long, value_name = "UID")]
    pub(crate) series: Option<String>,
}

impl SeriesChoice {
    /// The series that is meant.
    pub(crate) fn of<'a>(&self, folder: &'a DicomFolder) -> anyhow::Result<&'a Series> {
        Ok(match &self.series {
            Some(uid) => folder.series_with_uid(uid)?,
            None => folder.only_series()?,
        })
    }

    /// The image that is meant, from a file of any format or a DICOM folder.
    pub(crate) fn read_image(&self, path: &Path) -> anyhow::Result<Image> {
        let Some(folder) = scan(path)? else {
            ensure!(
                self.series.is_none() && self.phase.is_none_or(|phase| phase == 1),
                "--series and --phase need a DICOM folder or file as input"
            );
            return Ok(alnm_imaging::read_image(path)?);
        };
        let series = self.of(&folder)?;
        Ok(match self.phase {
            Some(number) => series.phase(number)?,
            None => series.image()?,
        })
    }
}

/// The series of a folder, or of a DICOM file by itself; none for a file of another format.
pub(crate) fn scan(path: &Path) -> anyhow::Result<Option<DicomFolder>> {
    if path.is_dir() {
        return Ok(Some(DicomFolder::scan(path)?));
    }
    let is_dicom = file_format(path)? == FileFormat::Dicom;
    Ok(is_dicom.then(|| DicomFolder::from_files(&[path.to_owned()])).transpose()?)
}

/// The image of a file of any format, or of a DICOM folder that holds one.
pub(crate) fn read_image(path: &Path) -> anyhow::Result<Image> {
    SeriesChoice::default().read_image(path)
}
