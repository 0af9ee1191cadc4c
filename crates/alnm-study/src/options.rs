//! Options of a run on a command line, the same for every program that runs a study.

use std::path::PathBuf;

use crate::study::{BackboneSize, StudySettings};

/// What a run can be asked for, beside its cohort and its output folder.
#[derive(Debug, Clone, clap::Args)]
#[non_exhaustive]
pub struct StudyOptions {
    /// Weights with torchvision's names (.safetensors or .pth); without them training starts from a seeded
    /// initialisation
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
    /// Passes of fine-tuning [default: 6, or 2 with --quick]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub epochs: Option<u64>,
    /// ResNet50 at 224 x 224 pixels or, for a quick look, ResNet18 at 64 x 64 [default: full, or tiny with --quick]
    #[arg(long, value_enum)]
    pub backbone_size: Option<BackboneSize>,
    /// Seed of training, of the folds and of a simulated cohort
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Threads; the results do not depend on them [default: one per core]
    #[arg(
        short = 'j',
        long,
        visible_alias = "jobs",
        value_name = "N",
        env = "ALNM_THREADS",
        hide_env_values = true,
        value_parser = clap::value_parser!(u64).range(1..=1024)
    )]
    pub threads: Option<u64>,
    /// Shuffle the outcomes among the patients of each centre, to see what chance alone gives
    #[arg(long)]
    pub shuffle_outcomes: bool,
    /// Fine-tune the network anew inside each of the ten outer folds, so that the cross-fitted figures of models with
    /// deep features are free of it. Costs nine times the fine-tuning of the run: with ResNet50 at 224 x 224 pixels
    /// about half an hour on two cores
    #[arg(long)]
    pub cross_fit_network: bool,
    /// Fine-tune ResNet18, ResNet50, ResNet101 and VGG16 in turn and compare their deep features by the same selection.
    /// At 224 x 224 pixels some twenty minutes on two cores, by the networks' numbers of operations; VGG16 needs more
    /// than 4.5 GiB of memory
    #[arg(long)]
    pub compare_backbones: bool,
    /// Folder of weights for the compared networks (resnet18.safetensors or .pth, ...); those without start from a
    /// seeded initialisation
    #[arg(long, value_name = "DIR", requires = "compare_backbones")]
    pub backbone_weights: Option<PathBuf>,
    /// Name patients on the page of the report; without it only the tables in files do
    #[arg(long)]
    pub identifiers: bool,
    /// Write figures as TIFF too, as journals ask for them: 600 pixels an inch at a width of 117 mm
    #[arg(long)]
    pub tiff: bool,
    /// A few minutes' version of everything: a small network, fewer resamples and, where the cohort is simulated, fewer
    /// patients
    #[arg(long)]
    pub quick: bool,
}

impl StudyOptions {
    /// The settings of a run on this cohort folder; without one, on the folder `cohort` of `out`.
    #[must_use]
    pub fn settings(&self, cohort: Option<PathBuf>, out: PathBuf) -> StudySettings {
        let defaults = if self.quick { StudySettings::quick(out) } else { StudySettings::new(out) };
        StudySettings {
            cohort,
            weights: self.weights.clone(),
            epochs: self.epochs.map_or(defaults.epochs, |epochs| epochs as usize),
            backbone_size: self.backbone_size.unwrap_or(defaults.backbone_size),
            seed: self.seed,
            shuffle_outcomes: self.shuffle_outcomes,
            cross_fit_network: self.cross_fit_network,
            compare_backbones: self.compare_backbones,
            backbone_weights: self.backbone_weights.clone(),
            shows_identifiers: self.identifiers,
            tiff: self.tiff,
            ..defaults
        }
    }
}
