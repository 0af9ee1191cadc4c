//! `alnm resample`: onto another grid.

use std::path::{Path, PathBuf};
use std::time::Instant;

use alnm_imaging::dicom::MaskFile;
use alnm_imaging::resample::{Interpolator, resample, resample_image_with, spacing_grid};
use alnm_imaging::{FileFormat, Geometry, LabelMap};
use clap::ValueEnum;

use crate::exit::wrong_use;
use crate::input::{ChosenImage, MaskDrawing, SeriesChoice, noted, open};
use crate::messages::{inform, warn};
use crate::options::{ImageOutput, OutputFile, PerAxis, RegionOptions};
use crate::progress::{Activity, Counted};

/// Resample an image or a mask to a spacing, or onto the grid of another image, as ITK does.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  alnm resample image.nii.gz isotropic.nii.gz --spacing 1
  alnm resample image.nii.gz thin.nii.gz --spacing 0,0,1 --interpolator lanczos-sinc
  alnm resample mask.nii.gz mask-on-image.nii.gz --like image.nii.gz --interpolator nearest
  alnm resample structures.dcm gtv.nii.gz --like ct-folder --roi GTV-1

A structure set or segmentation is drawn on the grid; its regions stay labels, by the nearest voxel.")]
pub(crate) struct Resample {
    /// Image file, DICOM folder, or DICOM mask (RTSTRUCT, SEG) or a folder of one; `-` is standard input.
    #[arg(value_name = "IN")]
    input: PathBuf,
    #[command(flatten)]
    output: OutputFile,
    #[command(flatten)]
    choice: SeriesChoice,
    /// New spacing in mm along x, y and z, or one for all (two for an image of two dimensions); 0 keeps an axis.
    #[arg(long, value_name = "X,Y,Z", required_unless_present = "like", conflicts_with = "like")]
    spacing: Option<PerAxis>,
    /// Image whose grid is taken.
    #[arg(long, value_name = "FILE")]
    like: Option<PathBuf>,
    /// How values between voxels are found; by default bspline for images and nearest for DICOM masks. `nearest` and
    /// `label-gaussian` are the only ones that keep labels.
    #[arg(long, value_enum)]
    interpolator: Option<Method>,
    /// Value of voxels outside the input.
    #[arg(long, value_name = "X", default_value_t = 0.0, allow_negative_numbers = true)]
    outside: f64,
    #[command(flatten)]
    region: RegionOptions,
    #[command(flatten)]
    drawing: MaskDrawing,
    #[command(flatten)]
    threads: crate::Threads,
    #[command(flatten)]
    written: ImageOutput,
}

/// The interpolators, also under the names of SimpleITK.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Method {
    /// The nearest voxel.
    #[value(alias = "sitkNearestNeighbor")]
    Nearest,
    /// Linear on each axis.
    #[value(alias = "sitkLinear")]
    Linear,
    /// The interpolating cubic B-spline.
    #[value(alias = "sitkBSpline")]
    Bspline,
    /// A Gaussian with a deviation of 0.8 voxels.
    #[value(alias = "sitkGaussian")]
    Gaussian,
    /// The label that weighs most under a Gaussian.
    #[value(alias = "sitkLabelGaussian")]
    LabelGaussian,
    /// A sinc in Hamming's window.
    #[value(alias = "sitkHammingWindowedSinc")]
    HammingSinc,
    /// A sinc in the window of a cosine.
    #[value(alias = "sitkCosineWindowedSinc")]
    CosineSinc,
    /// A sinc in Welch's window.
    #[value(alias = "sitkWelchWindowedSinc")]
    WelchSinc,
    /// A sinc in Lanczos' window.
    #[value(alias = "sitkLanczosWindowedSinc")]
    LanczosSinc,
    /// A sinc in Blackman's window.
    #[value(alias = "sitkBlackmanWindowedSinc")]
    BlackmanSinc,
}

impl Method {
    fn interpolator(self) -> Interpolator {
        match self {
            Self::Nearest => Interpolator::Nearest,
            Self::Linear => Interpolator::Linear,
            Self::Bspline => Interpolator::BSpline,
            Self::Gaussian => Interpolator::Gaussian,
            Self::LabelGaussian => Interpolator::LabelGaussian,
            Self::HammingSinc => Interpolator::HammingSinc,
            Self::CosineSinc => Interpolator::CosineSinc,
            Self::WelchSinc => Interpolator::WelchSinc,
            Self::LanczosSinc => Interpolator::LanczosSinc,
            Self::BlackmanSinc => Interpolator::BlackmanSinc,
        }
    }

    fn keeps_labels(self) -> bool {
        matches!(self, Self::Nearest | Self::LabelGaussian)
    }
}

impl Resample {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        self.written.check([&*self.output])?;
        self.threads.start()?;
        let activity = Activity::start("reading");
        let source = open(&self.input)?;
        let start = Instant::now();
        if source.format() == FileFormat::Dicom {
            let folder = source.dicom_folder()?;
            // In a folder with images a mask is one of them.
            if folder.series().is_empty()
                && let Some(mask) = folder.only_mask()?
            {
                let mask = self.mask(mask)?;
                activity.next("writing");
                self.written.write_mask(&self.output, &mask)?;
                activity.finish();
                tell(mask.geometry(), start);
                return Ok(());
            }
            return self.image(self.choice.read_folder(&folder, &|odd| warn(odd))?, &activity);
        }
        self.image(self.choice.read_chosen(source, &|odd| warn(odd))?, &activity)
    }

    fn image(&self, chosen: ChosenImage, activity: &Activity) -> anyhow::Result<()> {
        if self.region.is_any() {
            return Err(wrong_use(
                "--label, --roi and --roi-number choose a region of a DICOM structure set or segmentation; an image is \
                 resampled here",
            ));
        }
        let image = chosen.image;
        let grid = self.grid(image.geometry())?;
        if let Some(like) = self.like.as_deref().filter(|_| !grid.meets(image.geometry())) {
            warn(format_args!(
                "{} and {} do not overlap: every voxel of the result is {}",
                self.input.display(),
                like.display(),
                self.outside
            ));
        }
        let (start, progress) = (Instant::now(), Counted::start("rows of voxels", 0));
        let method = self.interpolator.unwrap_or(Method::Bspline).interpolator();
        let resampled = resample_image_with(&image, &grid, method, self.outside, &progress.observer())?;
        progress.finish();
        activity.next("writing");
        self.written.write(&self.output, &resampled)?;
        activity.finish();
        tell(&grid, start);
        Ok(())
    }

    /// The grid that is asked for, for an image on this one.
    fn grid(&self, old: &Geometry) -> anyhow::Result<Geometry> {
        match (&self.like, self.spacing) {
            (Some(path), _) => Ok(read_like(path)?.image.geometry().clone()),
            (None, Some(PerAxis { is_planar: true, .. })) if old.dimension() == 3 => Err(wrong_use(
                "--spacing gives 2 numbers for an image of three dimensions; one or three are needed, such as 1 or 1,1,3",
            )),
            (None, Some(PerAxis { along, .. })) => Ok(spacing_grid(old, along)?),
            (None, None) => Err(wrong_use("a grid is needed: name a --spacing, or an image by --like")),
        }
    }

    /// The regions of a DICOM mask on the grid.
    fn mask(&self, file: &MaskFile) -> anyhow::Result<LabelMap> {
        let method = self.interpolator.unwrap_or(Method::Nearest);
        if !method.keeps_labels() {
            return Err(wrong_use("labels are resampled by --interpolator nearest or label-gaussian"));
        }
        let like = self.like.as_deref().map(read_like).transpose()?;
        let mut params = match &like {
            Some(chosen) => self.drawing.for_image(chosen),
            None => self.drawing.apply(alnm_imaging::mask::MaskParams::default()),
        };
        params.region = self.region.choice();
        let mask = self.region.kept(noted(params.check()?.draw_with_notes(file)?), &self.input)?;
        if like.is_some() {
            return Ok(mask);
        }
        let grid = self.grid(mask.geometry())?;
        Ok(resample(&mask, &grid, method.interpolator(), 0)?)
    }
}

/// The image of --like, with the coordinates that its series states.
fn read_like(path: &Path) -> anyhow::Result<ChosenImage> {
    SeriesChoice::default().read(path)
}

fn tell(grid: &Geometry, start: Instant) {
    let [x, y, z] = grid.size();
    inform(format_args!("{x} x {y} x {z} voxels in {:.3} s", start.elapsed().as_secs_f64()));
}
