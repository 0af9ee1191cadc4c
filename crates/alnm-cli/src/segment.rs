//! `alnm segment`: an outline by an active contour from seeds.

mod network;
mod proposal;
mod scribbles;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Instant;

use alnm_imaging::{Geometry, LabelMap, Volume};
use alnm_segmentation::contour::{ActiveContourParams, ContourIteration, EvolvedContour};
use alnm_segmentation::seeds::{Bubble, bubble_mask, landmark_voxels, markup_points};
use alnm_segmentation::speed::{EdgeSpeedParams, MixtureParams, ThresholdSpeed, ThresholdSpeedParams};
use anyhow::{Context, bail, ensure};

use network::NetworkOptions;
use proposal::ProposalOptions;
use scribbles::ScribbleOptions;

use crate::dicom_object::{ObjectKind, write_lesion};
use crate::dynamic::{ChosenSeries, DynamicInput};
use crate::exit::{require, wrong_use, wrong_value};
use crate::input::{ChosenImage, MaskDrawing, SeriesChoice, read_image, read_text};
use crate::messages::{inform, warn};
use crate::options::ImageOutput;
use crate::progress::Counted;

/// Outline a structure by an active contour that grows from seeds, as ITK-SNAP's semi-automatic segmentation, or by a network.
///
/// The speed of the contour comes from thresholds (--lower, --upper), from edges (--edges), from clusters of values
/// (--classes), from scribbles (--scribbles) or from a file (--speed). With --propose lesions of a dynamic series are
/// found without a seed. The outline is written as 1. A contour that vanishes, reaches the border of the image or
/// suddenly grows is warned of.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  alnm segment breast.nii.gz -o lesion.nii.gz --seed 31.5,-40,12 --lower 350
  alnm segment dce-folder --phase 4 -o lesion.seg.dcm --seeds F.mrk.json --radius 3 --lower 350 --upper 900
  alnm segment breast.nii.gz -o lesion.nii.gz --seeds bubbles.nii.gz --edges --iterations 400 --speed-out speed.nii.gz
  alnm segment breast.nii.gz -o lesion.nii.gz --scribbles scribbles.nii.gz --foreground 1 --patch 1
  alnm segment breast.nii.gz -o lesion.nii.gz --onnx nnunet.onnx --network-spacing 0.7,0.7,1.5 --mirror x,y,z
  alnm segment dce-folder -o lesion.nii.gz --propose --candidates-out candidates.csv")]
pub(crate) struct SegmentCommand {
    /// Image file or DICOM folder; `-` is standard input.
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// File for the mask: .nii, .nii.gz, .nrrd or .mha, or `-` for standard output; for a DICOM folder also .seg.dcm or
    /// .rtstruct.dcm.
    #[arg(long, short, value_name = "MASK")]
    out: PathBuf,
    #[command(flatten)]
    choice: SeriesChoice,
    /// Point in mm (LPS) where the contour begins, and a radius instead of --radius; may be given more than once.
    #[arg(long, value_name = "X,Y,Z[,R]", allow_hyphen_values = true)]
    seed: Vec<SeedPoint>,
    /// The same by the indices of a voxel, from 0.
    #[arg(long, value_name = "I,J,K[,R]")]
    seed_voxel: Vec<SeedPoint>,
    /// File of seeds: a mask on the image's grid, points of 3D Slicer (.mrk.json, .fcsv), or landmarks of ITK-SNAP
    /// (.annot).
    #[arg(long, value_name = "FILE")]
    seeds: Vec<PathBuf>,
    /// Label of the seeds in a mask; all labels without it.
    #[arg(long, value_name = "N", requires = "seeds")]
    seed_label: Option<u32>,
    /// Radius of the bubbles around points, in mm.
    #[arg(long, value_name = "MM", default_value_t = 2.0)]
    radius: f64,
    /// Values below this shrink the contour.
    #[arg(long, value_name = "X", allow_negative_numbers = true, conflicts_with_all = ["edges", "speed"])]
    lower: Option<f64>,
    /// Values above this shrink the contour.
    #[arg(long, value_name = "X", allow_negative_numbers = true, conflicts_with_all = ["edges", "speed"])]
    upper: Option<f64>,
    /// Steepness of the thresholds, as in ITK-SNAP.
    #[arg(long, value_name = "X", default_value_t = 3.0)]
    smoothness: f64,
    /// Stop at edges instead of thresholds.
    #[arg(long, conflicts_with = "speed")]
    edges: bool,
    /// Deviation of the smoothing before edges, in voxels.
    #[arg(long, value_name = "X", default_value_t = 1.0, requires = "edges")]
    sigma: f64,
    /// Gradient, as a share of the image's range, at which the speed by edges is a half.
    #[arg(long, value_name = "X", default_value_t = 0.04, requires = "edges")]
    kappa: f64,
    /// How steeply the speed by edges falls.
    #[arg(long, value_name = "X", default_value_t = 3.0, requires = "edges")]
    exponent: f64,
    /// Cluster the values into this many classes, and grow in those of --foreground.
    #[arg(long, value_name = "N", conflicts_with_all = ["edges", "speed", "lower", "upper"])]
    classes: Option<usize>,
    /// Classes of the structure: with --classes numbered from 1 for the darkest, and the one of the seeds without it;
    /// with --scribbles their labels.
    #[arg(long, value_name = "N,N,...", value_delimiter = ',')]
    foreground: Vec<u32>,
    /// Speed image, between -1 and 1, on the image's grid.
    #[arg(long, value_name = "FILE")]
    speed: Option<PathBuf>,
    /// Weight of the speed.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    propagation: Option<f64>,
    /// Weight of the smoothness of the contour; 0.2 by default.
    #[arg(long, value_name = "X")]
    curvature: Option<f64>,
    /// Weight of the attraction by edges; 2 by default with --edges, else 0.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    advection: Option<f64>,
    /// Iterations at most.
    #[arg(long, value_name = "N", default_value_t = 200)]
    iterations: usize,
    /// Root mean squared change in mm below which the contour has settled; 0 uses all iterations.
    #[arg(long, value_name = "MM", default_value_t = 0.0)]
    settle: f64,
    /// File for the speed image.
    #[arg(long, value_name = "FILE")]
    speed_out: Option<PathBuf>,
    /// Further images on the grid of IMAGE that the forest or the network looks at.
    #[arg(long, value_name = "FILE")]
    channel: Vec<PathBuf>,
    #[command(flatten)]
    scribbles: ScribbleOptions,
    #[command(flatten)]
    network: NetworkOptions,
    #[command(flatten)]
    proposal: ProposalOptions,
    #[command(flatten)]
    threads: crate::Threads,
    #[command(flatten)]
    written: ImageOutput,
}

/// Three coordinates and perhaps a radius.
#[derive(Debug, Clone, Copy)]
struct SeedPoint {
    place: [f64; 3],
    radius: Option<f64>,
}

impl FromStr for SeedPoint {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let numbers = text.split(',').map(|number| number.trim().parse::<f64>()).collect::<Result<Vec<_>, _>>();
        match numbers.as_deref() {
            Ok(&[x, y, z]) => Ok(Self { place: [x, y, z], radius: None }),
            Ok(&[x, y, z, radius]) => Ok(Self { place: [x, y, z], radius: Some(radius) }),
            _ => bail!(
                "{text:?} is no seed; write three numbers and perhaps a radius, such as 31.5,-40,12 or 31.5,-40,12,3"
            ),
        }
    }
}

/// How the contour gets its speed.
enum Speed {
    Thresholds(ThresholdSpeed),
    Image(Box<Volume<f32>>),
}

impl SegmentCommand {
    pub(crate) fn run(mut self) -> anyhow::Result<()> {
        let object = ObjectKind::of_name(&self.out)?;
        let images = self.speed_out.iter().chain(Some(&self.out).filter(|_| object.is_none())).map(PathBuf::as_path);
        self.written.check(images.chain(self.proposal.images()))?;
        self.written.overwriting.check_files(self.proposal.files())?;
        if object.is_some() {
            self.written.overwriting.check_files([self.out.as_path()])?;
        }
        let has_scribbles = self.scribbles.scribbles.is_some();
        require(
            self.channel.is_empty() || has_scribbles || self.network.onnx.is_some(),
            "--channel names what a forest or a network looks at; give --scribbles or --onnx",
        )?;
        if let Some(network) = &self.network.onnx {
            return self.by_network(object, network);
        }
        let has_seeds = !(self.seed.is_empty() && self.seed_voxel.is_empty() && self.seeds.is_empty());
        require(
            has_seeds || has_scribbles || self.proposal.propose,
            "there is no seed; give --seed, --seed-voxel or --seeds",
        )?;
        require(
            self.foreground.is_empty() || self.classes.is_some() || has_scribbles,
            "--foreground names classes; give --classes or --scribbles",
        )?;
        let has_thresholds = self.lower.is_some() || self.upper.is_some();
        let has_speed = has_thresholds || self.edges || self.classes.is_some() || self.speed.is_some() || has_scribbles;
        require(
            has_speed || self.proposal.propose,
            "the contour has no speed; give --lower or --upper, --edges, --classes, --scribbles, or a file by --speed",
        )?;
        require(has_speed || self.speed_out.is_none(), "--speed-out writes the speed of a contour, and there is none")?;
        self.contour_params().check().map_err(wrong_value)?;
        self.threads.start()?;
        if !self.proposal.propose {
            let chosen = self.choice.read(&self.image)?;
            let scribbles = self.scribbles.read(&chosen)?;
            let seeds = match &scribbles {
                Some(scribbles) if !has_seeds => scribbles.map(|label| u32::from(self.foreground.contains(label))),
                _ => self.read_seeds(&chosen)?,
            };
            return self.grow(object, &chosen, &seeds, scribbles.as_ref());
        }
        let input = DynamicInput::of(self.image.clone(), self.proposal.times.clone(), self.choice.series.clone());
        let ChosenSeries { series, frame_of_reference } = input.read().context("--propose needs a dynamic series")?;
        let found = self.proposal.of(&series, &self.written)?;
        let phase = self.choice.phase.unwrap_or(found.early_phase + 1);
        let (images, _) = series.into_parts();
        let image = images.into_iter().nth(phase.wrapping_sub(1));
        let image = image.with_context(|| format!("the series has no phase {phase}; --phase counts from 1"))?;
        // The object refers to the images of this phase.
        self.choice.phase = Some(phase);
        if !has_speed {
            return self.write(object, &found.mask);
        }
        let chosen = ChosenImage { image, frame_of_reference, window: None };
        let scribbles = self.scribbles.read(&chosen)?;
        self.grow(object, &chosen, &proposal::first(&found), scribbles.as_ref())
    }

    /// Writes the outline of a network.
    fn by_network(&self, object: Option<ObjectKind>, network: &Path) -> anyhow::Result<()> {
        self.threads.start()?;
        let start = Instant::now();
        let chosen = self.choice.read(&self.image)?;
        let image: Volume<f32> = chosen.image.cast();
        let further = self.further_images(image.geometry())?;
        let mask = self.network.segment(network, &[vec![image], further].concat())?;
        let voxel_count = mask.as_slice().iter().filter(|label| **label > 0).count();
        ensure!(voxel_count > 0, "the outline is empty; nothing was written");
        self.write(object, &mask)?;
        let volume = voxel_count as f64 * mask.geometry().voxel_volume();
        inform(format_args!("{voxel_count} voxels, {volume:.1} mm³ in {:.3} s", start.elapsed().as_secs_f64()));
        Ok(())
    }

    /// The images of --channel.
    fn further_images(&self, grid: &Geometry) -> anyhow::Result<Vec<Volume<f32>>> {
        self.channel.iter().map(|path| on_grid(read_image(path)?.cast(), grid, path)).collect()
    }

    /// Grows a contour from seeds and writes it.
    fn grow(
        &self,
        object: Option<ObjectKind>,
        chosen: &ChosenImage,
        seeds: &LabelMap,
        scribbles: Option<&LabelMap>,
    ) -> anyhow::Result<()> {
        let contour = self.contour_params().check().map_err(wrong_value)?;
        let image: Volume<f32> = chosen.image.cast();
        let speed = self.speed(&image, seeds, scribbles)?;
        let start = Instant::now();
        let progress = Counted::start("iterations", self.iterations);
        let mut observer = |now: &ContourIteration| {
            let voxels = now.core_voxels + now.active_voxels;
            progress.set(now.iteration, now.iterations, &format!("{voxels} voxels, change {:.4} mm", now.rms_change));
            ControlFlow::Continue(())
        };
        let found = match &speed {
            Speed::Thresholds(thresholds) => contour.evolve_with(&thresholds.of(&image)?, seeds, &mut observer),
            Speed::Image(speed) => contour.evolve_with(&**speed, seeds, &mut observer),
        }?;
        progress.finish();
        found.warnings.iter().for_each(warn);
        ensure!(found.voxel_count > 0, "the outline is empty; nothing was written");
        if let Some(path) = &self.speed_out {
            self.written.write(path, &speed.into_image(&image)?.into())?;
        }
        self.write(object, &found.mask)?;
        let EvolvedContour { voxel_count, volume, iterations, .. } = found;
        let seconds = start.elapsed().as_secs_f64();
        inform(format_args!("{voxel_count} voxels, {volume:.1} mm³ after {iterations} iterations in {seconds:.3} s"));
        Ok(())
    }

    fn contour_params(&self) -> ActiveContourParams {
        let mut params = if self.edges { ActiveContourParams::edges() } else { ActiveContourParams::regions() };
        let weights = [
            (&mut params.propagation_weight, self.propagation),
            (&mut params.curvature_weight, self.curvature),
            (&mut params.advection_weight, self.advection),
        ];
        for (weight, given) in weights {
            *weight = given.unwrap_or(*weight);
        }
        params.with_iterations(self.iterations).with_rms_change(self.settle)
    }

    fn speed(&self, image: &Volume<f32>, seeds: &LabelMap, scribbles: Option<&LabelMap>) -> anyhow::Result<Speed> {
        if let Some(scribbles) = scribbles {
            let further = self.further_images(image.geometry())?;
            let images: Vec<&Volume<f32>> = std::iter::once(image).chain(&further).collect();
            return Ok(Speed::of_image(self.scribbles.speed(&images, scribbles, &self.foreground)?));
        }
        if let Some(path) = &self.speed {
            return Ok(Speed::of_image(on_grid(read_image(path)?.cast(), image.geometry(), path)?));
        }
        if self.edges {
            let params = EdgeSpeedParams::default().with_sigma(self.sigma).with_kappa(self.kappa);
            return Ok(Speed::of_image(
                params.with_exponent(self.exponent).check().map_err(wrong_value)?.speed(image)?,
            ));
        }
        if let Some(classes) = self.classes {
            let mixture = MixtureParams::default().with_classes(classes).check().map_err(wrong_value)?.fit(image)?;
            if let Some(wrong) = self.foreground.iter().find(|&&class| class == 0 || class as usize > classes) {
                return Err(wrong_use(format!(
                    "--foreground is {wrong}; --classes {classes} has the classes 1, the darkest, to {classes}"
                )));
            }
            let foreground = match &self.foreground[..] {
                [] => vec![mixture.class_of_seed(image, seeds)?],
                given => given.iter().map(|&class| class as usize - 1).collect(),
            };
            return Ok(Speed::of_image(mixture.speed(image, &foreground)?));
        }
        let mut params = ThresholdSpeedParams::default().with_smoothness(self.smoothness);
        (params.lower, params.upper) = (self.lower, self.upper);
        Ok(Speed::Thresholds(params.check().map_err(wrong_value)?))
    }

    /// The voxels of all seeds, as 1.
    fn read_seeds(&self, chosen: &ChosenImage) -> anyhow::Result<LabelMap> {
        let grid = chosen.image.geometry();
        let bubble = |point: &SeedPoint| Bubble::new(point.place, point.radius.unwrap_or(self.radius));
        let mut bubbles: Vec<Bubble> = self.seed.iter().map(bubble).collect();
        for point in &self.seed_voxel {
            bubbles.push(Bubble::new(grid.index_to_point(point.place), point.radius.unwrap_or(self.radius)));
        }
        let mut mask = Volume::filled(grid.clone(), 0_u32);
        for path in &self.seeds {
            if let Some(places) = seed_points(path, grid)? {
                bubbles.extend(places.into_iter().map(|place| Bubble::new(place, self.radius)));
                continue;
            }
            let labels = MaskDrawing::default().read_for(chosen, path, None)?;
            let labels = on_grid(labels, grid, path)?;
            let is_seed = |label: u32| self.seed_label.map_or(label != 0, |wanted| label == wanted);
            ensure!(
                labels.as_slice().iter().any(|&label| is_seed(label)),
                "{} holds no seed{}",
                path.display(),
                self.seed_label.map_or_else(String::new, |label| format!(" with the label {label}"))
            );
            let voxels = mask.as_mut_slice().iter_mut().zip(labels.as_slice());
            voxels.filter(|(_, label)| is_seed(**label)).for_each(|(voxel, _)| *voxel = 1);
        }
        if !bubbles.is_empty() {
            let balls = bubble_mask(grid, &bubbles)?;
            mask.as_mut_slice().iter_mut().zip(balls.as_slice()).for_each(|(voxel, ball)| *voxel |= ball);
        }
        Ok(mask)
    }

    fn write(&self, object: Option<ObjectKind>, mask: &LabelMap) -> anyhow::Result<()> {
        match object {
            Some(kind) => write_lesion(kind, mask, &self.image, &self.choice, &self.out),
            None => self.written.write_mask(&self.out, mask),
        }
    }
}

/// The places in mm of the points of a file that holds points; none for another kind of file.
fn seed_points(path: &Path, grid: &Geometry) -> anyhow::Result<Option<Vec<[f64; 3]>>> {
    let of_text = |read: fn(&str, &Geometry) -> anyhow::Result<Vec<[f64; 3]>>| {
        read(&read_text(path)?, grid).map(Some).with_context(|| path.display().to_string())
    };
    match path.extension().and_then(|suffix| suffix.to_str()) {
        Some("json" | "fcsv") => of_text(|text, _| Ok(markup_points(text)?)),
        Some("annot") => of_text(|text, grid| {
            let of_voxel = |voxel: [usize; 3]| grid.index_to_point(voxel.map(|index| index as f64));
            Ok(landmark_voxels(text)?.into_iter().map(of_voxel).collect())
        }),
        _ => Ok(None),
    }
}

impl Speed {
    fn of_image(speed: Volume<f32>) -> Self {
        Self::Image(Box::new(speed))
    }

    fn into_image(self, image: &Volume<f32>) -> anyhow::Result<Volume<f32>> {
        match self {
            Self::Thresholds(thresholds) => Ok(thresholds.speed(image)?),
            Self::Image(speed) => Ok(*speed),
        }
    }
}

/// A volume with the grid of the image, from which that of a file in single precision may differ by a trace.
fn on_grid<T: Copy>(volume: Volume<T>, grid: &Geometry, path: &Path) -> anyhow::Result<Volume<T>> {
    const TRACE: f64 = 1e-4;
    if let Some(difference) = grid.difference(volume.geometry(), TRACE) {
        bail!("{}: the grid differs from the image's: {difference}; resample it with `alnm resample`", path.display());
    }
    Ok(Volume::new(volume.into_data(), grid.clone())?)
}
