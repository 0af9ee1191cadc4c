//! `alnm resample`: onto another grid.

use std::path::PathBuf;
use std::time::Instant;

use alnm_imaging::resample::{Interpolator, resample_image, spacing_grid};
use alnm_imaging::write_image;
use anyhow::Context;
use clap::ValueEnum;

use crate::input::{SeriesChoice, read_image};
use crate::output::{Activity, Overwriting};

/// Resample an image to a spacing, or onto the grid of another image, as ITK does.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  alnm resample image.nii.gz isotropic.nii.gz --spacing 1,1,1
  alnm resample mask.nii.gz mask-on-image.nii.gz --like image.nii.gz --interpolator nearest

Exit codes: 0 done, 1 the work failed, 2 the command line was wrong.")]
pub(crate) struct Resample {
    /// Image file or DICOM folder.
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// File to write.
    #[arg(value_name = "OUT")]
    output: PathBuf,
    #[command(flatten)]
    choice: SeriesChoice,
    /// New spacing in mm along x, y and z; 0 keeps an axis.
    #[arg(
        long,
        value_name = "X,Y,Z",
        value_delimiter = ',',
        num_args = 1,
        required_unless_present = "like",
        conflicts_with = "like"
    )]
    spacing: Vec<f64>,
    /// Image whose grid is taken.
    #[arg(long, value_name = "FILE")]
    like: Option<PathBuf>,
    /// How values between voxels are found; `nearest` is the only one that keeps labels.
    #[arg(long, value_enum, default_value_t = Method::Bspline)]
    interpolator: Method,
    /// Value of voxels outside the input.
    #[arg(long, value_name = "X", default_value_t = 0.0, allow_negative_numbers = true)]
    outside: f64,
    #[command(flatten)]
    threads: crate::Threads,
    #[command(flatten)]
    overwriting: Overwriting,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Method {
    Bspline,
    Linear,
    Nearest,
}

impl Resample {
    #[allow(clippy::print_stderr, reason = "the command says what it did")]
    pub(crate) fn run(self) -> anyhow::Result<()> {
        self.overwriting.check_images([self.output.as_path()])?;
        self.threads.start()?;
        let activity = Activity::start("reading");
        let image = self.choice.read_image(&self.input)?;
        let grid = match &self.like {
            Some(path) => read_image(path)?.geometry().clone(),
            None => {
                let spacing = self.spacing.try_into().ok().context("--spacing takes three numbers, such as 1,1,1")?;
                spacing_grid(image.geometry(), spacing)?
            }
        };
        let interpolator = match self.interpolator {
            Method::Bspline => Interpolator::BSpline,
            Method::Linear => Interpolator::Linear,
            Method::Nearest => Interpolator::Nearest,
        };
        activity.next("resampling");
        let start = Instant::now();
        let resampled = resample_image(&image, &grid, interpolator, self.outside)?;
        let seconds = start.elapsed().as_secs_f64();
        activity.next("writing");
        write_image(&self.output, &resampled)?;
        activity.finish();
        let [x, y, z] = grid.size();
        eprintln!("{x} x {y} x {z} voxels in {seconds:.3} s");
        Ok(())
    }
}
