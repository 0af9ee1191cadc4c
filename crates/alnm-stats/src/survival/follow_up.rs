//! The outcome of a study of times to an event: follow-up times and whether an event ended them.

use crate::error::{Result, StatsError, require_finite, require_same_length};

/// Follow-up of patients: how long each was observed, and whether the observation ended with the event.
///
/// ```
/// use alnm_stats::survival::FollowUp;
/// let follow_up = FollowUp::new(vec![2.5, 4.0, 4.0], vec![true, false, true])?;
/// assert_eq!((follow_up.len(), follow_up.number_of_events()), (3, 2));
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct FollowUp {
    times: Vec<f64>,
    events: Vec<bool>,
}

impl FollowUp {
    /// Follow-up from one time and one flag per patient: `true` for the event, `false` for a censored time.
    ///
    /// # Errors
    /// [`StatsError::LengthMismatch`], [`StatsError::NonFinite`] for a missing time, and [`StatsError::Parameter`] for
    /// a time below 0.
    pub fn new(times: Vec<f64>, events: Vec<bool>) -> Result<Self> {
        const OPERATION: &str = "follow-up";
        require_same_length(OPERATION, times.len(), events.len())?;
        require_finite(OPERATION, &times)?;
        match times.iter().find(|time| **time < 0.0) {
            Some(&time) => Err(StatsError::parameter("follow-up time", time, "at least 0")),
            None => Ok(Self { times, events }),
        }
    }

    /// Time of each patient.
    #[must_use]
    pub fn times(&self) -> &[f64] {
        &self.times
    }

    /// Whether each patient had the event.
    #[must_use]
    pub fn events(&self) -> &[bool] {
        &self.events
    }

    /// Number of patients.
    #[must_use]
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there is no patient.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// Number of patients with the event.
    #[must_use]
    pub fn number_of_events(&self) -> usize {
        self.events.iter().filter(|event| **event).count()
    }

    /// The follow-up of the given rows, in that order.
    ///
    /// # Panics
    /// When a row does not exist.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        Self {
            times: rows.iter().map(|&row| self.times[row]).collect(),
            events: rows.iter().map(|&row| self.events[row]).collect(),
        }
    }

    /// Refuses a follow-up without events.
    pub(crate) fn require_events(&self, operation: &'static str) -> Result<()> {
        crate::error::require_count(operation, "events", 1, self.number_of_events())
    }

    /// The distinct times in ascending order, with what happens at each.
    pub(crate) fn time_points(&self) -> Vec<TimePoint> {
        let order = crate::rank::ascending_order(&self.times);
        crate::rank::ties(&self.times, &order)
            .map(|run| {
                let rows = order[run.clone()].to_vec();
                let events = rows.iter().filter(|&&row| self.events[row]).count();
                TimePoint { time: self.times[rows[0]], at_risk: order.len() - run.start, events, rows }
            })
            .collect()
    }
}

/// What happens at one time.
pub(crate) struct TimePoint {
    pub(crate) time: f64,
    /// Patients observed up to this time or longer.
    pub(crate) at_risk: usize,
    pub(crate) events: usize,
    /// The patients whose observation ends here.
    pub(crate) rows: Vec<usize>,
}

impl TimePoint {
    pub(crate) fn censored(&self) -> usize {
        self.rows.len() - self.events
    }
}

#[cfg(feature = "serde")]
crate::reading::checked_on_reading! {
    FollowUp {
        times: Vec<f64>,
        events: Vec<bool>,
    }
}

#[cfg(feature = "serde")]
impl FollowUp {
    /// What contradicts itself in a value from a file.
    fn check(&self) -> crate::reading::Checked {
        Self::new(self.times.clone(), self.events.clone()).map(drop).map_err(|error| error.to_string())
    }
}
