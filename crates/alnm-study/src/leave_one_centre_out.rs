//! Internal-external validation: every centre judged by what was learned in all others.

use alnm_models::model_set::ModelSpecification;
use alnm_selection::folds::Folds;
use alnm_stats::calibration::{CalibrationByCentre, calibration_by_centre};
use anyhow::{Context, Result, ensure};
use serde::Serialize;

use crate::analysis::{LEVEL, Results};
use crate::cohort::FEWEST_OF_AN_OUTCOME;
use crate::cross_fit::CrossFit;
use crate::deep::{FineTuning, NetworkFeatures};
use crate::images::CohortFeatures;
use crate::leak_check::{Material, check_others};
use crate::scores::ScoreInputs;
use crate::store::{Fingerprint, Store};
use crate::study::Study;
use crate::table::CohortTable;

/// Every centre judged by selections, scores, models and a network that were learned in all others (internal-external
/// validation, Royston, Parmar and Sylvester 2004).
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct LeaveOneCentreOut {
    /// What each centre was judged by.
    pub centres: Vec<LeftOutCentre>,
    /// The ten models.
    pub models: Vec<ModelOverCentres>,
}

/// A centre that was left out, and the patients of all others, who were learned from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LeftOutCentre {
    /// The centre.
    pub centre: String,
    /// Patients who were learned from.
    pub patients: usize,
    /// Those of them with metastasis.
    pub metastasis: usize,
}

/// A model in every centre, fitted without the centre, and over the centres by a random-effects model.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ModelOverCentres {
    /// The model.
    pub model: String,
    /// Its figures.
    pub performance: CalibrationByCentre,
}

impl Study {
    /// With `[design] leave_one_centre_out`, every centre is judged by what was learned in all others, the network
    /// fine-tuned anew without the centre. Finished work is kept.
    ///
    /// # Errors
    /// When the other centres of one have too few patients to learn from, and what a step goes wrong with.
    pub fn leave_one_centre_out(
        &mut self,
        table: &CohortTable<'_>,
        images: &CohortFeatures,
        deep: &NetworkFeatures,
        results: &Results,
    ) -> Result<()> {
        if !table.cohort().description.design.leave_one_centre_out {
            return Ok(());
        }
        let centres: Vec<(&str, Vec<usize>)> = table.centres().collect();
        ensure!(
            centres.len() > 1,
            "leave_one_centre_out is set and the cohort has one centre; at least two are needed, or take it out of [design]"
        );
        let folds = folds_of_centres(table, &centres)?;
        let networks = self.networks_without_a_centre(table, images, deep, &folds)?;
        let seed = self.settings.seed;
        let inputs = (0..folds.count())
            .map(|fold| {
                let rows = folds.training_rows(fold);
                let deep = &networks[fold];
                check_left_out(Material { cohort: table.cohort(), images, deep }, &rows, seed)
                    .with_context(|| format!("leaving out centre {}", centres[fold].0))?;
                ScoreInputs::learned_on(&rows, table, images, deep, seed)
            })
            .collect::<Result<Vec<_>>>()?;
        let specifications: Vec<ModelSpecification> =
            results.models.models().iter().map(|model| model.specification().clone()).collect();

        let step = self.progress().begin("leave one centre out", folds.count());
        let all: Vec<usize> = (0..table.cohort().patients.len()).collect();
        let mut fingerprint = Fingerprint::default()
            .parameters(&(folds.assignment(), table.labels(&all), seed, &specifications))?
            .parameters(&table.cohort().description.missing)?
            .numbers(table.clinical().values().iter().copied());
        for of_fold in &inputs {
            fingerprint = fingerprint
                .parameters(&(&of_fold.radiomic_pipeline, &of_fold.deep_pipeline))?
                .numbers(of_fold.radiomic.values().iter().copied())
                .numbers(of_fold.deep.values().iter().copied());
        }
        let store = Store::open(&self.settings.out, "leave_one_centre_out")?;
        let risks: Vec<Vec<Vec<f64>>> = store.item("risks", &fingerprint.finish(), || {
            let cross_fit = CrossFit {
                table,
                rows: &all,
                folds: &folds,
                inputs: &|fold, _| Ok(inputs[fold].clone()),
                progress: self.progress(),
                advance: &|| step.advance(),
            };
            cross_fit.risks(&specifications)
        })?;
        step.finish(&mut self.costs);
        let risks = risks.first().context("at least one table is completed")?;
        self.leave_one_centre_out = Some(judged(table, &folds, &specifications, risks)?);
        Ok(())
    }

    /// The deep features of all patients by a network for each centre that was fine-tuned on all others.
    fn networks_without_a_centre(
        &mut self,
        table: &CohortTable<'_>,
        images: &CohortFeatures,
        deep: &NetworkFeatures,
        folds: &Folds,
    ) -> Result<Vec<NetworkFeatures>> {
        let weights = self.settings.weights.clone();
        let without = |fold: usize| -> Result<NetworkFeatures> {
            let rows = folds.training_rows(fold);
            // Without the only other centre the training centre remains, whose network is there.
            if rows == table.training() {
                return Ok(deep.clone());
            }
            let tuning = FineTuning {
                backbone: self.settings.backbone_size.backbone(),
                weights: weights.as_deref(),
                rows: &rows,
                folder: "centre_networks",
                key: &format!("without_centre_{}", fold + 1),
                title: &format!("fine-tuning without centre {}", fold + 1),
                keep_network: false,
            };
            self.fine_tuned(table.cohort(), images, &tuning)
        };
        (0..folds.count()).map(without).collect()
    }
}

/// Fails when a patient of the centre that is left out influenced selections, scores or completed values, or was among
/// the patients that the network was trained on.
fn check_left_out(material: Material<'_>, rows: &[usize], seed: u64) -> Result<()> {
    let patients = &material.cohort.patients;
    let others: Vec<&String> = rows.iter().map(|&row| &patients[row].id).collect();
    ensure!(
        material.deep.trained_on.iter().collect::<Vec<_>>() == others,
        "a leak: the network was not trained on the patients of the other centres alone"
    );
    let is_learned_from: Vec<bool> = (0..patients.len()).map(|row| rows.contains(&row)).collect();
    check_others(material, &is_learned_from, |material| {
        let table = CohortTable::new(material.cohort)?;
        let inputs = ScoreInputs::learned_on(rows, &table, material.images, material.deep, seed)?;
        let scores = inputs.fitted_scores(rows, &table.labels(rows))?;
        let completed = table.completed(&scores, rows)?;
        Ok(completed.iter().map(|variables| format!("{:?}", variables.select_rows(rows))).collect())
    })
}

/// The centres as folds of all rows.
fn folds_of_centres(table: &CohortTable<'_>, centres: &[(&str, Vec<usize>)]) -> Result<Folds> {
    let mut assignment = vec![0; table.cohort().patients.len()];
    for (fold, (_, rows)) in centres.iter().enumerate() {
        rows.iter().for_each(|&row| assignment[row] = fold);
    }
    let folds = Folds::given(assignment)?;
    for (fold, (centre, _)) in centres.iter().enumerate() {
        let labels = table.labels(&folds.training_rows(fold));
        let fewest = labels.positives().min(labels.negatives());
        ensure!(
            fewest >= FEWEST_OF_AN_OUTCOME,
            "leaving out centre {centre}: the others have {fewest} patients of the rarer outcome; at least \
             {FEWEST_OF_AN_OUTCOME} are needed, or take leave_one_centre_out out of [design]"
        );
    }
    Ok(folds)
}

fn judged(
    table: &CohortTable<'_>,
    folds: &Folds,
    specifications: &[ModelSpecification],
    risks: &[Vec<f64>],
) -> Result<LeaveOneCentreOut> {
    let left_out = |(fold, (centre, _)): (usize, (&str, Vec<usize>))| {
        let labels = table.labels(&folds.training_rows(fold));
        LeftOutCentre { centre: centre.to_owned(), patients: labels.len(), metastasis: labels.positives() }
    };
    let all: Vec<usize> = (0..table.cohort().patients.len()).collect();
    let names: Vec<String> = table.cohort().patients.iter().map(|patient| patient.centre.clone()).collect();
    let over_centres = |(model, risks): (&ModelSpecification, &Vec<f64>)| -> Result<ModelOverCentres> {
        let performance = calibration_by_centre(&table.labels(&all), risks, &names, LEVEL)?;
        Ok(ModelOverCentres { model: model.name.clone(), performance })
    };
    Ok(LeaveOneCentreOut {
        centres: table.centres().enumerate().map(left_out).collect(),
        models: specifications.iter().zip(risks).map(over_centres).collect::<Result<_>>()?,
    })
}
