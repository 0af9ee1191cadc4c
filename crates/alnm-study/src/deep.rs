//! The network: fine-tuned on the training centre, read out for everyone.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use alnm_deep::{
    Backbone, DeepError, EpochRecord, Example, Head, Initialisation, Network, Predictor, TrainingEvent, TrainingParams,
};
use alnm_selection::FeatureTable;
use anyhow::Result;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::cohort::Cohort;
use crate::deep_output::{DeepOutput, deep_feature_names};
use crate::images::CohortFeatures;
use crate::progress::Interrupted;
use crate::store::{Fingerprint, Store};
use crate::study::Study;
use crate::table::CohortTable;

/// Learning rate from a seeded start, and from weights that already know images.
pub const LEARNING_RATE: [f64; 2] = [4e-4, 1e-4];

/// The fine-tuned network in the folder of the step.
const NETWORK_FILE: &str = "network.safetensors";
/// Folder of the fine-tuning on the whole training centre.
const DEEP_STEP: &str = "deep";

/// What the network gives.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NetworkFeatures {
    /// The 1000-vector of every patient, in the cohort's order.
    pub vectors: Vec<Vec<f32>>,
    /// Every epoch of fine-tuning.
    pub history: Vec<EpochRecord>,
    /// The patients that the network was trained on.
    pub trained_on: Vec<String>,
}

impl NetworkFeatures {
    /// The vectors as a table of columns `deep_0` to `deep_999`.
    ///
    /// # Errors
    /// When a vector has fewer than 1000 numbers.
    pub fn table(&self) -> Result<FeatureTable> {
        let names = deep_feature_names();
        let values = Array2::from_shape_fn((self.vectors.len(), names.len()), |(row, column)| {
            f64::from(self.vectors[row][column])
        });
        Ok(FeatureTable::new(names, values)?)
    }

    /// The tables of several networks.
    ///
    /// # Errors
    /// As [`NetworkFeatures::table`].
    pub fn tables(networks: &[Self]) -> Result<Vec<FeatureTable>> {
        networks.iter().map(Self::table).collect()
    }
}

/// A network to fine-tune, the patients to fine-tune it on, and where the finished work is kept.
pub(crate) struct FineTuning<'a> {
    /// The network.
    pub backbone: Backbone,
    /// Weights to start from; a seeded initialisation where absent.
    pub weights: Option<&'a Path>,
    /// Rows of the patients whose images and outcomes are learned from.
    pub rows: &'a [usize],
    /// Folder of the finished work.
    pub folder: &'a str,
    /// Name of the vectors in it.
    pub key: &'a str,
    /// Name of the step on the terminal.
    pub title: &'a str,
    /// Whether the network itself is kept, not its vectors alone.
    pub keep_network: bool,
}

impl Study {
    /// Where the fine-tuned network is kept.
    pub(crate) fn network_file(&self) -> Result<PathBuf> {
        Ok(Store::open(&self.settings.out, DEEP_STEP)?.file(NETWORK_FILE))
    }

    /// Fine-tunes all parameters on the training centre and reads the vector of the last fully connected layer of every
    /// patient.
    ///
    /// # Errors
    /// When weights do not fit, training diverges, or Ctrl-C was pressed; finished epochs are kept.
    pub fn deep_features(&mut self, table: &CohortTable<'_>, images: &CohortFeatures) -> Result<NetworkFeatures> {
        let weights = self.settings.weights.clone();
        let tuning = FineTuning {
            backbone: self.settings.backbone_size.backbone(),
            weights: weights.as_deref(),
            rows: table.training(),
            folder: DEEP_STEP,
            key: "features",
            title: "fine-tuning of all parameters",
            keep_network: true,
        };
        self.fine_tuned(table.cohort(), images, &tuning)
    }

    /// With `--cross-fit-network`, the vectors of a network for each outer fold that was fine-tuned without the fold's
    /// patients; `None` without it. Finished folds are kept.
    ///
    /// # Errors
    /// As [`Study::deep_features`].
    pub fn fold_networks(
        &mut self,
        table: &CohortTable<'_>,
        images: &CohortFeatures,
    ) -> Result<Option<Vec<NetworkFeatures>>> {
        if !self.settings.cross_fit_network {
            return Ok(None);
        }
        let folds = table.folds(self.settings.seed)?;
        let weights = self.settings.weights.clone();
        let networks = (0..folds.count()).map(|fold| {
            let rows = table.rows_at(&folds.training_rows(fold));
            let tuning = FineTuning {
                backbone: self.settings.backbone_size.backbone(),
                weights: weights.as_deref(),
                rows: &rows,
                folder: "fold_networks",
                key: &format!("fold_{fold}"),
                title: &format!("fine-tuning without fold {}", fold + 1),
                keep_network: false,
            };
            self.fine_tuned(table.cohort(), images, &tuning)
        });
        networks.collect::<Result<_>>().map(Some)
    }

    pub(crate) fn fine_tuned(
        &mut self,
        cohort: &Cohort,
        images: &CohortFeatures,
        tuning: &FineTuning<'_>,
    ) -> Result<NetworkFeatures> {
        let store = Store::open(&self.settings.out, tuning.folder)?;
        let params = TrainingParams::default()
            .with_epochs(self.settings.epochs)
            .with_learning_rate(LEARNING_RATE[usize::from(tuning.weights.is_some())])
            .with_seed(self.settings.seed);
        let initialisation = Initialisation::new(self.settings.seed).with_zero_residual(true);
        let patients = || tuning.rows.iter().map(|&row| &cohort.patients[row]);
        let trained_on: Vec<String> = patients().map(|patient| patient.id.clone()).collect();
        let outcomes: Vec<bool> = patients().map(|patient| patient.alnm).collect();
        let mut fingerprint = Fingerprint::default().parameters(&(
            &params,
            tuning.backbone,
            initialisation,
            &trained_on,
            &outcomes,
            DeepOutput::default(),
        ))?;
        for crop in &images.crops {
            fingerprint = fingerprint.numbers(crop.iter().map(|&value| f64::from(value)));
        }
        if let Some(weights) = tuning.weights {
            fingerprint = fingerprint.files(weights)?;
        }
        let checkpoint = store.file(&format!("{}.checkpoint.safetensors", tuning.key));
        // Vectors without the network that they were read from are no finished work.
        if tuning.keep_network && Network::load(store.file(NETWORK_FILE)).is_err() {
            store.forget(tuning.key)?;
        }
        let mut costs = std::mem::take(&mut self.costs);
        let features = store.item(tuning.key, &fingerprint.finish(), || {
            let step = self.progress().begin(tuning.title, 0);
            let mut network = Network::initialised(tuning.backbone, Head::Logit, initialisation);
            if let Some(weights) = tuning.weights {
                network.load_weights(weights)?;
            }
            let example = |&row: &usize| Example::new(images.crops[row].clone(), cohort.patients[row].alnm);
            let examples: Vec<Example> = tuning.rows.iter().map(example).collect();
            let mut observer = |event: TrainingEvent<'_>| {
                if let TrainingEvent::Step { done, total, .. } = event {
                    step.set_length(total);
                    step.advance_to(done);
                }
                if self.progress().is_interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            let trained = match params.check()?.run(network, &examples, Some(&checkpoint), &mut observer) {
                Err(DeepError::Cancelled { .. }) => return Err(Interrupted.into()),
                other => other?,
            };
            step.finish(&mut costs);
            if tuning.keep_network {
                trained.network().save(store.file(NETWORK_FILE))?;
            }
            let step = self.progress().begin("1000-vectors", images.crops.len());
            let predictor = Predictor::new(trained.network());
            let mut vectors = Vec::with_capacity(images.crops.len());
            let output = DeepOutput::default();
            for crops in images.crops.chunks(output.batch) {
                self.progress().check_interrupt()?;
                vectors.extend(output.read(&predictor, crops)?);
                step.advance_to(vectors.len());
            }
            step.finish(&mut costs);
            Ok(NetworkFeatures { vectors, history: trained.history().to_vec(), trained_on })
        });
        self.costs = costs;
        if features.is_ok() && checkpoint.exists() {
            std::fs::remove_file(&checkpoint)?;
        }
        features
    }
}
