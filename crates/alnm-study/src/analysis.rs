//! Tables, the ten models and their evaluation.

use alnm_models::gradient_boosting::{BoostingParams, FeatureImportance, GradientBoosting, ImportanceKind};
use alnm_models::model_set::{ModelPerformance, ModelSet, ModelSpecification, performance};
use alnm_models::profile_likelihood::ProfileMethod;
use alnm_models::subset_search::{SubsetSearch, SubsetSearchParams, incremental_subsets};
use alnm_models::univariate_table::{UnivariateOddsRatio, UnivariateRequest, univariate_odds_ratios};
use alnm_models::{LogisticModel, LogisticParams, RiskModel, Variable};
use alnm_selection::{FeatureTable, Labels};
use alnm_stats::bootstrap::Resampling;
use alnm_stats::calibration::{
    CalibrationCurve, HosmerLemeshow, Recalibration, hosmer_lemeshow, loess_curve, recalibrate,
};
use alnm_stats::decision_curve::{DecisionCurve, even_thresholds};
use alnm_stats::loess::LoessParams;
use alnm_stats::optimism::{OptimismCorrected, Stratification, validate};
use alnm_stats::roc::{Direction, RocCurve};
use alnm_stats::t_test::GroupVariance;
use alnm_stats::table_one::{Characteristic, TableOne, TableOneParams};
use anyhow::{Context, Result};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::cohort::{Cohort, Patient, Subtype};
use crate::cross_fit::{CrossFit, FoldPredictions};
use crate::missing_values::MissingValues;
use crate::scores::ScoreInputs;
use crate::store::{Fingerprint, Store};
use crate::study::Study;
use crate::table::CohortTable;
use crate::ten_models::specifications;
use crate::variables::{DL_SCORE, RAD_SCORE, StudyVariable, VARIABLES};

pub use crate::ten_models::{INTEGRATED, LEVEL};

/// Groups of the Hosmer-Lemeshow test.
pub const RISK_GROUPS: usize = 10;
/// The name of the evaluation of the training centre by fits without the judged patients.
pub(crate) const CROSS_FITTED: &str = "training, cross-fitted";
/// The name of the evaluation of all validation centres together.
const POOLED: &str = "validation, all centres";
/// The name of the cutoff that the integrated model carries.
pub(crate) const CUTOFF: &str = "Youden, training";

/// Calibration of a model in a cohort; parts that are undefined there are absent.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Calibration {
    /// The Hosmer-Lemeshow test with its groups.
    pub hosmer_lemeshow: Option<HosmerLemeshow>,
    /// The smooth curve.
    pub curve: Option<CalibrationCurve>,
    /// Intercept and slope.
    pub recalibration: Option<Recalibration>,
}

/// The ten models in one cohort.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Evaluation {
    /// Name of the cohort.
    pub cohort: String,
    /// The outcomes.
    pub labels: Labels,
    /// One entry per model.
    pub performances: Vec<ModelPerformance>,
    /// One entry per model.
    pub calibrations: Vec<Calibration>,
    /// One entry per model.
    pub decision_curves: Vec<DecisionCurve>,
}

/// Results that are learned from the variables and scores of the training centre.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Learned {
    /// Table 2.
    pub odds_ratios: Vec<UnivariateOddsRatio>,
    /// Figure 4 A.
    pub importances: Vec<FeatureImportance>,
    /// Figure 4 B.
    pub subsets: SubsetSearch,
    /// The ten models with their cutoffs.
    pub models: ModelSet,
}

impl Learned {
    /// Univariate regressions, importance, incremental subsets and the ten models, from the rows of the training
    /// centre in `variables`, the table of every variable that a model may hold ([`CohortTable::with_scores`]).
    ///
    /// # Errors
    /// What a model goes wrong with.
    pub fn fit(table: &CohortTable<'_>, variables: &FeatureTable, seed: u64) -> Result<Self> {
        let labels = table.training_labels();
        let training = variables.select_rows(table.training());
        let params = LogisticParams::default();
        let odds_ratios = univariate_odds_ratios(&training, &labels, &requests(), ProfileMethod::Exact, &params)?;
        let names: Vec<String> = VARIABLES.iter().map(|variable| variable.name.to_owned()).collect();
        let boosting = GradientBoosting::fit(&training.select(&names)?, &labels, &BoostingParams::default())?;
        let ranked = boosting.ranked_features(ImportanceKind::Gain);
        let subsets = incremental_subsets(&training, &labels, &table.folds(seed)?, &SubsetSearchParams::new(ranked))?;
        let models = ModelSet::fit(&specifications(), &training, &labels, &params)?;
        Ok(Self { odds_ratios, importances: boosting.importances(), subsets, models })
    }
}

/// Everything that the study reports.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Results {
    /// Table 1, training centre.
    pub table_one: TableOne,
    /// Table 2.
    pub odds_ratios: Vec<UnivariateOddsRatio>,
    /// Figure 4 A.
    pub importances: Vec<FeatureImportance>,
    /// Figure 4 B.
    pub subsets: SubsetSearch,
    /// The ten models fitted on the training centre.
    pub models: ModelSet,
    /// Training: the models on the patients they were fitted to.
    pub training: Evaluation,
    /// The training centre with selection, scores and models fitted without the judged patients.
    pub cross_fitted: Evaluation,
    /// AUC of every model corrected for the optimism of the regression by the bootstrap, the scores held fixed.
    pub corrected_auc: Vec<OptimismCorrected>,
    /// Every validation centre.
    pub validation: Vec<Evaluation>,
    /// All patients of the validation centres together, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pooled_validation: Option<Evaluation>,
    /// The integrated model to hand on, pooled over the completed tables where training values were imputed.
    pub model: RiskModel,
}

impl Results {
    /// All evaluations: training, cross-fitted, every validation centre and, where there are several, all of them
    /// together.
    pub fn evaluations(&self) -> impl Iterator<Item = &Evaluation> {
        [&self.training, &self.cross_fitted].into_iter().chain(self.outside())
    }

    /// The evaluations on patients of whom nothing was learned: every validation centre and, where there are several,
    /// all of them together.
    pub fn outside(&self) -> impl Iterator<Item = &Evaluation> {
        self.validation.iter().chain(&self.pooled_validation)
    }
}

impl Study {
    /// Tables 1 and 2, importance and incremental subsets, the ten models, and their evaluation in every cohort; beside
    /// the training figures stand cross-fitted ones.
    ///
    /// # Errors
    /// What a model or a statistic goes wrong with.
    pub fn analysis(
        &mut self,
        table: &CohortTable<'_>,
        variables: &FeatureTable,
        fold_inputs: &FoldInputs<'_>,
    ) -> Result<Results> {
        let labels = table.training_labels();
        let training = variables.select_rows(table.training());
        let params = LogisticParams::default();

        let step = self.progress().begin("tables, importance, ten models", 3);
        let scores = variables.select(&[RAD_SCORE.to_owned(), DL_SCORE.to_owned()])?;
        let table_one = baseline_table(table, &table.observed(&scores)?, table.training(), &labels)?;
        step.advance();
        let Learned { odds_ratios, importances, subsets, models } = Learned::fit(table, variables, self.settings.seed)?;
        step.advance();
        let in_training = evaluation("training", &models, &training, &labels)?;
        step.advance();
        let validation = table
            .validation()
            .map(|(centre, rows)| evaluation(centre, &models, &variables.select_rows(&rows), &table.labels(&rows)))
            .collect::<Result<Vec<_>>>()?;
        let pooled_validation = match validation.len() {
            0 | 1 => None,
            _ => {
                let rows: Vec<usize> = table.validation().flat_map(|(_, rows)| rows).collect();
                Some(evaluation(POOLED, &models, &variables.select_rows(&rows), &table.labels(&rows))?)
            }
        };
        step.finish(&mut self.costs);

        let (cross_fitted, out_of_fold) = self.cross_fitted(table, fold_inputs, &models, &labels)?;
        let single = saved_model(&models, &training, table.cohort(), &labels)?;
        self.missing_values = MissingValues::of(table, &scores, &out_of_fold, &single)?;
        let pooled = self.missing_values.as_ref().and_then(|missing| missing.integrated.clone());
        let model = pooled.unwrap_or(single);
        self.further_outcomes = self.models_of_further_outcomes(table, variables, fold_inputs)?;
        let step = self.progress().begin("bootstrap of the models", models.models().len());
        let resampling = Resampling::new(self.settings.resamples, self.settings.seed);
        let corrected_auc = models
            .models()
            .iter()
            .map(|model| {
                step.advance();
                corrected_auc(&training.select(&model.specification().variables)?, &labels, resampling, &params)
            })
            .collect::<Result<_>>()?;
        step.finish(&mut self.costs);
        Ok(Results {
            table_one,
            odds_ratios,
            importances,
            subsets,
            models,
            training: in_training,
            cross_fitted,
            corrected_auc,
            validation,
            pooled_validation,
            model,
        })
    }

    /// Every fold's patients judged by selections, scores and models that were fitted without them; and their risks, by
    /// completed table and model.
    fn cross_fitted(
        &mut self,
        table: &CohortTable<'_>,
        inputs: &FoldInputs<'_>,
        models: &ModelSet,
        labels: &Labels,
    ) -> Result<(Evaluation, FoldPredictions)> {
        let folds = table.folds(self.settings.seed)?;
        let step = self.progress().begin("cross-fitting", folds.count());
        let store = Store::open(&self.settings.out, "cross_fitting")?;
        let ScoreInputs { radiomic, radiomic_pipeline, deep_pipeline, .. } = inputs.of_all;
        let mut fingerprint = Fingerprint::default()
            .parameters(&(radiomic_pipeline, deep_pipeline, folds.assignment(), labels))?
            .parameters(&table.cohort().description.missing)?
            .numbers(radiomic.values().iter().copied())
            .numbers(table.clinical().values().iter().copied());
        for fold in 0..folds.count() {
            fingerprint = fingerprint.numbers(inputs.deep(fold).values().iter().copied());
        }
        let specifications: Vec<ModelSpecification> =
            models.models().iter().map(|model| model.specification().clone()).collect();
        let risks: FoldPredictions = store.item("risks", &fingerprint.finish(), || {
            let cross_fit = CrossFit {
                table,
                rows: table.training(),
                folds: &folds,
                inputs: &|fold, _| Ok(inputs.of_fold(fold)),
                progress: self.progress(),
                advance: &|| step.advance(),
            };
            cross_fit.risks(&specifications)
        })?;
        let of_model = |(model, risks)| Ok(performance(model, CROSS_FITTED, labels, risks, LEVEL)?);
        let first = risks.first().context("at least one table is completed")?.clone();
        let performances = models.models().iter().zip(first).map(of_model).collect::<Result<_>>()?;
        step.finish(&mut self.costs);
        Ok((finish_evaluation(CROSS_FITTED, labels.clone(), performances)?, risks))
    }
}

/// Features for fits within folds: those of all patients, deep ones by the fold's own network where there is one.
#[derive(Debug)]
pub struct FoldInputs<'a> {
    of_all: &'a ScoreInputs,
    of_folds: Option<&'a [FeatureTable]>,
}

impl<'a> FoldInputs<'a> {
    /// `of_folds` holds a table of deep features per fold.
    #[must_use]
    pub fn new(of_all: &'a ScoreInputs, of_folds: Option<&'a [FeatureTable]>) -> Self {
        Self { of_all, of_folds }
    }

    /// The features that fits without the fold's patients see.
    #[must_use]
    pub fn of_fold(&self, fold: usize) -> ScoreInputs {
        ScoreInputs { deep: self.deep(fold).clone(), ..self.of_all.clone() }
    }

    /// The deep features among them.
    pub(crate) fn deep(&self, fold: usize) -> &FeatureTable {
        self.of_folds.map_or(&self.of_all.deep, |tables| &tables[fold])
    }
}

fn requests() -> Vec<UnivariateRequest> {
    let request = |variable: &StudyVariable| {
        UnivariateRequest::new(Variable::new(variable.name, variable.unit)).with_per(variable.per)
    };
    VARIABLES.iter().map(request).collect()
}

/// Clinical variables, receptors and subtype, then blood indices and scores, of some rows by two groups.
pub(crate) fn baseline_table(
    table: &CohortTable<'_>,
    observed: &FeatureTable,
    rows: &[usize],
    groups: &Labels,
) -> Result<TableOne> {
    let patients = table.patients(rows);
    let observed = observed.select_rows(rows);
    let (clinical, others): (Vec<StudyVariable>, Vec<StudyVariable>) =
        VARIABLES.into_iter().partition(StudyVariable::is_clinical);
    let numeric = |variable: &StudyVariable| -> Result<Characteristic> {
        Ok(Characteristic::continuous(variable.name, variable.unit, observed.column(variable.name)?.to_vec()))
    };
    let marker = |name: &str, value: fn(&Patient) -> Option<bool>| {
        Characteristic::categorical(name, &["-", "+"], patients.iter().map(|p| value(p).map(usize::from)).collect())
    };
    let code = |subtype: Subtype| Subtype::ALL.iter().position(|other| *other == subtype);
    let mut variables = clinical.iter().map(numeric).collect::<Result<Vec<_>>>()?;
    variables.extend([
        marker("PR", |p| p.markers.pr)?,
        marker("ER", |p| p.markers.er)?,
        marker("HER2", |p| p.markers.her2)?,
        marker("Ki-67", |p| p.markers.ki67)?,
        Characteristic::categorical(
            "subtype",
            &Subtype::ALL.map(Subtype::name),
            patients.iter().map(|p| p.subtype.and_then(code)).collect(),
        )?,
    ]);
    variables.extend(others.iter().map(numeric).collect::<Result<Vec<_>>>()?);
    let params = TableOneParams::default().with_variances(GroupVariance::Welch);
    Ok(TableOne::new(groups, &variables, params)?)
}

fn evaluation(cohort: &str, models: &ModelSet, table: &FeatureTable, labels: &Labels) -> Result<Evaluation> {
    finish_evaluation(cohort, labels.clone(), models.evaluate(cohort, table, labels, LEVEL)?)
}

fn finish_evaluation(cohort: &str, labels: Labels, performances: Vec<ModelPerformance>) -> Result<Evaluation> {
    let calibrations = performances
        .par_iter()
        .map(|performance| Calibration {
            hosmer_lemeshow: hosmer_lemeshow(&labels, &performance.risks, RISK_GROUPS).ok(),
            curve: loess_curve(&labels, &performance.risks, LoessParams::default()).ok(),
            recalibration: recalibrate(&labels, &performance.risks, LEVEL).ok(),
        })
        .collect();
    let thresholds = even_thresholds(100);
    let decision_curves = performances
        .iter()
        .map(|performance| Ok(DecisionCurve::new(&labels, &performance.risks, &thresholds)?))
        .collect::<Result<_>>()?;
    Ok(Evaluation { cohort: cohort.to_owned(), labels, performances, calibrations, decision_curves })
}

fn corrected_auc(
    table: &FeatureTable,
    labels: &Labels,
    resampling: Resampling,
    params: &LogisticParams,
) -> Result<OptimismCorrected> {
    let auc = |model: &LogisticModel, rows: &[usize]| {
        let risks = model.predict(&table.select_rows(rows)).ok()?;
        Some(RocCurve::new(&labels.select(rows), &risks, Direction::HigherIsPositive).ok()?.auc())
    };
    let fit = |rows: &[usize]| LogisticModel::fit_finite(&table.select_rows(rows), &labels.select(rows), params).ok();
    let measure = |model: &LogisticModel, rows: &[usize]| vec![auc(model, rows).unwrap_or(f64::NAN)];
    let measures = validate(labels, Stratification::ByOutcome, resampling, fit, measure)?;
    measures.into_iter().next().context("one measure was asked for")
}

fn saved_model(models: &ModelSet, training: &FeatureTable, cohort: &Cohort, labels: &Labels) -> Result<RiskModel> {
    let fitted = models.model(INTEGRATED)?;
    let variables: Vec<Variable> = VARIABLES
        .iter()
        .filter(|variable| fitted.specification().variables.iter().any(|name| name == variable.name))
        .map(|variable| Variable::new(variable.name, variable.unit))
        .collect();
    let trained_on = format!("{}, {}", cohort.description.name, cohort.description.training_centre);
    let mut model = RiskModel::new(INTEGRATED, fitted.model(), &variables, training, &trained_on)?;
    model.add_youden_cutoff(CUTOFF, labels, fitted.model().fitted())?;
    Ok(model)
}
