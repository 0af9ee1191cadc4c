//! The bundle: one file with everything of a finished study that is needed to score new patients.
//!
//! A bundle is a safetensors file. Its tensors are those of the network, under torchvision's names; its metadata hold
//! the rest as JSON (`description`), the format and its version, and a SHA-256 over all of it. A bundle that was
//! damaged or edited is refused, one of another version by its number.
//!
//! | part | what it holds |
//! |---|---|
//! | origin | name of the cohort, centres, patients and events, whether they were simulated |
//! | inputs | SHA-256 of `cohort.toml`, `patients.csv`, all images and masks, and the weights that training began with |
//! | preparation | phase, label, N4, Otsu's threshold, parameter file of the radiomic features, side of the crop; where the study asked for them, motion, further phases, regions, and the scales of intensities and habitats that were learned |
//! | deep output | the output of the network that is read, and in batches of how many images |
//! | signatures | RadScore and DLScore: intercept, features, weights |
//! | model | the integrated model with covariance, training ranges and cutoffs; pooled where training values were imputed |
//! | completion | what completes a patient who lacks a value, where the study imputed ([`PatientCompletion`]) |
//! | reference | distribution in the training centre of each feature of a signature and each variable of the model |
//! | geometry | ranges of voxel spacing and lesion volume in the training centre |
//!
//! Features are used without harmonisation: a study only compares its models with models on harmonised features, so a
//! bundle contains no harmonisation.

use std::path::Path;

use alnm_deep::{DescribedNetworkFormat, FeatureExtractor, Network, Predictor};
use alnm_models::RiskModel;
use alnm_selection::Signature;
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::deep_output::{DeepOutput, deep_feature_names};
use crate::drift::ReferenceDistribution;
use crate::measurements::MEASUREMENTS;
use crate::patient_completion::PatientCompletion;
use crate::preparation::{ImagePreparationParams, LesionGeometry};
use crate::variables::{DL_SCORE, RAD_SCORE, StudyVariable, VARIABLES};

const FORMAT: DescribedNetworkFormat =
    DescribedNetworkFormat::new("alnm-study bundle", "1", "write the bundle again, by the study that made it");

/// Name of the file in the output folder of a study.
pub const BUNDLE_FILE: &str = "bundle.safetensors";

/// Which study a bundle comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StudyOrigin {
    /// Program and version that wrote the bundle.
    pub software: String,
    /// Name of the cohort.
    pub cohort: String,
    /// Whether its patients are simulated.
    pub simulated: bool,
    /// Whether outcomes were shuffled, so that every risk is chance.
    pub outcomes_shuffled: bool,
    /// The centre that everything was learned on.
    pub training_centre: String,
    /// Centres on which nothing was learned.
    pub validation_centres: Vec<String>,
    /// Seed of everything random.
    pub seed: u64,
    /// Passes of fine-tuning.
    pub epochs: usize,
}

/// SHA-256 of what a study read, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct InputHashes {
    /// Of `cohort.toml`.
    pub description: String,
    /// Of `patients.csv`.
    pub table: String,
    /// Over images and masks of all patients, with the parameters of their preparation.
    pub images: String,
    /// Of the weights that training began with; absent for a seeded initialisation.
    pub weights: Option<String>,
}

/// Smallest and largest values in the training centre.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct GeometryRange {
    /// Spacing along x, y and z in mm, smallest and largest.
    pub spacing: [[f64; 3]; 2],
    /// Volume of the lesion in mm³, smallest and largest.
    pub volume_mm3: [f64; 2],
}

impl GeometryRange {
    /// The range of some lesions; `None` without one.
    #[must_use]
    pub fn of(lesions: &[LesionGeometry]) -> Option<Self> {
        let first = lesions.first()?;
        let mut range = Self { spacing: [first.spacing; 2], volume_mm3: [first.volume_mm3; 2] };
        for lesion in lesions {
            for axis in 0..3 {
                range.spacing[0][axis] = range.spacing[0][axis].min(lesion.spacing[axis]);
                range.spacing[1][axis] = range.spacing[1][axis].max(lesion.spacing[axis]);
            }
            range.volume_mm3[0] = range.volume_mm3[0].min(lesion.volume_mm3);
            range.volume_mm3[1] = range.volume_mm3[1].max(lesion.volume_mm3);
        }
        Some(range)
    }

    fn check(&self) -> Result<()> {
        let pairs = (0..3).map(|axis| [self.spacing[0][axis], self.spacing[1][axis]]).chain([self.volume_mm3]);
        for [low, high] in pairs {
            ensure!(
                low > 0.0 && low <= high && high.is_finite(),
                "a geometry ranges from {low} to {high}; it must be above 0 and ascend"
            );
        }
        Ok(())
    }
}

/// Everything that is needed to score new patients with a finished study; see the [module](self).
#[derive(Debug)]
pub struct Bundle {
    parts: BundleParts,
    network: Network,
}

/// What a bundle holds beside the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BundleParts {
    pub(crate) origin: StudyOrigin,
    pub(crate) inputs: InputHashes,
    pub(crate) preparation: ImagePreparationParams,
    pub(crate) deep_output: DeepOutput,
    pub(crate) radiomic: Signature,
    pub(crate) deep: Signature,
    pub(crate) model: RiskModel,
    pub(crate) reference: Vec<ReferenceDistribution>,
    pub(crate) geometry: GeometryRange,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) completion: Option<PatientCompletion>,
}

impl BundleParts {
    /// What holds for every bundle, written or read.
    fn check(&self) -> Result<()> {
        let preparation = self.preparation.clone().check()?;
        self.deep_output.check()?;
        self.geometry.check()?;
        self.completion.as_ref().map_or(Ok(()), PatientCompletion::check)?;
        let hashes = [&self.inputs.description, &self.inputs.table, &self.inputs.images];
        for hash in hashes.into_iter().chain(&self.inputs.weights) {
            let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
            ensure!(is_hash, "hash of an input is {hash:?}; it must have 64 hexadecimal digits");
        }
        let names = [RAD_SCORE, DL_SCORE];
        let features = [preparation.feature_names(), deep_feature_names()];
        for ((signature, name), known) in [&self.radiomic, &self.deep].into_iter().zip(names).zip(&features) {
            ensure!(signature.name() == name, "name of a score is {:?}; it must be {name:?}", signature.name());
            ensure!(!signature.weights().is_empty(), "the {name} has no feature; it must have at least one");
            for weight in signature.weights() {
                let feature = &weight.feature;
                ensure!(
                    known.contains(feature),
                    "feature of the {name} is {feature:?}, which its parameters do not give"
                );
            }
        }
        for variable in self.model.variables() {
            let name = &variable.variable.name;
            let known = VARIABLES.iter().find(|known| known.name == name);
            let known = known.with_context(|| format!("variable of the model is {name:?}, which no column gives"))?;
            let unit = &variable.variable.unit;
            ensure!(unit == known.unit, "unit of {name:?} is {unit:?}; it must be {:?}", known.unit);
        }
        let wanted: Vec<&str> = self.reference_names().collect();
        let present: Vec<&str> = self.reference.iter().map(ReferenceDistribution::name).collect();
        ensure!(
            wanted == present,
            "distributions of training are those of {present:?}; they must be those of {wanted:?}, in this order"
        );
        Ok(())
    }

    /// The features of the signatures and the variables of the model, in the order of their distributions.
    pub(crate) fn reference_names(&self) -> impl Iterator<Item = &str> {
        let features = [&self.radiomic, &self.deep].into_iter().flat_map(Signature::weights);
        let variables = self.model.variables().iter().map(|variable| variable.variable.name.as_str());
        features.map(|weight| weight.feature.as_str()).chain(variables)
    }
}

impl Bundle {
    /// A bundle of these parts.
    ///
    /// # Errors
    /// When they do not belong to one another.
    #[cfg_attr(not(feature = "learning"), allow(dead_code))]
    pub(crate) fn new(parts: BundleParts, network: Network) -> Result<Self> {
        parts.check()?;
        Ok(Self { parts, network })
    }

    /// Writes the bundle. The file appears under its name only when it is complete.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        Ok(FORMAT.write(path, &self.network, &self.parts)?)
    }

    /// Reads a bundle, to the same bits.
    ///
    /// # Errors
    /// When the file is no bundle, is of another version, or was damaged or edited; when its parts do not belong to one
    /// another.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let (network, parts): (Network, BundleParts) = FORMAT.read(path)?;
        parts.check().with_context(|| format!("{} is no bundle of a study", path.display()))?;
        Ok(Self { parts, network })
    }

    /// Which study it comes from.
    #[must_use]
    pub fn origin(&self) -> &StudyOrigin {
        &self.parts.origin
    }

    /// Hashes of what the study read.
    #[must_use]
    pub fn inputs(&self) -> &InputHashes {
        &self.parts.inputs
    }

    /// How images become numbers.
    #[must_use]
    pub fn preparation(&self) -> &ImagePreparationParams {
        &self.parts.preparation
    }

    /// Which output of the network is read.
    #[must_use]
    pub fn deep_output(&self) -> &DeepOutput {
        &self.parts.deep_output
    }

    /// The RadScore.
    #[must_use]
    pub fn radiomic_signature(&self) -> &Signature {
        &self.parts.radiomic
    }

    /// The DLScore.
    #[must_use]
    pub fn deep_signature(&self) -> &Signature {
        &self.parts.deep
    }

    /// The integrated model.
    #[must_use]
    pub fn model(&self) -> &RiskModel {
        &self.parts.model
    }

    /// Distribution in the training centre of each feature of a signature, then of each variable of the model.
    #[must_use]
    pub fn reference(&self) -> &[ReferenceDistribution] {
        &self.parts.reference
    }

    /// Ranges of spacing and lesion volume in the training centre.
    #[must_use]
    pub fn geometry(&self) -> &GeometryRange {
        &self.parts.geometry
    }

    /// What completes a patient who lacks a value; `None` where the study did not impute.
    #[must_use]
    pub fn completion(&self) -> Option<&PatientCompletion> {
        self.parts.completion.as_ref()
    }

    /// The network.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Columns of a patient's row that the model needs, each once.
    #[must_use]
    pub fn needed_columns(&self) -> Vec<&'static str> {
        let mut columns: Vec<&str> = Vec::new();
        for variable in self.parts.model.variables() {
            let known = VARIABLES.iter().find(|known| known.name == variable.variable.name);
            columns.extend(known.into_iter().flat_map(StudyVariable::columns));
        }
        let mut seen = std::collections::BTreeSet::new();
        columns.retain(|column| seen.insert(*column));
        columns
    }

    /// Columns of a patient's row that are read: those that the model needs and, where the bundle completes missing
    /// values, those that tell about them. The latter may be absent.
    #[must_use]
    pub fn read_columns(&self) -> Vec<&'static str> {
        let mut columns = self.needed_columns();
        if self.parts.completion.is_some() {
            let further: Vec<&str> =
                MEASUREMENTS.iter().map(|one| one.name).filter(|name| !columns.contains(name)).collect();
            columns.extend(further);
        }
        columns
    }

    /// The network folded for evaluation.
    pub(crate) fn predictor(&self) -> Result<Predictor> {
        let predictor = Predictor::new(&self.network);
        let stage = &self.parts.deep_output.stage;
        ensure!(predictor.stages().contains(&stage.as_str()), "the network has no output {stage:?}");
        Ok(predictor)
    }
}
