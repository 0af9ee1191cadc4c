//! Concordance of risks and times: Harrell's and Uno's C.

use super::censoring::Censoring;
use super::{FollowUp, require_scores};
use crate::Interval;
use crate::cells;
use crate::data_table::{Cell, Tabulate};
use crate::distribution::normal_quantile;
use crate::error::{Result, StatsError, require_level};

/// A concordance with what it counts.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Concordance {
    /// C = (concordant + tied risk/2)/(concordant + discordant + tied risk): the probability that of two patients the
    /// one with the higher risk has the event first. 0.5 is chance, 1 perfect.
    pub c: f64,
    /// Standard error by the infinitesimal jackknife, as R's `concordance` gives it. For Uno's C the weights are taken
    /// as known.
    pub standard_error: f64,
    /// Normal interval, clipped to [0, 1].
    pub interval: Interval,
    /// Comparable pairs whose earlier event has the higher risk; a sum of weights for Uno's C.
    pub concordant: f64,
    /// Comparable pairs whose earlier event has the lower risk.
    pub discordant: f64,
    /// Comparable pairs of equal risk.
    pub tied_risk: f64,
    /// Pairs of events at one time, which count for nothing.
    pub tied_time: f64,
}

/// How a concordance is computed.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `level` | 0.95 | confidence level | above 0, below 1 |
/// | `horizon` | none | only pairs whose earlier event comes before this time count | above 0 |
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[must_use]
pub struct ConcordanceParams {
    /// Confidence level.
    pub level: f64,
    /// Time before which the earlier event of a pair must come.
    pub horizon: Option<f64>,
}

impl Default for ConcordanceParams {
    fn default() -> Self {
        Self { level: 0.95, horizon: None }
    }
}

impl ConcordanceParams {
    /// Sets the confidence level.
    pub fn with_level(self, level: f64) -> Self {
        Self { level, ..self }
    }

    /// Sets the time before which the earlier event of a pair must come.
    pub fn with_horizon(self, horizon: f64) -> Self {
        Self { horizon: Some(horizon), ..self }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`StatsError::Parameter`] names the first that lies outside its range.
    pub fn check(self) -> Result<Concordances> {
        require_level(self.level)?;
        match self.horizon {
            Some(horizon) if horizon.is_nan() || horizon <= 0.0 => {
                Err(StatsError::parameter("horizon of a concordance", horizon, "above 0"))
            }
            _ => Ok(Concordances(self)),
        }
    }
}

/// The concordances, with checked parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Concordances(ConcordanceParams);

/// Harrell's C (Harrell et al. 1982; R's `concordance` with `reverse = TRUE`) of risks, of which higher ones speak for
/// an earlier event. A pair is comparable when the shorter of its times is an event; of equal times, an event comes
/// before a censoring.
///
/// # Errors
/// [`StatsError::LengthMismatch`], [`StatsError::NonFinite`] for a missing risk, [`StatsError::Undefined`] when no pair
/// is comparable, and as [`ConcordanceParams::check`].
///
/// ```
/// use alnm_stats::survival::{ConcordanceParams, FollowUp, harrell_c};
/// let follow_up = FollowUp::new(vec![1.0, 2.0, 3.0], vec![true, true, false])?;
/// let concordance = harrell_c(&follow_up, &[0.9, 0.2, 0.4], ConcordanceParams::default())?;
/// assert_eq!((concordance.concordant, concordance.discordant), (2.0, 1.0));
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn harrell_c(follow_up: &FollowUp, risks: &[f64], params: ConcordanceParams) -> Result<Concordance> {
    params.check()?.harrell(follow_up, risks)
}

/// Uno's C (Uno et al. 2011): as Harrell's, each pair weighted by 1/Ĝ(T−)² of its event at T, so that the limit does
/// not depend on the censoring (R's `concordance` with `timewt = "n/G2"`). Give a horizon well before the end of the
/// follow-up, where few patients carry large weights.
///
/// # Errors
/// As [`harrell_c`].
///
/// ```
/// use alnm_stats::survival::{ConcordanceParams, FollowUp, uno_c};
/// let follow_up = FollowUp::new(vec![1.0, 2.0, 3.0, 4.0], vec![true, false, true, false])?;
/// let concordance = uno_c(&follow_up, &[0.9, 0.2, 0.4, 0.5], ConcordanceParams::default())?;
/// // Of three patients at risk after the first event one is censored: the second event has the weight (3/2)².
/// assert_eq!((concordance.concordant, concordance.discordant), (3.0, 2.25));
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn uno_c(follow_up: &FollowUp, risks: &[f64], params: ConcordanceParams) -> Result<Concordance> {
    params.check()?.uno(follow_up, risks)
}

impl Concordances {
    /// Harrell's C; see [`harrell_c`].
    ///
    /// # Errors
    /// As [`harrell_c`].
    pub fn harrell(&self, follow_up: &FollowUp, risks: &[f64]) -> Result<Concordance> {
        self.weighted("Harrell's C", follow_up, risks, |_| 1.0)
    }

    /// Uno's C; see [`uno_c`].
    ///
    /// # Errors
    /// As [`harrell_c`].
    pub fn uno(&self, follow_up: &FollowUp, risks: &[f64]) -> Result<Concordance> {
        let censoring = Censoring::of(follow_up);
        self.weighted("Uno's C", follow_up, risks, |row| censoring.before(row).powi(-2))
    }

    fn weighted(
        &self,
        operation: &'static str,
        follow_up: &FollowUp,
        risks: &[f64],
        weight: impl Fn(usize) -> f64,
    ) -> Result<Concordance> {
        require_scores(operation, follow_up, risks)?;
        let horizon = self.0.horizon.unwrap_or(f64::INFINITY);
        // Weight of the pairs in which a patient has the earlier event.
        let weights: Vec<f64> = (0..risks.len())
            .map(|row| if follow_up.events()[row] && follow_up.times()[row] < horizon { weight(row) } else { 0.0 })
            .collect();
        let pairs = pairs_of(follow_up, &weights, risks);
        let sum = |place: usize| pairs.iter().map(|p| p[place]).sum::<f64>() / 2.0;
        let (concordant, discordant, tied_risk) = (sum(0), sum(1), sum(2));
        let comparable = concordant + discordant + tied_risk;
        if comparable <= 0.0 {
            return Err(StatsError::Undefined {
                operation,
                requirement: "an event must come before the end of another patient's observation",
            });
        }
        let c = (concordant + tied_risk / 2.0) / comparable;
        let variance: f64 = pairs
            .iter()
            .map(|[more, less, same]| ((more + same / 2.0 - c * (more + less + same)) / comparable).powi(2))
            .sum();
        let standard_error = variance.sqrt();
        let half = normal_quantile(0.5 + self.0.level / 2.0) * standard_error;
        let tied_time =
            follow_up.time_points().iter().map(|p| (p.events * p.events.saturating_sub(1)) as f64 / 2.0).sum();
        Ok(Concordance {
            c,
            standard_error,
            interval: Interval {
                lower: (c - half).clamp(0.0, 1.0),
                upper: (c + half).clamp(0.0, 1.0),
                level: self.0.level,
            },
            concordant,
            discordant,
            tied_risk,
            tied_time,
        })
    }
}

/// For each patient the weights of its comparable pairs: concordant, discordant and of equal risk. Every pair stands
/// with both of its patients.
fn pairs_of(follow_up: &FollowUp, weights: &[f64], risks: &[f64]) -> Vec<[f64; 3]> {
    let order = crate::rank::ascending_order(risks);
    let mut level = vec![0; risks.len()];
    let mut levels = 0;
    for run in crate::rank::ties(risks, &order) {
        order[run].iter().for_each(|&row| level[row] = levels);
        levels += 1;
    }
    let points = follow_up.time_points();
    let mut pairs = vec![[0.0; 3]; risks.len()];
    // From the last time to the first: the tree holds the patients who are observed longer than an event.
    let mut longer = SumTree::new(levels);
    for point in points.iter().rev() {
        let (events, censored): (Vec<usize>, Vec<usize>) = point.rows.iter().partition(|&&row| follow_up.events()[row]);
        censored.iter().for_each(|&row| longer.add(level[row], 1.0));
        for &row in events.iter().filter(|&&row| weights[row] > 0.0) {
            let (below, same, above) = longer.around(level[row]);
            add(&mut pairs[row], weights[row], [below, above, same]);
        }
        events.iter().for_each(|&row| longer.add(level[row], 1.0));
    }
    // From the first time to the last: the tree holds the events before a patient's time.
    let mut earlier = SumTree::new(levels);
    for point in &points {
        let (events, censored): (Vec<usize>, Vec<usize>) = point.rows.iter().partition(|&&row| follow_up.events()[row]);
        for &row in &events {
            let (below, same, above) = earlier.around(level[row]);
            add(&mut pairs[row], 1.0, [above, below, same]);
        }
        events.iter().for_each(|&row| earlier.add(level[row], weights[row]));
        for &row in &censored {
            let (below, same, above) = earlier.around(level[row]);
            add(&mut pairs[row], 1.0, [above, below, same]);
        }
    }
    pairs
}

fn add(to: &mut [f64; 3], factor: f64, what: [f64; 3]) {
    to.iter_mut().zip(what).for_each(|(to, what)| *to += factor * what);
}

/// Sums over the levels of the risk, with their partial sums in a binary indexed tree (Fenwick 1994).
struct SumTree {
    tree: Vec<f64>,
    single: Vec<f64>,
    total: f64,
}

impl SumTree {
    fn new(levels: usize) -> Self {
        Self { tree: vec![0.0; levels + 1], single: vec![0.0; levels], total: 0.0 }
    }

    fn add(&mut self, level: usize, value: f64) {
        self.single[level] += value;
        self.total += value;
        let mut k = level + 1;
        while k < self.tree.len() {
            self.tree[k] += value;
            k += k & k.wrapping_neg();
        }
    }

    /// Sums of the levels below, at and above one.
    fn around(&self, level: usize) -> (f64, f64, f64) {
        let mut below = 0.0;
        let mut k = level;
        while k > 0 {
            below += self.tree[k];
            k &= k - 1;
        }
        // Rounding must not make a negative sum of nothing.
        (below, self.single[level], (self.total - below - self.single[level]).max(0.0))
    }
}

impl Tabulate for Concordance {
    const COLUMNS: &'static [&'static str] =
        &["C", "SE", "lower", "upper", "concordant", "discordant", "tied risk", "tied time"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        let estimate = cells![self.c, self.standard_error, self.interval.lower, self.interval.upper];
        vec![[estimate, cells![self.concordant, self.discordant, self.tied_risk, self.tied_time]].concat()]
    }
}
