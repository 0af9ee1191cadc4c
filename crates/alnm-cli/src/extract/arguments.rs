//! The options of `alnm extract`, which are PyRadiomics' and some more.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Result;
use clap::{Args, ValueEnum};

use super::log::Level;
use super::one_row::Delta;
use super::table::TableFormat;
use crate::exit::require;
use crate::input::{MaskDrawing, SeriesChoice};
use crate::options::Threads;
use crate::output::Overwriting;

/// Extract radiomic features from an image and a mask, or from all cases of a CSV file.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  alnm extract image.nii.gz mask.nii.gz -f csv -o features.csv\n  \
alnm extract cases.csv -p params.yaml -f csv -o features.csv --out-dir parts\n  \
alnm extract dce-folder rings.nii.gz --labels all --all-phases --one-row --maps maps --deltas slope -f csv -o row.csv\n  \
alnm extract cases.csv -p params.yaml -f csv -o features.csv --reader-masks Mask2 --reliability reliability.csv\n  \
cat cases.csv | alnm extract - -f csv > features.csv\n\n\
Finished cases stay in --out-dir, also after Ctrl-C. `alnm help columns` says what a list of cases may hold.")]
pub(crate) struct ExtractArgs {
    /// Image file or folder of a DICOM series, or a table of cases with columns Image and Mask (and, where needed,
    /// Label, Label_channel, Image_volume and Mask_volume, and for DICOM Series, Phase and Roi; other columns are
    /// copied to the output). Paths in it are relative to its folder. `-` is an image or a table from standard input.
    #[arg(value_name = "IMAGE|BATCH.csv")]
    pub(super) input: PathBuf,
    /// Mask file; needed unless the input is a CSV file or --whole-image is set.
    pub(super) mask: Option<PathBuf>,
    /// The region is the whole image, and no mask is read. Settings that look at its border find none.
    #[arg(long, conflicts_with_all = ["mask", "label", "roi", "roi_number", "labels", "components", "mask_volume"])]
    pub(super) whole_image: bool,
    /// Parameter file of PyRadiomics, or with `--profile ibsi` of the IBSI profile; YAML or JSON.
    #[arg(short, long, value_name = "FILE")]
    pub(super) param: Option<PathBuf>,
    /// Whose definitions are followed: PyRadiomics' or those of the Image Biomarker Standardisation Initiative (without
    /// a parameter file: 32 grey levels on the image's own grid).
    #[arg(long, value_enum, default_value_t = Profile::Pyradiomics)]
    pub(super) profile: Profile,
    /// A setting that overrides the parameter file, such as binWidth:10; lists are separated by commas.
    #[arg(short, long, value_name = "NAME:VALUE")]
    pub(super) setting: Vec<String>,
    #[command(flatten)]
    pub(super) threads: Threads,
    /// Only check the parameter file and that the files of all cases exist.
    #[arg(long)]
    pub(super) validate: bool,
    /// File for the output, instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// Add to the file of --out, where it is there, as PyRadiomics does. Several programs may add to one file.
    #[arg(long, requires = "out", conflicts_with = "force")]
    pub(super) append: bool,
    #[command(flatten)]
    pub(super) overwriting: Overwriting,
    /// Folder for one CSV file per finished case, and for feature maps. A case is not computed again as long as its
    /// files, the parameters and the version of this program are those of its file there.
    #[arg(long, visible_alias = "od", value_name = "DIR")]
    pub(super) out_dir: Option<PathBuf>,
    /// End with exit code 0 although cases failed, and leave out settings of PyRadiomics that make no sense with a
    /// warning, as it does. A fault of an IBSI profile ends the command all the same.
    #[arg(long)]
    pub(super) keep_going: bool,
    /// Features of the region, maps with a value for each of its voxels, or the images that features are computed on:
    /// image and mask after normalisation, resampling, cropping and resegmentation, the filtered images, and the grey
    /// levels of each. Maps and images go as NRRD to --out-dir, or without it to the current folder.
    #[arg(short, long, value_enum, default_value_t = Mode::Segment)]
    pub(super) mode: Mode,
    /// Leave out features that are not defined (NaN).
    #[arg(long)]
    pub(super) skip_nans: bool,
    /// Format of the output.
    #[arg(short, long, value_enum, default_value_t = TableFormat::Txt)]
    pub(super) format: TableFormat,
    /// The same as --format json.
    #[arg(long, conflicts_with = "format")]
    pub(super) json: bool,
    /// How the paths of image and mask are written.
    #[arg(long, value_enum, default_value_t = PathFormat::Absolute)]
    pub(super) format_path: PathFormat,
    /// Write paths with forward slashes.
    #[arg(long, visible_alias = "up")]
    pub(super) unix_path: bool,
    /// Least severe messages that go into the log file.
    #[arg(long, value_enum, default_value_t = Level::Warning, ignore_case = true)]
    pub(super) logging_level: Level,
    /// File to append messages to.
    #[arg(long, value_name = "FILE")]
    pub(super) log_file: Option<PathBuf>,
    /// How much is reported on the terminal: 1 critical errors, 2 errors, 3 warnings, 4 progress, 5 everything.
    #[arg(short, long, value_name = "1-5", default_value_t = 3, num_args = 0..=1, default_missing_value = "4", value_parser = clap::value_parser!(u8).range(1..=5))]
    pub(super) verbosity: u8,
    /// Label of the region in the mask, where the CSV file has no column for it.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) label: Option<u32>,
    /// Name of the region in DICOM structure sets and segmentations; where they have only one it need not be named.
    #[arg(long, value_name = "NAME", conflicts_with = "labels")]
    pub(super) roi: Option<String>,
    /// Number of the region: ROI number, segment number, or label.
    #[arg(long, value_name = "N", conflicts_with_all = ["labels", "label", "roi"])]
    pub(super) roi_number: Option<u32>,
    /// Regions to extract from each mask: all labels, some of them (1,2), or the union of all. Each gives a row of its
    /// own.
    #[arg(long, value_name = "all|N,N|union", conflicts_with = "label")]
    pub(super) labels: Option<WantedRegions>,
    /// A row for each connected part of a region (26 neighbours), largest first, with its number in the column
    /// Component; with a number, parts of fewer voxels are left out.
    #[arg(long, value_name = "VOXELS", num_args = 0..=1, require_equals = true, default_missing_value = "1")]
    pub(super) components: Option<usize>,
    /// Extract each axial slice of the region by itself and write the means over the slices, with their number in the
    /// column Slices. Slices in which the region is too small are left out.
    #[arg(long, conflicts_with = "mode")]
    pub(super) slice_means: bool,
    /// Volume of a mask of four dimensions, from 1.
    #[arg(long, value_name = "N")]
    pub(super) mask_volume: Option<usize>,
    #[command(flatten)]
    pub(super) choice: SeriesChoice,
    #[command(flatten)]
    pub(super) drawing: MaskDrawing,
    /// A row for each phase of a dynamic DICOM series, with its number in the column Phase.
    #[arg(long, conflicts_with = "phase")]
    pub(super) all_phases: bool,
    /// One row for a case instead of one for each region and phase: all regions in all phases (with --all-phases) and
    /// in all maps, in columns named REGION_IMAGE_FEATURE, and without diagnostics.
    #[arg(long, conflicts_with_all = ["mode", "slice_means", "out_dir", "sr", "skip_nans"])]
    pub(super) one_row: bool,
    /// Folder with maps of the image, such as those of `alnm kinetics`; for a list the column Maps. Voxels of a map
    /// that are not finite are left out of the regions there.
    #[arg(long, value_name = "DIR", requires = "one_row")]
    pub(super) maps: Option<PathBuf>,
    /// Columns that compare phases: difference from the first, ratio to it, slope per second over all.
    #[arg(long, value_name = "KIND,...", value_enum, value_delimiter = ',', num_args = 1, requires_all = ["one_row", "all_phases"])]
    pub(super) deltas: Vec<Delta>,
    /// Columns that identify the DICOM series: PatientID, StudyInstanceUID, StudyDate, SeriesInstanceUID, SeriesNumber,
    /// SeriesDescription and Modality; empty for other images.
    #[arg(long)]
    pub(super) dicom_columns: bool,
    /// File for the features as a DICOM structured report (TID 1500), or for a list of cases a folder for the reports
    /// of all (Case-1.sr.dcm and so on). The images have to be DICOM series. A report refers to the mask where that is
    /// a DICOM segmentation, else to one that is written beside it (.seg.dcm).
    #[arg(long, value_name = "FILE|DIR", conflicts_with = "out_dir")]
    pub(super) sr: Option<PathBuf>,
    /// Columns of a list of cases with the masks of further readers. Each case is extracted with these too, in rows of
    /// their own; the column Reader holds the name of the mask's column.
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',', num_args = 1, conflicts_with_all = ["mask", "whole_image", "mode", "one_row", "sr"])]
    pub(super) reader_masks: Vec<String>,
    /// File for a table of how far the readers agree on each feature: ICC(2,1) with its interval of 95 %, and whether
    /// it exceeds --icc-above. The study takes it by `reliability` in cohort.toml.
    #[arg(long, value_name = "FILE", requires = "reader_masks", conflicts_with = "shard")]
    pub(super) reliability: Option<PathBuf>,
    /// Intraclass correlation that a reliable feature exceeds.
    #[arg(long, value_name = "X", default_value_t = 0.75, requires = "reliability", allow_negative_numbers = true)]
    pub(super) icc_above: f64,
    /// Only this part of the cases, for arrays of jobs: 1/8 to 8/8. The parts' numbers of cases stay those of the
    /// whole.
    #[arg(long, value_name = "I/N")]
    pub(super) shard: Option<Shard>,
}

impl ExtractArgs {
    /// Refuses options that say nothing without another one. That other one may conflict with a third, and then clap
    /// does not ask for it.
    pub(super) fn check(&self) -> Result<()> {
        require(
            self.reliability.is_none() || !self.reader_masks.is_empty(),
            "--reliability compares the outlines of readers; name a list of cases and its columns by --reader-masks",
        )?;
        require(
            self.maps.is_none() || self.one_row,
            "--maps needs --one-row, whose columns are those of the maps too",
        )?;
        require(
            self.deltas.is_empty() || (self.one_row && self.all_phases),
            "--deltas needs --one-row and --all-phases, since it compares phases within a row",
        )
    }

    /// The format of the output.
    pub(super) fn format(&self) -> TableFormat {
        if self.json { TableFormat::Json } else { self.format }
    }
}

/// What is extracted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Mode {
    Segment,
    Voxel,
    Images,
}

/// Whose definitions are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Profile {
    Pyradiomics,
    Ibsi,
}

/// How paths are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum PathFormat {
    Absolute,
    Relative,
    Basename,
}

/// The regions wanted of each mask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WantedRegions {
    /// Every label of the mask by itself.
    EachLabel,
    /// Some labels by themselves.
    Listed(Vec<u32>),
    /// All labels together.
    Union,
}

impl FromStr for WantedRegions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::EachLabel),
            "union" => Ok(Self::Union),
            _ => {
                let labels = text.split(',').map(|label| label.trim().parse().ok().filter(|&label| label > 0));
                labels
                    .collect::<Option<_>>()
                    .map(Self::Listed)
                    .ok_or_else(|| "it has to be all, union or whole numbers above 0".to_owned())
            }
        }
    }
}

/// One of several equal parts of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shard {
    /// From 1.
    index: usize,
    count: usize,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text
            .split_once('/')
            .and_then(|(index, count)| Some(Self { index: index.parse().ok()?, count: count.parse().ok()? }));
        parts
            .filter(|shard| (1..=shard.count).contains(&shard.index))
            .ok_or_else(|| "it has to be I/N with I from 1 to N, such as 3/8".to_owned())
    }
}

impl Shard {
    /// Whether the part holds the case with this number.
    pub(super) fn holds(self, number: usize) -> bool {
        (number - 1) % self.count == self.index - 1
    }
}

/// PyRadiomics has options of two letters after one dash, which stand for these.
pub(crate) fn with_long_names(arguments: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    arguments.map(|argument| match argument.to_str() {
        Some("-od") => "--out-dir".into(),
        Some("-up") => "--unix-path".into(),
        _ => argument,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_cover_every_case_once() {
        let shards: Vec<Shard> = ["1/3", "2/3", "3/3"].iter().map(|text| text.parse().unwrap()).collect();
        for number in 1..20 {
            assert_eq!(shards.iter().filter(|shard| shard.holds(number)).count(), 1);
        }
        for wrong in ["0/3", "4/3", "1", "a/b", "1/0"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn labels_are_read() {
        assert_eq!("all".parse(), Ok(WantedRegions::EachLabel));
        assert_eq!("2, 5".parse(), Ok(WantedRegions::Listed(vec![2, 5])));
        assert!("0".parse::<WantedRegions>().is_err());
    }
}
