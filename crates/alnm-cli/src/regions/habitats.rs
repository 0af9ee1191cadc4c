//! Habitats: clusters of voxels whose maps are alike.

use std::path::{Path, PathBuf};

use alnm_imaging::habitat::{
    ClusterCount, ClusterMethod, ClusteringsFound, CountCriterion, HabitatModel, HabitatParams, voxel_features,
};
use alnm_imaging::region::Roi;
use alnm_imaging::{LabelMap, Volume};
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use ndarray::Array2;
use rayon::prelude::*;

use crate::exit::{require, wrong_use, wrong_value};
use crate::input::{MaskChoice, read_image, read_text};
use crate::messages::inform;
use crate::options::{ImageOutput, OutputFile};
use crate::output::{Activity, Overwriting};
use crate::progress::Counted;
use crate::saved::HABITATS;

/// Suffixes of maps, in the order in which they are looked for.
const SUFFIXES: [&str; 6] = ["nii.gz", "nii", "nrrd", "nhdr", "mha", "mhd"];

/// Learn habitats on the maps of training patients, such as `alnm kinetics` writes them, and save them as JSON.
///
/// A voxel counts where all its maps are finite, which is inside the mask that they were made with.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: alnm regions learn-habitats habitats.json maps/* --features peak_enhancement,signal_enhancement_ratio --best 2:6 --by silhouette"
)]
pub(super) struct LearnHabitats {
    /// File for the habitats; `-` is standard output.
    #[arg(value_name = "HABITATS.json")]
    output: PathBuf,
    /// A folder with maps for each training patient.
    #[arg(value_name = "DIR", required = true)]
    patients: Vec<PathBuf>,
    /// Maps that are the features of a voxel, by the names of their files without suffix.
    #[arg(long, value_name = "NAME,NAME,...", value_delimiter = ',', num_args = 1, required = true)]
    features: Vec<String>,
    /// Feature by which habitats are numbered, from the lowest; by default the first.
    #[arg(long, value_name = "NAME")]
    order_by: Option<String>,
    /// How voxels are clustered.
    #[arg(long, value_enum, default_value_t = Method::KMeans)]
    method: Method,
    /// Number of habitats.
    #[arg(long, value_name = "N", default_value_t = 3, conflicts_with = "best")]
    count: usize,
    /// Instead, the best number of these.
    #[arg(long, value_name = "FROM:TO")]
    best: Option<super::Limits>,
    /// By what the best number is chosen: gap of k-means, BIC of mixtures, silhouette of both.
    #[arg(long, value_enum, default_value_t = Criterion::Silhouette, requires = "best")]
    by: Criterion,
    /// Starts of k-means, of which the best is taken.
    #[arg(long, value_name = "N", default_value_t = 10)]
    starts: usize,
    /// Voxels that are learned from, taken evenly where there are more.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    most_voxels: usize,
    /// Seed of the starts.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    threads: crate::Threads,
    #[command(flatten)]
    overwriting: Overwriting,
}

/// Map the habitats of a patient.
#[derive(Debug, Args)]
#[command(after_help = "Example: alnm regions habitats habitats.json maps/patient7 habitats.nii.gz")]
pub(super) struct MapHabitats {
    /// Habitats that were learned; `-` is standard input.
    #[arg(value_name = "HABITATS.json")]
    model: PathBuf,
    /// Folder with the maps of the patient.
    #[arg(value_name = "DIR")]
    maps: PathBuf,
    #[command(flatten)]
    output: OutputFile,
    /// Mask whose voxels get habitats; all voxels without one.
    #[arg(long, value_name = "FILE")]
    mask: Option<PathBuf>,
    #[command(flatten)]
    region: MaskChoice,
    #[command(flatten)]
    threads: crate::Threads,
    #[command(flatten)]
    written: ImageOutput,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Method {
    KMeans,
    Mixture,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Criterion {
    Gap,
    Bic,
    Silhouette,
}

impl LearnHabitats {
    pub(super) fn run(self) -> Result<()> {
        self.overwriting.check_files([self.output.as_path()])?;
        self.threads.start()?;
        let learner = self.params()?.check().map_err(wrong_value)?;
        let progress = Counted::start("patients", self.patients.len());
        let of_patient = |folder: &PathBuf| -> Result<Array2<f64>> {
            let maps = read_maps(folder, &self.features)?;
            let maps: Vec<&Volume<f32>> = maps.iter().collect();
            let mask = defined(&maps);
            let region =
                Roi::new(&mask, 1).with_context(|| format!("{} has no voxel with all maps", folder.display()))?;
            let features = voxel_features(&maps, region)?;
            progress.advance();
            Ok(features)
        };
        let patients = self.patients.par_iter().map(of_patient).collect::<Result<Vec<_>>>()?;
        progress.finish();
        let progress = Counted::start("clusterings", 0);
        let observer = |clusterings: ClusteringsFound| progress.set(clusterings.found, clusterings.all, "");
        let model = learner.learn_with(&self.features, &patients, &observer)?;
        progress.finish();
        let text = HABITATS.to_json(&model)? + "\n";
        self.overwriting.write_file(&self.output, text.as_bytes())?;
        for score in model.scores() {
            inform(format_args!("{} habitats: {:.4}", score.count, score.score));
        }
        for (label, centre) in (1..).zip(model.centres().rows()) {
            let values: Vec<String> =
                model.features().iter().zip(centre).map(|(name, value)| format!("{name} {value:.4}")).collect();
            inform(format_args!("habitat {label}: {}", values.join(", ")));
        }
        inform(format_args!("learned from {} voxels of {} patients", model.learned_voxels(), patients.len()));
        Ok(())
    }

    fn params(&self) -> Result<HabitatParams> {
        let order_by = match &self.order_by {
            None => 0,
            Some(name) => {
                let place = self.features.iter().position(|feature| feature == name);
                place.ok_or_else(|| wrong_use(format!("--order-by {name} is none of --features")))?
            }
        };
        let count = match self.best {
            None => ClusterCount::Fixed(self.count),
            Some(super::Limits([fewest, most])) => {
                let are_counts =
                    [fewest, most].iter().all(|count| (1.0..=50.0).contains(count) && count.fract() == 0.0);
                if !are_counts {
                    let refused = format!("--best {fewest}:{most}: both must be whole numbers from 1 to 50");
                    return Err(wrong_use(refused));
                }
                let by = match self.by {
                    Criterion::Gap => CountCriterion::Gap,
                    Criterion::Bic => CountCriterion::Bic,
                    Criterion::Silhouette => CountCriterion::Silhouette,
                };
                ClusterCount::Best { fewest: fewest as usize, most: most as usize, by }
            }
        };
        Ok(HabitatParams::default()
            .with_method(match self.method {
                Method::KMeans => ClusterMethod::KMeans,
                Method::Mixture => ClusterMethod::GaussianMixture,
            })
            .with_count(count)
            .with_order_by(order_by)
            .with_starts(self.starts)
            .with_most_voxels(self.most_voxels)
            .with_seed(self.seed))
    }
}

impl MapHabitats {
    pub(super) fn run(self) -> Result<()> {
        self.written.check([&*self.output])?;
        require(
            self.mask.is_some() || !self.region.region.is_any(),
            "--label, --roi and --roi-number choose a region of --mask; name the mask",
        )?;
        self.threads.start()?;
        let model: HabitatModel = HABITATS.from_json(&read_text(&self.model)?).with_context(|| {
            format!("cannot read {}, which `alnm regions learn-habitats` makes", self.model.display())
        })?;
        let activity = Activity::start("mapping");
        let maps = read_maps(&self.maps, model.features())?;
        let maps: Vec<&Volume<f32>> = maps.iter().collect();
        let mask = match &self.mask {
            Some(path) => self.region.read_inside(maps[0].geometry(), None, path)?,
            None => defined(&maps),
        };
        let habitats = model.map(&maps, region_of(&mask, self.mask.as_deref())?)?;
        self.written.write_mask(&self.output, &habitats)?;
        activity.finish();
        for label in 1..=model.habitat_count() as u32 {
            let voxels = habitats.as_slice().iter().filter(|&&voxel| voxel == label).count();
            inform(format_args!("habitat {label}: {voxels} voxels"));
        }
        Ok(())
    }
}

/// The region of a mask; an empty one is a fault of its file.
fn region_of<'a>(mask: &'a LabelMap, path: Option<&Path>) -> Result<Roi<'a>> {
    Roi::new(mask, 1).with_context(|| path.map_or_else(|| "the maps".to_owned(), |path| path.display().to_string()))
}

/// The maps of a folder by the names of their files, all on the grid of the first.
fn read_maps(folder: &Path, names: &[String]) -> Result<Vec<Volume<f32>>> {
    let read = |name: &String| -> Result<Volume<f32>> {
        let mut paths = SUFFIXES.iter().map(|suffix| folder.join(format!("{name}.{suffix}")));
        let path = paths.find(|path| path.exists()).with_context(|| {
            format!("{} has no map {name}: no file of that name ending in {}", folder.display(), SUFFIXES.join(", "))
        })?;
        Ok(read_image(&path)?.cast::<f32>())
    };
    names.iter().map(read).collect()
}

/// The voxels that are finite in all maps, as label 1.
fn defined(maps: &[&Volume<f32>]) -> LabelMap {
    let mut mask = maps[0].map(|value| u32::from(value.is_finite()));
    for map in &maps[1..] {
        let voxels = mask.as_mut_slice().iter_mut().zip(map.as_slice());
        voxels.filter(|(_, value)| !value.is_finite()).for_each(|(voxel, _)| *voxel = 0);
    }
    mask
}
