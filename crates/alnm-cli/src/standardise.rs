//! `alnm standardise`: one scale of intensities for the images of different scanners.

use std::path::{Path, PathBuf};

use alnm_imaging::region::Roi;
use alnm_imaging::standardisation::{
    HistogramMatchingParams, IntensityStandard, NyulParams, SiteScale, StripeMode, WhiteStripeParams,
};
use alnm_imaging::{Image, LabelMap};
use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand, ValueEnum};
use rayon::prelude::*;

use crate::cases::{ListedCase, Masks, is_list, read_list};
use crate::exit::{require, wrong_use, wrong_value};
use crate::input::{ChosenImage, MaskChoice, SeriesChoice, read_text};
use crate::messages::inform;
use crate::options::{ImageOutput, List, OutputFile};
use crate::output::{Activity, Overwriting};
use crate::progress::Counted;
use crate::saved::SCALE;

/// Learn one scale of intensities on some images, and bring others onto it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  alnm standardise learn nyul scale.json training.csv
  alnm standardise apply scale.json image.nii.gz standardised.nii.gz --mask breast.nii.gz
  alnm standardise learn site scale.json --mean 0 --standard-deviation 1      # z-scores")]
pub(crate) struct Standardise {
    #[command(subcommand)]
    command: StandardiseCommand,
}

#[derive(Debug, Subcommand)]
enum StandardiseCommand {
    Learn(Learn),
    Apply(Apply),
}

/// Learn a scale and save it as JSON. Of each image the mask, or where it has none its voxels above 0, decide.
#[derive(Debug, Args)]
struct Learn {
    /// The method: landmarks of Nyul, quantiles of a reference, a stripe around a mode, or the mean and standard
    /// deviation of a site.
    #[arg(value_enum)]
    method: Method,
    /// File for the scale; `-` is standard output.
    #[arg(value_name = "SCALE.json")]
    output: PathBuf,
    /// Images of training patients, or one CSV file with the column Image and, where there are masks, Mask.
    /// White-stripe needs none, and site none where its numbers are given. `-` is an image or a list from standard
    /// input.
    #[arg(value_name = "IMAGE|CASES.csv")]
    images: Vec<PathBuf>,
    /// Nyul: percentiles that are landmarks.
    #[arg(long, value_name = "P,P,...")]
    percentiles: Option<List<f64>>,
    /// Histogram matching: bins.
    #[arg(long, value_name = "N", default_value_t = 256)]
    levels: usize,
    /// Histogram matching: quantiles that are matched.
    #[arg(long, value_name = "N", default_value_t = 7)]
    match_points: usize,
    /// White-stripe: which mode.
    #[arg(long, value_enum, default_value_t = Mode::Last)]
    mode: Mode,
    /// White-stripe: share of the intensities on each side of the mode.
    #[arg(long, value_name = "X", default_value_t = 0.05)]
    width: f64,
    /// Site: its mean, instead of images.
    #[arg(
        long,
        value_name = "X",
        requires = "standard_deviation",
        conflicts_with = "images",
        allow_negative_numbers = true
    )]
    mean: Option<f64>,
    /// Site: its standard deviation, instead of images.
    #[arg(long, value_name = "X", requires = "mean")]
    standard_deviation: Option<f64>,
    #[command(flatten)]
    choice: SeriesChoice,
    #[command(flatten)]
    region: MaskChoice,
    #[command(flatten)]
    threads: crate::Threads,
    #[command(flatten)]
    overwriting: Overwriting,
}

/// Bring an image onto a scale that was learned; it is written in single precision.
#[derive(Debug, Args)]
struct Apply {
    /// The scale; `-` is standard input.
    #[arg(value_name = "SCALE.json")]
    scale: PathBuf,
    /// Image file or DICOM folder; `-` is standard input.
    #[arg(value_name = "IN")]
    input: PathBuf,
    #[command(flatten)]
    output: OutputFile,
    #[command(flatten)]
    choice: SeriesChoice,
    /// Mask of the voxels from which the scale of this image is determined; without a mask the voxels above 0.
    /// Histogram matching uses the whole image.
    #[arg(long, value_name = "FILE")]
    mask: Option<PathBuf>,
    #[command(flatten)]
    region: MaskChoice,
    #[command(flatten)]
    threads: crate::Threads,
    #[command(flatten)]
    written: ImageOutput,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Method {
    Nyul,
    HistogramMatching,
    WhiteStripe,
    Site,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Mode {
    Last,
    Largest,
    First,
}

/// An image with the mask of the voxels that decide.
struct TrainingImage {
    image: PathBuf,
    mask: Option<PathBuf>,
    choice: SeriesChoice,
    region: MaskChoice,
}

impl Standardise {
    pub(crate) fn run(self) -> Result<()> {
        match self.command {
            StandardiseCommand::Learn(command) => command.run(),
            StandardiseCommand::Apply(command) => command.run(),
        }
    }
}

impl Learn {
    fn run(self) -> Result<()> {
        self.overwriting.check_files([self.output.as_path()])?;
        // Where images are named, clap does not ask for the mean, which conflicts with them.
        require(
            self.standard_deviation.is_none() || self.mean.is_some(),
            "--standard-deviation needs --mean, and both stand instead of images",
        )?;
        self.threads.start()?;
        let images = self.training_images()?;
        let standard = self.learned(&images)?;
        let text = SCALE.to_json(&standard)? + "\n";
        self.overwriting.write_file(&self.output, text.as_bytes())?;
        inform(format_args!("learned from {} images", images.len()));
        Ok(())
    }

    fn training_images(&self) -> Result<Vec<TrainingImage>> {
        let images: Vec<TrainingImage> = match self.images.as_slice() {
            [path] if is_list(path) => {
                let list = read_list(path, Masks::Unused)?;
                ensure!(list.incomplete.is_empty(), "rows without an image: lines {:?}", list.incomplete);
                list.cases.into_iter().map(|case| self.training_image(case, path)).collect::<Result<_>>()?
            }
            images => {
                require(
                    !self.region.region.is_any(),
                    "--label, --roi and --roi-number choose a region of the masks of a list; name a CSV file with the column Mask",
                )?;
                let of_path = |image: &PathBuf| TrainingImage {
                    image: image.clone(),
                    mask: None,
                    choice: self.choice.clone(),
                    region: MaskChoice::default(),
                };
                images.iter().map(of_path).collect()
            }
        };
        let needs_images = match self.method {
            Method::WhiteStripe => false,
            Method::Site => self.mean.is_none(),
            Method::Nyul | Method::HistogramMatching => true,
        };
        if needs_images && images.is_empty() {
            return Err(wrong_use("no image to learn from; name images of training patients, or a CSV file of them"));
        }
        Ok(images)
    }

    /// An image of a list, which may have a mask or not.
    fn training_image(&self, case: ListedCase, list: &Path) -> Result<TrainingImage> {
        let (region, choice) = case.choices(list, &self.region.region, &self.choice)?;
        let region = MaskChoice { region, ..self.region.clone() };
        // The path is relative to the list, as that of the image is.
        let mask = case.field("Mask").map(PathBuf::from);
        Ok(TrainingImage { image: case.image, mask, choice, region })
    }

    fn learned(&self, images: &[TrainingImage]) -> Result<IntensityStandard> {
        Ok(match self.method {
            Method::Nyul => {
                let mut params = NyulParams::default();
                if let Some(List(percentiles)) = &self.percentiles {
                    params = params.with_percentiles(percentiles.iter().copied());
                }
                let nyul = params.check().map_err(wrong_value)?;
                let landmarks = each(images, |image, region| Ok(nyul.landmarks(image, region)?))?;
                IntensityStandard::Nyul(nyul.learn(&landmarks)?)
            }
            Method::HistogramMatching => {
                let params = HistogramMatchingParams::default().with_levels(self.levels);
                let matching = params.with_match_points(self.match_points).check().map_err(wrong_value)?;
                let references = each(images, |image, _| Ok(matching.reference(image)?))?;
                IntensityStandard::HistogramMatching(matching.learn(&references)?)
            }
            Method::WhiteStripe => {
                let mode = match self.mode {
                    Mode::Last => StripeMode::Last,
                    Mode::Largest => StripeMode::Largest,
                    Mode::First => StripeMode::First,
                };
                let params = WhiteStripeParams::default().with_mode(mode).with_width(self.width);
                IntensityStandard::WhiteStripe(params.check().map_err(wrong_value)?)
            }
            Method::Site => IntensityStandard::Site(match (self.mean, self.standard_deviation) {
                (Some(mean), Some(standard_deviation)) => {
                    SiteScale::new(mean, standard_deviation).map_err(wrong_value)?
                }
                _ => SiteScale::learn(&each(images, |image, region| Ok(SiteScale::of_image(image, region)?))?)?,
            }),
        })
    }
}

/// What each image gives, in their order; one image of each thread is in memory.
fn each<T: Send>(
    images: &[TrainingImage],
    of_image: impl Fn(&Image, Option<Roi<'_>>) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let progress = Counted::start("images", images.len());
    let of_training = |training: &TrainingImage| -> Result<T> {
        let chosen = training.choice.read(&training.image)?;
        let mask = training.mask.as_deref().map(|path| inside(&training.region, &chosen, path)).transpose()?;
        let region = region_of(mask.as_ref(), training.mask.as_deref())?;
        let found = of_image(&chosen.image, region).with_context(|| training.image.display().to_string())?;
        progress.advance();
        Ok(found)
    };
    images.par_iter().map(of_training).collect()
}

/// The voxels of the regions of a mask that are meant, as label 1, on the grid of an image.
fn inside(choice: &MaskChoice, chosen: &ChosenImage, path: &Path) -> Result<LabelMap> {
    choice.read_inside(chosen.image.geometry(), chosen.frame_of_reference.as_deref(), path)
}

/// The region of a mask; an empty one is a fault of its file.
fn region_of<'a>(mask: Option<&'a LabelMap>, path: Option<&Path>) -> Result<Option<Roi<'a>>> {
    let region = mask.map(|mask| Roi::new(mask, 1)).transpose();
    region.with_context(|| path.unwrap_or(Path::new("")).display().to_string())
}

impl Apply {
    fn run(self) -> Result<()> {
        self.written.check([&*self.output])?;
        require(
            self.mask.is_some() || !self.region.region.is_any(),
            "--label, --roi and --roi-number choose a region of --mask; name the mask",
        )?;
        self.threads.start()?;
        let standard: IntensityStandard = SCALE
            .from_json(&read_text(&self.scale)?)
            .with_context(|| format!("cannot read {}, which `alnm standardise learn` makes", self.scale.display()))?;
        require(
            self.mask.is_none() || standard.takes_region(),
            "histogram matching looks at the whole image, not at a region; leave --mask away",
        )?;
        let activity = Activity::start("reading");
        let chosen = self.choice.read(&self.input)?;
        let mask = self.mask.as_deref().map(|path| inside(&self.region, &chosen, path)).transpose()?;
        let region = region_of(mask.as_ref(), self.mask.as_deref())?;
        let progress = Counted::start("slices", 0);
        let standardised = standard.apply_with(&chosen.image, region, &progress.observer())?;
        progress.finish();
        activity.next("writing");
        self.written.write(&self.output, &Image::F32(standardised))?;
        activity.finish();
        Ok(())
    }
}
