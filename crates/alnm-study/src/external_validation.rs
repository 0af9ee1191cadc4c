//! A bundle judged on the patients of another hospital: discrimination, calibration, net benefit, what recalibration
//! would give, and how far the hospital's patients are from those of training.

use std::collections::BTreeMap;

use alnm_imputation::pooling::{PooledCalibration, PooledProbability, PoolingParams};
use alnm_stats::bootstrap::Resampling;
use alnm_stats::calibration::{
    BrierScore, ExpectedObserved, HosmerLemeshow, Recalibration, brier, expected_observed, hosmer_lemeshow, recalibrate,
};
use alnm_stats::confusion::{ClassificationMetrics, ConfusionTable};
use alnm_stats::data_table::{Cell, DataTable};
use alnm_stats::decision_curve::{DecisionCurve, DecisionIntervalParams};
use alnm_stats::delong::{AucEstimate, auc_estimate};
use alnm_stats::logit::expit;
use alnm_stats::proportion::{Proportion, ProportionInterval};
use alnm_stats::roc::{Direction, RocCurve};
use alnm_stats::{Interval, Labels, cells};
use anyhow::{Result, bail, ensure};
use serde::Serialize;

use crate::bundle::Bundle;
use crate::drift::Drift;
use crate::scoring::{ScoredPatient, WarningKind};

/// Groups of the Hosmer-Lemeshow test, as in the study.
const RISK_GROUPS: usize = 10;

/// Parameters of an external validation.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `level` | 0.95 | confidence level of every interval | (0, 1) |
/// | `thresholds` | 0.05, 0.10, …, 0.95 | threshold probabilities of the net benefit | [0, 1) |
/// | `resamples` | 2000 | bootstrap resamples of the intervals of net benefit, of events and others apart | ≥ 1 |
/// | `seed` | 0 | seed of the resamples | |
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ExternalValidationParams {
    /// Confidence level.
    pub level: f64,
    /// Threshold probabilities.
    pub thresholds: Vec<f64>,
    /// Bootstrap resamples.
    pub resamples: usize,
    /// Seed of the resamples.
    pub seed: u64,
}

impl Default for ExternalValidationParams {
    fn default() -> Self {
        let thresholds = (1..20).map(|step| f64::from(step) / 20.0).collect();
        Self { level: 0.95, thresholds, resamples: 2000, seed: 0 }
    }
}

impl ExternalValidationParams {
    /// Sets the confidence level.
    #[must_use]
    pub fn with_level(self, level: f64) -> Self {
        Self { level, ..self }
    }

    /// Sets the threshold probabilities.
    #[must_use]
    pub fn with_thresholds(self, thresholds: Vec<f64>) -> Self {
        Self { thresholds, ..self }
    }

    /// Sets the number of resamples.
    #[must_use]
    pub fn with_resamples(self, resamples: usize) -> Self {
        Self { resamples, ..self }
    }

    /// The parameters when all are in range.
    ///
    /// # Errors
    /// Names the first that is not.
    pub fn check(self) -> Result<ExternalValidator> {
        let Self { level, thresholds, resamples, .. } = &self;
        ensure!(*level > 0.0 && *level < 1.0, "level of the intervals is {level}; it must be above 0 and below 1");
        if let Some(other) = thresholds.iter().find(|threshold| !(0.0..1.0).contains(*threshold)) {
            bail!("a threshold of the net benefit is {other}; it must be at least 0 and below 1");
        }
        ensure!(*resamples >= 1, "number of resamples is {resamples}; it must be at least 1");
        Ok(ExternalValidator(self))
    }
}

/// Judges bundles on patients that they were not learned from; [`ExternalValidationParams::check`] gives it.
#[derive(Debug, Clone, PartialEq)]
pub struct ExternalValidator(ExternalValidationParams);

/// Verdicts at a cutoff of the model.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CutoffVerdicts {
    /// What the cutoff is.
    pub name: String,
    /// Risks above it are positive.
    pub threshold: f64,
    /// Counts, and metrics with Clopper-Pearson intervals.
    pub metrics: ClassificationMetrics,
}

/// Net benefit at a threshold probability.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ThresholdBenefit {
    /// Threshold probability.
    pub threshold: f64,
    /// Net benefit of the model.
    pub net_benefit: f64,
    /// Bootstrap interval.
    pub interval: Interval,
    /// Net benefit of treating all; that of treating none is 0.
    pub treat_all: f64,
    /// Net benefit of the model after logistic recalibration on these patients.
    pub recalibrated: Option<f64>,
}

/// The risks after recalibration on the same patients; optimistic, since they are judged where they were recalibrated.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Recalibrated {
    /// What was estimated anew.
    pub method: &'static str,
    /// Brier score.
    pub brier: BrierScore,
    /// Expected over observed events.
    pub expected_observed: ExpectedObserved,
    /// Hosmer-Lemeshow test, where it is defined.
    pub hosmer_lemeshow: Option<HosmerLemeshow>,
}

/// A patient without a risk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UnscoredPatient {
    /// Identifier.
    pub patient: String,
    /// Why there is no risk.
    pub reason: String,
}

impl UnscoredPatient {
    /// A patient without a risk, with the reason.
    #[must_use]
    pub fn new(patient: &str, reason: String) -> Self {
        Self { patient: patient.to_owned(), reason }
    }
}

/// Patients who lacked a value that the model needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CompletedCount {
    /// The column of `patients.csv`, or the score.
    pub column: String,
    /// How many judged patients lacked it.
    pub patients: usize,
}

/// Figures of patients who lack nothing.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CompleteCases {
    /// How many they are.
    pub patients: usize,
    /// How many of them have metastasis.
    pub with_metastasis: usize,
    /// Area under the ROC curve; absent with fewer than two patients of an outcome.
    pub auc: Option<AucEstimate>,
    /// Calibration; absent where it is undefined.
    pub recalibration: Option<Recalibration>,
}

/// What missing values do to the figures.
///
/// All other figures of [`ExternalValidation`] judge one risk for each patient, as the bundle gives it: that of a
/// patient who lacked a value is the mean over the completions. Beside them stand those of complete cases and, as a
/// multiple imputation is usually reported, figures of each completion pooled by Rubin's rules, the area on the scale
/// of log odds. Net benefit, Brier score and verdicts are not pooled.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CompletedPatients {
    /// Judged patients who lacked a value.
    pub patients: usize,
    /// What they lacked.
    pub columns: Vec<CompletedCount>,
    /// How many times each was completed.
    pub imputations: usize,
    /// Figures of the others.
    pub complete_cases: CompleteCases,
    /// The area under the ROC curve, pooled; absent where an area is 0 or 1.
    pub pooled_auc: Option<PooledProbability>,
    /// Calibration, pooled; absent where it is undefined in a completion.
    pub pooled_calibration: Option<PooledCalibration>,
}

impl CompletedPatients {
    /// `None` where nobody lacked a value.
    fn of(judged: &[(&ScoredPatient, bool)], level: f64) -> Result<Option<Self>> {
        let completed = || judged.iter().filter_map(|(patient, _)| patient.completion.as_ref());
        let Some(imputations) = completed().map(|one| one.risks.len()).next() else { return Ok(None) };
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for column in completed().flat_map(|one| &one.columns) {
            *counts.entry(&column.column).or_default() += 1;
        }
        let labels = Labels::new(judged.iter().map(|(_, outcome)| *outcome).collect());
        let own = |patient: &ScoredPatient| patient.assessment.as_ref().map_or(f64::NAN, |assessment| assessment.risk);
        let of_completion = |place: usize| -> Vec<f64> {
            let risk = |patient: &ScoredPatient| patient.completion.as_ref().map(|one| one.risks[place]);
            judged.iter().map(|(patient, _)| risk(patient).unwrap_or_else(|| own(patient))).collect()
        };
        let risks: Vec<Vec<f64>> = (0..imputations).map(of_completion).collect();
        let rules = PoolingParams::default().with_level(level).check()?;
        let curve = |risks: &Vec<f64>| RocCurve::new(&labels, risks, Direction::HigherIsPositive);
        let curves: Vec<RocCurve> = risks.iter().map(curve).collect::<Result<_, _>>()?;
        let lines: Result<Vec<Recalibration>, _> =
            risks.iter().map(|risks| recalibrate(&labels, risks, level)).collect();
        let complete = judged.iter().filter(|(patient, _)| patient.completion.is_none());
        let (complete, complete_risks): (Vec<bool>, Vec<f64>) =
            complete.map(|(patient, outcome)| (*outcome, own(patient))).unzip();
        let complete = Labels::new(complete);
        let complete_curve = RocCurve::new(&complete, &complete_risks, Direction::HigherIsPositive).ok();
        let has_two = complete.positives().min(complete.negatives()) >= 2;
        Ok(Some(Self {
            patients: completed().count(),
            columns: counts
                .into_iter()
                .map(|(column, patients)| CompletedCount { column: column.to_owned(), patients })
                .collect(),
            imputations,
            complete_cases: CompleteCases {
                patients: complete.len(),
                with_metastasis: complete.positives(),
                auc: complete_curve.filter(|_| has_two).and_then(|curve| auc_estimate(&curve, level).ok()),
                recalibration: recalibrate(&complete, &complete_risks, level).ok(),
            },
            pooled_auc: rules.pool_auc(&curves).ok(),
            pooled_calibration: lines.ok().and_then(|lines| rules.pool_calibration(&lines).ok()),
        }))
    }

    /// The rows of the table of figures: measure, where, estimate and interval.
    fn rows(&self) -> Vec<(&'static str, String, f64, Option<Interval>)> {
        let none = String::new;
        let mut rows = vec![("patients completed", none(), self.patients as f64, None)];
        rows.extend(self.columns.iter().map(|one| ("patients without", one.column.clone(), one.patients as f64, None)));
        let complete = &self.complete_cases;
        rows.push(("complete patients", none(), complete.patients as f64, None));
        rows.extend(
            complete.auc.iter().map(|area| ("AUC", "complete cases".to_owned(), area.auc, Some(area.interval))),
        );
        let lines = complete.recalibration.iter();
        rows.extend(lines.flat_map(|line| {
            [("in the large", line.in_the_large), ("slope", line.slope)]
                .map(|(name, one)| (name, "complete cases".to_owned(), one.estimate, Some(one.interval)))
        }));
        let pooled = || "pooled by Rubin's rules".to_owned();
        rows.extend(self.pooled_auc.iter().map(|area| ("AUC", pooled(), area.estimate, Some(area.interval))));
        rows.extend(self.pooled_calibration.iter().flat_map(|line| {
            [("in the large", &line.in_the_large), ("slope", &line.slope)]
                .map(|(name, one)| (name, pooled(), one.estimate, Some(one.interval)))
        }));
        rows
    }
}

/// A bundle in the patients of another hospital.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ExternalValidation {
    /// How it was judged.
    pub params: ExternalValidationParams,
    /// Identifiers of the patients that were judged.
    pub patients: Vec<String>,
    /// Their outcomes.
    pub labels: Labels,
    /// Their risks.
    pub risks: Vec<f64>,
    /// Patients without a risk, with the reason.
    pub without_risk: Vec<UnscoredPatient>,
    /// Area under the ROC curve with DeLong's interval.
    pub auc: AucEstimate,
    /// Brier score.
    pub brier: BrierScore,
    /// Expected over observed events.
    pub expected_observed: ExpectedObserved,
    /// Calibration in the large, intercept and slope with intervals; absent where the outcomes are separated.
    pub recalibration: Option<Recalibration>,
    /// Hosmer-Lemeshow test, where it is defined.
    pub hosmer_lemeshow: Option<HosmerLemeshow>,
    /// Verdicts at each cutoff of the model.
    pub verdicts: Vec<CutoffVerdicts>,
    /// Net benefit.
    pub net_benefit: Vec<ThresholdBenefit>,
    /// With a new intercept, then with a new intercept and slope.
    pub recalibrated: Vec<Recalibrated>,
    /// Each feature of a score and each variable of the model against training.
    pub drift: Vec<Drift>,
    /// Patients whose spacing or lesion volume no training image had.
    pub geometry_outside: usize,
    /// What missing values do to the figures; absent where nobody lacked a value.
    pub completed: Option<CompletedPatients>,
}

impl ExternalValidator {
    /// Judges the risks of scored patients with these outcomes; `without_risk` are patients that could not be scored.
    ///
    /// # Errors
    /// When the numbers of patients and outcomes differ, or fewer than two patients of an outcome have a risk.
    pub fn judge(
        &self,
        bundle: &Bundle,
        scored: &[ScoredPatient],
        outcomes: &[bool],
        mut without_risk: Vec<UnscoredPatient>,
    ) -> Result<ExternalValidation> {
        let params = &self.0;
        ensure!(
            scored.len() == outcomes.len(),
            "there are {} scored patients and {} outcomes; each patient needs one",
            scored.len(),
            outcomes.len()
        );
        let mut judged = Vec::new();
        let mut with_risk = Vec::new();
        for (patient, &outcome) in scored.iter().zip(outcomes) {
            match &patient.assessment {
                Some(assessment) => {
                    judged.push((patient.patient.clone(), outcome, assessment.risk));
                    with_risk.push((patient, outcome));
                }
                None => without_risk.push(UnscoredPatient::new(&patient.patient, missing_reasons(patient))),
            }
        }
        let labels = Labels::new(judged.iter().map(|(_, outcome, _)| *outcome).collect());
        let risks: Vec<f64> = judged.iter().map(|(_, _, risk)| *risk).collect();
        let fewest = labels.positives().min(labels.negatives());
        ensure!(
            fewest >= 2,
            "{} patients with and {} without metastasis have a risk; at least 2 of each are needed",
            labels.positives(),
            labels.negatives()
        );
        let level = params.level;
        let recalibration = recalibrate(&labels, &risks, level).ok();
        let by_line = |intercept: f64, slope: f64| -> Vec<f64> {
            risks.iter().map(|risk| expit(intercept + slope * (risk / (1.0 - risk)).ln())).collect()
        };
        let lines = recalibration.as_ref().map(|line| {
            [
                ("intercept", by_line(line.in_the_large.estimate, 1.0)),
                ("intercept and slope", by_line(line.intercept.estimate, line.slope.estimate)),
            ]
        });
        let verdict = |cutoff: &alnm_models::saved_model::NamedCutoff| -> Result<CutoffVerdicts> {
            let table = ConfusionTable::at_threshold(&labels, &risks, cutoff.threshold)?;
            let metrics = table.metrics(ProportionInterval::ClopperPearson, level)?;
            Ok(CutoffVerdicts { name: cutoff.name.clone(), threshold: cutoff.threshold, metrics })
        };
        let recalibrated = lines.iter().flatten().map(|(method, risks)| {
            Ok(Recalibrated {
                method,
                brier: brier(&labels, risks)?,
                expected_observed: expected_observed(&labels, risks, level)?,
                hosmer_lemeshow: hosmer_lemeshow(&labels, risks, RISK_GROUPS).ok(),
            })
        });
        Ok(ExternalValidation {
            auc: auc_estimate(&RocCurve::new(&labels, &risks, Direction::HigherIsPositive)?, level)?,
            brier: brier(&labels, &risks)?,
            expected_observed: expected_observed(&labels, &risks, level)?,
            hosmer_lemeshow: hosmer_lemeshow(&labels, &risks, RISK_GROUPS).ok(),
            verdicts: bundle.model().cutoffs().iter().map(verdict).collect::<Result<_>>()?,
            net_benefit: net_benefit(&labels, &risks, lines.as_ref().map(|[_, (_, risks)]| &risks[..]), params)?,
            recalibrated: recalibrated.collect::<Result<_>>()?,
            drift: drift(bundle, scored),
            geometry_outside: scored
                .iter()
                .filter(|patient| patient.warnings.iter().any(|warning| warning.kind == WarningKind::Geometry))
                .count(),
            completed: CompletedPatients::of(&with_risk, level)?,
            patients: judged.into_iter().map(|(patient, ..)| patient).collect(),
            recalibration,
            without_risk,
            labels,
            risks,
            params: params.clone(),
        })
    }
}

impl ExternalValidation {
    /// Every figure as a row: part, name, where it is taken (a cutoff, a threshold, a variable), estimate and interval;
    /// one number a cell.
    ///
    /// # Errors
    /// Never in practice: the columns are fixed.
    pub fn table(&self) -> Result<DataTable> {
        let mut table = DataTable::new(["part", "measure", "at", "estimate", "lower", "upper"])?;
        let mut push = |part: &str, measure: &str, at: String, estimate: f64, interval: Option<Interval>| {
            let bound = |value: f64| if value.is_finite() { Cell::from(value) } else { Cell::from("") };
            let [lower, upper] = interval.map_or([f64::NAN; 2], |interval| [interval.lower, interval.upper]);
            table.push(vec![part.into(), measure.into(), at.into(), bound(estimate), bound(lower), bound(upper)])
        };
        let none = String::new;
        push("patients", "judged", none(), self.patients.len() as f64, None)?;
        push("patients", "with metastasis", none(), self.labels.positives() as f64, None)?;
        push("patients", "without a risk", none(), self.without_risk.len() as f64, None)?;
        push("patients", "geometry outside training", none(), self.geometry_outside as f64, None)?;
        push("discrimination", "AUC", none(), self.auc.auc, Some(self.auc.interval))?;
        for verdicts in &self.verdicts {
            let at = format!("{} {}", verdicts.name, verdicts.threshold);
            let metrics = &verdicts.metrics;
            let shares: [(&str, Proportion); 5] = [
                ("sensitivity", metrics.sensitivity),
                ("specificity", metrics.specificity),
                ("accuracy", metrics.accuracy),
                ("PPV", metrics.positive_predictive_value),
                ("NPV", metrics.negative_predictive_value),
            ];
            for (name, share) in shares {
                push("verdicts", name, at.clone(), share.estimate, Some(share.interval))?;
            }
        }
        push("calibration", "Brier score", none(), self.brier.score, None)?;
        push(
            "calibration",
            "expected over observed",
            none(),
            self.expected_observed.expected_over_observed,
            Some(self.expected_observed.interval),
        )?;
        if let Some(line) = &self.recalibration {
            let estimates = [("in the large", line.in_the_large), ("intercept", line.intercept), ("slope", line.slope)];
            for (name, found) in estimates {
                push("calibration", name, none(), found.estimate, Some(found.interval))?;
            }
        }
        if let Some(test) = &self.hosmer_lemeshow {
            push("calibration", "Hosmer-Lemeshow statistic", none(), test.test.statistic, None)?;
            push("calibration", "Hosmer-Lemeshow p", none(), test.test.p_value, None)?;
        }
        for found in &self.recalibrated {
            push("recalibrated", "Brier score", found.method.to_owned(), found.brier.score, None)?;
            if let Some(test) = &found.hosmer_lemeshow {
                push("recalibrated", "Hosmer-Lemeshow p", found.method.to_owned(), test.test.p_value, None)?;
            }
        }
        for benefit in &self.net_benefit {
            let at = || benefit.threshold.to_string();
            push("net benefit", "model", at(), benefit.net_benefit, Some(benefit.interval))?;
            push("net benefit", "treat all", at(), benefit.treat_all, None)?;
            if let Some(recalibrated) = benefit.recalibrated {
                push("net benefit", "recalibrated model", at(), recalibrated, None)?;
            }
        }
        for (measure, at, estimate, interval) in self.completed.iter().flat_map(CompletedPatients::rows) {
            push("missing values", measure, at, estimate, interval)?;
        }
        for drift in &self.drift {
            let at = || drift.variable.clone();
            push("drift", "patients outside the training range", at(), drift.outside as f64, None)?;
            push("drift", "standardised difference of means", at(), drift.standardised_difference, None)?;
            push("drift", "population stability index", at(), drift.stability_index, None)?;
            push("drift", "distance of distributions", at(), drift.distance, None)?;
        }
        Ok(table)
    }

    /// Outcome and risk of every judged patient, for other programs.
    ///
    /// # Errors
    /// Never in practice: the columns are fixed.
    pub fn risks(&self) -> Result<DataTable> {
        let mut table = DataTable::new(["patient", "alnm", "risk"])?;
        for ((patient, &outcome), &risk) in self.patients.iter().zip(self.labels.as_slice()).zip(&self.risks) {
            table.push(cells![patient.clone(), usize::from(outcome), risk])?;
        }
        Ok(table)
    }
}

/// Why a patient has no risk.
fn missing_reasons(patient: &ScoredPatient) -> String {
    let missing = patient.warnings.iter().filter(|warning| warning.kind == WarningKind::Missing);
    missing.map(|warning| warning.message.as_str()).collect::<Vec<_>>().join("; ")
}

fn net_benefit(
    labels: &Labels,
    risks: &[f64],
    recalibrated: Option<&[f64]>,
    params: &ExternalValidationParams,
) -> Result<Vec<ThresholdBenefit>> {
    let thresholds = &params.thresholds;
    let bootstrap = DecisionIntervalParams::default()
        .with_resampling(Resampling::new(params.resamples, params.seed))
        .with_level(params.level);
    let intervals = DecisionCurve::intervals(labels, risks, thresholds, bootstrap)?;
    let curve = DecisionCurve::new(labels, risks, thresholds)?;
    let after = recalibrated.map(|risks| DecisionCurve::new(labels, risks, thresholds)).transpose()?;
    let benefit = |(place, interval): (usize, &alnm_stats::decision_curve::DecisionInterval)| {
        let point = &curve.points()[place];
        ThresholdBenefit {
            threshold: point.threshold,
            net_benefit: point.net_benefit,
            interval: interval.net_benefit,
            treat_all: point.treat_all,
            recalibrated: after.as_ref().map(|curve| curve.points()[place].net_benefit),
        }
    };
    Ok(intervals.iter().enumerate().map(benefit).collect())
}

/// Each feature of a score and each variable of the model against training.
fn drift(bundle: &Bundle, scored: &[ScoredPatient]) -> Vec<Drift> {
    let value = |patient: &ScoredPatient, name: &str| -> Option<f64> {
        let of_feature = patient.features.iter().find(|feature| feature.feature == name).map(|feature| feature.value);
        of_feature
            .unwrap_or_else(|| patient.variables.iter().find(|found| found.variable.name == name).map(|v| v.value))
    };
    let of_reference = |reference: &crate::drift::ReferenceDistribution| {
        let values: Vec<f64> = scored.iter().filter_map(|patient| value(patient, reference.name())).collect();
        reference.drift(&values)
    };
    bundle.reference().iter().filter_map(of_reference).collect()
}
