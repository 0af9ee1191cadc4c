//! Calibration: do predicted risks equal observed frequencies?

use crate::describe::{QuantileType, mean, quantile_of_sorted, sorted};
use crate::distribution::{chi_squared_upper_tail, gamma_quantile, normal_quantile, normal_two_sided};
use crate::error::{Result, StatsError, require_count, require_finite, require_level, require_same_length};
use crate::linear::solve_symmetric;
use crate::loess::{Loess, LoessParams};
use crate::lowess::{LowessParams, SmoothCurve, lowess};
use crate::roc::{Direction, RocCurve};
use crate::{Interval, Labels, TestResult};
use serde::{Deserialize, Serialize};

fn check(operation: &'static str, labels: &Labels, risks: &[f64]) -> Result<()> {
    require_same_length(operation, labels.len(), risks.len())?;
    require_count(operation, 1, risks.len())?;
    require_finite(operation, risks)?;
    match risks.iter().find(|p| !(0.0..=1.0).contains(*p)) {
        Some(&value) => Err(StatsError::Parameter { name: "predicted risk", range: "[0, 1]", value }),
        None => Ok(()),
    }
}

/// Brier score and relatives.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BrierScore {
    /// Mean squared difference of risk and outcome.
    pub score: f64,
    /// 1 − score/(m(1 − m)), m being the share of events; 1 is perfect, 0 no better than the prevalence.
    pub scaled: f64,
    /// Mean logarithmic loss, risks held 10⁻¹⁵ away from 0 and 1.
    pub log_loss: f64,
}

/// Brier score, scaled score and logarithmic loss.
///
/// # Errors
/// [`StatsError::LengthMismatch`], [`StatsError::TooFew`] without patients, [`StatsError::NonFinite`], [`StatsError::Parameter`] for a
/// risk outside [0, 1].
pub fn brier(labels: &Labels, risks: &[f64]) -> Result<BrierScore> {
    check("Brier score", labels, risks)?;
    let n = risks.len() as f64;
    let outcomes = labels.to_values();
    let score = risks.iter().zip(&outcomes).map(|(p, y)| (p - y).powi(2)).sum::<f64>() / n;
    let m = labels.prevalence();
    let log_loss = -risks
        .iter()
        .zip(labels.as_slice())
        .map(|(p, &y)| {
            let q = p.clamp(1e-15, 1.0 - 1e-15);
            if y { q.ln() } else { (1.0 - q).ln() }
        })
        .sum::<f64>()
        / n;
    Ok(BrierScore { score, scaled: 1.0 - score / (m * (1.0 - m)), log_loss })
}

/// Murphy's decomposition of the Brier score over groups of equal predicted risk: score = reliability − resolution + uncertainty.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BrierDecomposition {
    /// Mean squared distance of risk and observed frequency within the groups; 0 is perfect.
    pub reliability: f64,
    /// Mean squared distance of observed frequency and prevalence; larger is better.
    pub resolution: f64,
    /// Variance of the outcome.
    pub uncertainty: f64,
}

/// Murphy's (1973) decomposition over the distinct predicted risks.
///
/// # Errors
/// As [`brier`].
pub fn brier_decomposition(labels: &Labels, risks: &[f64]) -> Result<BrierDecomposition> {
    check("Brier decomposition", labels, risks)?;
    let n = risks.len() as f64;
    let prevalence = labels.prevalence();
    let order = crate::rank::ascending_order(risks);
    let (mut reliability, mut resolution) = (0.0, 0.0);
    for run in crate::rank::ties(risks, &order) {
        let size = run.len() as f64;
        let risk = risks[order[run.start]];
        let events = order[run].iter().filter(|&&i| labels.as_slice()[i]).count() as f64;
        reliability += size * (risk - events / size).powi(2) / n;
        resolution += size * (events / size - prevalence).powi(2) / n;
    }
    Ok(BrierDecomposition { reliability, resolution, uncertainty: prevalence * (1.0 - prevalence) })
}

/// Hosmer and Lemeshow's test with its groups.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HosmerLemeshow {
    /// Statistic, degrees of freedom (occupied groups − 2) and p-value.
    pub test: TestResult,
    /// Edges of the groups, one more than groups.
    pub breaks: Vec<f64>,
    /// The groups in ascending order of risk.
    pub groups: Vec<RiskGroup>,
}

/// A group of patients of similar predicted risk.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RiskGroup {
    /// Number of patients.
    pub patients: usize,
    /// Number of events.
    pub events: usize,
    /// Sum of the predicted risks.
    pub expected_events: f64,
}

impl RiskGroup {
    /// Mean predicted risk; NaN for an empty group.
    #[must_use]
    pub fn mean_risk(&self) -> f64 {
        self.expected_events / self.patients as f64
    }

    /// Observed share of events; NaN for an empty group.
    #[must_use]
    pub fn observed(&self) -> f64 {
        self.events as f64 / self.patients as f64
    }
}

/// Hosmer-Lemeshow test over groups cut at the distinct quantiles (type 7) of the risk, right-closed; degrees of freedom are occupied
/// groups − 2 (ResourceSelection ≥ 0.3-6). Two groups leave 0 degrees of freedom and p = 0.
///
/// # Errors
/// [`StatsError::Constant`] when all risks are equal, [`StatsError::Parameter`] for fewer than two groups or a risk outside [0, 1],
/// [`StatsError::LengthMismatch`], [`StatsError::NonFinite`].
pub fn hosmer_lemeshow(labels: &Labels, risks: &[f64], groups: usize) -> Result<HosmerLemeshow> {
    const OPERATION: &str = "Hosmer-Lemeshow test";
    check(OPERATION, labels, risks)?;
    if groups < 2 {
        return Err(StatsError::Parameter { name: "number of groups", range: "2 or more", value: groups as f64 });
    }
    let ordered = sorted(risks);
    let mut breaks: Vec<f64> =
        (0..=groups).map(|i| quantile_of_sorted(&ordered, i as f64 * (1.0 / groups as f64), QuantileType::Type7)).collect();
    breaks.dedup();
    if breaks.len() < 2 {
        return Err(StatsError::Constant { operation: OPERATION });
    }
    let mut table = vec![RiskGroup { patients: 0, events: 0, expected_events: 0.0 }; breaks.len() - 1];
    for (&risk, &label) in risks.iter().zip(labels.as_slice()) {
        let group = &mut table[breaks.partition_point(|b| *b < risk).clamp(1, breaks.len() - 1) - 1];
        group.patients += 1;
        group.events += usize::from(label);
        group.expected_events += risk;
    }
    let statistic: f64 = table
        .iter()
        .map(|g| {
            let (n, o, e) = (g.patients as f64, g.events as f64, g.expected_events);
            (o - e).powi(2) / e + ((n - o) - (n - e)).powi(2) / (n - e)
        })
        .sum();
    let occupied = table.iter().filter(|g| g.patients > 0).count();
    let df = occupied as f64 - 2.0;
    let test = TestResult::new(OPERATION, statistic, &[df], chi_squared_upper_tail(statistic, df));
    Ok(HosmerLemeshow { test, breaks, groups: table })
}

/// Spiegelhalter's test of calibration.
///
/// # Errors
/// As [`brier`].
pub fn spiegelhalter(labels: &Labels, risks: &[f64]) -> Result<TestResult> {
    const OPERATION: &str = "Spiegelhalter's test";
    check(OPERATION, labels, risks)?;
    let outcomes = labels.to_values();
    let numerator: f64 = risks.iter().zip(&outcomes).map(|(p, y)| (y - p) * (1.0 - 2.0 * p)).sum();
    let variance: f64 = risks.iter().map(|p| (1.0 - 2.0 * p).powi(2) * p * (1.0 - p)).sum();
    let z = numerator / variance.sqrt();
    Ok(TestResult::new(OPERATION, z, &[], normal_two_sided(z)))
}

/// Expected and observed numbers of events.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ExpectedObserved {
    /// Sum of the risks.
    pub expected: f64,
    /// Number of events.
    pub observed: usize,
    /// Expected over observed.
    pub expected_over_observed: f64,
    /// Interval of expected over observed on the log scale.
    pub interval: Interval,
    /// Observed over expected.
    pub observed_over_expected: f64,
    /// Exact Poisson interval of observed over expected.
    pub poisson_interval: Interval,
}

/// Calibration in the large as a ratio. No event leaves the ratio infinite and its interval NaN.
///
/// # Errors
/// As [`brier`], and [`StatsError::Parameter`] for the level.
pub fn expected_observed(labels: &Labels, risks: &[f64], level: f64) -> Result<ExpectedObserved> {
    check("expected over observed", labels, risks)?;
    require_level(level)?;
    let expected: f64 = risks.iter().sum();
    let observed = labels.positives();
    let o = observed as f64;
    let ratio = expected / o;
    let half = normal_quantile(0.5 + level / 2.0) * ((1.0 - labels.prevalence()) / o).sqrt();
    let alpha = 1.0 - level;
    let lower = if observed == 0 { 0.0 } else { gamma_quantile(alpha / 2.0, o) };
    Ok(ExpectedObserved {
        expected,
        observed,
        expected_over_observed: ratio,
        interval: Interval { lower: ratio * (-half).exp(), upper: ratio * half.exp(), level },
        observed_over_expected: o / expected,
        poisson_interval: Interval { lower: lower / expected, upper: gamma_quantile(1.0 - alpha / 2.0, o + 1.0) / expected, level },
    })
}

/// An estimate with standard error and Wald interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WaldEstimate {
    /// Estimate.
    pub estimate: f64,
    /// Standard error.
    pub standard_error: f64,
    /// estimate ± z · standard error.
    pub interval: Interval,
}

impl WaldEstimate {
    fn new(estimate: f64, variance: f64, level: f64) -> Self {
        let standard_error = variance.sqrt();
        let half = normal_quantile(0.5 + level / 2.0) * standard_error;
        Self { estimate, standard_error, interval: Interval { lower: estimate - half, upper: estimate + half, level } }
    }
}

/// Logistic recalibration of the predicted risks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recalibration {
    /// Calibration in the large: the intercept with the slope held at 1; 0 is perfect.
    pub in_the_large: WaldEstimate,
    /// Intercept of the model with a free slope.
    pub intercept: WaldEstimate,
    /// Calibration slope; 1 is perfect, below 1 means risks too extreme (overfitting).
    pub slope: WaldEstimate,
    /// Likelihood ratio test of intercept 0 and slope 1, with 2 degrees of freedom.
    pub unreliability: TestResult,
    /// Deviance of the model with only an intercept.
    pub null_deviance: f64,
    /// Deviance of the recalibrated risks.
    pub deviance: f64,
}

impl Recalibration {
    /// The recalibrated risk, expit(intercept + slope · logit(risk)).
    #[must_use]
    pub fn apply(&self, risk: f64) -> f64 {
        expit(self.intercept.estimate + self.slope.estimate * logit(risk))
    }
}

/// Calibration intercept and slope: logistic regression of the outcome on the logit of the risk.
///
/// # Errors
/// [`StatsError::Undefined`] for a risk of exactly 0 or 1 and when the outcome is separated by the risk, [`StatsError::Constant`] when all
/// risks are equal, [`StatsError::OneClass`], and as [`brier`].
pub fn recalibrate(labels: &Labels, risks: &[f64], level: f64) -> Result<Recalibration> {
    const OPERATION: &str = "calibration intercept and slope";
    check(OPERATION, labels, risks)?;
    require_level(level)?;
    labels.require_both(OPERATION)?;
    if risks.iter().any(|p| *p == 0.0 || *p == 1.0) {
        return Err(StatsError::Undefined { operation: OPERATION, reason: "a risk of exactly 0 or 1 has no logit" });
    }
    if risks.iter().all(|p| *p == risks[0]) {
        return Err(StatsError::Constant { operation: OPERATION });
    }
    let y = labels.to_values();
    let x: Vec<f64> = risks.iter().map(|p| logit(*p)).collect();
    let zero = vec![0.0; x.len()];
    let large = Newton::fit(OPERATION, &y, &x, &[])?;
    let free = Newton::fit(OPERATION, &y, &zero, &[&x])?;
    let prevalence = labels.prevalence();
    let null_deviance = deviance(&y, &vec![logit(prevalence); x.len()]);
    let statistic = deviance(&y, &x) - free.deviance;
    Ok(Recalibration {
        in_the_large: WaldEstimate::new(large.coefficients[0], large.covariance[0], level),
        intercept: WaldEstimate::new(free.coefficients[0], free.covariance[0], level),
        slope: WaldEstimate::new(free.coefficients[1], free.covariance[3], level),
        unreliability: TestResult::new("Unreliability test", statistic, &[2.0], chi_squared_upper_tail(statistic, 2.0)),
        null_deviance,
        deviance: free.deviance,
    })
}

/// Maximum likelihood of a logistic model with an intercept, an offset and at most a covariate.
struct Newton {
    coefficients: Vec<f64>,
    covariance: Vec<f64>,
    deviance: f64,
}

impl Newton {
    fn fit(operation: &'static str, y: &[f64], offset: &[f64], columns: &[&[f64]]) -> Result<Self> {
        const ITERATIONS: usize = 100;
        let k = 1 + columns.len();
        let column = |c: usize, i: usize| if c == 0 { 1.0 } else { columns[c - 1][i] };
        let mut b = vec![0.0; k];
        let linear =
            |b: &[f64]| -> Vec<f64> { (0..y.len()).map(|i| offset[i] + (0..k).map(|c| b[c] * column(c, i)).sum::<f64>()).collect() };
        let mut current = deviance(y, &linear(&b));
        for _ in 0..ITERATIONS {
            let eta = linear(&b);
            let mut gradient = vec![0.0; k];
            let mut information = vec![0.0; k * k];
            for i in 0..y.len() {
                let p = expit(eta[i]);
                for r in 0..k {
                    gradient[r] += column(r, i) * (y[i] - p);
                    for c in 0..k {
                        information[r * k + c] += column(r, i) * column(c, i) * p * (1.0 - p);
                    }
                }
            }
            let separated = || StatsError::Undefined { operation, reason: "the risk separates the outcome, so no finite estimate exists" };
            let step = solve_symmetric(&information, &gradient).ok_or_else(separated)?;
            let mut scale = 1.0;
            let mut next: Vec<f64>;
            loop {
                next = b.iter().zip(&step).map(|(b, s)| b + scale * s).collect();
                let value = deviance(y, &linear(&next));
                if value <= current + 1e-9 * current.abs() + 1e-12 || scale < 1e-6 {
                    current = value;
                    break;
                }
                scale /= 2.0;
            }
            let moved = b.iter().zip(&next).map(|(a, b)| (a - b).abs() / (1.0 + b.abs())).fold(0.0, f64::max);
            b = next;
            if moved < 1e-13 {
                let mut covariance = vec![0.0; k * k];
                for c in 0..k {
                    let unit: Vec<f64> = (0..k).map(|r| f64::from(u8::from(r == c))).collect();
                    for (r, v) in solve_symmetric(&information, &unit).ok_or_else(separated)?.into_iter().enumerate() {
                        covariance[r * k + c] = v;
                    }
                }
                return Ok(Self { coefficients: b, covariance, deviance: current });
            }
        }
        Err(StatsError::NotConverged { operation, iterations: ITERATIONS })
    }
}

fn logit(p: f64) -> f64 {
    (p / (1.0 - p)).ln()
}

fn expit(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// −2 log likelihood of linear predictors.
fn deviance(y: &[f64], eta: &[f64]) -> f64 {
    2.0 * y.iter().zip(eta).map(|(y, e)| e.max(0.0) + (-e.abs()).exp().ln_1p() - y * e).sum::<f64>()
}

/// Distance of a smooth calibration curve from the diagonal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CalibrationError {
    /// Mean |observed − predicted|, the integrated calibration index.
    pub ici: f64,
    /// Median.
    pub e50: f64,
    /// 90th percentile (type 7).
    pub e90: f64,
    /// Maximum.
    pub emax: f64,
}

impl CalibrationError {
    fn of(smooth: &[f64], risks: &[f64]) -> Self {
        let errors = sorted(&smooth.iter().zip(risks).map(|(s, p)| (s - p).abs()).collect::<Vec<_>>());
        let at = |p| quantile_of_sorted(&errors, p, QuantileType::Type7);
        Self { ici: mean(&errors), e50: at(0.5), e90: at(0.9), emax: errors[errors.len() - 1] }
    }
}

/// A smooth calibration curve and its distance from the diagonal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalibrationCurve {
    /// Predicted risk against smoothed outcome, ascending. Values are not clipped to [0, 1].
    pub curve: SmoothCurve,
    /// Distance from the diagonal.
    pub error: CalibrationError,
}

/// Calibration curve by local quadratic regression (the usual basis of the ICI; Austin and Steyerberg 2019).
///
/// # Errors
/// As [`brier`] and [`Loess::fit`].
pub fn loess_curve(labels: &Labels, risks: &[f64], params: LoessParams) -> Result<CalibrationCurve> {
    check("loess calibration curve", labels, risks)?;
    let smooth = Loess::fit(risks, &labels.to_values(), params)?.fitted()?;
    let error = CalibrationError::of(&smooth, risks);
    let order = crate::rank::ascending_order(risks);
    let curve = SmoothCurve { x: order.iter().map(|&i| risks[i]).collect(), y: order.iter().map(|&i| smooth[i]).collect() };
    Ok(CalibrationCurve { curve, error })
}

/// Calibration curve by locally linear smoothing without robustness iterations, as in `rms::val.prob`.
///
/// # Errors
/// As [`brier`] and [`lowess`].
pub fn lowess_curve(labels: &Labels, risks: &[f64]) -> Result<CalibrationCurve> {
    check("lowess calibration curve", labels, risks)?;
    let curve = lowess(risks, &labels.to_values(), LowessParams { iterations: 0, ..LowessParams::default() })?;
    let error = CalibrationError::of(&curve.y, &curve.x);
    Ok(CalibrationCurve { curve, error })
}

/// Groups of equal width in predicted risk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBins {
    /// Index of each occupied bin.
    pub bins: Vec<usize>,
    /// The occupied bins in ascending order.
    pub groups: Vec<RiskGroup>,
    /// Expected calibration error: mean |mean risk − observed|, weighted by size.
    pub expected_error: f64,
    /// Largest |mean risk − observed|.
    pub largest_error: f64,
}

/// Reliability over `bins` equal-width bins of [0, 1], closed on the left, the last one on both sides.
///
/// # Errors
/// As [`brier`], and [`StatsError::Parameter`] without bins.
pub fn reliability_bins(labels: &Labels, risks: &[f64], bins: usize) -> Result<ReliabilityBins> {
    check("reliability bins", labels, risks)?;
    if bins == 0 {
        return Err(StatsError::Parameter { name: "number of bins", range: "1 or more", value: 0.0 });
    }
    let mut all = vec![RiskGroup { patients: 0, events: 0, expected_events: 0.0 }; bins];
    for (&risk, &label) in risks.iter().zip(labels.as_slice()) {
        let group = &mut all[((risk * bins as f64) as usize).min(bins - 1)];
        group.patients += 1;
        group.events += usize::from(label);
        group.expected_events += risk;
    }
    let occupied: Vec<usize> = (0..bins).filter(|&b| all[b].patients > 0).collect();
    let groups: Vec<RiskGroup> = occupied.iter().map(|&b| all[b]).collect();
    let distances: Vec<f64> = groups.iter().map(|g| (g.mean_risk() - g.observed()).abs()).collect();
    let n = risks.len() as f64;
    Ok(ReliabilityBins {
        expected_error: groups.iter().zip(&distances).map(|(g, d)| g.patients as f64 * d).sum::<f64>() / n,
        largest_error: distances.iter().copied().fold(0.0, f64::max),
        bins: occupied,
        groups,
    })
}

/// Harrell's validation of predicted risks (`rms::val.prob`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// Somers' Dxy, 2(C − ½).
    pub somers_dxy: f64,
    /// Area under the ROC curve.
    pub c: f64,
    /// Nagelkerke's R² of the risks as given; negative when they do worse than the prevalence.
    pub r2: f64,
    /// Discrimination index D = (LR χ² − 1)/n.
    pub discrimination: f64,
    /// Likelihood ratio χ² of the risks as given, and its p-value.
    pub discrimination_test: TestResult,
    /// Unreliability index U = (χ² − 2)/n.
    pub unreliability: f64,
    /// Quality index Q = D − U.
    pub quality: f64,
    /// Brier score.
    pub brier: f64,
    /// Intercept, slope and the unreliability test.
    pub recalibration: Recalibration,
    /// Distance of the lowess curve from the diagonal.
    pub error: CalibrationError,
    /// Spiegelhalter's test.
    pub spiegelhalter: TestResult,
}

/// Everything `val.prob` prints, at the optimum of the likelihood.
///
/// # Errors
/// As [`recalibrate`].
pub fn validate(labels: &Labels, risks: &[f64], level: f64) -> Result<Validation> {
    let recalibration = recalibrate(labels, risks, level)?;
    let n = risks.len() as f64;
    let c = RocCurve::new(labels, risks, Direction::HigherIsPositive)?.auc();
    let ratio = recalibration.null_deviance - recalibration.deviance;
    let as_given = ratio - recalibration.unreliability.statistic;
    let discrimination = (as_given - 1.0) / n;
    let unreliability = (recalibration.unreliability.statistic - 2.0) / n;
    Ok(Validation {
        somers_dxy: 2.0 * (c - 0.5),
        c,
        r2: (1.0 - (-as_given / n).exp()) / (1.0 - (-recalibration.null_deviance / n).exp()),
        discrimination,
        discrimination_test: TestResult::new("Likelihood ratio test", as_given, &[1.0], chi_squared_upper_tail(as_given, 1.0)),
        unreliability,
        quality: discrimination - unreliability,
        brier: brier(labels, risks)?.score,
        recalibration,
        error: lowess_curve(labels, risks)?.error,
        spiegelhalter: spiegelhalter(labels, risks)?,
    })
}
