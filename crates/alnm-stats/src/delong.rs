//! DeLong's variance of the area under the ROC curve, its interval and tests (DeLong, DeLong and Clarke-Pearson 1988),
//! in O(n log n).

use crate::cells;
use crate::data_table::{Cell, Tabulate};
use crate::distribution::{
    normal_cdf, normal_quantile, normal_two_sided, normal_upper_tail, t_two_sided, t_upper_tail,
};
use crate::error::{Result, require_count, require_finite, require_level, require_same_length};
use crate::multiplicity::{Adjustment, adjust};
use crate::rank::midranks;
use crate::roc::{Direction, RocCurve};
use crate::{Alternative, Interval, Labels, TestResult};

/// An area with DeLong's variance.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct AucEstimate {
    /// Area under the curve.
    pub auc: f64,
    /// DeLong variance; NaN when a class has a single member.
    #[cfg_attr(feature = "serde", serde(with = "crate::nonfinite"))]
    pub variance: f64,
    /// Normal interval, clipped to [0, 1]; NaN when the variance is.
    pub interval: Interval,
}

impl AucEstimate {
    /// Standard error of the area.
    #[must_use]
    pub fn standard_error(&self) -> f64 {
        self.variance.sqrt()
    }
}

/// Area of the curve with DeLong's variance and interval. A perfect curve has variance 0 and the interval [1, 1].
///
/// # Errors
/// [`crate::StatsError::Parameter`] for the level.
///
/// ```
/// use alnm_stats::{Labels, delong::auc_estimate, roc::{Direction, RocCurve}};
/// let labels = Labels::new(vec![false, false, true, false, true]);
/// let roc = RocCurve::new(&labels, &[0.1, 0.4, 0.35, 0.2, 0.8], Direction::HigherIsPositive)?;
/// let area = auc_estimate(&roc, 0.95)?;
/// assert!(area.interval.contains(area.auc));
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn auc_estimate(roc: &RocCurve, level: f64) -> Result<AucEstimate> {
    require_level(level)?;
    let (auc, variance) = area_and_variance(roc);
    let half = normal_quantile(0.5 + level / 2.0) * variance.sqrt();
    let clip = |v: f64| if v.is_nan() { v } else { v.clamp(0.0, 1.0) };
    Ok(AucEstimate { auc, variance, interval: Interval { lower: clip(auc - half), upper: clip(auc + half), level } })
}

fn area_and_variance(roc: &RocCurve) -> (f64, f64) {
    let auc = roc.auc();
    let (m, n) = (roc.cases() as f64, roc.controls() as f64);
    let (positives, negatives) = (roc.true_positives(), roc.false_positives());
    // All observations between two thresholds share a score, and with it their placement value.
    let (mut of_cases, mut of_controls) = (0.0, 0.0);
    for i in 1..roc.len() {
        let cases = (positives[i - 1] - positives[i]) as f64;
        let controls = (negatives[i - 1] - negatives[i]) as f64;
        let controls_below = n - (negatives[i - 1] + negatives[i]) as f64 / 2.0;
        let cases_above = (positives[i - 1] + positives[i]) as f64 / 2.0;
        of_cases += cases * (controls_below / n - auc).powi(2);
        of_controls += controls * (cases_above / m - auc).powi(2);
    }
    (auc, of_cases / (m - 1.0) / m + of_controls / (n - 1.0) / n)
}

/// Placement values: for each case the share of controls it exceeds, for each control the share of cases above it.
struct Placements {
    auc: f64,
    cases: Vec<f64>,
    controls: Vec<f64>,
}

impl Placements {
    fn of(labels: &Labels, scores: &[f64], direction: Direction) -> Result<Self> {
        const OPERATION: &str = "DeLong placement values";
        require_same_length(OPERATION, labels.len(), scores.len())?;
        require_finite(OPERATION, scores)?;
        labels.require_both(OPERATION)?;
        let oriented: Vec<f64> = scores.iter().map(|s| s * direction.sign()).collect();
        let overall = midranks(&oriented);
        let groups = labels.split(&oriented)?;
        let (within_cases, within_controls) = (midranks(&groups.positive), midranks(&groups.negative));
        let (m, n) = (within_cases.len() as f64, within_controls.len() as f64);
        let mut placements = Self {
            auc: 0.0,
            cases: Vec::with_capacity(within_cases.len()),
            controls: Vec::with_capacity(within_controls.len()),
        };
        for (&rank, &label) in overall.iter().zip(labels.as_slice()) {
            if label {
                placements.cases.push((rank - within_cases[placements.cases.len()]) / n);
            } else {
                placements.controls.push(1.0 - (rank - within_controls[placements.controls.len()]) / m);
            }
        }
        placements.auc = placements.cases.iter().sum::<f64>() / m;
        Ok(placements)
    }

    fn covariance(&self, other: &Self) -> f64 {
        let part = |a: &[f64], b: &[f64]| {
            let n = a.len() as f64;
            a.iter().zip(b).map(|(x, y)| (x - self.auc) * (y - other.auc)).sum::<f64>() / (n - 1.0) / n
        };
        part(&self.cases, &other.cases) + part(&self.controls, &other.controls)
    }
}

/// A marker: its scores, and the direction in which they indicate the event.
#[derive(Debug, Clone, Copy)]
pub struct Marker<'a> {
    /// One score per patient.
    pub scores: &'a [f64],
    /// Which scores speak for the event.
    pub direction: Direction,
}

/// DeLong covariance of the areas of two markers measured on the same patients.
///
/// # Errors
/// [`crate::StatsError::OneClass`], [`crate::StatsError::LengthMismatch`], [`crate::StatsError::NonFinite`] for a
/// missing score.
///
/// ```
/// use alnm_stats::roc::RocCurve;
/// use alnm_stats::delong::{Marker, auc_estimate, covariance};
/// use alnm_stats::roc::Direction;
/// use alnm_stats::Labels;
/// let labels = Labels::new(vec![false, false, true, false, true]);
/// let marker = Marker { scores: &[0.1, 0.4, 0.35, 0.2, 0.8], direction: Direction::HigherIsPositive };
/// let roc = RocCurve::new(&labels, marker.scores, marker.direction)?;
/// // The covariance of a marker with itself is the variance of its area.
/// assert!((covariance(&labels, marker, marker)? - auc_estimate(&roc, 0.95)?.variance).abs() < 1e-15);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn covariance(labels: &Labels, first: Marker<'_>, second: Marker<'_>) -> Result<f64> {
    let a = Placements::of(labels, first.scores, first.direction)?;
    let b = Placements::of(labels, second.scores, second.direction)?;
    Ok(a.covariance(&b))
}

/// DeLong's test of two correlated areas: both markers measured on the same patients. The estimate is the two areas,
/// the interval is for their difference first − second. Identical curves give Z = 0 and p = 1.
///
/// # Errors
/// As [`covariance`]; [`crate::StatsError::TooFew`] when a class has a single member.
///
/// ```
/// use alnm_stats::delong::{Marker, paired_test};
/// use alnm_stats::roc::Direction;
/// use alnm_stats::{Alternative, Labels};
/// let labels = Labels::new(vec![false, false, true, false, true]);
/// let marker = Marker { scores: &[0.1, 0.4, 0.35, 0.2, 0.8], direction: Direction::HigherIsPositive };
/// let other = Marker { scores: &[0.3, 0.1, 0.2, 0.5, 0.9], direction: Direction::HigherIsPositive };
/// let test = paired_test(&labels, marker, other, Alternative::TwoSided, 0.95)?;
/// assert!((test.estimate[0] - test.estimate[1] - 1.0 / 6.0).abs() < 1e-12);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn paired_test(
    labels: &Labels,
    first: Marker<'_>,
    second: Marker<'_>,
    alternative: Alternative,
    level: f64,
) -> Result<TestResult> {
    const OPERATION: &str = "paired DeLong test";
    require_level(level)?;
    require_count(OPERATION, "patients per outcome class", 2, labels.positives().min(labels.negatives()))?;
    let a = Placements::of(labels, first.scores, first.direction)?;
    let b = Placements::of(labels, second.scores, second.direction)?;
    let variance = (a.covariance(&a) + b.covariance(&b) - 2.0 * a.covariance(&b)).max(0.0);
    let difference = a.auc - b.auc;
    let z = if difference == 0.0 && variance == 0.0 { 0.0 } else { difference / variance.sqrt() };
    let p = match alternative {
        Alternative::TwoSided => normal_two_sided(z),
        Alternative::Less => normal_cdf(z),
        Alternative::Greater => normal_upper_tail(z),
    };
    let half = normal_quantile(0.5 + level / 2.0) * variance.sqrt();
    Ok(TestResult::new("DeLong's test for two correlated ROC curves", z, &[], p)
        .with_estimate(&[a.auc, b.auc])
        .with_interval(difference - half, difference + half, level))
}

/// The pairs of markers that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum AucPairs {
    /// Each with each.
    All,
    /// Each other one with the marker at this place, counted from 0.
    Against(usize),
}

/// One of several comparisons of areas.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct AucComparison {
    /// Place of the first marker, counted from 0.
    pub first: usize,
    /// Place of the second marker.
    pub second: usize,
    /// DeLong's paired test of first against second.
    pub test: TestResult,
    /// p-value adjusted for the number of comparisons.
    pub adjusted_p_value: f64,
}

/// DeLong's paired two-sided tests of several markers of the same patients, with p-values adjusted for their number.
///
/// # Errors
/// As [`paired_test`]; [`crate::StatsError::TooFew`] for fewer than two markers, [`crate::StatsError::Parameter`] for a
/// place that no marker has.
///
/// ```
/// use alnm_stats::delong::{AucPairs, Marker, paired_tests};
/// use alnm_stats::multiplicity::Adjustment;
/// use alnm_stats::roc::Direction;
/// use alnm_stats::Labels;
/// let labels = Labels::new(vec![false, false, true, false, true]);
/// let scores = [[0.1, 0.4, 0.35, 0.2, 0.8], [0.3, 0.1, 0.2, 0.5, 0.9], [0.2, 0.1, 0.4, 0.3, 0.3]];
/// let markers = scores.each_ref().map(|s| Marker { scores: s, direction: Direction::HigherIsPositive });
/// let comparisons = paired_tests(&labels, &markers, AucPairs::Against(0), Adjustment::Holm, 0.95)?;
/// assert_eq!(comparisons.len(), 2);
/// assert!(comparisons[0].adjusted_p_value >= comparisons[0].test.p_value);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn paired_tests(
    labels: &Labels,
    markers: &[Marker<'_>],
    pairs: AucPairs,
    adjustment: Adjustment,
    level: f64,
) -> Result<Vec<AucComparison>> {
    require_count("paired DeLong tests", "markers", 2, markers.len())?;
    let chosen: Vec<(usize, usize)> = match pairs {
        AucPairs::All => (0..markers.len()).flat_map(|a| (a + 1..markers.len()).map(move |b| (a, b))).collect(),
        AucPairs::Against(reference) if reference < markers.len() => {
            (0..markers.len()).filter(|&other| other != reference).map(|other| (other, reference)).collect()
        }
        AucPairs::Against(reference) => {
            let requirement = "below the number of markers";
            return Err(crate::StatsError::parameter("place of the reference marker", reference, requirement));
        }
    };
    let tests = chosen
        .iter()
        .map(|&(a, b)| paired_test(labels, markers[a], markers[b], Alternative::TwoSided, level))
        .collect::<Result<Vec<_>>>()?;
    let adjusted = adjust(&tests.iter().map(|test| test.p_value).collect::<Vec<_>>(), adjustment);
    let of = |(((first, second), test), adjusted_p_value)| AucComparison { first, second, test, adjusted_p_value };
    Ok(chosen.into_iter().zip(tests).zip(adjusted).map(of).collect())
}

/// DeLong's test of two independent areas (pROC): D = (A₁ − A₂)/√(V₁ + V₂) against Student's t with Satterthwaite's
/// degrees of freedom.
///
/// A curve with a class of a single member, or two perfect curves, leave the test NaN.
///
/// ```
/// use alnm_stats::delong::unpaired_test;
/// use alnm_stats::roc::{Direction, RocCurve};
/// use alnm_stats::{Alternative, Labels};
/// let labels = Labels::new(vec![false, false, true, false, true]);
/// let first = RocCurve::new(&labels, &[0.1, 0.4, 0.35, 0.2, 0.8], Direction::HigherIsPositive)?;
/// let second = RocCurve::new(&labels, &[0.5, 0.2, 0.3, 0.6, 0.4], Direction::HigherIsPositive)?;
/// assert!(unpaired_test(&first, &second, Alternative::TwoSided).p_value > 0.05);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
#[must_use]
pub fn unpaired_test(first: &RocCurve, second: &RocCurve, alternative: Alternative) -> TestResult {
    let ((first_auc, first_variance), (second_auc, second_variance)) =
        (area_and_variance(first), area_and_variance(second));
    let total = first_variance + second_variance;
    let d = (first_auc - second_auc) / total.sqrt();
    let size = |roc: &RocCurve| (roc.cases() + roc.controls()) as f64;
    let df =
        total * total / (first_variance.powi(2) / (size(first) - 1.0) + second_variance.powi(2) / (size(second) - 1.0));
    let p = match alternative {
        Alternative::TwoSided => t_two_sided(d, df),
        Alternative::Less => t_upper_tail(-d, df),
        Alternative::Greater => t_upper_tail(d, df),
    };
    TestResult::new("DeLong's test for two ROC curves", d, &[df], p).with_estimate(&[first_auc, second_auc])
}

/// Standard error of an area by Hanley and McNeil's (1982) formula, from the area and the sizes alone.
///
/// ```
/// let error = alnm_stats::delong::hanley_mcneil_standard_error(0.5, 10, 10);
/// assert!((error - 0.0175_f64.sqrt()).abs() < 1e-15);
/// ```
#[must_use]
pub fn hanley_mcneil_standard_error(auc: f64, cases: usize, controls: usize) -> f64 {
    let (m, n) = (cases as f64, controls as f64);
    let q1 = auc / (2.0 - auc);
    let q2 = 2.0 * auc * auc / (1.0 + auc);
    ((auc * (1.0 - auc) + (m - 1.0) * (q1 - auc * auc) + (n - 1.0) * (q2 - auc * auc)) / (m * n)).sqrt()
}

#[cfg(feature = "serde")]
crate::reading::checked_on_reading! {
    AucEstimate {
        auc: f64,
        #[serde(with = "crate::nonfinite")] variance: f64,
        interval: Interval,
    }
}

#[cfg(feature = "serde")]
impl AucEstimate {
    /// What contradicts itself in a value from a file.
    fn check(&self) -> crate::reading::Checked {
        crate::reading::require_share("area under a curve", self.auc)?;
        if self.variance < 0.0 {
            return Err(format!("variance of an area is {}; it must be at least 0", self.variance));
        }
        Ok(())
    }
}

impl Tabulate for AucComparison {
    const COLUMNS: &'static [&'static str] =
        &["first", "second", "AUC", "AUC of second", "difference lower", "difference upper", "Z", "p", "adjusted p"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        let ends = self.test.confidence_interval.map(|i| [i.lower, i.upper]);
        let areas = cells![
            self.first,
            self.second,
            self.test.estimate.first().copied(),
            self.test.estimate.get(1).copied(),
            ends.map(|e| e[0]),
            ends.map(|e| e[1])
        ];
        vec![[areas, cells![self.test.statistic, self.test.p_value, self.adjusted_p_value]].concat()]
    }
}

impl Tabulate for AucEstimate {
    const COLUMNS: &'static [&'static str] = &["AUC", "SE", "lower", "upper"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![self.auc, self.standard_error(), self.interval.lower, self.interval.upper]]
    }
}
