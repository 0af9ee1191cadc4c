//! Tables, the ten models and their evaluation.

use alnm_models::gradient_boosting::{BoostingParams, FeatureImportance, GradientBoosting, ImportanceKind};
use alnm_models::model_set::{ModelPerformance, ModelSet, ModelSpecification, performance};
use alnm_models::profile_likelihood::ProfileMethod;
use alnm_models::subset_search::{SubsetSearch, SubsetSearchParams, incremental_subsets};
use alnm_models::univariate_table::{UnivariateOddsRatio, UnivariateRequest, univariate_odds_ratios};
use alnm_models::{LogisticModel, LogisticParams, RiskModel, Variable};
use alnm_selection::folds::{FoldOrder, Folds};
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

use super::Study;
use super::scores::{DL_SCORE, RAD_SCORE, ScoreInputs, Scores};
use crate::cohort::{Cohort, Patient, Subtype};
use crate::progress::{Step, check_interrupt};
use crate::store::{Fingerprint, Store};

/// Confidence level of every interval.
pub const LEVEL: f64 = 0.95;
/// Folds of every cross-validation.
pub const FOLDS: usize = 10;
/// Groups of the Hosmer-Lemeshow test.
pub const RISK_GROUPS: usize = 10;
/// The name of the evaluation of the training centre by fits without the judged patients.
const CROSS_FITTED: &str = "training, cross-fitted";
/// The name of the model that holds everything.
pub const INTEGRATED: &str = "Integrated";
const CLINICAL: [&str; 3] = ["age", "MTD", "SAD_ALN"];
const SII: &str = "SII";

/// Numeric variables with their unit and how many units an odds ratio of Table 2 refers to: MTD and SAD_ALN stand there
/// per millimetre.
pub(super) const VARIABLES: [(&str, &str, f64); 10] = [
    ("age", "years", 1.0),
    ("MTD", "cm", 0.1),
    ("SAD_ALN", "cm", 0.1),
    ("NLR", "", 1.0),
    ("PLR", "", 1.0),
    ("MLR", "", 1.0),
    ("WLR", "", 1.0),
    (SII, "10^9/L", 1.0),
    (RAD_SCORE, "", 1.0),
    (DL_SCORE, "", 1.0),
];

/// Calibration of a model in a cohort; parts that are undefined there are absent.
#[derive(Debug, Clone, Serialize, Deserialize)]
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
pub struct Evaluation {
    /// Name of the cohort.
    pub cohort: String,
    /// The outcomes.
    pub labels: Labels,
    /// One entry a model.
    pub performances: Vec<ModelPerformance>,
    /// One entry a model.
    pub calibrations: Vec<Calibration>,
    /// One entry a model.
    pub decision_curves: Vec<DecisionCurve>,
}

/// What is learned from the variables and scores of the training centre.
#[derive(Debug, Clone, Serialize, Deserialize)]
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
    /// Univariate regressions, importance, incremental subsets and the ten models.
    ///
    /// # Errors
    /// What a model goes wrong with.
    pub fn fit(cohort: &Cohort, inputs: &ScoreInputs, scores: &Scores, seed: u64) -> Result<Self> {
        let rows = training_rows(cohort);
        let labels = labels_of(cohort, &rows);
        let training = model_table(cohort, inputs, scores)?.select_rows(&rows);
        let params = LogisticParams::default();
        let odds_ratios = univariate_odds_ratios(&training, &labels, &requests(), ProfileMethod::Exact, &params)?;
        let names: Vec<String> = VARIABLES.iter().map(|(name, ..)| (*name).to_owned()).collect();
        let boosting = GradientBoosting::fit(&training.select(&names)?, &labels, &BoostingParams::default())?;
        let ranked = boosting.ranked_features(ImportanceKind::Gain);
        let subsets =
            incremental_subsets(&training, &labels, &folds(&labels, seed)?, &SubsetSearchParams::new(ranked))?;
        let models = ModelSet::fit(&specifications(), &training, &labels, &params)?;
        Ok(Self { odds_ratios, importances: boosting.importances(), subsets, models })
    }
}

/// Everything that the study reports.
#[derive(Debug, Clone, Serialize, Deserialize)]
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
    /// The integrated model to hand on.
    pub model: RiskModel,
}

/// Rows of the cohort's table that belong to the centres.
pub fn rows_of(cohort: &Cohort, centres: &[&String]) -> Vec<usize> {
    (0..cohort.patients.len()).filter(|&row| centres.contains(&&cohort.patients[row].centre)).collect()
}

/// Rows of the training centre.
pub fn training_rows(cohort: &Cohort) -> Vec<usize> {
    rows_of(cohort, &[&cohort.description.training_centre])
}

/// The folds of every cross-validation of the training centre.
pub(super) fn folds(labels: &Labels, seed: u64) -> Result<Folds> {
    Ok(Folds::stratified(labels, FOLDS, FoldOrder::Shuffled { seed })?)
}

/// Outcomes of the rows.
pub fn labels_of(cohort: &Cohort, rows: &[usize]) -> Labels {
    Labels::new(rows.iter().map(|&row| cohort.patients[row].alnm).collect())
}

/// Every variable that a model may hold, of all patients.
///
/// # Errors
/// When a score cannot be computed.
pub fn model_table(cohort: &Cohort, inputs: &ScoreInputs, scores: &Scores) -> Result<FeatureTable> {
    Ok(clinical_table(cohort)?.beside(&scores.table(&inputs.radiomic, &inputs.deep)?)?)
}

/// Clinical variables and blood indices of all patients.
pub(super) fn clinical_table(cohort: &Cohort) -> Result<FeatureTable> {
    let column =
        |name: &str, value: fn(&Patient) -> f64| (name.to_owned(), cohort.patients.iter().map(value).collect());
    Ok(FeatureTable::from_columns(vec![
        column("age", |p| p.age_years),
        column("MTD", |p| p.mtd_cm),
        column("SAD_ALN", |p| p.sad_aln_cm),
        column("NLR", |p| p.blood.nlr()),
        column("PLR", |p| p.blood.plr()),
        column("MLR", |p| p.blood.mlr()),
        column("WLR", |p| p.blood.wlr()),
        column(SII, |p| p.blood.sii()),
    ])?)
}

impl Study {
    /// Tables 1 and 2, importance and incremental subsets, the ten models, and their evaluation in every cohort; beside
    /// the training figures stand cross-fitted ones.
    ///
    /// # Errors
    /// What a model or a statistic goes wrong with.
    pub fn analysis(
        &mut self,
        cohort: &Cohort,
        inputs: &ScoreInputs,
        fold_inputs: &FoldInputs<'_>,
        scores: &Scores,
    ) -> Result<Results> {
        let training_rows = training_rows(cohort);
        let labels = labels_of(cohort, &training_rows);
        let table = model_table(cohort, inputs, scores)?;
        let training = table.select_rows(&training_rows);
        let params = LogisticParams::default();

        let step = Step::begin("tables, importance, ten models", 3);
        let table_one = table_one(cohort, &training_rows, &training, &labels)?;
        step.advance();
        let Learned { odds_ratios, importances, subsets, models } =
            Learned::fit(cohort, inputs, scores, self.settings.seed)?;
        step.advance();
        let in_training = evaluation("training", &models, &training, &labels)?;
        step.advance();
        let validation = cohort
            .description
            .validation_centres
            .iter()
            .map(|centre| {
                let rows = rows_of(cohort, &[centre]);
                evaluation(centre, &models, &table.select_rows(&rows), &labels_of(cohort, &rows))
            })
            .collect::<Result<_>>()?;
        step.finish(&mut self.costs);

        let cross_fitted = self.cross_fitted(cohort, fold_inputs, &models, &labels)?;
        let step = Step::begin("bootstrap of the models", models.models().len());
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
        let model = saved_model(&models, &training, cohort, &labels)?;
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
            model,
        })
    }

    /// Every fold's patients judged by selections, scores and models that were fitted without them.
    fn cross_fitted(
        &mut self,
        cohort: &Cohort,
        inputs: &FoldInputs<'_>,
        models: &ModelSet,
        labels: &Labels,
    ) -> Result<Evaluation> {
        let folds = folds(labels, self.settings.seed)?;
        let step = Step::begin("cross-fitting", folds.count());
        let store = Store::open(&self.settings.out, "cross_fitting")?;
        let ScoreInputs { radiomic, radiomic_pipeline, deep_pipeline, .. } = inputs.of_all;
        let mut fingerprint = Fingerprint::default()
            .parameters(&(radiomic_pipeline, deep_pipeline, folds.assignment(), labels))?
            .numbers(radiomic.values().iter().copied())
            .numbers(clinical_table(cohort)?.values().iter().copied());
        for fold in 0..folds.count() {
            fingerprint = fingerprint.numbers(inputs.deep(fold).values().iter().copied());
        }
        let specifications: Vec<ModelSpecification> =
            models.models().iter().map(|model| model.specification().clone()).collect();
        let risks: Vec<Vec<f64>> = store.item("risks", &fingerprint.finish(), || {
            out_of_fold_risks(cohort, &specifications, &folds, &|fold, _| Ok(inputs.of_fold(fold)), &|| step.advance())
        })?;
        let of_model = |(model, risks)| Ok(performance(model, CROSS_FITTED, labels, risks, LEVEL)?);
        let performances = models.models().iter().zip(risks).map(of_model).collect::<Result<_>>()?;
        step.finish(&mut self.costs);
        finish_evaluation(CROSS_FITTED, labels.clone(), performances)
    }
}

/// Features for fits within folds: those of all patients, deep ones by the fold's own network where there is one.
pub struct FoldInputs<'a> {
    of_all: &'a ScoreInputs,
    of_folds: Option<&'a [FeatureTable]>,
}

impl<'a> FoldInputs<'a> {
    /// `of_folds` holds a table of deep features a fold.
    pub fn new(of_all: &'a ScoreInputs, of_folds: Option<&'a [FeatureTable]>) -> Self {
        Self { of_all, of_folds }
    }

    /// The features that fits without the fold's patients see.
    pub fn of_fold(&self, fold: usize) -> ScoreInputs {
        ScoreInputs { deep: self.deep(fold).clone(), ..self.of_all.clone() }
    }

    /// The deep features among them.
    pub(super) fn deep(&self, fold: usize) -> &FeatureTable {
        self.of_folds.map_or(&self.of_all.deep, |tables| &tables[fold])
    }
}

/// The risks of every training patient, model by model, by selections, scores and models fitted without the patient's
/// fold.
///
/// `inputs` gives the features for a fold and the rows that may be learned from.
pub(super) fn out_of_fold_risks(
    cohort: &Cohort,
    specifications: &[ModelSpecification],
    folds: &Folds,
    inputs: &(dyn Fn(usize, &[usize]) -> Result<ScoreInputs> + Sync),
    advance: &(dyn Fn() + Sync),
) -> Result<Vec<Vec<f64>>> {
    let rows = training_rows(cohort);
    let clinical = clinical_table(cohort)?;
    let pick = |positions: Vec<usize>| -> Vec<usize> { positions.into_iter().map(|position| rows[position]).collect() };
    let of_fold = |fold: usize| -> Result<Vec<Vec<f64>>> {
        check_interrupt()?;
        let (training, held_out) = (pick(folds.training_rows(fold)), pick(folds.test_rows(fold)));
        let labels = labels_of(cohort, &training);
        let table = clinical.beside(&inputs(fold, &training)?.cross_fitted(&training, &labels)?)?;
        advance();
        let risks = |model: &ModelSpecification| {
            let columns = table.select(&model.variables)?;
            let fitted =
                LogisticModel::fit_finite(&columns.select_rows(&training), &labels, &LogisticParams::default())?;
            Ok(fitted.predict(&columns.select_rows(&held_out))?)
        };
        specifications.iter().map(risks).collect()
    };
    let parts: Vec<Vec<Vec<f64>>> = (0..folds.count())
        .into_par_iter()
        .map(|fold| of_fold(fold).with_context(|| format!("cross-fitting, fold {}", fold + 1)))
        .collect::<Result<_>>()?;
    let of_model = |model: usize| {
        let mut risks = vec![f64::NAN; rows.len()];
        for (fold, part) in parts.iter().enumerate() {
            folds.test_rows(fold).into_iter().zip(&part[model]).for_each(|(row, &risk)| risks[row] = risk);
        }
        risks
    };
    Ok((0..specifications.len()).map(of_model).collect())
}

/// The study's ten models: of clinical variables, the index SII, RadScore and DLScore, alone and together.
pub(super) fn specifications() -> Vec<ModelSpecification> {
    let with = |name: &str, parts: &[&[&str]]| ModelSpecification::new(name, parts.concat());
    let (clinical, sii, radiomic, deep) = (&CLINICAL[..], &[SII][..], &[RAD_SCORE][..], &[DL_SCORE][..]);
    vec![
        with("Clinical", &[clinical]),
        with("SII", &[sii]),
        with("Rad", &[radiomic]),
        with("DL", &[deep]),
        with("Clinical+SII", &[clinical, sii]),
        with("Clinical+Rad", &[clinical, radiomic]),
        with("Clinical+DL", &[clinical, deep]),
        with("Rad+SII", &[radiomic, sii]),
        with("DL+SII", &[deep, sii]),
        with(INTEGRATED, &[clinical, sii, radiomic, deep]),
    ]
}

fn requests() -> Vec<UnivariateRequest> {
    let request =
        |&(name, unit, per): &(&str, &str, f64)| UnivariateRequest::new(Variable::new(name, unit)).with_per(per);
    VARIABLES.iter().map(request).collect()
}

fn table_one(cohort: &Cohort, rows: &[usize], training: &FeatureTable, labels: &Labels) -> Result<TableOne> {
    let patients: Vec<&Patient> = rows.iter().map(|&row| &cohort.patients[row]).collect();
    let numeric = |&(name, unit, _): &(&str, &str, f64)| -> Result<Characteristic> {
        Ok(Characteristic::continuous(name, unit, training.column(name)?.to_vec()))
    };
    let marker = |name: &str, value: fn(&Patient) -> bool| {
        Characteristic::categorical(name, &["-", "+"], patients.iter().map(|p| Some(usize::from(value(p)))).collect())
    };
    let code = |subtype: Subtype| Subtype::ALL.iter().position(|other| *other == subtype);
    let mut variables = VARIABLES[..3].iter().map(numeric).collect::<Result<Vec<_>>>()?;
    variables.extend([
        marker("PR", |p| p.markers.pr)?,
        marker("ER", |p| p.markers.er)?,
        marker("HER2", |p| p.markers.her2)?,
        marker("Ki-67", |p| p.markers.ki67)?,
        Characteristic::categorical(
            "subtype",
            &Subtype::ALL.map(Subtype::name),
            patients.iter().map(|p| code(p.subtype)).collect(),
        )?,
    ]);
    for variable in &VARIABLES[3..] {
        variables.push(numeric(variable)?);
    }
    let params = TableOneParams::default().with_variances(GroupVariance::Welch);
    Ok(TableOne::new(labels, &variables, params)?)
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
        .filter(|(name, ..)| fitted.specification().variables.iter().any(|variable| variable == name))
        .map(|&(name, unit, _)| Variable::new(name, unit))
        .collect();
    let trained_on = format!("{}, {}", cohort.description.name, cohort.description.training_centre);
    let mut model = RiskModel::new(INTEGRATED, fitted.model(), &variables, training, &trained_on)?;
    model.add_youden_cutoff("Youden, training", labels, fitted.model().fitted())?;
    Ok(model)
}
