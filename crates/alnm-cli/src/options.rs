//! Options that several commands have, each under one name. `SeriesChoice` (`--series`, `--phase`, `--volume`) and
//! `MaskDrawing` stand in [`crate::input`], where they are acted on, `Overwriting` (`--force`) in [`crate::output`].

use std::path::{Path, PathBuf};

use alnm_imaging::mask::RegionChoice;
use alnm_imaging::{Image, LabelMap};
use anyhow::{Result, ensure};
use clap::ValueEnum;

use crate::appending::{self, TableKind};
use crate::defaults::Defaults;
use crate::exit::{require, wrong_use};
use crate::messages::{self, Colours, Level};
use crate::output::{self, Overwriting, is_standard_stream};

/// What every command takes, before its name or after it.
#[derive(Debug, Clone, Copy, clap::Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Everywhere {
    /// Say errors alone: no warnings, no progress.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Say more of what is done; with --version, what the program was built with.
    #[arg(long, global = true)]
    verbose: bool,
    /// When messages have colours. `auto` is on a terminal where NO_COLOR is not set.
    #[arg(long, global = true, value_enum, value_name = "WHEN", env = "ALNM_COLOR", hide_env_values = true)]
    color: Option<Colours>,
}

impl Everywhere {
    /// Sets for the whole run what is said, and how.
    pub(crate) fn apply(self, defaults: &Defaults) {
        let told = match (self.quiet, self.verbose) {
            (true, _) => Level::Error,
            (_, true) => Level::Detail,
            _ => Level::Info,
        };
        messages::set(told, self.color.or(defaults.color).unwrap_or_default());
    }
}

/// How many threads a command uses.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Threads {
    /// Threads; all of the machine by default. The result does not depend on them.
    #[arg(
        short = 'j',
        long,
        visible_alias = "jobs",
        value_name = "N",
        env = "ALNM_THREADS",
        hide_env_values = true,
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    threads: Option<u16>,
}

impl Threads {
    /// How many are asked for; 0 for all of the machine.
    pub(crate) fn count(self) -> usize {
        self.threads.or(Defaults::of_user().threads).map_or(0, usize::from)
    }

    /// Sets the size of the pool that all parallel work of this process shares.
    pub(crate) fn start(self) -> Result<()> {
        Ok(rayon::ThreadPoolBuilder::new().num_threads(self.count()).build_global()?)
    }
}

/// Which region of a mask is meant.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct RegionOptions {
    /// Region whose voxels have this label. Without it the region is 1 for features, networks, N4 and rings, and every
    /// label for all else.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) label: Option<u32>,
    /// Region of this name, in DICOM structure sets and segmentations and in segmentations of 3D Slicer.
    #[arg(long, value_name = "NAME", conflicts_with = "label")]
    pub(crate) roi: Option<String>,
    /// Region of this number: ROI number, segment number, or label.
    #[arg(long, value_name = "N", conflicts_with_all = ["label", "roi"])]
    pub(crate) roi_number: Option<u32>,
}

impl RegionOptions {
    /// Whether a region is chosen.
    pub(crate) fn is_any(&self) -> bool {
        self.label.is_some() || self.choice().is_some()
    }

    /// The region by name or number, which is then read as a mask of the label 1.
    pub(crate) fn choice(&self) -> Option<RegionChoice> {
        self.roi.as_deref().map(RegionChoice::from).or(self.roi_number.map(RegionChoice::from))
    }

    /// The voxels of a mask that was read by [`RegionOptions::choice`]: where a label is asked for, those of it alone.
    pub(crate) fn kept(&self, mut mask: LabelMap, path: &Path) -> Result<LabelMap> {
        if let Some(wanted) = self.label {
            ensure!(mask.as_slice().contains(&wanted), "{} has no voxel of label {wanted}", path.display());
            mask.as_mut_slice().iter_mut().filter(|label| **label != wanted).for_each(|label| *label = 0);
        }
        Ok(mask)
    }

    /// The label that the voxels of the region have in the mask that was read by [`RegionOptions::choice`].
    pub(crate) fn label(&self) -> u32 {
        if self.choice().is_some() { 1 } else { self.label.unwrap_or(1) }
    }
}

/// Form of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ResultFormat {
    #[value(alias = "txt")]
    Text,
    Csv,
    Json,
}

/// Where a result goes, and in which form.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ResultOptions {
    /// File for the result instead of standard output; `-` is standard output.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Form of the result; by default that of the suffix of --out (.csv, .json), else text.
    #[arg(short, long, value_enum)]
    format: Option<ResultFormat>,
    /// The same as --format json.
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Add to the file of --out, where it is there: rows to a CSV table, objects to a JSON list.
    #[arg(long, requires = "out", conflicts_with = "force")]
    append: bool,
    #[command(flatten)]
    pub(crate) overwriting: Overwriting,
}

impl ResultOptions {
    /// The form that is asked for.
    pub(crate) fn format(&self) -> ResultFormat {
        let suffix = self.out.as_ref().and_then(|path| path.extension()).map(std::ffi::OsStr::to_ascii_lowercase);
        match (self.format, suffix.as_ref().and_then(|suffix| suffix.to_str())) {
            _ if self.json => ResultFormat::Json,
            (Some(format), _) => format,
            (None, Some("csv")) => ResultFormat::Csv,
            (None, Some("json")) => ResultFormat::Json,
            (None, _) => ResultFormat::Text,
        }
    }

    /// Refuses, before any work is done, what cannot be written in the end.
    pub(crate) fn check(&self) -> Result<()> {
        match &self.out {
            Some(path) if self.append => appending::check(path, self.table_kind()),
            Some(path) => self.overwriting.check_files([path.as_path()]),
            None => Ok(()),
        }
    }

    /// Writes the result, which is of the form that [`ResultOptions::format`] says.
    pub(crate) fn write(&self, text: &str) -> Result<()> {
        match &self.out {
            Some(path) if self.append && !is_standard_stream(path) => {
                appending::append_to(path, self.table_kind(), text.as_bytes())
            }
            Some(path) => output::write_file(path, text.as_bytes()),
            None => output::print(text),
        }
    }

    fn table_kind(&self) -> TableKind {
        match self.format() {
            ResultFormat::Text => TableKind::Lines,
            ResultFormat::Csv => TableKind::Csv,
            ResultFormat::Json => TableKind::JsonList,
        }
    }
}

/// Format of an image that goes to standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StreamFormat {
    #[value(name = "nrrd")]
    Nrrd,
    #[value(name = "nii")]
    Nifti,
    #[value(name = "nii.gz")]
    NiftiCompressed,
    #[value(name = "mha")]
    MetaImage,
}

impl StreamFormat {
    fn suffix(self) -> &'static str {
        match self {
            Self::Nrrd => "nrrd",
            Self::Nifti => "nii",
            Self::NiftiCompressed => "nii.gz",
            Self::MetaImage => "mha",
        }
    }
}

/// How images are written: to files, or `-` to standard output.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct ImageOutput {
    /// Format of an image that goes to standard output (`-`); nrrd by default. The suffix of a file says that of a file.
    #[arg(long = "as", value_enum, value_name = "FORMAT")]
    stream: Option<StreamFormat>,
    #[command(flatten)]
    pub(crate) overwriting: Overwriting,
}

impl ImageOutput {
    /// Refuses, before any work is done, what cannot be written in the end; see [`Overwriting::check_images`].
    pub(crate) fn check<'a>(self, outputs: impl IntoIterator<Item = &'a Path>) -> Result<()> {
        let (streams, files): (Vec<&Path>, Vec<&Path>) = outputs.into_iter().partition(|path| is_standard_stream(path));
        if let Some(file) = files.first().filter(|_| streams.is_empty()) {
            self.refuse_stream_format(file)?;
        }
        if streams.len() > 1 {
            return Err(wrong_use("standard output (-) takes one image; name a file for the others"));
        }
        self.overwriting.check_images(files)
    }

    /// Refuses --as where it would be without effect.
    pub(crate) fn refuse_stream_format(self, file: &Path) -> Result<()> {
        require(
            self.stream.is_none(),
            &format!(
                "--as is the format of an image on standard output (-); the format of {} is that of its suffix",
                file.display()
            ),
        )
    }

    /// Writes an image.
    pub(crate) fn write(self, path: &Path, image: &Image) -> Result<()> {
        let _whole = crate::interrupt::while_writing();
        if is_standard_stream(path) {
            return self.stream(|file| Ok(alnm_imaging::write_image(file, image)?));
        }
        Ok(alnm_imaging::write_image(path, image)?)
    }

    /// Writes a mask with the smallest voxels that hold its labels.
    pub(crate) fn write_mask(self, path: &Path, mask: &LabelMap) -> Result<()> {
        let _whole = crate::interrupt::while_writing();
        if is_standard_stream(path) {
            return self.stream(|file| Ok(alnm_imaging::write_mask(file, mask)?));
        }
        Ok(alnm_imaging::write_mask(path, mask)?)
    }

    /// Writes phases or volumes into one file of four dimensions, `step` seconds apart.
    pub(crate) fn write_volumes(self, path: &Path, images: &[Image], step: f64) -> Result<()> {
        let _whole = crate::interrupt::while_writing();
        if is_standard_stream(path) {
            return self.stream(|file| Ok(alnm_imaging::file::write_volumes(file, images, step)?));
        }
        Ok(alnm_imaging::file::write_volumes(path, images, step)?)
    }

    /// What is written to a file of the format asked for, on standard output.
    fn stream(self, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join(format!("image.{}", self.stream.unwrap_or(StreamFormat::Nrrd).suffix()));
        write(&file)?;
        output::print_bytes(&std::fs::read(&file)?)
    }
}

/// The file that a command writes: by its place on the command line or, as with commands that have it, by --out.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub(crate) struct OutputFile {
    /// File to write; `-` is standard output.
    #[arg(value_name = "OUT", required_unless_present = "out")]
    output: Option<PathBuf>,
    /// The same as OUT.
    #[arg(short, long, value_name = "FILE", conflicts_with = "output")]
    out: Option<PathBuf>,
}

impl std::ops::Deref for OutputFile {
    type Target = Path;

    fn deref(&self) -> &Path {
        // One of the two is there, or the command line was refused.
        self.output.as_deref().or(self.out.as_deref()).unwrap_or(Path::new(""))
    }
}

/// Numbers from 0 along the axes x, y and z: three of them, or one for all, with commas, blanks or `x` between them and
/// `mm` behind. Two of them are for an image of two dimensions, and 0 stands for its third axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PerAxis {
    pub(crate) along: [f64; 3],
    pub(crate) is_planar: bool,
}

impl std::str::FromStr for PerAxis {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let List(numbers) = without_unit(text, "mm").parse::<List<Finite>>()?;
        let numbers: Vec<f64> = numbers.into_iter().map(|Finite(number)| number).collect();
        if let Some(below) = numbers.iter().find(|number| **number < 0.0) {
            return Err(format!("{below} is below 0"));
        }
        match *numbers.as_slice() {
            [all] => Ok(Self { along: [all; 3], is_planar: false }),
            [x, y] => Ok(Self { along: [x, y, 0.0], is_planar: true }),
            [x, y, z] => Ok(Self { along: [x, y, z], is_planar: false }),
            _ => Err(format!("{} numbers are given; one or three are needed, such as 1 or 1,1,3", numbers.len())),
        }
    }
}

/// The level of intervals, above 0 and below 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct IntervalLevel(pub(crate) f64);

impl std::fmt::Display for IntervalLevel {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(to)
    }
}

impl std::str::FromStr for IntervalLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let level = text.trim().parse().ok().filter(|level: &f64| *level > 0.0 && *level < 1.0);
        level.map(Self).ok_or_else(|| format!("{text:?} is no number above 0 and below 1, such as 0.95"))
    }
}

/// Two numbers, the smaller one first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Range(pub(crate) [f64; 2]);

impl std::str::FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let List(numbers) = text.parse::<List<Finite>>()?;
        match *numbers.iter().map(|Finite(number)| *number).collect::<Vec<_>>().as_slice() {
            [low, high] if low < high => Ok(Self([low, high])),
            [low, high] => Err(format!("{low} is not below {high}; the smaller number comes first")),
            ref numbers => Err(format!("{} numbers are given; two are needed, such as 10,200", numbers.len())),
        }
    }
}

/// A list as people write one: with commas between its parts or, where there is none, with `x` or blanks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct List<T>(pub(crate) Vec<T>);

impl<T: std::str::FromStr<Err: std::fmt::Display>> std::str::FromStr for List<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = match text.trim() {
            "" => return Err("no number is given".to_owned()),
            text if text.contains(',') => text.split(',').map(str::trim).collect(),
            text if text.contains(['x', 'X']) => text.split(['x', 'X']).map(str::trim).collect(),
            text => text.split_whitespace().collect(),
        };
        let part = |part: &str| part.parse().map_err(|error| format!("{part:?}: {error}"));
        parts.into_iter().map(part).collect::<Result<_, _>>().map(Self)
    }
}

/// A number that is neither infinite nor NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Finite(pub(crate) f64);

impl std::str::FromStr for Finite {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().ok().filter(|number: &f64| number.is_finite()).map(Self).ok_or("this is no number")
    }
}

/// A text without the unit behind it, which may be in capitals.
pub(crate) fn without_unit<'a>(text: &'a str, unit: &str) -> &'a str {
    let text = text.trim();
    let start = text.len().checked_sub(unit.len()).filter(|&start| text.is_char_boundary(start));
    let start = start.filter(|&start| text[start..].eq_ignore_ascii_case(unit));
    start.map_or(text, |start| text[..start].trim_end())
}

/// Millimetres, with their unit or without.
pub(crate) fn millimetres(text: &str) -> Result<f64, String> {
    number_of(text, "mm")
}

/// Milliseconds, with their unit or without.
pub(crate) fn milliseconds(text: &str) -> Result<f64, String> {
    number_of(text, "ms")
}

fn number_of(text: &str, unit: &str) -> Result<f64, String> {
    let number = without_unit(text, unit);
    number.parse().map(|Finite(number)| number).map_err(|_| format!("{number:?} is no number of {unit}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spacings_are_read_as_people_write_them() {
        let along = |text: &str| text.parse::<PerAxis>().map(|PerAxis { along, is_planar }| (along, is_planar));
        for text in ["1", "1,1,1", "1x1x1mm", "1X1X1MM", "1 1 1", "1mm", "1 mm", " 1, 1, 1 ", "1 x 1 x 1"] {
            assert_eq!(along(text), Ok(([1.0; 3], false)), "{text}");
        }
        assert_eq!(along("0.5x0.5x2"), Ok(([0.5, 0.5, 2.0], false)));
        assert_eq!(along("2,3"), Ok(([2.0, 3.0, 0.0], true)));
        for wrong in ["1,a,1", "", "1,1,1,1", "nan", "-1", "1x"] {
            assert!(wrong.parse::<PerAxis>().is_err(), "{wrong}");
        }
        assert!(along("1,1,x").unwrap_err().starts_with("\"x\": this is no number"));
    }

    #[test]
    fn lists_are_read_as_people_write_them() {
        for text in ["5,3", "5x3", "5 3", "5, 3", "5X3"] {
            assert_eq!(text.parse(), Ok(List(vec![5_usize, 3])), "{text}");
        }
        for wrong in ["", "5,", "5,,3", "5;3", "5,x"] {
            assert!(wrong.parse::<List<usize>>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn units_may_stand_behind_numbers() {
        assert_eq!(["20", "20ms", "20 MS"].map(milliseconds), [Ok(20.0), Ok(20.0), Ok(20.0)]);
        assert!(milliseconds("20 s").is_err() && millimetres("2ms").is_err());
    }

    #[test]
    fn levels_are_shares() {
        assert_eq!("0.9".parse(), Ok(IntervalLevel(0.9)));
        for wrong in ["0", "1", "95", "x", "nan"] {
            assert!(wrong.parse::<IntervalLevel>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn ranges_have_two_numbers_in_order() {
        assert_eq!("-100,240".parse(), Ok(Range([-100.0, 240.0])));
        for wrong in ["5", "2,1", "1,1", "1,2,3", "a,b"] {
            assert!(wrong.parse::<Range>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_region_by_name_or_number_is_read_with_the_label_one() {
        let region = RegionOptions { roi_number: Some(7), ..RegionOptions::default() };
        assert_eq!((region.choice(), region.label()), (Some(RegionChoice::Number(7)), 1));
        let region = RegionOptions { label: Some(7), ..RegionOptions::default() };
        assert_eq!((region.choice(), region.label()), (None, 7));
    }
}
