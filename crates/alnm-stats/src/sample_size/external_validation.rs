//! Sample size for the external validation of a prediction model of a binary outcome (Riley et al. 2021).

use crate::cells;
use crate::data_table::{Cell, Tabulate};
use crate::distribution::normal_quantile;
use crate::error::{Result, StatsError, require_count, require_finite};

/// Distribution of the linear predictor (log odds of the risk) in the patients of the validation.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum PredictorDistribution {
    /// Normal log odds.
    Normal {
        /// Their mean.
        mean: f64,
        /// Their standard deviation, above 0.
        standard_deviation: f64,
    },
    /// Risks with a beta distribution.
    BetaRisk {
        /// First shape, above 0.
        alpha: f64,
        /// Second shape, above 0.
        beta: f64,
    },
    /// Normal log odds of equal variance 2 Φ⁻¹(C)² in events and others, so far apart that the area under the curve is
    /// the expected C-statistic, and so placed that the mean risk is the prevalence.
    FromCStatistic,
    /// Log odds of patients like those to come, for instance of the development cohort.
    Observed(Vec<f64>),
}

/// What is expected and wanted of an external validation. Widths are those of 95 % intervals.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `prevalence` | given to `new` | expected share of events | above 0, below 1 |
/// | `c_statistic` | given to `new` | expected area under the curve | above 0.5, below 1 |
/// | `predictor` | given to `new` | distribution of the linear predictor | |
/// | `observed_expected` | 1 | expected ratio of observed and expected events | above 0 |
/// | `observed_expected_width` | 0.2 | wanted width of the interval of that ratio | above 0 |
/// | `slope_width` | 0.2 | wanted width of the interval of the calibration slope | above 0 |
/// | `c_statistic_width` | 0.1 | wanted width of the interval of the area | above 0 |
/// | `net_benefit` | none | threshold at which the net benefit is wanted | |
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[must_use]
pub struct ExternalValidationSizeParams {
    /// Expected share of events.
    pub prevalence: f64,
    /// Expected area under the curve.
    pub c_statistic: f64,
    /// Distribution of the linear predictor.
    pub predictor: PredictorDistribution,
    /// Expected ratio of observed and expected events.
    pub observed_expected: f64,
    /// Wanted width of the interval of that ratio.
    pub observed_expected_width: f64,
    /// Wanted width of the interval of the calibration slope.
    pub slope_width: f64,
    /// Wanted width of the interval of the area.
    pub c_statistic_width: f64,
    /// Threshold at which the net benefit is wanted; `None` leaves this criterion out.
    pub net_benefit: Option<NetBenefitTarget>,
}

/// The wanted precision of a net benefit.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `threshold` | given to `new` | threshold probability | above 0, below 1 |
/// | `accuracy` | from the predictor | expected sensitivity and specificity at the threshold | from 0 to 1 |
/// | `width` | 0.2 | wanted width of the interval of the standardised net benefit | above 0 |
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[must_use]
pub struct NetBenefitTarget {
    /// Threshold probability.
    pub threshold: f64,
    /// Expected sensitivity and specificity at the threshold; `None` takes those of the distribution of the linear
    /// predictor, rounded to two digits as `pmvalsampsize` does.
    pub accuracy: Option<ThresholdAccuracy>,
    /// Wanted width of the interval of the standardised net benefit.
    pub width: f64,
}

/// Sensitivity and specificity at a threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ThresholdAccuracy {
    /// Share of the events at or above the threshold.
    pub sensitivity: f64,
    /// Share of the others below it.
    pub specificity: f64,
}

impl NetBenefitTarget {
    /// The net benefit at a threshold, within the conventional width 0.2.
    pub fn new(threshold: f64) -> Self {
        Self { threshold, accuracy: None, width: 0.2 }
    }

    /// Sets the expected sensitivity and specificity.
    pub fn with_accuracy(self, sensitivity: f64, specificity: f64) -> Self {
        Self { accuracy: Some(ThresholdAccuracy { sensitivity, specificity }), ..self }
    }

    /// Sets the wanted width of the interval of the standardised net benefit.
    pub fn with_width(self, width: f64) -> Self {
        Self { width, ..self }
    }
}

impl ExternalValidationSizeParams {
    /// What is expected of the study, with the conventional widths.
    pub fn new(prevalence: f64, c_statistic: f64, predictor: PredictorDistribution) -> Self {
        Self {
            prevalence,
            c_statistic,
            predictor,
            observed_expected: 1.0,
            observed_expected_width: 0.2,
            slope_width: 0.2,
            c_statistic_width: 0.1,
            net_benefit: None,
        }
    }

    /// Sets the expected ratio of observed and expected events.
    pub fn with_observed_expected(self, observed_expected: f64) -> Self {
        Self { observed_expected, ..self }
    }

    /// Sets the wanted width of the interval of the ratio of observed and expected events.
    pub fn with_observed_expected_width(self, observed_expected_width: f64) -> Self {
        Self { observed_expected_width, ..self }
    }

    /// Sets the wanted width of the interval of the calibration slope.
    pub fn with_slope_width(self, slope_width: f64) -> Self {
        Self { slope_width, ..self }
    }

    /// Sets the wanted width of the interval of the area.
    pub fn with_c_statistic_width(self, c_statistic_width: f64) -> Self {
        Self { c_statistic_width, ..self }
    }

    /// Sets the threshold at which the net benefit is wanted.
    pub fn with_net_benefit(self, net_benefit: NetBenefitTarget) -> Self {
        Self { net_benefit: Some(net_benefit), ..self }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`StatsError::Parameter`] names the first that lies outside its range; [`StatsError::TooFew`] and
    /// [`StatsError::NonFinite`] for observed log odds that are fewer than two or not finite.
    pub fn check(self) -> Result<ExternalValidationCriteria> {
        let share = |name, value: f64| {
            let inside = value > 0.0 && value < 1.0;
            if inside { Ok(()) } else { Err(StatsError::parameter(name, value, "above 0 and below 1")) }
        };
        let positive = |name, value: f64| {
            let inside = value > 0.0 && value.is_finite();
            if inside { Ok(()) } else { Err(StatsError::parameter(name, value, "above 0 and finite")) }
        };
        share("prevalence", self.prevalence)?;
        if !(self.c_statistic > 0.5 && self.c_statistic < 1.0) {
            return Err(StatsError::parameter("expected C-statistic", self.c_statistic, "above 0.5 and below 1"));
        }
        positive("expected ratio of observed and expected events", self.observed_expected)?;
        positive("width of the interval of observed over expected", self.observed_expected_width)?;
        positive("width of the interval of the calibration slope", self.slope_width)?;
        positive("width of the interval of the C-statistic", self.c_statistic_width)?;
        if let Some(target) = self.net_benefit {
            share("threshold probability", target.threshold)?;
            positive("width of the interval of the net benefit", target.width)?;
            for value in target.accuracy.iter().flat_map(|a| [a.sensitivity, a.specificity]) {
                if !(0.0..=1.0).contains(&value) {
                    let name = "expected sensitivity or specificity";
                    return Err(StatsError::parameter(name, value, "at least 0 and at most 1"));
                }
            }
        }
        match &self.predictor {
            PredictorDistribution::Normal { mean, standard_deviation } => {
                if !mean.is_finite() {
                    return Err(StatsError::parameter("mean of the linear predictor", *mean, "finite"));
                }
                positive("standard deviation of the linear predictor", *standard_deviation)?;
            }
            PredictorDistribution::BetaRisk { alpha, beta } => {
                positive("first shape of the risks", *alpha)?;
                positive("second shape of the risks", *beta)?;
            }
            PredictorDistribution::FromCStatistic => {}
            PredictorDistribution::Observed(values) => {
                require_count("sample size", "observed linear predictors", 2, values.len())?;
                require_finite("sample size", values)?;
            }
        }
        Ok(ExternalValidationCriteria(self))
    }
}

/// The criteria of an external validation, with checked parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct ExternalValidationCriteria(ExternalValidationSizeParams);

/// Smallest number of patients by each criterion of an external validation.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ExternalValidationSize {
    /// Ratio of observed and expected events within its width.
    pub for_observed_expected: usize,
    /// Calibration slope within its width.
    pub for_slope: usize,
    /// Area under the curve within its width.
    pub for_c_statistic: usize,
    /// Standardised net benefit within its width, if wanted.
    pub for_net_benefit: Option<usize>,
    /// The largest of them.
    pub required: usize,
    /// Events expected at that size.
    pub events: f64,
}

/// The criteria for a binary outcome (R's and Stata's `pmvalsampsize`), under parameters that are checked first.
///
/// The standard error that a width asks for is found in steps of 10⁻⁴ upwards for observed over expected, and rounded
/// to three digits for the net benefit, as `pmvalsampsize` does. The information of the linear predictor is integrated,
/// where `pmvalsampsize` draws a million values: its size for the slope varies about ours by some tenths of a per cent
/// with the seed.
///
/// # Errors
/// As [`ExternalValidationSizeParams::check`] and [`ExternalValidationCriteria::size`].
///
/// ```
/// use alnm_stats::sample_size::{ExternalValidationSizeParams, PredictorDistribution, external_validation};
/// // Mechanical heart valve failure, the example of Riley et al. (2021).
/// let predictor = PredictorDistribution::Normal { mean: -5.0, standard_deviation: 2.5 };
/// let params = ExternalValidationSizeParams::new(0.018, 0.8, predictor).with_observed_expected_width(1.0);
/// let size = external_validation(params)?;
/// assert_eq!((size.for_observed_expected, size.for_c_statistic), (905, 4252));
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn external_validation(params: ExternalValidationSizeParams) -> Result<ExternalValidationSize> {
    params.check()?.size()
}

/// Quantile of the normal distribution as the published criteria round it.
const Z: f64 = 1.96;

impl ExternalValidationCriteria {
    /// The smallest number of patients by each criterion.
    ///
    /// # Errors
    /// [`StatsError::Undefined`] when the linear predictor does not vary, or when no size up to a thousand million
    /// patients gives the area the wanted width.
    pub fn size(&self) -> Result<ExternalValidationSize> {
        let params = &self.0;
        let nodes = self.nodes()?;
        let for_observed_expected = self.for_observed_expected();
        let for_slope = slope_size(&nodes, params.slope_width)?;
        let for_c_statistic = self.for_c_statistic()?;
        let for_net_benefit = params.net_benefit.map(|target| self.for_net_benefit(target, &nodes));
        let required =
            for_observed_expected.max(for_slope).max(for_c_statistic).max(for_net_benefit.unwrap_or_default());
        Ok(ExternalValidationSize {
            for_observed_expected,
            for_slope,
            for_c_statistic,
            for_net_benefit,
            required,
            events: required as f64 * params.prevalence,
        })
    }

    fn for_observed_expected(&self) -> usize {
        const STEP: f64 = 1e-4;
        let ExternalValidationSizeParams { prevalence, observed_expected, observed_expected_width, .. } = self.0;
        let width =
            |error: f64| (observed_expected.ln() + Z * error).exp() - (observed_expected.ln() - Z * error).exp();
        let mut error = 0.0;
        while width(error) < observed_expected_width {
            error += STEP;
        }
        ((1.0 - prevalence) / (prevalence * error * error)).ceil() as usize
    }

    /// Newcombe's (2006) standard error of the area, with as many events as others in its correction terms.
    fn for_c_statistic(&self) -> Result<usize> {
        const LARGEST: usize = 1_000_000_000;
        let ExternalValidationSizeParams { prevalence, c_statistic: c, c_statistic_width, .. } = self.0;
        let fits = |size: usize| {
            let n = size as f64;
            let correction = 1.0 + (n / 2.0 - 1.0) * (1.0 - c) / (2.0 - c) + (n / 2.0 - 1.0) * c / (1.0 + c);
            let variance = c * (1.0 - c) * correction / (n * n * prevalence * (1.0 - prevalence));
            2.0 * Z * variance.sqrt() <= c_statistic_width
        };
        if !fits(LARGEST) {
            return Err(StatsError::Undefined {
                operation: "sample size for the C-statistic",
                requirement: "the wanted width must be reached by a thousand million patients",
            });
        }
        let (mut below, mut enough) = (1, LARGEST);
        while enough - below > 1 {
            let middle = below + (enough - below) / 2;
            if fits(middle) {
                enough = middle;
            } else {
                below = middle;
            }
        }
        Ok(if fits(below) { below } else { enough })
    }

    fn for_net_benefit(&self, target: NetBenefitTarget, nodes: &[Node]) -> usize {
        const STEP: f64 = 1e-4;
        let prevalence = self.0.prevalence;
        let ThresholdAccuracy { sensitivity, specificity } =
            target.accuracy.unwrap_or_else(|| accuracy(nodes, target.threshold));
        let mut error = 0.0;
        while 2.0 * Z * error < target.width {
            error += STEP;
        }
        let error = (error * 1000.0).round() / 1000.0;
        let w = (1.0 - prevalence) / prevalence * target.threshold / (1.0 - target.threshold);
        let variance = sensitivity * (1.0 - sensitivity) / prevalence
            + w * w * specificity * (1.0 - specificity) / (1.0 - prevalence)
            + w * w * (1.0 - specificity).powi(2) / (prevalence * (1.0 - prevalence));
        (variance / (error * error)).ceil() as usize
    }

    /// The distribution of the linear predictor as weighted values.
    fn nodes(&self) -> Result<Vec<Node>> {
        let params = &self.0;
        Ok(match &params.predictor {
            PredictorDistribution::Normal { mean, standard_deviation } => normal_nodes(*mean, *standard_deviation, 1.0),
            PredictorDistribution::BetaRisk { alpha, beta } => beta_nodes(*alpha, *beta),
            PredictorDistribution::FromCStatistic => {
                let variance = 2.0 * normal_quantile(params.c_statistic).powi(2);
                let mixture = |others: f64| -> Vec<Node> {
                    let mut nodes = normal_nodes(others, variance.sqrt(), 1.0 - params.prevalence);
                    nodes.extend(normal_nodes(others + variance, variance.sqrt(), params.prevalence));
                    nodes
                };
                let mean_risk = |nodes: &[Node]| nodes.iter().map(|n| n.weight * n.risk()).sum::<f64>();
                let excess = |others: f64| mean_risk(&mixture(others)) - params.prevalence;
                let place = (params.prevalence / (1.0 - params.prevalence)).ln();
                let reach = 10.0 + 2.0 * variance;
                let root = crate::root::brent(excess, place - reach, place + reach, 1e-10, 200)?;
                mixture(root.location)
            }
            PredictorDistribution::Observed(values) => {
                values.iter().map(|&value| Node { value, weight: 1.0 / values.len() as f64 }).collect()
            }
        })
    }
}

/// A value of the linear predictor with its share of the patients.
#[derive(Clone, Copy)]
struct Node {
    value: f64,
    weight: f64,
}

impl Node {
    fn risk(self) -> f64 {
        1.0 / (1.0 + (-self.value).exp())
    }
}

/// Shares of a normal distribution in narrow cells out to 9 standard deviations, which the trapezoidal rule integrates
/// to rounding.
fn normal_nodes(mean: f64, standard_deviation: f64, total: f64) -> Vec<Node> {
    const CELLS: i32 = 4000;
    const REACH: f64 = 9.0;
    let step = 2.0 * REACH / f64::from(CELLS);
    (0..=CELLS)
        .map(|k| {
            let z = -REACH + step * f64::from(k);
            let density = (-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt();
            Node { value: mean + standard_deviation * z, weight: total * density * step }
        })
        .collect()
}

/// Shares of the log odds of a beta distribution, whose density in the log odds x is p^α (1 − p)^β/B(α, β), on a grid
/// that reaches where the risk has no share left.
fn beta_nodes(alpha: f64, beta: f64) -> Vec<Node> {
    const CELLS: i32 = 40_000;
    let reach = |shape: f64| (60.0 / shape).clamp(40.0, 2000.0);
    let (low, high) = (-reach(alpha), reach(beta));
    let step = (high - low) / f64::from(CELLS);
    let log_density = |x: f64| -alpha * (-x).max(0.0) - beta * x.max(0.0) - (alpha + beta) * (-x.abs()).exp().ln_1p();
    let raw: Vec<Node> = (0..=CELLS)
        .map(|k| {
            let value = low + step * f64::from(k);
            Node { value, weight: log_density(value).exp() }
        })
        .collect();
    let total: f64 = raw.iter().map(|n| n.weight).sum();
    raw.into_iter().map(|n| Node { weight: n.weight / total, ..n }).collect()
}

/// Patients that give the calibration slope, estimated beside the intercept, the wanted width.
fn slope_size(nodes: &[Node], width: f64) -> Result<usize> {
    let error = width / (2.0 * Z);
    let mut information = [0.0; 3];
    for node in nodes {
        let variance = node.weight * node.risk() * (1.0 - node.risk());
        information[0] += variance;
        information[1] += variance * node.value;
        information[2] += variance * node.value * node.value;
    }
    let [constant, mixed, square] = information;
    let determinant = constant * square - mixed * mixed;
    let size = (constant / (error * error * determinant)).ceil();
    if determinant > 1e-14 * constant * square && size.is_finite() {
        Ok(size as usize)
    } else {
        Err(StatsError::Undefined {
            operation: "sample size for the calibration slope",
            requirement: "the linear predictor must vary among patients whose risks are neither 0 nor 1",
        })
    }
}

/// Sensitivity and specificity of risks at or above a threshold, to two digits.
fn accuracy(nodes: &[Node], threshold: f64) -> ThresholdAccuracy {
    let cut = (threshold / (1.0 - threshold)).ln();
    let (mut events, mut found, mut others, mut spared) = (0.0, 0.0, 0.0, 0.0);
    for node in nodes {
        let (event, other) = (node.weight * node.risk(), node.weight * (1.0 - node.risk()));
        events += event;
        others += other;
        if node.value >= cut {
            found += event;
        } else {
            spared += other;
        }
    }
    let two_digits = |v: f64| (v * 100.0).round() / 100.0;
    ThresholdAccuracy { sensitivity: two_digits(found / events), specificity: two_digits(spared / others) }
}

#[cfg(feature = "serde")]
crate::reading::checked_on_reading! {
    ExternalValidationSize {
        for_observed_expected: usize,
        for_slope: usize,
        for_c_statistic: usize,
        for_net_benefit: Option<usize>,
        required: usize,
        events: f64,
    }
}

#[cfg(feature = "serde")]
impl ExternalValidationSize {
    /// What contradicts itself in a value from a file.
    fn check(&self) -> crate::reading::Checked {
        let largest = self.for_observed_expected.max(self.for_slope).max(self.for_c_statistic);
        if self.required != largest.max(self.for_net_benefit.unwrap_or_default()) {
            return Err(format!("required size is {}; it must be the largest of the criteria", self.required));
        }
        Ok(())
    }
}

impl Tabulate for ExternalValidationSize {
    const COLUMNS: &'static [&'static str] = &[
        "for observed over expected",
        "for calibration slope",
        "for C-statistic",
        "for net benefit",
        "required",
        "events",
    ];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![
            self.for_observed_expected,
            self.for_slope,
            self.for_c_statistic,
            self.for_net_benefit,
            self.required,
            self.events
        ]]
    }
}
