//! A fitted Cox regression.

use alnm_stats::TestResult;
use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::distribution::chi_squared_upper_tail;
use alnm_stats::linear::{Cholesky, solve_symmetric};
use ndarray::Array2;

use super::baseline::{BaselineHazard, HazardPoint, at};
use super::partial_likelihood::{Evaluation, RiskSets};
use super::{CoxParams, CoxRegression};
use crate::covariance::CovarianceMatrix;
use crate::error::{ModelError, Result};
use crate::logistic::{Term, term};
use crate::{FeatureTable, FollowUp};

/// A fitted Cox regression.
///
/// A model that is read with serde is checked: sizes and counts agree, numbers are finite, hazards do not fall, and the
/// inference follows from the estimates and their covariance. A model with a coefficient that runs off to infinity
/// cannot be read back.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "saved::CoxForm", into = "saved::CoxForm"))]
pub struct CoxModel {
    terms: Vec<Term>,
    aliased: Vec<String>,
    covariance: Option<CovarianceMatrix>,
    /// Means of the predictors that the centred baseline hazards belong to.
    means: Vec<f64>,
    centred: Vec<BaselineHazard>,
    rows: usize,
    events: usize,
    log_likelihood: f64,
    null_log_likelihood: f64,
    score_statistic: f64,
    iterations: usize,
    converged: bool,
    monotone: bool,
}

impl CoxRegression {
    /// Fits by maximum partial likelihood. Coefficients that run off to infinity are not an error: the model says so in
    /// [`CoxModel::monotone`].
    ///
    /// # Errors
    /// [`ModelError::Statistics`] without an event, [`ModelError::Selection`] for a missing value that the policy
    /// refuses or for numbers of rows that do not agree, [`ModelError::NotConverged`].
    pub fn fit(&self, table: &FeatureTable, follow_up: &FollowUp) -> Result<CoxModel> {
        const OPERATION: &str = "Cox regression";
        let used = self.rows(table, follow_up)?;
        let (rows, events) = (used.follow_up.len(), used.follow_up.number_of_events());
        if events == 0 {
            let (what, needed) = ("events", 1);
            return Err(alnm_stats::StatsError::TooFew { operation: OPERATION, what, needed, got: 0 }.into());
        }
        let all = RiskSets::new(&used, self.params.ties);
        let null = all.evaluate(&vec![0.0; table.columns()]);
        let kept = all.independent_columns(&null.information);
        let names = used.table.names();
        let aliased = (0..names.len()).filter(|j| !kept.contains(j)).map(|j| names[j].clone()).collect();
        let risk_sets = if kept.len() == names.len() { all } else { all.select(&kept) };
        let score_statistic = score_statistic(&null, &kept, names.len());
        let maximum = risk_sets.maximise(self.params.max_iterations);
        if !maximum.converged && !maximum.monotone {
            return Err(ModelError::NotConverged { operation: OPERATION, iterations: maximum.iterations });
        }
        let k = kept.len();
        let scales = &risk_sets.scales;
        let covariance = Cholesky::new(&maximum.at.information, k)
            .map(|factor| factor.inverse())
            .map(|inverse| Array2::from_shape_fn((k, k), |(i, j)| inverse[i * k + j] / (scales[i] * scales[j])))
            .filter(|_| !maximum.monotone);
        let error = |j: usize| covariance.as_ref().map_or(f64::INFINITY, |c| c[[j, j]].sqrt());
        let terms = kept
            .iter()
            .enumerate()
            .map(|(j, &column)| term(&names[column], maximum.beta[j] / scales[j], error(j), self.params.level))
            .collect();
        Ok(CoxModel {
            terms,
            aliased,
            covariance: covariance.and_then(|values| CovarianceMatrix::new(values).ok()),
            centred: centred_hazards(&risk_sets, &maximum.at.hazard_steps),
            means: risk_sets.means,
            rows,
            events,
            log_likelihood: maximum.at.log_likelihood,
            null_log_likelihood: null.log_likelihood,
            score_statistic,
            iterations: maximum.iterations,
            converged: maximum.converged,
            monotone: maximum.monotone,
        })
    }
}

/// gᵀ I⁻¹ g of the score test, without effects.
fn score_statistic(null: &Evaluation, kept: &[usize], columns: usize) -> f64 {
    let gradient: Vec<f64> = kept.iter().map(|&j| null.gradient[j]).collect();
    let information: Vec<f64> = kept
        .iter()
        .flat_map(|&a| kept.iter().map(move |&b| (a, b)))
        .map(|(a, b)| null.information[a * columns + b])
        .collect();
    solve_symmetric(&information, &gradient)
        .map_or(f64::NAN, |step| step.iter().zip(&gradient).map(|(s, g)| s * g).sum())
}

/// The cumulative hazards of a patient with the mean predictors, one per stratum.
fn centred_hazards(risk_sets: &RiskSets, steps: &[f64]) -> Vec<BaselineHazard> {
    let mut hazards: Vec<BaselineHazard> = Vec::new();
    // Moments stand in the order of strata and falling times.
    for (moment, &step) in risk_sets.moments().iter().zip(steps) {
        if hazards.last().is_none_or(|hazard| hazard.stratum != moment.stratum) {
            hazards.push(BaselineHazard { stratum: moment.stratum, points: Vec::new() });
        }
        if let Some(hazard) = hazards.last_mut().filter(|_| step > 0.0) {
            hazard.points.push(HazardPoint { time: moment.time, cumulative_hazard: step });
        }
    }
    for hazard in &mut hazards {
        hazard.points.reverse();
        let mut cumulated = 0.0;
        for point in &mut hazard.points {
            cumulated += point.cumulative_hazard;
            point.cumulative_hazard = cumulated;
        }
    }
    hazards
}

impl CoxModel {
    /// Fits by maximum partial likelihood, under parameters that are checked first.
    ///
    /// # Errors
    /// As [`CoxRegression::fit`], and [`ModelError::Parameter`] for a parameter outside its range.
    pub fn fit(table: &FeatureTable, follow_up: &FollowUp, params: &CoxParams) -> Result<Self> {
        params.clone().check()?.fit(table, follow_up)
    }

    /// The coefficients, log hazard ratios per unit of the predictors, in the order of the columns.
    #[must_use]
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// The term of the given name.
    ///
    /// # Errors
    /// [`ModelError::Unknown`] lists the names that exist.
    pub fn term(&self, name: &str) -> Result<&Term> {
        Term::named(&self.terms, name)
    }

    /// Predictors that depend linearly on earlier ones, or do not vary among those at risk, and were left out.
    #[must_use]
    pub fn aliased(&self) -> &[String] {
        &self.aliased
    }

    /// Covariance of the coefficients, in the order of [`CoxModel::terms`]; `None` where a coefficient runs off to
    /// infinity.
    #[must_use]
    pub fn covariance(&self) -> Option<&CovarianceMatrix> {
        self.covariance.as_ref()
    }

    /// Number of rows used.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of events among the rows used.
    #[must_use]
    pub fn events(&self) -> usize {
        self.events
    }

    /// Logarithm of the partial likelihood at the maximum.
    #[must_use]
    pub fn log_likelihood(&self) -> f64 {
        self.log_likelihood
    }

    /// Logarithm of the partial likelihood without effects.
    #[must_use]
    pub fn null_log_likelihood(&self) -> f64 {
        self.null_log_likelihood
    }

    /// Newton steps taken.
    #[must_use]
    pub fn iterations(&self) -> usize {
        self.iterations
    }

    /// Whether the maximum was reached; false when the likelihood is monotone.
    #[must_use]
    pub fn converged(&self) -> bool {
        self.converged
    }

    /// Whether the likelihood rises without end in some direction, as when all events precede the other patients' times
    /// in the order of a predictor. Coefficients then grow with every iteration and mean nothing; the log likelihood is
    /// that of the limit.
    #[must_use]
    pub fn monotone(&self) -> bool {
        self.monotone
    }

    /// Akaike's information criterion, −2 ln L + 2k with k coefficients.
    #[must_use]
    pub fn aic(&self) -> f64 {
        2.0 * (self.terms.len() as f64 - self.log_likelihood)
    }

    /// Likelihood ratio test of all coefficients. Without any predictor it has 0 degrees of freedom and p NaN.
    #[must_use]
    pub fn likelihood_ratio_test(&self) -> TestResult {
        self.test("Likelihood ratio test", 2.0 * (self.log_likelihood - self.null_log_likelihood))
    }

    /// Score (log-rank) test of all coefficients.
    #[must_use]
    pub fn score_test(&self) -> TestResult {
        self.test("Score test", self.score_statistic)
    }

    fn test(&self, method: &str, statistic: f64) -> TestResult {
        let df = self.terms.len() as f64;
        let p_value = if df > 0.0 { chi_squared_upper_tail(statistic, df) } else { f64::NAN };
        TestResult::new(method, statistic, &[df], p_value)
    }

    /// Likelihood ratio test of this model against a smaller one of the same rows that is nested in it.
    ///
    /// # Errors
    /// [`ModelError::Parameter`] when the other model was fitted to another number of rows or is not smaller.
    pub fn compare_nested(&self, smaller: &Self) -> Result<TestResult> {
        if smaller.rows != self.rows {
            let requirement = "that of the larger model: fit both models to the same rows";
            return Err(ModelError::parameter("number of rows of the nested model", smaller.rows, requirement));
        }
        if smaller.terms.len() >= self.terms.len() {
            let name = "number of coefficients of the nested model";
            return Err(ModelError::parameter(name, smaller.terms.len(), "less than that of the larger model"));
        }
        let (statistic, df) =
            (2.0 * (self.log_likelihood - smaller.log_likelihood), (self.terms.len() - smaller.terms.len()) as f64);
        Ok(TestResult::new("Likelihood ratio test", statistic, &[df], chi_squared_upper_tail(statistic, df)))
    }

    /// Log hazard ratio of every row against a patient with the mean predictors of the rows that the model was fitted
    /// to. Columns are found by name; a missing value gives NaN.
    ///
    /// # Errors
    /// [`ModelError::Selection`] names the column that the table lacks.
    pub fn linear_predictor(&self, table: &FeatureTable) -> Result<Vec<f64>> {
        let mut eta = vec![0.0; table.rows()];
        for (term, mean) in self.terms.iter().zip(&self.means) {
            eta.iter_mut().zip(table.column(&term.name)?).for_each(|(e, x)| *e += term.estimate * (x - mean));
        }
        Ok(eta)
    }

    /// Standard error of the linear predictor of every row; `None` where a coefficient runs off to infinity.
    ///
    /// # Errors
    /// As [`CoxModel::linear_predictor`].
    pub fn linear_predictor_errors(&self, table: &FeatureTable) -> Result<Option<Vec<f64>>> {
        let columns = self.terms.iter().map(|term| Ok(table.column(&term.name)?)).collect::<Result<Vec<_>>>()?;
        let error = |row: usize| {
            let centred: Vec<f64> = columns.iter().zip(&self.means).map(|(column, mean)| column[row] - mean).collect();
            self.covariance.as_ref()?.variance_of(&centred).map(f64::sqrt)
        };
        Ok((0..table.rows()).map(error).collect())
    }

    /// Cumulative baseline hazards, one per stratum in ascending order of the codes, of a patient whose predictors are
    /// all 0 (R's `basehaz` with `centered = FALSE`). By Efron's treatment of ties it is Efron's estimate, by Breslow's
    /// that of Breslow.
    #[must_use]
    pub fn baseline_hazards(&self) -> Vec<BaselineHazard> {
        let at_means: f64 = self.terms.iter().zip(&self.means).map(|(term, mean)| term.estimate * mean).sum();
        let factor = (-at_means).exp();
        let mut hazards = self.centred.clone();
        hazards.iter_mut().flat_map(|h| &mut h.points).for_each(|point| point.cumulative_hazard *= factor);
        hazards
    }

    /// Probability of an event by `time` for every row, 1 − exp(−H₀(t) exp(xᵀβ)). Beyond the last event of the fit the
    /// hazard is that of the last event, which says nothing of that time.
    ///
    /// # Errors
    /// [`ModelError::Selection`] names the column that the table lacks; [`ModelError::Parameter`] for a model with
    /// several strata, whose rows need [`CoxModel::risk_in_strata`].
    pub fn risk_at(&self, table: &FeatureTable, time: f64) -> Result<Vec<f64>> {
        match self.centred.as_slice() {
            [single] => Ok(self.risks(table, |_| at(&single.points, time))?),
            several => {
                Err(ModelError::parameter("number of strata of the model", several.len(), "1, or strata be given"))
            }
        }
    }

    /// Probability of an event by `time` for every row of the given strata.
    ///
    /// # Errors
    /// As [`CoxModel::risk_at`]; [`ModelError::Parameter`] for a stratum that the fit did not have.
    pub fn risk_in_strata(&self, table: &FeatureTable, strata: &[usize], time: f64) -> Result<Vec<f64>> {
        table.require_rows(strata.len())?;
        let hazards = strata
            .iter()
            .map(|&stratum| {
                let hazard = self.centred.iter().find(|h| h.stratum == stratum);
                hazard.map(|h| at(&h.points, time)).ok_or_else(|| {
                    ModelError::parameter("stratum of a row", stratum, "one of the strata that the model was fitted to")
                })
            })
            .collect::<Result<Vec<f64>>>()?;
        self.risks(table, |row| hazards[row])
    }

    fn risks(&self, table: &FeatureTable, hazard: impl Fn(usize) -> f64) -> Result<Vec<f64>> {
        let eta = self.linear_predictor(table)?;
        Ok(eta.into_iter().enumerate().map(|(row, e)| -(-hazard(row) * e.exp()).exp_m1()).collect())
    }
}

/// The form in which a model is written and read.
#[cfg(feature = "serde")]
mod saved {
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::invariants::{Checked, distinct, finite, require};
    use crate::logistic::require_wald;

    #[derive(Serialize, Deserialize)]
    pub(super) struct CoxForm {
        terms: Vec<Term>,
        aliased: Vec<String>,
        covariance: Option<Array2<f64>>,
        means: Vec<f64>,
        centred: Vec<Hazard>,
        rows: usize,
        events: usize,
        log_likelihood: f64,
        null_log_likelihood: f64,
        score_statistic: f64,
        iterations: usize,
        converged: bool,
        monotone: bool,
    }

    #[derive(Serialize, Deserialize)]
    struct Hazard {
        stratum: usize,
        points: Vec<HazardPoint>,
    }

    impl From<CoxModel> for CoxForm {
        fn from(m: CoxModel) -> Self {
            Self {
                terms: m.terms,
                aliased: m.aliased,
                covariance: m.covariance.map(|covariance| covariance.view().to_owned()),
                means: m.means,
                centred: m.centred.into_iter().map(|h| Hazard { stratum: h.stratum, points: h.points }).collect(),
                rows: m.rows,
                events: m.events,
                log_likelihood: m.log_likelihood,
                null_log_likelihood: m.null_log_likelihood,
                score_statistic: m.score_statistic,
                iterations: m.iterations,
                converged: m.converged,
                monotone: m.monotone,
            }
        }
    }

    impl TryFrom<CoxForm> for CoxModel {
        type Error = String;

        fn try_from(form: CoxForm) -> Checked<Self> {
            let reason = || "it has no covariance, as when a coefficient runs off to infinity".to_owned();
            require(form.covariance.is_some(), reason)?;
            let covariance = CovarianceMatrix::new(form.covariance.unwrap_or_default())?;
            let names = form.terms.iter().map(|t| t.name.as_str()).chain(form.aliased.iter().map(String::as_str));
            distinct("term", names)?;
            require_wald(&form.terms, &covariance)?;
            require(form.means.len() == form.terms.len(), || {
                format!("it has {} means for {} terms", form.means.len(), form.terms.len())
            })?;
            let numbers = [
                ("the log likelihood", form.log_likelihood),
                ("the log likelihood without effects", form.null_log_likelihood),
                ("the score statistic", form.score_statistic),
            ];
            for (name, value) in numbers.into_iter().chain(form.means.iter().map(|mean| ("a mean", *mean))) {
                finite(name, value)?;
            }
            let (rows, events) = (form.rows, form.events);
            require((1..=rows).contains(&events), || {
                format!("its number of events is {events}; it must be at least 1 and at most {rows}")
            })?;
            require(!form.centred.is_empty(), || "it has no baseline hazard".to_owned())?;
            require(form.centred.windows(2).all(|pair| pair[0].stratum < pair[1].stratum), || {
                "the strata of its baseline hazards do not ascend".to_owned()
            })?;
            for hazard in &form.centred {
                let mut last = HazardPoint { time: f64::NEG_INFINITY, cumulative_hazard: 0.0 };
                for point in &hazard.points {
                    finite("a time of the baseline hazard", point.time)?;
                    finite("a cumulative hazard", point.cumulative_hazard)?;
                    require(point.time > last.time && point.cumulative_hazard >= last.cumulative_hazard, || {
                        format!("the baseline hazard at time {} falls or is out of order", point.time)
                    })?;
                    last = *point;
                }
            }
            let hazards = form.centred.into_iter().map(|h| BaselineHazard { stratum: h.stratum, points: h.points });
            Ok(Self {
                terms: form.terms,
                aliased: form.aliased,
                covariance: Some(covariance),
                means: form.means,
                centred: hazards.collect(),
                rows,
                events,
                log_likelihood: form.log_likelihood,
                null_log_likelihood: form.null_log_likelihood,
                score_statistic: form.score_statistic,
                iterations: form.iterations,
                converged: form.converged,
                monotone: form.monotone,
            })
        }
    }
}

impl Tabulate for CoxModel {
    const COLUMNS: &'static [&'static str] = &["term", "estimate", "SE", "z", "p", "hazard ratio", "lower", "upper"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        let row = |t: &Term| {
            let ratio = [t.estimate.exp(), t.interval.lower.exp(), t.interval.upper.exp()];
            cells![&t.name, t.estimate, t.standard_error, t.z, t.p_value, ratio[0], ratio[1], ratio[2]]
        };
        self.terms.iter().map(row).collect()
    }
}
