//! Univariate odds ratios, each per stated unit.

use alnm_stats::Interval;
use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use rayon::prelude::*;

use crate::error::{ModelError, Result};
use crate::logistic::{LogisticParams, LogisticRegression};
use crate::profile_likelihood::ProfileMethod;
use crate::variable::Variable;
use crate::{FeatureTable, Labels};

/// Univariate logistic regression of one variable.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct UnivariateOddsRatio {
    /// The variable with its unit.
    pub variable: Variable,
    /// The odds ratio is per this many units.
    pub per: f64,
    /// Number of rows used.
    pub rows: usize,
    /// Coefficient per `per` units.
    #[cfg_attr(feature = "serde", serde(with = "alnm_stats::nonfinite"))]
    pub coefficient: f64,
    /// Standard error of the coefficient.
    #[cfg_attr(feature = "serde", serde(with = "alnm_stats::nonfinite"))]
    pub standard_error: f64,
    /// Odds ratio per `per` units.
    #[cfg_attr(feature = "serde", serde(with = "alnm_stats::nonfinite"))]
    pub odds_ratio: f64,
    /// Wald interval of the odds ratio.
    pub wald: Interval,
    /// Profile-likelihood interval of the odds ratio.
    pub profile: Interval,
    /// Wald p-value.
    #[cfg_attr(feature = "serde", serde(with = "alnm_stats::nonfinite"))]
    pub wald_p: f64,
    /// Likelihood ratio p-value.
    #[cfg_attr(feature = "serde", serde(with = "alnm_stats::nonfinite"))]
    pub likelihood_ratio_p: f64,
    /// Akaike's information criterion.
    #[cfg_attr(feature = "serde", serde(with = "alnm_stats::nonfinite"))]
    pub aic: f64,
    /// Whether the variable separates the outcome, in which case its estimates mean nothing.
    pub separated: bool,
}

/// A variable of the table and the step its odds ratio refers to.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[must_use]
pub struct UnivariateRequest {
    /// The variable with its unit.
    pub variable: Variable,
    /// Odds ratio per this many units: 0.1 with the unit cm is per millimetre.
    pub per: f64,
}

impl UnivariateRequest {
    /// The odds ratio of a variable per unit.
    pub fn new(variable: Variable) -> Self {
        Self { variable, per: 1.0 }
    }

    /// Sets how many units the odds ratio refers to; finite and not 0.
    pub fn with_per(self, per: f64) -> Self {
        Self { per, ..self }
    }
}

/// One univariate logistic regression per variable; `profile` says how the ends of the profile intervals are found.
/// Rows that lack the variable follow `params.missing`.
///
/// # Errors
/// As [`LogisticModel::fit`](crate::LogisticModel::fit), and [`ModelError::Parameter`] for a step of 0.
///
/// ```
/// use alnm_models::profile_likelihood::ProfileMethod;
/// use alnm_models::univariate_table::{UnivariateRequest, univariate_odds_ratios};
/// use alnm_models::{FeatureTable, Labels, LogisticParams, Variable};
/// use ndarray::array;
/// let table = FeatureTable::new(vec!["size".into()], array![[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]])?;
/// let labels = Labels::new(vec![false, false, true, false, true, true]);
/// // Sizes are in cm, the odds ratio is per mm.
/// let requests = [UnivariateRequest::new(Variable::new("size", "cm")).with_per(0.1)];
/// let rows = univariate_odds_ratios(&table, &labels, &requests, ProfileMethod::Exact, &LogisticParams::default())?;
/// assert!(rows[0].odds_ratio > 1.0 && rows[0].odds_ratio < 1.5);
/// # Ok::<(), alnm_models::ModelError>(())
/// ```
pub fn univariate_odds_ratios(
    table: &FeatureTable,
    labels: &Labels,
    requests: &[UnivariateRequest],
    profile: ProfileMethod,
    params: &LogisticParams,
) -> Result<Vec<UnivariateOddsRatio>> {
    let regression = params.clone().check()?;
    requests.par_iter().map(|request| univariate_odds_ratio(table, labels, request, profile, &regression)).collect()
}

fn univariate_odds_ratio(
    table: &FeatureTable,
    labels: &Labels,
    request: &UnivariateRequest,
    method: ProfileMethod,
    regression: &LogisticRegression,
) -> Result<UnivariateOddsRatio> {
    let UnivariateRequest { variable, per } = request;
    if !per.is_finite() || *per == 0.0 {
        return Err(ModelError::parameter("number of units of an odds ratio", *per, "finite and not 0"));
    }
    let column = table.select(std::slice::from_ref(&variable.name))?;
    let model = regression.fit(&column, labels)?;
    let term = model.term(&variable.name)?;
    let odds = |b: f64| (b * per).exp();
    let profile = if model.separated() {
        Interval { lower: f64::NAN, upper: f64::NAN, level: regression.params().level }
    } else {
        let intervals = regression.profile_intervals(&column, labels, method)?;
        // The intercept comes first; the variable is the other term.
        intervals.last().map_or(term.interval, |p| p.interval)
    };
    Ok(UnivariateOddsRatio {
        variable: variable.clone(),
        per: *per,
        rows: model.rows(),
        coefficient: term.estimate * per,
        standard_error: term.standard_error * per.abs(),
        odds_ratio: odds(term.estimate),
        wald: term.interval.map(odds),
        profile: profile.map(odds),
        wald_p: term.p_value,
        likelihood_ratio_p: model.likelihood_ratio_test().p_value,
        aic: model.aic(),
        separated: model.separated(),
    })
}

impl Tabulate for UnivariateOddsRatio {
    const COLUMNS: &'static [&'static str] = &[
        "variable",
        "unit",
        "per",
        "odds ratio",
        "profile lower",
        "profile upper",
        "Wald lower",
        "Wald upper",
        "Wald p",
        "LR p",
        "rows",
        "separated",
    ];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![
            &self.variable.name,
            &self.variable.unit,
            self.per,
            self.odds_ratio,
            self.profile.lower,
            self.profile.upper,
            self.wald.lower,
            self.wald.upper,
            self.wald_p,
            self.likelihood_ratio_p,
            self.rows,
            self.separated
        ]]
    }
}
