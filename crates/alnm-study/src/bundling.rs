//! The bundle of a finished study.

use std::path::PathBuf;

use alnm_deep::{Network, Predictor};
use alnm_selection::{FeatureTable, FittedPipeline, Signature};
use anyhow::{Context, Result, ensure};

use crate::analysis::Results;
use crate::bundle::{BUNDLE_FILE, Bundle, BundleParts, GeometryRange, InputHashes, StudyOrigin};
use crate::cohort::MissingHandling;
use crate::deep::NetworkFeatures;
use crate::deep_output::DeepOutput;
use crate::drift::ReferenceDistribution;
use crate::images::CohortFeatures;
use crate::preparation::LesionGeometry;
use crate::scores::{ScoreInputs, Scores};
use crate::store::Fingerprint;
use crate::study::Study;
use crate::table::CohortTable;
use crate::variables::VARIABLES;

/// What a bundle is made from.
#[derive(Debug, Clone, Copy)]
pub struct BundleSources<'a> {
    /// The cohort as a table.
    pub table: &'a CohortTable<'a>,
    /// Features, crops and geometries.
    pub images: &'a CohortFeatures,
    /// Vectors of the network.
    pub deep: &'a NetworkFeatures,
    /// Features offered to the selections.
    pub inputs: &'a ScoreInputs,
    /// Selections and scores.
    pub scores: &'a Scores,
    /// The models.
    pub results: &'a Results,
}

impl Study {
    /// Writes the bundle to the output folder and returns its path. It depends on inputs and settings alone.
    ///
    /// # Errors
    /// When the fine-tuned network is not the one that the vectors were read from, or a file cannot be read or written.
    pub fn bundle(&mut self, sources: &BundleSources<'_>) -> Result<PathBuf> {
        let step = self.progress().begin("bundle for new patients", 1);
        let path = self.settings.out.join(BUNDLE_FILE);
        Bundle::new(self.parts(sources)?, self.network(sources)?)?.write(&path)?;
        step.advance();
        step.finish(&mut self.costs);
        Ok(path)
    }

    /// The fine-tuned network, after it gave the vectors of the first patients once more.
    fn network(&self, sources: &BundleSources<'_>) -> Result<Network> {
        let path = self.network_file()?;
        let advice = "remove the folder steps/deep, and the same command fine-tunes the network again";
        let network = Network::load(&path).with_context(|| advice.to_owned())?;
        let output = DeepOutput::default();
        let first = &sources.images.crops[..output.batch.min(sources.images.crops.len())];
        let vectors = output.read(&Predictor::new(&network), first)?;
        ensure!(
            vectors == sources.deep.vectors[..first.len()],
            "{} is not the network that the deep features were read from; {advice}",
            path.display()
        );
        Ok(network)
    }

    fn parts(&self, sources: &BundleSources<'_>) -> Result<BundleParts> {
        let BundleSources { table, images, scores, results, .. } = *sources;
        let description = &table.cohort().description;
        let scored = scores.of(sources.inputs)?;
        let trained: Vec<LesionGeometry> = table.training().iter().map(|&row| images.geometries[row]).collect();
        let mut parts = BundleParts {
            origin: StudyOrigin {
                software: concat!("alnm-study ", env!("CARGO_PKG_VERSION")).to_owned(),
                cohort: description.name.clone(),
                simulated: description.simulated,
                outcomes_shuffled: self.settings.shuffle_outcomes,
                training_centre: description.training_centre.clone(),
                validation_centres: description.validation_centres.clone(),
                seed: self.settings.seed,
                epochs: self.settings.epochs,
            },
            inputs: self.input_hashes(images)?,
            preparation: images.preparation.clone(),
            deep_output: DeepOutput::default(),
            radiomic: signature(&scores.radiomic)?,
            deep: signature(&scores.deep)?,
            model: results.model.clone(),
            reference: Vec::new(),
            geometry: GeometryRange::of(&trained).context("the training centre has no patients")?,
            completion: match description.missing_handling() {
                MissingHandling::Impute => Some(table.patient_completion(&scored)?),
                _ => None,
            },
        };
        let names: Vec<String> = parts.reference_names().map(str::to_owned).collect();
        let observed = table.observed(&scored)?;
        parts.reference = names.iter().map(|name| reference(sources, &observed, name)).collect::<Result<_>>()?;
        Ok(parts)
    }

    fn input_hashes(&self, images: &CohortFeatures) -> Result<InputHashes> {
        let folder = self.cohort_folder();
        let of_file = |path: &std::path::Path| Ok::<_, anyhow::Error>(Fingerprint::default().files(path)?.finish());
        Ok(InputHashes {
            description: of_file(&folder.join("cohort.toml"))?,
            table: of_file(&folder.join("patients.csv"))?,
            images: Fingerprint::default().parameters(&images.fingerprints)?.finish(),
            weights: self.settings.weights.as_deref().map(of_file).transpose()?,
        })
    }
}

fn signature(fitted: &FittedPipeline) -> Result<Signature> {
    let absent = || format!("the selection for the {} has no LASSO at its end", fitted.pipeline().score());
    fitted.signature().cloned().with_context(absent)
}

/// The distribution of a feature or variable in the training centre, of what was observed.
fn reference(sources: &BundleSources<'_>, observed: &FeatureTable, name: &str) -> Result<ReferenceDistribution> {
    let tables = [observed, &sources.inputs.radiomic, &sources.inputs.deep];
    let table = tables.into_iter().find(|table| table.names().iter().any(|column| column == name));
    let column = table.with_context(|| format!("no table has the column {name:?}"))?.column(name)?;
    let values: Vec<f64> =
        sources.table.training().iter().map(|&row| column[row]).filter(|value| !value.is_nan()).collect();
    let unit = VARIABLES.iter().find(|variable| variable.name == name).map_or("", |variable| variable.unit);
    ReferenceDistribution::of(name, unit, &values)
}
