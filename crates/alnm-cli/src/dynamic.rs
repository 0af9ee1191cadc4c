//! Dynamic series that a command reads.

use std::path::PathBuf;

use alnm_imaging::dicom::DynamicSeries;
use alnm_imaging::file::Source;
use alnm_imaging::{FileFormat, Image};
use anyhow::{Context, Result, bail, ensure};

use crate::exit::{require, wrong_use};
use crate::input::{SeriesChoice, open};
use crate::options::List;
use crate::output::warn;

/// The phases of a dynamic series.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DynamicInput {
    /// The phases: a DICOM folder with a dynamic series, or with a series for each phase; a file of four dimensions; or
    /// a file or folder for each phase, in order of time.
    #[arg(value_name = "SERIES", required = true)]
    phases: Vec<PathBuf>,
    /// Seconds from the first phase to each; needed where the files state none.
    #[arg(long, value_name = "S,S,...", num_args = 1)]
    times: Vec<List<f64>>,
    /// SeriesInstanceUID, where a folder holds several.
    #[arg(long, value_name = "UID")]
    series: Option<String>,
    /// What would mend a single file of one volume.
    #[arg(skip = "name a file for each phase")]
    remedy: &'static str,
}

/// A dynamic series with the coordinates that it states.
pub(crate) struct ChosenSeries {
    pub(crate) series: DynamicSeries,
    pub(crate) frame_of_reference: Option<String>,
}

impl DynamicInput {
    /// The phases of a DICOM folder or of a file of four dimensions.
    pub(crate) fn of(path: PathBuf, times: Vec<f64>, series: Option<String>) -> Self {
        let remedy = "give a DICOM folder or a file of four dimensions that holds all phases";
        Self { phases: vec![path], times: vec![List(times)], series, remedy }
    }

    /// Seconds from the first phase to each, as they are given.
    fn times(&self) -> Vec<f64> {
        self.times.iter().flat_map(|List(times)| times).copied().collect()
    }

    /// Reads all phases.
    pub(crate) fn read(&self) -> Result<ChosenSeries> {
        let chosen = match self.phases.as_slice() {
            [only] => self.read_one(open(only)?)?,
            several => self.read_each(several)?,
        };
        if self.times().is_empty() {
            return Ok(chosen);
        }
        let (images, _) = chosen.series.into_parts();
        Ok(ChosenSeries { series: self.timed(images)?, ..chosen })
    }

    /// The phases at the times that are given.
    fn timed(&self, images: Vec<Image>) -> Result<DynamicSeries> {
        let times = self.times();
        if times.len() != images.len() {
            let (times, phases) = (times.len(), images.len());
            return Err(wrong_use(format!("--times has {times} numbers for {phases} phases; each phase needs one")));
        }
        let is_ascending = times.windows(2).all(|pair| pair[0] < pair[1]);
        require(is_ascending, "--times is not ascending; the phases stand in order of time")?;
        Ok(DynamicSeries::new(images, times)?)
    }

    fn read_one(&self, source: Source) -> Result<ChosenSeries> {
        let path = source.path().to_owned();
        if source.format() != FileFormat::Dicom {
            ensure!(self.series.is_none(), "--series needs a DICOM folder as input");
            let count = source.try_clone()?.read_header()?.volumes;
            ensure!(count > 1, "{} holds one volume; {}", path.display(), self.remedy);
            return self.unknown_times(source.read_volumes()?, None);
        }
        let folder = source.dicom_folder()?;
        folder.file_problems().iter().for_each(|problem| warn(format_args!("{problem}; the file is left out")));
        let series = match &self.series {
            Some(uid) => folder.series_with_uid(uid)?,
            None if folder.series().len() > 1 => {
                let frame_of_reference = folder.series()[0].frame_of_reference().map(str::to_owned);
                let several = "the folder holds several series that are no phases of one; --series names one";
                return Ok(ChosenSeries { series: folder.series_as_phases().context(several)?, frame_of_reference });
            }
            None => folder.only_series()?,
        };
        series.warnings().iter().for_each(warn);
        ensure!(series.phase_count() > 1, "{} holds one phase; kinetics need at least two", path.display());
        let frame_of_reference = series.frame_of_reference().map(str::to_owned);
        Ok(ChosenSeries { series: series.phases()?, frame_of_reference })
    }

    fn read_each(&self, paths: &[PathBuf]) -> Result<ChosenSeries> {
        ensure!(self.series.is_none(), "--series needs one DICOM folder as input");
        let choice = SeriesChoice::default();
        let read = paths.iter().map(|path| choice.read(path)).collect::<Result<Vec<_>>>()?;
        let frame_of_reference = read.iter().find_map(|chosen| chosen.frame_of_reference.clone());
        self.unknown_times(read.into_iter().map(|chosen| chosen.image).collect(), frame_of_reference)
    }

    /// Phases whose files state no times.
    fn unknown_times(&self, images: Vec<Image>, frame_of_reference: Option<String>) -> Result<ChosenSeries> {
        if self.times().is_empty() {
            bail!(
                "the files state no times; --times gives the seconds from the first phase to each of the {}",
                images.len()
            );
        }
        Ok(ChosenSeries { series: self.timed(images)?, frame_of_reference })
    }
}
