//! `alnm n4`: bias field correction.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use alnm_imaging::n4::{ControlGrid, Foreground, N4Iteration, N4Params, N4Result};
use alnm_imaging::otsu::otsu_threshold;
use alnm_imaging::{Geometry, Image, Volume, Voxel, with_volume};
use rayon::prelude::*;

use crate::exit::{require, wrong_value};
use crate::input::{MaskDrawing, SeriesChoice, noted, open, read_image};
use crate::messages::inform;
use crate::options::{ImageOutput, List, OutputFile, RegionOptions, millimetres};
use crate::progress::Counted;

/// Bins of Otsu's histogram, as in SimpleITK's tutorials on N4.
const OTSU_BINS: usize = 200;

/// Correct the bias field of an MR image with N4, with the defaults and the results of SimpleITK.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: alnm n4 image.nii.gz corrected.nii.gz --otsu --shrink 4 --log-bias-field field.nii.gz

Of a mask, the voxels with the label 1 are fitted unless --label, --roi or --roi-number says otherwise.")]
pub(crate) struct N4Command {
    /// Image file or DICOM folder; `-` is standard input.
    #[arg(value_name = "IN")]
    input: PathBuf,
    #[command(flatten)]
    output: OutputFile,
    #[command(flatten)]
    choice: SeriesChoice,
    /// Mask of the voxels to fit: an image, or a DICOM segmentation or structure set; on another grid than the image,
    /// the nearest voxel counts. Without one every voxel is fitted.
    #[arg(long, value_name = "FILE", conflicts_with = "otsu")]
    mask: Option<PathBuf>,
    #[command(flatten)]
    drawing: MaskDrawing,
    /// Fit the voxels above Otsu's threshold (200 bins).
    #[arg(long)]
    otsu: bool,
    #[command(flatten)]
    region: RegionOptions,
    /// Image of the confidence in each voxel: its weight in the fit; 0 leaves it out.
    #[arg(long, value_name = "FILE")]
    confidence: Option<PathBuf>,
    /// Find the field on every n-th voxel.
    #[arg(long, value_name = "N", default_value_t = 1)]
    shrink: usize,
    /// Most iterations on each level.
    #[arg(long, value_name = "N,N,...", default_value = "50,50,50,50")]
    iterations: List<usize>,
    /// Change of the field at which a level ends.
    #[arg(long, value_name = "X", default_value_t = 0.001)]
    convergence: f64,
    /// Control points of each axis on the first level.
    #[arg(long, value_name = "N", default_value_t = 4)]
    control_points: usize,
    /// Largest distance of the spline's knots on the first level, instead of a number of control points.
    #[arg(long, value_name = "MM", value_parser = millimetres, conflicts_with = "control_points")]
    knot_spacing: Option<f64>,
    /// Order of the spline.
    #[arg(long, value_name = "N", default_value_t = 3)]
    spline_order: usize,
    /// Full width at half maximum of the field's histogram.
    #[arg(long, value_name = "X", default_value_t = 0.15)]
    fwhm: f64,
    /// Noise of the Wiener filter.
    #[arg(long, value_name = "X", default_value_t = 0.01)]
    noise: f64,
    /// Bins of the histogram.
    #[arg(long, value_name = "N", default_value_t = 200)]
    bins: usize,
    /// File for the bias field.
    #[arg(long, value_name = "FILE")]
    bias_field: Option<PathBuf>,
    /// File for the logarithm of the bias field.
    #[arg(long, value_name = "FILE")]
    log_bias_field: Option<PathBuf>,
    #[command(flatten)]
    threads: crate::Threads,
    #[command(flatten)]
    written: ImageOutput,
}

impl N4Command {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        require(
            self.mask.is_some() || !self.region.is_any(),
            "--label, --roi and --roi-number choose a region of --mask; name the mask",
        )?;
        self.written.check(
            [Some(&*self.output), self.bias_field.as_deref(), self.log_bias_field.as_deref()].into_iter().flatten(),
        )?;
        self.threads.start()?;
        let chosen = self.choice.read(&self.input)?;
        let n4 = self.params().check().map_err(wrong_value)?;
        let image = &chosen.image;
        let confidence = self.confidence.as_deref().map(|path| read_confidence(path, image.geometry())).transpose()?;
        let start = Instant::now();
        let mut params = self.drawing.for_image(&chosen);
        params.region = self.region.choice();
        let mask_reader = params.check()?;
        let read_mask = |path: &Path| -> anyhow::Result<_> { Ok(noted(mask_reader.read_with_notes(open(path)?)?)) };
        let mask = self.mask.as_deref().map(read_mask).transpose()?;
        let foreground = match &mask {
            Some(mask) => Foreground::Mask(mask),
            None if self.otsu => Foreground::Above(threshold(image)?),
            None => Foreground::All,
        };
        let progress = Counted::start("iterations", 0);
        let mut observer = |iteration: &N4Iteration| {
            show(&progress, iteration);
            ControlFlow::Continue(())
        };
        let field = with_volume!(image, volume => n4.fit(volume, foreground, confidence.as_ref(), &mut observer))?;
        let result = field.correct(into_float(chosen.image));
        progress.finish();
        let levels: Vec<String> = result.levels().iter().map(|level| level.convergence.len().to_string()).collect();
        inform(format_args!(
            "{} iterations ({}) in {:.3} s",
            result.iterations(),
            levels.join(" + "),
            start.elapsed().as_secs_f64()
        ));
        self.write(result)
    }

    fn params(&self) -> N4Params {
        N4Params::default()
            .with_iterations(self.iterations.0.clone())
            .with_convergence_threshold(self.convergence)
            .with_control_grid(match self.knot_spacing {
                Some(distance) => ControlGrid::KnotSpacing(distance),
                None => ControlGrid::Points([self.control_points; 3]),
            })
            .with_spline_order(self.spline_order)
            .with_bias_fwhm(self.fwhm)
            .with_wiener_noise(self.noise)
            .with_histogram_bins(self.bins)
            .with_mask_label(Some(self.region.label()))
            .with_shrink(self.shrink)
    }

    /// Writes the files at the same time: to write them takes as long as the correction of a shrunk image.
    fn write(&self, result: N4Result) -> anyhow::Result<()> {
        let bias_field = self.bias_field.as_deref().map(|path| (path, result.bias_field().into()));
        let (corrected, log_bias_field) = result.into_parts();
        let log_bias_field = self.log_bias_field.as_deref().map(|path| (path, log_bias_field.into()));
        let corrected = Some((&*self.output, corrected.into()));
        let files: Vec<(&Path, Image)> = [corrected, bias_field, log_bias_field].into_iter().flatten().collect();
        files.par_iter().try_for_each(|(path, image)| self.written.write(path, image))
    }
}

fn threshold(image: &Image) -> anyhow::Result<f64> {
    Ok(with_volume!(image, volume => otsu_threshold(volume, OTSU_BINS).map(Voxel::to_f64))?)
}

/// The image in single precision, without a copy where it is already.
fn into_float(image: Image) -> Volume<f32> {
    match image {
        Image::F32(volume) => volume,
        other => other.cast(),
    }
}

/// Confidences on the grid of the image, from which the grid of a file in single precision may differ by a trace.
fn read_confidence(path: &Path, grid: &Geometry) -> anyhow::Result<Volume<f32>> {
    const TRACE: f64 = 1e-4;
    let confidence = into_float(read_image(path)?);
    match grid.difference(confidence.geometry(), TRACE) {
        None => Ok(Volume::new(confidence.into_data(), grid.clone())?),
        Some(_) => Ok(confidence),
    }
}

/// How far the fit is: iterations of all levels, each with the most that it may have.
fn show(progress: &Counted, now: &N4Iteration) {
    let word = format!("level {} of {}, convergence {:.5}", now.level + 1, now.levels, now.convergence);
    progress.set(now.level * now.max_iterations + now.iteration, now.levels * now.max_iterations, &word);
}
