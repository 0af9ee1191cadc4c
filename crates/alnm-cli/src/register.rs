//! `alnm register`: motion between images.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use alnm_imaging::dce::DynamicSeries;
use alnm_imaging::resample::Interpolator;
use alnm_imaging::{FileFormat, Geometry, Image, LabelMap};
use alnm_registration::{
    JacobianSummary, LesionConstraint, MotionModel, Registration, RegistrationIteration, RegistrationMasks,
    RegistrationParams, RegistrationResult, SimilarityMeasure, SpatialTransform, StartingPosition, jacobian_map,
    read_transform, resample_through, write_transform,
};
use anyhow::Context;
use clap::ValueEnum;

use crate::exit::{require, wrong_use, wrong_value};
use crate::input::{ChosenImage, MaskDrawing, SeriesChoice, open, read_image, read_text};
use crate::messages::{inform, warn};
use crate::options::{ImageOutput, RegionOptions, millimetres};
use crate::output::{is_standard_stream, refuse_stream, write_file};
use crate::progress::Counted;

/// Bring one image onto another, or all phases of a series onto one of them.
///
/// The motion is found by a rigid, an affine or a B-spline transform, or several of them in turn, from coarse to fine.
/// The transform is that of ITK: it takes points of the first image (fixed) to points of the second (moving).
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  alnm register early.nii.gz late.nii.gz -o late-on-early.nii.gz --lesion mask.nii.gz
  alnm register before.nrrd after.nrrd -o after-on-before.nrrd --transform rigid --metric mutual-information --write-transform motion.tfm
  alnm register dce-folder --onto 1 -o registered.nii.gz
  alnm register p1.nii p2.nii p3.nii --onto 1 -o registered.nii.gz
  alnm register before.nrrd after.nrrd -o after-on-before.nrrd --apply motion.tfm

--label, --roi and --roi-number choose a region of --lesion or, where there is no lesion, of --mask; without them every region counts.")]
pub(crate) struct Register {
    /// The fixed and the moving image; with --onto a DICOM folder of a dynamic series, or a file for each phase.
    #[arg(value_name = "IMAGE", required = true, num_args = 1..)]
    images: Vec<PathBuf>,
    /// File for the moving image on the grid of the fixed one, or for all phases of a series, in four dimensions; `-`
    /// is standard output.
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
    /// Bring all phases of a series onto this one, from 1.
    #[arg(long, value_name = "N")]
    onto: Option<usize>,
    /// The motion models that are fitted, in this order; a B-spline can only be the last.
    #[arg(long, value_enum, value_name = "KIND,...", value_delimiter = ',', default_value = "rigid,bspline")]
    transform: Vec<Model>,
    /// The similarity measure that is optimised.
    #[arg(long, value_enum, default_value_t = Metric::LocalCorrelation)]
    metric: Metric,
    /// Voxels from the centre to the border of the cubes of the local correlation.
    #[arg(long, value_name = "N", default_value_t = 3)]
    radius: usize,
    /// Bins of the histogram of mutual information.
    #[arg(long, value_name = "N", default_value_t = 32)]
    bins: usize,
    /// Where the search begins: where the files put the images, or with the centres of both grids together.
    #[arg(long, value_enum, default_value_t = Start::Coordinates)]
    start: Start,
    /// Number of resolutions, each half of the next.
    #[arg(long, value_name = "N")]
    resolutions: Option<usize>,
    /// Shrink factor of the finest resolution.
    #[arg(long, value_name = "N")]
    shrink: Option<usize>,
    /// Most iterations at each resolution.
    #[arg(long, value_name = "N")]
    iterations: Option<usize>,
    /// Largest distance of the B-spline's control points in mm.
    #[arg(long, value_name = "MM", value_parser = millimetres)]
    grid_spacing: Option<f64>,
    /// Weight of the bending energy in mm²: the larger, the smoother the motion.
    #[arg(long, value_name = "MM2")]
    bending: Option<f64>,
    /// Mask of the voxels of the fixed image that are matched; those with label 0 do not count.
    #[arg(long, value_name = "FILE")]
    mask: Option<PathBuf>,
    /// Mask of the voxels of the moving image that are matched.
    #[arg(long, value_name = "FILE", conflicts_with = "onto")]
    moving_mask: Option<PathBuf>,
    /// Mask of the lesion in the fixed image: the change of its volume is reported, and --lesion-motion applies there.
    #[arg(long, value_name = "FILE")]
    lesion: Option<PathBuf>,
    /// How tissue within the lesion may move: freely, or so that the lesion keeps its volume or its shape.
    #[arg(long, value_enum, default_value_t = LesionMotion::Volume, requires = "lesion")]
    lesion_motion: LesionMotion,
    /// How values between voxels are found.
    #[arg(long, value_enum, default_value_t = Method::Linear)]
    interpolator: Method,
    /// File for the transform, in ITK's text form.
    #[arg(long, value_name = "FILE", conflicts_with = "onto")]
    write_transform: Option<PathBuf>,
    /// File for the Jacobian determinant at each voxel of the fixed image.
    #[arg(long, value_name = "FILE", conflicts_with = "onto")]
    jacobian: Option<PathBuf>,
    /// File for a report of the registration, as JSON.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Apply the transform of this file, in ITK's text form, instead of registering the images.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["onto", "write_transform", "report"])]
    apply: Option<PathBuf>,
    #[command(flatten)]
    choice: SeriesChoice,
    #[command(flatten)]
    region: RegionOptions,
    #[command(flatten)]
    drawing: MaskDrawing,
    #[command(flatten)]
    threads: crate::Threads,
    #[command(flatten)]
    written: ImageOutput,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Model {
    Rigid,
    Affine,
    Bspline,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Metric {
    /// For images of one kind without contrast agent.
    MeanSquares,
    /// For images whose intensities are linear in each other.
    Correlation,
    /// For the phases of a dynamic series.
    LocalCorrelation,
    /// For images of different kinds.
    MutualInformation,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Start {
    Coordinates,
    Centers,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LesionMotion {
    Free,
    Volume,
    Rigid,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Method {
    Bspline,
    Linear,
    Nearest,
}

impl Register {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let images = [Some(&self.out), self.jacobian.as_ref()];
        self.written.check(images.into_iter().flatten().map(PathBuf::as_path))?;
        for (path, what) in [(&self.write_transform, "transform"), (&self.report, "report")] {
            if let Some(path) = path {
                refuse_stream(path, what)?;
                self.written.overwriting.check_files([path.as_path()])?;
            }
        }
        require(
            self.mask.is_some() || self.lesion.is_some() || !self.region.is_any(),
            "--label, --roi and --roi-number choose a region of --lesion, or of --mask; name one",
        )?;
        self.threads.start()?;
        let registration = self.params().check().map_err(wrong_value)?;
        match self.onto {
            Some(onto) => self.series(&registration, onto),
            None => self.pair(&registration),
        }
    }

    fn params(&self) -> RegistrationParams {
        let stages: Vec<MotionModel> = self
            .transform
            .iter()
            .map(|model| match model {
                Model::Rigid => MotionModel::Rigid,
                Model::Affine => MotionModel::Affine,
                Model::Bspline => MotionModel::BSpline,
            })
            .collect();
        let mut params = RegistrationParams::default()
            .with_stages(stages)
            .with_measure(match self.metric {
                Metric::MeanSquares => SimilarityMeasure::MeanSquares,
                Metric::Correlation => SimilarityMeasure::Correlation,
                Metric::LocalCorrelation => SimilarityMeasure::LocalCorrelation { radius: self.radius },
                Metric::MutualInformation => SimilarityMeasure::MutualInformation { bins: self.bins },
            })
            .with_start(match self.start {
                Start::Coordinates => StartingPosition::Coordinates,
                Start::Centers => StartingPosition::GridCenters,
            })
            .with_lesion(match self.lesion_motion {
                LesionMotion::Free => LesionConstraint::Free,
                LesionMotion::Volume => LesionConstraint::Volume,
                LesionMotion::Rigid => LesionConstraint::Rigid,
            });
        let set = |given: Option<usize>, value: &mut usize| given.into_iter().for_each(|given| *value = given);
        set(self.resolutions, &mut params.resolutions);
        set(self.shrink, &mut params.finest_shrink);
        set(self.iterations, &mut params.iterations);
        self.grid_spacing.into_iter().for_each(|spacing| params.grid_spacing = spacing);
        self.bending.into_iter().for_each(|weight| params.bending_weight = weight);
        params
    }

    fn interpolator(&self) -> Interpolator {
        match self.interpolator {
            Method::Bspline => Interpolator::BSpline,
            Method::Linear => Interpolator::Linear,
            Method::Nearest => Interpolator::Nearest,
        }
    }

    fn pair(&self, registration: &Registration) -> anyhow::Result<()> {
        let [fixed, moving] = self.images.as_slice() else {
            return Err(wrong_use(format!(
                "{} images are given; register takes a fixed and a moving one, or the phases of a series with --onto N",
                self.images.len()
            )));
        };
        let fixed = self.choice.read(fixed)?;
        let moving = SeriesChoice::default().read(moving)?;
        let grid = fixed.image.geometry().clone();
        let lesion = self.lesion_of(&fixed)?;
        let transform = match &self.apply {
            Some(path) => {
                let transform = if is_standard_stream(path) {
                    read_text(path)?.parse::<SpatialTransform>()?
                } else {
                    read_transform(path)?
                };
                if let Some(lesion) = &lesion {
                    say_lesion("", &JacobianSummary::of(&transform, lesion)?);
                }
                transform
            }
            None => {
                let mask = self.mask_of(&fixed)?;
                let moving_mask = self.read_mask(&moving, self.moving_mask.as_deref(), None)?;
                let mut masks = RegistrationMasks::default();
                (masks.fixed, masks.moving, masks.lesion) = (mask.as_ref(), moving_mask.as_ref(), lesion.as_ref());
                let (start, progress) = (Instant::now(), Counted::start("iterations", 0));
                let mut observer = |iteration: &RegistrationIteration| show(&progress, "", iteration);
                let result = registration.register(&fixed.image.cast(), &moving.image.cast(), masks, &mut observer)?;
                progress.finish();
                say("", &result, start);
                self.write_report(&result)?;
                result.transform
            }
        };
        self.write_pair(&transform, &moving.image, &grid)
    }

    fn write_pair(&self, transform: &SpatialTransform, moving: &Image, grid: &Geometry) -> anyhow::Result<()> {
        if let Some(path) = &self.write_transform {
            write_transform(path, transform)?;
        }
        if let Some(path) = &self.jacobian {
            self.written.write(path, &jacobian_map(transform, grid).into())?;
        }
        self.written.write(&self.out, &resample_through(transform, moving, grid, self.interpolator(), 0.0)?)
    }

    fn series(&self, registration: &Registration, onto: usize) -> anyhow::Result<()> {
        let series = self.read_series()?;
        let fixed = onto.checked_sub(1).and_then(|onto| series.images().get(onto)).cloned();
        let fixed = fixed.with_context(|| {
            format!("the phase to stay is {onto}; the series has the phases 1 to {}", series.phase_count())
        })?;
        let chosen = ChosenImage { image: fixed, frame_of_reference: None, window: None };
        let (mask, lesion) = (self.mask_of(&chosen)?, self.lesion_of(&chosen)?);
        let mut masks = RegistrationMasks::default();
        (masks.fixed, masks.lesion) = (mask.as_ref(), lesion.as_ref());
        let (start, progress) = (Instant::now(), Counted::start("iterations", 0));
        let mut observer = |phase: usize, iteration: &RegistrationIteration| {
            show(&progress, &format!("phase {phase} of {}, ", series.phase_count()), iteration)
        };
        let found = registration.register_series(&series, onto, masks, self.interpolator(), &mut observer)?;
        progress.finish();
        for (number, result) in (1..).zip(&found.results) {
            if let Some(result) = result {
                say(&format!("phase {number}: "), result, start);
            }
        }
        self.write_report(&found.results)?;
        let times = found.series.times();
        let step = (times[times.len() - 1] - times[0]) / (times.len().max(2) - 1) as f64;
        self.written.write_volumes(&self.out, found.series.images(), step)
    }

    /// The phases of a DICOM folder, or one of each file.
    fn read_series(&self) -> anyhow::Result<DynamicSeries> {
        if let [path] = self.images.as_slice() {
            let source = open(path)?;
            if source.format() != FileFormat::Dicom {
                return Err(wrong_use(format!(
                    "{} is one image; give the DICOM folder of a series, or a file for each phase",
                    path.display()
                )));
            }
            let folder = source.dicom_folder()?;
            return Ok(self.choice.of(&folder, &|text| warn(text))?.phases()?);
        }
        let images = self.images.iter().map(|path| read_image(path)).collect::<anyhow::Result<Vec<_>>>()?;
        let times = vec![f64::NAN; images.len()];
        Ok(DynamicSeries::new(images, times)?)
    }

    fn lesion_of(&self, fixed: &ChosenImage) -> anyhow::Result<Option<LabelMap>> {
        self.read_mask(fixed, self.lesion.as_deref(), Some(&self.region))
    }

    fn mask_of(&self, fixed: &ChosenImage) -> anyhow::Result<Option<LabelMap>> {
        let region = Some(&self.region).filter(|_| self.lesion.is_none());
        self.read_mask(fixed, self.mask.as_deref(), region)
    }

    fn read_mask(
        &self,
        image: &ChosenImage,
        path: Option<&Path>,
        region: Option<&RegionOptions>,
    ) -> anyhow::Result<Option<LabelMap>> {
        let read = |path: &Path| {
            let mask = self.drawing.read_for(image, path, region.and_then(RegionOptions::choice))?;
            match region {
                Some(region) => region.kept(mask, path),
                None => Ok(mask),
            }
        };
        path.map(read).transpose()
    }

    fn write_report(&self, results: &impl serde::Serialize) -> anyhow::Result<()> {
        let Some(path) = &self.report else { return Ok(()) };
        let mut text = serde_json::to_vec_pretty(results)?;
        text.push(b'\n');
        write_file(path, &text)
    }
}

fn show(progress: &Counted, phase: &str, now: &RegistrationIteration) -> ControlFlow<()> {
    let (done, total) = (now.resolution * now.most_iterations + now.iteration, now.resolutions * now.most_iterations);
    let place = format!("resolution {} of {}", now.resolution + 1, now.resolutions);
    progress.set(done, total, &format!("{phase}{:?}, {place}, objective {:.5}", now.model, now.value));
    ControlFlow::Continue(())
}

fn say(phase: &str, result: &RegistrationResult, start: Instant) {
    let iterations: Vec<String> = result.resolutions.iter().map(|report| report.iterations.to_string()).collect();
    inform(format_args!(
        "{phase}{} iterations, {:.1} % of the fixed image in common, Jacobian determinant {:.3} to {:.3}, {:.3} s since \
the start",
        iterations.join(" + "),
        100.0 * result.overlap,
        result.jacobian.minimum,
        result.jacobian.maximum,
        start.elapsed().as_secs_f64()
    ));
    if let Some(lesion) = &result.lesion {
        say_lesion(phase, lesion);
    }
}

fn say_lesion(phase: &str, lesion: &JacobianSummary) {
    inform(format_args!(
        "{phase}lesion: Jacobian determinant {:.3} (mean {:.3}) to {:.3}, volume {:+.2} %",
        lesion.minimum,
        lesion.mean,
        lesion.maximum,
        100.0 * lesion.volume_change
    ));
}
