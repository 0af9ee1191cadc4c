//! Isotonic recalibration.

use crate::cells;
use crate::data_table::{Cell, Tabulate};
use crate::error::{Result, require_count, require_finite, require_same_length};
use crate::{Labels, rank};

/// Risks recalibrated by isotonic regression: the step function that rises with the score and lies closest to the
/// outcomes (pool adjacent violators; Zadrozny and Elkan 2002). It needs a few hundred events to be better than Platt's
/// scaling.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct IsotonicCalibration {
    points: Vec<IsotonicPoint>,
}

/// A score with its recalibrated risk.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct IsotonicPoint {
    /// Score or predicted risk.
    pub score: f64,
    /// Share of events in the block of the score.
    pub risk: f64,
}

/// A block of neighbouring scores with one risk.
struct Block {
    first: f64,
    last: f64,
    events: f64,
    patients: f64,
}

impl IsotonicCalibration {
    /// Fits to the outcomes of the scores. Scores may be any numbers; higher ones indicate the event. Patients with
    /// equal scores get the same risk.
    ///
    /// # Errors
    /// [`crate::StatsError::LengthMismatch`], [`crate::StatsError::TooFew`] without patients,
    /// [`crate::StatsError::NonFinite`] for a missing score.
    ///
    /// ```
    /// use alnm_stats::{Labels, calibration::IsotonicCalibration};
    /// let labels = Labels::new(vec![false, true, false, true, true]);
    /// let isotonic = IsotonicCalibration::fit(&labels, &[0.1, 0.2, 0.3, 0.4, 0.5])?;
    /// assert_eq!((isotonic.apply(0.2), isotonic.apply(0.3), isotonic.apply(0.9)), (0.5, 0.5, 1.0));
    /// # Ok::<(), alnm_stats::StatsError>(())
    /// ```
    pub fn fit(labels: &Labels, scores: &[f64]) -> Result<Self> {
        const OPERATION: &str = "isotonic recalibration";
        require_same_length(OPERATION, labels.len(), scores.len())?;
        require_count(OPERATION, "observations", 1, scores.len())?;
        require_finite(OPERATION, scores)?;
        let order = rank::ascending_order(scores);
        let mut blocks: Vec<Block> = Vec::new();
        for run in rank::ties(scores, &order) {
            let rows = &order[run];
            let events = rows.iter().filter(|&&row| labels.as_slice()[row]).count() as f64;
            let mut block =
                Block { first: scores[rows[0]], last: scores[rows[0]], events, patients: rows.len() as f64 };
            // Blocks before that have no lower risk are joined; counts are compared, so that nothing is rounded.
            while let Some(before) =
                blocks.pop_if(|before| before.events * block.patients >= block.events * before.patients)
            {
                block.first = before.first;
                block.events += before.events;
                block.patients += before.patients;
            }
            blocks.push(block);
        }
        let points = blocks
            .iter()
            .flat_map(|block| {
                let risk = block.events / block.patients;
                let ends = [block.first, block.last];
                let count = if block.first == block.last { 1 } else { 2 };
                ends.into_iter().take(count).map(move |score| IsotonicPoint { score, risk })
            })
            .collect();
        Ok(Self { points })
    }

    /// First and last score of each block, in ascending order.
    #[must_use]
    pub fn points(&self) -> &[IsotonicPoint] {
        &self.points
    }

    /// The recalibrated risk of a score: that of its block, between blocks by a straight line, and beyond the first and
    /// last score that of the end (scikit-learn's `IsotonicRegression(out_of_bounds="clip")`).
    #[must_use]
    pub fn apply(&self, score: f64) -> f64 {
        let right = self.points.partition_point(|p| p.score < score);
        match (right.checked_sub(1).and_then(|left| self.points.get(left)), self.points.get(right)) {
            (_, None) if score.is_nan() => f64::NAN,
            (Some(left), Some(right)) => {
                let share = (score - left.score) / (right.score - left.score);
                if share == 1.0 { right.risk } else { left.risk + share * (right.risk - left.risk) }
            }
            (None, Some(point)) | (Some(point), None) => point.risk,
            (None, None) => f64::NAN,
        }
    }
}

#[cfg(feature = "serde")]
crate::reading::checked_on_reading! {
    IsotonicCalibration {
        points: Vec<IsotonicPoint>,
    }
}

#[cfg(feature = "serde")]
impl IsotonicCalibration {
    /// What contradicts itself in a value from a file.
    fn check(&self) -> crate::reading::Checked {
        if self.points.is_empty() {
            return Err("number of points of an isotonic calibration is 0; it must be at least 1".to_owned());
        }
        for point in &self.points {
            crate::reading::require_share("risk of an isotonic calibration", point.risk)?;
        }
        match self.points.windows(2).find(|pair| !(pair[0].score < pair[1].score && pair[0].risk <= pair[1].risk)) {
            Some(pair) => {
                Err(format!("the point at {} of an isotonic calibration falls or is out of order", pair[1].score))
            }
            None => Ok(()),
        }
    }
}

impl Tabulate for IsotonicCalibration {
    const COLUMNS: &'static [&'static str] = &["score", "risk"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        self.points.iter().map(|p| cells![p.score, p.risk]).collect()
    }
}
