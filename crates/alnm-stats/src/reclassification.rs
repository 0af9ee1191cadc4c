//! Net reclassification and integrated discrimination improvement of a new model over an old one.

use ndarray::Array2;

use crate::cells;
use crate::data_table::{Cell, Tabulate};
use crate::describe::{mean, variance};
use crate::distribution::{normal_quantile, normal_two_sided};
use crate::error::{Result, StatsError, require_finite, require_level, require_same_length};
use crate::{Interval, Labels};

/// An improvement with its standard error and test.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Improvement {
    /// The improvement.
    pub estimate: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// estimate / standard error.
    pub z: f64,
    /// Two-sided p-value.
    pub p_value: f64,
}

impl Improvement {
    fn new(estimate: f64, standard_error: f64) -> Self {
        let z = estimate / standard_error;
        Self { estimate, standard_error, z, p_value: normal_two_sided(z) }
    }
}

/// Categorical net reclassification improvement.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CategoricalNri {
    /// Events by old (row) and new (column) risk category.
    pub events: Array2<u64>,
    /// Non-events by old and new risk category.
    pub non_events: Array2<u64>,
    /// Net share of events that move up.
    pub event_nri: f64,
    /// Net share of non-events that move down.
    pub non_event_nri: f64,
    /// Sum of both, with the null-variance standard error of Pencina et al. (2008).
    pub total: Improvement,
    /// Interval of the sum.
    pub interval: Interval,
    /// Standard error that subtracts the squared net shares.
    pub unpooled_standard_error: f64,
}

fn check(operation: &'static str, labels: &Labels, old: &[f64], new: &[f64]) -> Result<()> {
    require_same_length(operation, labels.len(), old.len())?;
    require_same_length(operation, labels.len(), new.len())?;
    require_finite(operation, old)?;
    require_finite(operation, new)?;
    labels.require_both(operation)
}

/// Categorical NRI: a risk belongs to the category of the last cut that it reaches (risk ≥ cut).
///
/// # Errors
/// [`StatsError::OneClass`], [`StatsError::LengthMismatch`], [`StatsError::NonFinite`], [`StatsError::Parameter`]
/// unless the cuts ascend.
///
/// ```
/// use alnm_stats::{Labels, reclassification::categorical_nri};
/// let labels = Labels::new(vec![true, true, false, false]);
/// let (old, new) = ([0.4, 0.6, 0.4, 0.6], [0.6, 0.6, 0.4, 0.4]);
/// let nri = categorical_nri(&labels, &old, &new, &[0.5], 0.95)?;
/// assert_eq!((nri.event_nri, nri.non_event_nri, nri.total.estimate), (0.5, 0.5, 1.0));
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn categorical_nri(labels: &Labels, old: &[f64], new: &[f64], cuts: &[f64], level: f64) -> Result<CategoricalNri> {
    const OPERATION: &str = "categorical NRI";
    check(OPERATION, labels, old, new)?;
    require_level(level)?;
    if let Some(w) = cuts.windows(2).find(|w| w[0].partial_cmp(&w[1]) != Some(std::cmp::Ordering::Less)) {
        return Err(StatsError::parameter("risk cut", w[1], "larger than the cut before it"));
    }
    let category = |risk: f64| cuts.partition_point(|c| *c <= risk);
    let size = cuts.len() + 1;
    let mut tables = [Array2::<u64>::zeros((size, size)), Array2::<u64>::zeros((size, size))];
    for ((&label, &a), &b) in labels.as_slice().iter().zip(old).zip(new) {
        tables[usize::from(label)][[category(a), category(b)]] += 1;
    }
    let [non_events, events] = tables;
    let moves = |table: &Array2<u64>| {
        let total = table.sum() as f64;
        let share = |keep: fn(usize, usize) -> bool| {
            table.indexed_iter().filter(|((i, j), _)| keep(*i, *j)).map(|(_, c)| *c as f64).sum::<f64>() / total
        };
        (share(|i, j| j > i), share(|i, j| j < i), total)
    };
    let (event_up, event_down, n_event) = moves(&events);
    let (other_up, other_down, n_other) = moves(&non_events);
    let (event_nri, non_event_nri) = (event_up - event_down, other_down - other_up);
    let (event_moved, other_moved) = (event_up + event_down, other_up + other_down);
    let total = Improvement::new(event_nri + non_event_nri, (event_moved / n_event + other_moved / n_other).sqrt());
    let half = normal_quantile(0.5 + level / 2.0) * total.standard_error;
    Ok(CategoricalNri {
        events,
        non_events,
        event_nri,
        non_event_nri,
        total,
        interval: Interval { lower: total.estimate - half, upper: total.estimate + half, level },
        unpooled_standard_error: ((event_moved - event_nri.powi(2)) / n_event
            + (other_moved - non_event_nri.powi(2)) / n_other)
            .sqrt(),
    })
}

/// Category-free NRI and IDI (Hmisc's `improveProb`).
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ContinuousImprovement {
    /// Number of patients.
    pub patients: usize,
    /// Number of events.
    pub events: usize,
    /// Number of non-events.
    pub non_events: usize,
    /// Share of events whose risk rises.
    pub event_up: f64,
    /// Share of events whose risk falls.
    pub event_down: f64,
    /// Share of non-events whose risk rises.
    pub non_event_up: f64,
    /// Share of non-events whose risk falls.
    pub non_event_down: f64,
    /// Category-free NRI.
    pub nri: Improvement,
    /// Its part in events.
    pub event_nri: Improvement,
    /// Its part in non-events.
    pub non_event_nri: Improvement,
    /// Mean rise of risk in events.
    pub sensitivity_gain: f64,
    /// Mean rise of risk in non-events, a loss of specificity.
    pub specificity_loss: f64,
    /// Integrated discrimination improvement, the difference of the two.
    pub idi: Improvement,
}

/// Category-free NRI and IDI of `new` over `old` risks.
///
/// # Errors
/// [`StatsError::OneClass`], [`StatsError::LengthMismatch`], [`StatsError::NonFinite`].
///
/// ```
/// use alnm_stats::{Labels, reclassification::continuous_improvement};
/// let labels = Labels::new(vec![true, true, false, false]);
/// let (old, new) = ([0.4, 0.6, 0.4, 0.6], [0.6, 0.6, 0.4, 0.4]);
/// assert!((continuous_improvement(&labels, &old, &new)?.idi.estimate - 0.2).abs() < 1e-12);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn continuous_improvement(labels: &Labels, old: &[f64], new: &[f64]) -> Result<ContinuousImprovement> {
    check("category-free NRI and IDI", labels, old, new)?;
    let changes: Vec<f64> = new.iter().zip(old).map(|(n, o)| n - o).collect();
    let groups = labels.split(&changes)?;
    let share = |d: &[f64], keep: fn(f64) -> bool| d.iter().filter(|v| keep(**v)).count() as f64 / d.len() as f64;
    let (events, non_events) = (&groups.positive, &groups.negative);
    let (ne, nn) = (events.len() as f64, non_events.len() as f64);
    let (event_up, event_down) = (share(events, |v| v > 0.0), share(events, |v| v < 0.0));
    let (non_event_up, non_event_down) = (share(non_events, |v| v > 0.0), share(non_events, |v| v < 0.0));
    let (event_nri, non_event_nri) = (event_up - event_down, non_event_down - non_event_up);
    let event_variance = (event_up + event_down - event_nri.powi(2)) / ne;
    let non_event_variance = (non_event_up + non_event_down - non_event_nri.powi(2)) / nn;
    let (sensitivity_gain, specificity_loss) = (mean(events), mean(non_events));
    let idi_error = (variance(events) / ne + variance(non_events) / nn).sqrt();
    Ok(ContinuousImprovement {
        patients: changes.len(),
        events: events.len(),
        non_events: non_events.len(),
        event_up,
        event_down,
        non_event_up,
        non_event_down,
        nri: Improvement::new(event_nri + non_event_nri, (event_variance + non_event_variance).sqrt()),
        event_nri: Improvement::new(event_nri, event_variance.sqrt()),
        non_event_nri: Improvement::new(non_event_nri, non_event_variance.sqrt()),
        sensitivity_gain,
        specificity_loss,
        idi: Improvement::new(sensitivity_gain - specificity_loss, idi_error),
    })
}

impl Tabulate for Improvement {
    const COLUMNS: &'static [&'static str] = &["estimate", "SE", "z", "p"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![self.estimate, self.standard_error, self.z, self.p_value]]
    }
}

impl Tabulate for CategoricalNri {
    const COLUMNS: &'static [&'static str] = &["part", "estimate", "SE", "z", "p"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![
            cells!["events", self.event_nri, Cell::Empty, Cell::Empty, Cell::Empty],
            cells!["non-events", self.non_event_nri, Cell::Empty, Cell::Empty, Cell::Empty],
            cells!["NRI", self.total.estimate, self.total.standard_error, self.total.z, self.total.p_value],
        ]
    }
}

impl Tabulate for ContinuousImprovement {
    const COLUMNS: &'static [&'static str] = &["part", "estimate", "SE", "z", "p"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        [
            ("NRI", &self.nri),
            ("NRI, events", &self.event_nri),
            ("NRI, non-events", &self.non_event_nri),
            ("IDI", &self.idi),
        ]
        .map(|(part, i)| cells![part, i.estimate, i.standard_error, i.z, i.p_value])
        .to_vec()
    }
}
