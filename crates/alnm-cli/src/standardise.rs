//! `alnm standardise`: one scale of intensities for the images of different scanners.

use std::path::{Path, PathBuf};

use alnm_imaging::mask::MaskParams;
use alnm_imaging::region::Roi;
use alnm_imaging::standardisation::{
    HistogramMatchingParams, IntensityStandard, NyulParams, SiteScale, StripeMode, WhiteStripeParams,
};
use alnm_imaging::{Image, LabelMap, Volume, write_image};
use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand, ValueEnum};
use rayon::prelude::*;

use crate::cases::{Masks, is_list, read_list};
use crate::exit::wrong_use;
use crate::input::{SeriesChoice, noted, open, read_image};
use crate::messages::inform;
use crate::output::{Activity, Overwriting, write_file};
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
    /// File for the scale.
    #[arg(value_name = "SCALE.json")]
    output: PathBuf,
    /// Images of training patients, or one CSV file with the column Image and, where there are masks, Mask. White-stripe
    /// needs none, and site none where its numbers are given.
    #[arg(value_name = "IMAGE|CASES.csv")]
    images: Vec<PathBuf>,
    /// Nyul: percentiles that are landmarks.
    #[arg(long, value_name = "P,P,...", value_delimiter = ',', num_args = 1)]
    percentiles: Vec<f64>,
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
    threads: crate::Threads,
    #[command(flatten)]
    overwriting: Overwriting,
}

/// Bring an image onto a scale that was learned.
#[derive(Debug, Args)]
struct Apply {
    /// The scale.
    #[arg(value_name = "SCALE.json")]
    scale: PathBuf,
    /// Image file or DICOM folder.
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// File for the image, in single precision.
    #[arg(value_name = "OUT")]
    output: PathBuf,
    #[command(flatten)]
    choice: SeriesChoice,
    /// Mask of the voxels that decide; those above 0 where there is none. Histogram matching looks at the whole image.
    #[arg(long, value_name = "FILE")]
    mask: Option<PathBuf>,
    #[command(flatten)]
    threads: crate::Threads,
    #[command(flatten)]
    overwriting: Overwriting,
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
        self.overwriting.check([self.output.as_path()])?;
        self.threads.start()?;
        let images = self.training_images()?;
        let activity = Activity::start("learning");
        let standard = self.learned(&images)?;
        write_file(&self.output, (SCALE.to_json(&standard)? + "\n").as_bytes())?;
        activity.finish();
        inform(format_args!("learned from {} images", images.len()));
        Ok(())
    }

    fn training_images(&self) -> Result<Vec<TrainingImage>> {
        let images: Vec<TrainingImage> = match self.images.as_slice() {
            [list] if is_list(list) => {
                let list = read_list(list, Masks::Unused)?;
                ensure!(list.incomplete.is_empty(), "rows without an image: lines {:?}", list.incomplete);
                // Masks may be there or not; their paths are relative to the list as those of images are.
                let mask = |case: &crate::cases::ListedCase| case.field("Mask").map(PathBuf::from);
                list.cases.iter().map(|case| TrainingImage { image: case.image.clone(), mask: mask(case) }).collect()
            }
            images => images.iter().map(|image| TrainingImage { image: image.clone(), mask: None }).collect(),
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

    fn learned(&self, images: &[TrainingImage]) -> Result<IntensityStandard> {
        Ok(match self.method {
            Method::Nyul => {
                let mut params = NyulParams::default();
                if !self.percentiles.is_empty() {
                    params = params.with_percentiles(self.percentiles.iter().copied());
                }
                let nyul = params.check()?;
                let landmarks = each(images, |image, region| Ok(nyul.landmarks(image, region)?))?;
                IntensityStandard::Nyul(nyul.learn(&landmarks)?)
            }
            Method::HistogramMatching => {
                let params = HistogramMatchingParams::default().with_levels(self.levels);
                let matching = params.with_match_points(self.match_points).check()?;
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
                IntensityStandard::WhiteStripe(params.check()?)
            }
            Method::Site => IntensityStandard::Site(match (self.mean, self.standard_deviation) {
                (Some(mean), Some(standard_deviation)) => SiteScale::new(mean, standard_deviation)?,
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
    let of_training = |training: &TrainingImage| {
        let image = read_image(&training.image)?;
        let mask = training.mask.as_deref().map(|path| read_mask(path, &image)).transpose()?;
        let region = mask.as_ref().map(|mask| Roi::new(mask, 1)).transpose()?;
        of_image(&image, region).with_context(|| training.image.display().to_string())
    };
    images.par_iter().map(of_training).collect()
}

/// The voxels of a mask with any label, on the grid of an image.
fn read_mask(path: &Path, image: &Image) -> Result<LabelMap> {
    let params = MaskParams::default().with_grid(image.geometry().clone());
    let mask = noted(params.check()?.read_with_notes(open(path)?)?);
    let inside = mask.into_data().mapv(|label| u32::from(label != 0));
    Ok(Volume::new(inside, image.geometry().clone())?)
}

impl Apply {
    fn run(self) -> Result<()> {
        self.overwriting.check_images([self.output.as_path()])?;
        self.threads.start()?;
        let shown = self.scale.display();
        let text = std::fs::read_to_string(&self.scale).with_context(|| format!("cannot read {shown}"))?;
        let standard: IntensityStandard =
            SCALE.from_json(&text).with_context(|| format!("{shown} is no scale of `alnm standardise learn`"))?;
        let activity = Activity::start("standardising");
        let image = self.choice.read_image(&self.input)?;
        let mask = self.mask.as_deref().map(|path| read_mask(path, &image)).transpose()?;
        let region = mask.as_ref().map(|mask| Roi::new(mask, 1)).transpose()?;
        write_image(&self.output, &Image::F32(standard.apply(&image, region)?))?;
        activity.finish();
        Ok(())
    }
}
