//! How much the findings depend on chance, on the subgroup and on the kind of model.

use alnm_models::gradient_boosting::{BoostingParams, GradientBoosting};
use alnm_models::ridge::{RidgeModel, RidgeParams};
use alnm_models::subgroup::{SubgroupPerformance, subgroup_performance};
use alnm_selection::{FeatureTable, FittedPipeline, Labels, Pipeline, Signature};
use alnm_stats::bootstrap::resample_stratified;
use alnm_stats::delong::{AucEstimate, auc_estimate};
use alnm_stats::roc::{Direction, RocCurve};
use alnm_stats::sample_size::{SampleSize, SampleSizeParams, prediction_model};
use anyhow::{Context, Result};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::analysis::{INTEGRATED, LEVEL, Results};
use crate::cohort::{Cohort, Patient, Subtype};
use crate::progress::RunningStep;
use crate::scores::{ScoreInputs, Scores};
use crate::store::{Fingerprint, Store};
use crate::study::Study;
use crate::table::CohortTable;
use crate::variables::VARIABLES;

/// Shrinkage and margin of Riley's criteria, by convention.
const SHRINKAGE: f64 = 0.9;
const MARGIN: f64 = 0.05;
/// A bootstrap of the selections for so many of the models.
const RESAMPLES_PER_SELECTION: usize = 5;

/// The integrated model in the subgroups of one cohort.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CohortSubgroups {
    /// Name of the cohort; the training centre is judged by cross-fitted risks.
    pub cohort: String,
    /// What the patients are grouped by.
    pub by: String,
    /// The subgroups at the training cutoff.
    pub subgroups: Vec<SubgroupPerformance>,
}

/// Another kind of model on the variables of the integrated one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AlternativeModel {
    /// Kind of model.
    pub model: String,
    /// Area in the training centre, on the patients it was fitted to.
    pub training: AucEstimate,
    /// Area in each validation centre.
    pub validation: Vec<AucEstimate>,
}

/// How often bootstraps of the whole selection keep a feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SelectionFrequency {
    /// The score.
    pub score: String,
    /// The feature.
    pub feature: String,
    /// Share of the resamples whose LASSO keeps it.
    pub frequency: f64,
    /// Whether the study's own selection keeps it.
    pub in_score: bool,
}

/// Whether the training cohort is large enough.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SampleSizeRemark {
    /// Training patients.
    pub patients: usize,
    /// With metastasis.
    pub events: usize,
    /// Variables of the integrated model.
    pub variables: usize,
    /// Events, or patients without where these are fewer, for each of them.
    pub events_per_variable: f64,
    /// What Riley's criteria ask for with all candidate variables and the apparent Cox-Snell R²; absent where that
    /// leaves their range.
    pub riley: Option<SampleSize>,
}

/// What a reader asks after the main results.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Robustness {
    /// By molecular subtype and by age.
    pub subgroups: Vec<CohortSubgroups>,
    /// Logistic, ridge and boosted models on the same variables.
    pub alternatives: Vec<AlternativeModel>,
    /// Features of the scores, and others that bootstraps keep often.
    pub selection: Vec<SelectionFrequency>,
    /// Resamples of the selection.
    pub selection_resamples: usize,
    /// Whether the training cohort is large enough.
    pub sample_size: SampleSizeRemark,
}

impl Study {
    /// Subgroups, other kinds of models, the stability of the selections, and the size of the cohort.
    ///
    /// # Errors
    /// What a model or a statistic goes wrong with.
    pub fn robustness(
        &mut self,
        table: &CohortTable<'_>,
        variables: &FeatureTable,
        inputs: &ScoreInputs,
        scores: &Scores,
        results: &Results,
    ) -> Result<Robustness> {
        let resamples = self.settings.resamples.div_ceil(RESAMPLES_PER_SELECTION);
        let step = self.progress().begin("subgroups, other models, stability", resamples);
        let (rows, labels) = (table.training(), table.training_labels());
        let stability = |pipeline, features, fitted| {
            selection_frequencies(pipeline, features, rows, &labels, fitted, resamples, self.settings.seed, &step)
        };
        let fingerprint = Fingerprint::default()
            .parameters(&(&inputs.radiomic_pipeline, &inputs.deep_pipeline, &labels, resamples, self.settings.seed))?
            .parameters(&(inputs.radiomic.names(), &scores.radiomic, &scores.deep))?
            .numbers(inputs.radiomic.select_rows(rows).values().iter().copied())
            .numbers(inputs.deep.select_rows(rows).values().iter().copied())
            .finish();
        let selection = Store::open(&self.settings.out, "stability")?.item("frequencies", &fingerprint, || {
            let mut selection = stability(&inputs.radiomic_pipeline, &inputs.radiomic, &scores.radiomic)?;
            selection.extend(stability(&inputs.deep_pipeline, &inputs.deep, &scores.deep)?);
            Ok(selection)
        })?;
        let robustness = Robustness {
            subgroups: subgroups(table.cohort(), results)?,
            alternatives: alternatives(table, variables, results, self.settings.seed)?,
            selection,
            selection_resamples: resamples,
            sample_size: sample_size(results, &labels)?,
        };
        step.finish(&mut self.costs);
        Ok(robustness)
    }
}

/// Groups by age; their names sort by it.
fn age_group(patient: &Patient) -> &'static str {
    match patient.age_years {
        age if age < 40.0 => "18 to 39",
        age if age < 50.0 => "40 to 49",
        age if age.is_nan() => "not known",
        _ => "50 and over",
    }
}

/// A name and the group of a patient.
type Grouping = (&'static str, fn(&Patient) -> &'static str);

const GROUPINGS: [Grouping; 2] =
    [("subtype", |patient| patient.subtype.map_or("not known", Subtype::name)), ("age", age_group)];

fn subgroups(cohort: &Cohort, results: &Results) -> Result<Vec<CohortSubgroups>> {
    let mut found = Vec::new();
    for evaluation in std::iter::once(&results.cross_fitted).chain(&results.validation) {
        let patients: Vec<&Patient> =
            match cohort.patients.iter().filter(|p| p.centre == evaluation.cohort).collect::<Vec<_>>() {
                none if none.is_empty() => cohort.training(),
                patients => patients,
            };
        let integrated = evaluation
            .performances
            .iter()
            .find(|p| p.model == INTEGRATED)
            .context("the integrated model was judged")?;
        let cutoff = integrated.carried_cutoff.cutoff;
        for (by, group) in GROUPINGS {
            let groups: Vec<String> = patients.iter().map(|patient| group(patient).to_owned()).collect();
            let subgroups = subgroup_performance(&evaluation.labels, &integrated.risks, &groups, cutoff, LEVEL)?;
            found.push(CohortSubgroups { cohort: evaluation.cohort.clone(), by: by.to_owned(), subgroups });
        }
    }
    Ok(found)
}

fn alternatives(
    table: &CohortTable<'_>,
    variables: &FeatureTable,
    results: &Results,
    seed: u64,
) -> Result<Vec<AlternativeModel>> {
    let integrated = &results.models.model(INTEGRATED)?;
    let variables = variables.select(&integrated.specification().variables)?;
    let (training, labels) = (variables.select_rows(table.training()), table.training_labels());
    let ridge = RidgeModel::fit(&training, &labels, &RidgeParams::cross_validated(table.folds(seed)?))?;
    let boosting = GradientBoosting::fit(&training, &labels, &BoostingParams::default())?;
    let centres: Vec<Vec<usize>> = table.validation().map(|(_, rows)| rows).collect();
    let judge = |name: &str, predict: &dyn Fn(&FeatureTable) -> Result<Vec<f64>>| -> Result<AlternativeModel> {
        let area = |rows: &[usize]| -> Result<AucEstimate> {
            let roc = RocCurve::new(
                &table.labels(rows),
                &predict(&variables.select_rows(rows))?,
                Direction::HigherIsPositive,
            )?;
            Ok(auc_estimate(&roc, LEVEL)?)
        };
        let validation = centres.iter().map(|rows| area(rows)).collect::<Result<_>>()?;
        Ok(AlternativeModel { model: name.to_owned(), training: area(table.training())?, validation })
    };
    Ok(vec![
        judge("logistic regression", &|table| Ok(integrated.model().predict(table)?))?,
        judge("ridge logistic regression", &|table| Ok(ridge.predict(table)?))?,
        judge("gradient boosting", &|table| Ok(boosting.raw_scores(table)?))?,
    ])
}

/// How often each feature is in the score when the whole selection is fitted to stratified bootstraps of the rows.
/// Resamples whose LASSO keeps nothing count as keeping none.
fn selection_frequencies(
    pipeline: &Pipeline,
    table: &FeatureTable,
    rows: &[usize],
    labels: &Labels,
    fitted: &FittedPipeline,
    resamples: usize,
    seed: u64,
    step: &RunningStep,
) -> Result<Vec<SelectionFrequency>> {
    /// Features outside the score are listed from this share on.
    const OFTEN: f64 = 0.25;
    let training = table.select_rows(rows);
    let kept: Vec<Vec<String>> = (0..resamples)
        .into_par_iter()
        .map(|index| {
            step.check_interrupt()?;
            let drawn = resample_stratified(labels, seed, index);
            let refitted = pipeline.fit(&training.select_rows(&drawn), &labels.select(&drawn)).ok();
            step.advance();
            Ok(refitted.as_ref().map(features_of).unwrap_or_default())
        })
        .collect::<Result<_>>()?;
    let own = features_of(fitted);
    let mut frequencies: Vec<SelectionFrequency> = table
        .names()
        .iter()
        .map(|feature| SelectionFrequency {
            score: pipeline.score().to_owned(),
            feature: feature.clone(),
            frequency: kept.iter().filter(|kept| kept.contains(feature)).count() as f64 / resamples as f64,
            in_score: own.contains(feature),
        })
        .filter(|one| one.in_score || one.frequency >= OFTEN)
        .collect();
    frequencies.sort_by(|a, b| b.frequency.total_cmp(&a.frequency));
    Ok(frequencies)
}

fn features_of(pipeline: &FittedPipeline) -> Vec<String> {
    pipeline.signature().into_iter().flat_map(Signature::weights).map(|weight| weight.feature.clone()).collect()
}

fn sample_size(results: &Results, labels: &Labels) -> Result<SampleSizeRemark> {
    let integrated = results.models.model(INTEGRATED)?;
    let variables = integrated.specification().variables.len();
    let cox_snell_r2 = integrated.model().explained().cox_snell;
    let params = SampleSizeParams::new(VARIABLES.len(), labels.prevalence(), cox_snell_r2)
        .with_shrinkage(SHRINKAGE)
        .with_margin(MARGIN);
    Ok(SampleSizeRemark {
        patients: labels.len(),
        events: labels.positives(),
        variables,
        events_per_variable: labels.positives().min(labels.negatives()) as f64 / variables as f64,
        riley: prediction_model(params).ok(),
    })
}
