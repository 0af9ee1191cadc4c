//! A run of the study: what it is asked for, its cohort and its output folder.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use alnm_deep::Backbone;
use anyhow::{Context, Result, ensure};
use serde::Serialize;

use crate::cohort::{self, Cohort, OutlineSource, Patient, PatientAcquisition, Problem, ProblemPolicy};
use crate::further_outcomes::OutcomeModel;
use crate::leave_one_centre_out::LeaveOneCentreOut;
use crate::missing_values::MissingValues;
use crate::progress::{LogStyle, Progress, ProgressLog, StepCost};
use crate::store::Store;

/// How large the network and its images are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum BackboneSize {
    /// ResNet50 on images of 224 × 224 pixels, as in the study.
    Full,
    /// ResNet18 on images of 64 × 64 pixels, for a quick look.
    Tiny,
}

impl BackboneSize {
    /// The network.
    #[must_use]
    pub fn backbone(self) -> Backbone {
        match self {
            Self::Full => Backbone::ResNet50,
            Self::Tiny => Backbone::ResNet18,
        }
    }

    /// Side of its images in pixels.
    #[must_use]
    pub fn side(self) -> usize {
        match self {
            Self::Full => 224,
            Self::Tiny => 64,
        }
    }
}

/// What a run of the study is asked for.
#[derive(Debug, Clone, Serialize)]
pub struct StudySettings {
    /// The cohort folder; the folder `cohort` of the output folder where absent.
    pub cohort: Option<PathBuf>,
    /// Where results go; a folder may be moved, so that its own record of the settings leaves this out.
    #[serde(skip)]
    pub out: PathBuf,
    /// Weights to start from.
    pub weights: Option<PathBuf>,
    /// Passes of fine-tuning.
    pub epochs: usize,
    /// Network and image size.
    pub backbone_size: BackboneSize,
    /// Bootstrap resamples of the optimism correction.
    pub resamples: usize,
    /// Seed of everything random.
    pub seed: u64,
    /// Whether outcomes are shuffled among the patients of each centre: what remains of the models then is chance.
    pub shuffle_outcomes: bool,
    /// Whether the network is fine-tuned anew inside each outer fold, too.
    pub cross_fit_network: bool,
    /// Whether other networks are fine-tuned and compared.
    pub compare_backbones: bool,
    /// Folder of weights for the compared networks, named as torchvision names them; seeded initialisations where
    /// absent.
    pub backbone_weights: Option<PathBuf>,
    /// Whether the page of the report names patients; its tables in files always do.
    #[serde(skip)]
    pub shows_identifiers: bool,
    /// Whether figures are written as TIFF too, with 600 pixels an inch at a width of 117 mm.
    #[serde(skip)]
    pub tiff: bool,
}

impl StudySettings {
    /// The published study: ResNet50 at 224 × 224 pixels, 6 epochs from a seeded initialisation, 500 resamples, seed 7,
    /// on the cohort in the folder `cohort` of `out`.
    #[must_use]
    pub fn new(out: PathBuf) -> Self {
        Self {
            cohort: None,
            out,
            weights: None,
            epochs: 6,
            backbone_size: BackboneSize::Full,
            resamples: 500,
            seed: 7,
            shuffle_outcomes: false,
            cross_fit_network: false,
            compare_backbones: false,
            backbone_weights: None,
            shows_identifiers: false,
            tiff: false,
        }
    }

    /// A few minutes' version: ResNet18 at 64 × 64 pixels, 2 epochs, 50 resamples.
    #[must_use]
    pub fn quick(out: PathBuf) -> Self {
        Self { epochs: 2, backbone_size: BackboneSize::Tiny, resamples: 50, ..Self::new(out) }
    }

    /// The file of weights for a compared network, where there is one.
    pub(crate) fn weights_of(&self, backbone: Backbone) -> Option<PathBuf> {
        let folder = self.backbone_weights.as_ref()?;
        ["safetensors", "pth"]
            .map(|kind| folder.join(format!("{backbone}.{kind}")))
            .into_iter()
            .find(|path| path.exists())
    }

    /// The settings without those that only add to a run, so that they can be asked for later and find its finished
    /// work.
    fn of_the_run(&self) -> Self {
        Self { cross_fit_network: false, compare_backbones: false, backbone_weights: None, ..self.clone() }
    }
}

/// A run of the study.
#[derive(Debug)]
pub struct Study {
    /// What was asked for.
    pub settings: StudySettings,
    /// What the steps cost.
    pub costs: Vec<StepCost>,
    /// How the images of the cohort were made, once it was opened.
    pub acquisitions: Vec<PatientAcquisition>,
    /// What missing values do to the models, where there are any, once the models were fitted.
    pub missing_values: Option<MissingValues>,
    /// Models of further outcomes, where the table has such, once the models were fitted.
    pub further_outcomes: Vec<OutcomeModel>,
    /// Every centre judged by what was learned in all others, where `cohort.toml` asks for it.
    pub leave_one_centre_out: Option<LeaveOneCentreOut>,
    progress: Progress,
}

impl Study {
    /// A run with these settings, of which nobody hears.
    #[must_use]
    pub fn new(settings: StudySettings) -> Self {
        Self {
            settings,
            costs: Vec::new(),
            acquisitions: Vec::new(),
            missing_values: None,
            further_outcomes: Vec::new(),
            leave_one_centre_out: None,
            progress: Progress::silent(),
        }
    }

    /// The same run with somebody who hears of it and may stop it.
    #[must_use]
    pub fn with_progress(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }

    /// Who hears of the run.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The cohort folder.
    #[must_use]
    pub fn cohort_folder(&self) -> PathBuf {
        self.settings.cohort.clone().unwrap_or_else(|| self.settings.out.join("cohort"))
    }

    /// The cohort of the cohort folder. Its table and the headers of all files are checked, and all problems reported
    /// at once, or the patients who have them left out. Where a problem ends the run, voxels are read and checked too;
    /// otherwise [`Study::images`] checks them as it reads them.
    ///
    /// # Errors
    /// [`CohortProblems`](cohort::CohortProblems).
    pub fn cohort(&mut self) -> Result<Cohort> {
        self.opened_cohort(false)
    }

    /// The cohort as [`Study::cohort`] gives it, every voxel of every file read and checked.
    ///
    /// # Errors
    /// As [`Study::cohort`].
    pub fn checked_cohort(&mut self) -> Result<Cohort> {
        self.opened_cohort(true)
    }

    fn opened_cohort(&mut self, reads_voxels: bool) -> Result<Cohort> {
        let folder = self.cohort_folder();
        let (mut cohort, mut problems) = cohort::read(&folder)?;
        if cohort.description.mask == OutlineSource::Segment {
            let step = self.progress.begin("outlines from seeds", cohort.patients.len());
            let folder = Store::open(&self.settings.out, "outlines")?.file("");
            problems.extend(cohort.draw_outlines(&folder, &|| step.advance())?);
            step.finish(&mut self.costs);
            self.progress.check_interrupt()?;
        }
        // Who has no outline has a problem already.
        let has_outline = |patient: &&Patient| !patient.mask.as_os_str().is_empty();
        let patients: Vec<_> = cohort.patients.iter().filter(has_outline).collect();
        let step = self.progress.begin("headers of the files", patients.len());
        let headers = cohort::check_headers(&cohort, &patients, &|| step.advance());
        let (shared, shared_remarks) = cohort::check_identities(&cohort, &patients, &headers.acquisitions);
        step.finish(&mut self.costs);
        let is_refused = cohort.description.problems == ProblemPolicy::Refuse
            && !(problems.is_empty() && headers.problems.is_empty() && shared.is_empty());
        let of_files = if reads_voxels || is_refused {
            let step = self.progress.begin("files of the cohort", patients.len());
            let of_files = cohort::check_files(&cohort, &patients, &|| step.advance());
            step.finish(&mut self.costs);
            of_files
        } else {
            headers.problems
        };
        // Equal files have equal voxels: a pair of patients is named once.
        let is_new = |problem: &Problem| shared.iter().all(|other| other.place != problem.place);
        problems.extend(of_files.into_iter().filter(is_new));
        problems.extend(shared);
        cohort.remarks.extend(headers.remarks);
        cohort.remarks.extend(shared_remarks);
        self.acquisitions = headers.acquisitions;
        let cohort = cohort.settle(problems)?;
        Ok(if self.settings.shuffle_outcomes { cohort.with_shuffled_outcomes(self.settings.seed) } else { cohort })
    }

    /// Creates the output folder; results of another cohort in it are not overwritten. From here on `run.log` in it
    /// says when steps are finished and how far long ones are, beside those who hear of the run.
    ///
    /// # Errors
    /// When the folder holds results of other settings, or cannot be created.
    pub fn claim_output(&mut self) -> Result<()> {
        let out = &self.settings.out;
        std::fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
        let path = out.join("settings.json");
        let settings = serde_json::to_string_pretty(&self.settings.of_the_run())?;
        if let Ok(earlier) = std::fs::read_to_string(&path) {
            ensure!(
                earlier == settings,
                "{} holds results of other settings (settings.json); name another folder with --out, or remove it",
                out.display()
            );
        }
        crate::store::write_file(&path, settings.as_bytes())?;
        let path = out.join("run.log");
        let log = OpenOptions::new().create(true).append(true).open(&path).and_then(|mut log| {
            writeln!(log, "alnm-study {}, a run with the settings of settings.json", env!("CARGO_PKG_VERSION"))?;
            Ok(log)
        });
        let log = log.with_context(|| format!("cannot write {}", path.display()))?;
        self.progress = self.progress.clone().and(Arc::new(ProgressLog::new(log, LogStyle::Lines)));
        Ok(())
    }
}
