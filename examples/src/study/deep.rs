//! The network: fine-tuned on the training centre, read out for everyone.

use std::ops::ControlFlow;

use alnm_deep::{
    DeepError, EpochRecord, Example, FEATURES, Head, Initialisation, Network, Predictor, Tensor, TrainingEvent, TrainingParams, fine_tune,
    network_input,
};
use alnm_selection::FeatureTable;
use anyhow::Result;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::Study;
use super::images::CohortImages;
use crate::cohort::Cohort;
use crate::progress::{Interrupted, Step, is_interrupted};
use crate::store::{Fingerprint, Store};

/// Learning rate from a seeded start, and from weights that already know images.
pub const LEARNING_RATE: [f64; 2] = [4e-4, 1e-4];
/// Images read out at once.
const READ_OUT_BATCH: usize = 8;

/// What the network gives.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeepFeatures {
    /// The 1000-vector of every patient, in the cohort's order.
    pub vectors: Vec<Vec<f32>>,
    /// Every epoch of fine-tuning.
    pub history: Vec<EpochRecord>,
    /// The patients that the network was trained on.
    pub trained_on: Vec<String>,
}

impl DeepFeatures {
    /// The vectors as a table of columns `deep_0` to `deep_999`.
    ///
    /// # Errors
    /// Never for vectors of one length.
    pub fn table(&self) -> Result<FeatureTable> {
        let names = (0..FEATURES).map(|index| format!("deep_{index}")).collect();
        let values = Array2::from_shape_fn((self.vectors.len(), FEATURES), |(row, column)| f64::from(self.vectors[row][column]));
        Ok(FeatureTable::new(names, values)?)
    }
}

impl Study {
    /// Fine-tunes all parameters on the training centre and reads the vector of the last fully connected layer of every patient.
    ///
    /// # Errors
    /// When weights do not fit, training diverges, or Ctrl-C was pressed; finished epochs are kept.
    pub fn deep_features(&mut self, cohort: &Cohort, images: &CohortImages) -> Result<DeepFeatures> {
        let store = Store::open(&self.settings.out, "deep")?;
        let size = self.settings.backbone_size;
        let initialisation = Initialisation { seed: self.settings.seed, zero_residual: true };
        let mut network = Network::initialised(size.backbone(), Head::Logit, initialisation);
        if let Some(weights) = &self.settings.weights {
            network.load_weights(weights)?;
        }
        let params = TrainingParams {
            epochs: self.settings.epochs,
            learning_rate: LEARNING_RATE[usize::from(self.settings.weights.is_some())],
            seed: self.settings.seed,
            ..TrainingParams::default()
        };
        let is_training = |centre: &str| centre == cohort.description.training_centre;
        let (trained_on, examples): (Vec<String>, Vec<Example>) = cohort
            .patients
            .iter()
            .zip(&images.crops)
            .filter(|(patient, _)| is_training(&patient.centre))
            .map(|(patient, crop)| (patient.id.clone(), Example { image: crop.clone(), label: patient.alnm }))
            .unzip();
        let mut fingerprint = Fingerprint::default().parameters(&(&params, size, initialisation))?;
        for (patient, crop) in cohort.patients.iter().zip(&images.crops) {
            fingerprint = fingerprint.parameters(&(&patient.centre, patient.alnm, crop.as_slice()))?;
        }
        if let Some(weights) = &self.settings.weights {
            fingerprint = fingerprint.files(weights)?;
        }
        let checkpoint = store.file("checkpoint.safetensors");
        let mut costs = std::mem::take(&mut self.costs);
        let features = store.item("features", &fingerprint.finish(), || {
            let step = Step::begin("fine-tuning of all parameters", 0);
            let mut observer = |event: TrainingEvent<'_>| {
                if let TrainingEvent::Step { done, total, .. } = event {
                    step.set_length(total);
                    step.advance_to(done);
                }
                if is_interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            let trained = match fine_tune(network, &examples, &params.check()?, Some(&checkpoint), &mut observer) {
                Err(DeepError::Cancelled { .. }) => return Err(Interrupted.into()),
                other => other?,
            };
            step.finish(&mut costs);
            trained.network.save(&store.file("network.safetensors"))?;
            let step = Step::begin("1000-vectors", images.crops.len());
            let predictor = Predictor::new(&trained.network);
            let mut vectors = Vec::with_capacity(images.crops.len());
            for crops in images.crops.chunks(READ_OUT_BATCH) {
                let batch: Vec<Tensor> = crops.iter().map(network_input).collect();
                vectors.extend(predictor.vectors(&batch, "fc", READ_OUT_BATCH)?);
                step.advance_to(vectors.len());
            }
            step.finish(&mut costs);
            Ok(DeepFeatures { vectors, history: trained.history, trained_on })
        });
        self.costs = costs;
        if features.is_ok() && checkpoint.exists() {
            std::fs::remove_file(&checkpoint)?;
        }
        features
    }
}
