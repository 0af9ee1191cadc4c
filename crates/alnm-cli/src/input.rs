//! Images that a command reads.

use std::path::Path;

use alnm_imaging::dicom::{DicomFolder, Series};
use alnm_imaging::file::Source;
use alnm_imaging::{FileFormat, Image};
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
        self.read_source(Source::open(path)?)
    }

    /// The image that is meant, from a file or folder that is open already.
    pub(crate) fn read_source(&self, source: Source) -> anyhow::Result<Image> {
        if source.format() != FileFormat::Dicom {
            ensure!(
                self.series.is_none() && self.phase.is_none_or(|phase| phase == 1),
                "--series and --phase need a DICOM folder or file as input"
            );
            return Ok(source.read_image()?);
        }
        let folder = source.dicom_folder()?;
        let series = self.of(&folder)?;
        Ok(match self.phase {
            Some(number) => series.phase(number)?,
            None => series.image()?,
        })
    }
}

/// The image of a file of any format, or of a DICOM folder that holds one.
pub(crate) fn read_image(path: &Path) -> anyhow::Result<Image> {
    SeriesChoice::default().read_image(path)
}
