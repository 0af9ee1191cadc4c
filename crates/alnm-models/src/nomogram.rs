//! A nomogram as data: points of each value, total points, risk.

use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};

use crate::error::{ModelError, Result};
use crate::logit::expit;
use crate::saved_model::{ModelVariable, RiskModel};
use crate::variable::Variable;

/// A nomogram. The variable that moves the log odds most over its range spans 100 points.
///
/// ```
/// use alnm_models::nomogram::Nomogram;
/// use alnm_models::{FeatureTable, Labels, LogisticModel, LogisticParams, RiskModel, Variable};
/// use ndarray::array;
/// let table = FeatureTable::new(vec!["size".into()], array![[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]])?;
/// let labels = Labels::new(vec![false, false, true, false, true, true]);
/// let fitted = LogisticModel::fit(&table, &labels, &LogisticParams::default())?;
/// let model = RiskModel::new("size only", &fitted, &[Variable::new("size", "cm")], &table, "six patients")?;
/// let nomogram = Nomogram::new(&model, &[0.1, 0.5, 0.9])?;
/// assert_eq!(nomogram.largest_total(), 100.0);
/// let points = nomogram.total_points(&[3.5])?;
/// assert!((points - 50.0).abs() < 1e-9 && (nomogram.risk(points) - 0.5).abs() < 1e-9);
/// # Ok::<(), alnm_models::ModelError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Nomogram {
    axes: Vec<NomogramAxis>,
    intercept: f64,
    log_odds_per_point: f64,
    largest_total: f64,
    risks: Vec<RiskMark>,
}

/// Axis of a variable.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct NomogramAxis {
    /// The variable with its unit.
    pub variable: Variable,
    /// Smallest value of the axis, that of the training data.
    pub minimum: f64,
    /// Largest value of the axis, that of the training data.
    pub maximum: f64,
    /// Value that scores no points.
    pub origin: f64,
    /// Points per unit; negative when the axis runs to the left.
    pub points_per_unit: f64,
}

/// A mark of the risk axis.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RiskMark {
    /// The risk.
    pub risk: f64,
    /// Total points that give the risk; marks beyond the axis are left out.
    pub total: f64,
}

impl NomogramAxis {
    /// Points of a value, 0 or more within the range of the axis.
    #[must_use]
    pub fn points(&self, value: f64) -> f64 {
        (value - self.origin) * self.points_per_unit
    }
}

impl Nomogram {
    /// Nomogram of a model over the ranges of its training data, with marks at the given risks.
    ///
    /// # Errors
    /// [`ModelError::Parameter`] for a model whose variables do not move the risk, or a risk outside (0, 1).
    pub fn new(model: &RiskModel, risks: &[f64]) -> Result<Self> {
        if let Some(&risk) = risks.iter().find(|r| !(**r > 0.0 && **r < 1.0)) {
            return Err(ModelError::parameter("risk mark", risk, "above 0 and below 1"));
        }
        let reach = |v: &ModelVariable| (v.coefficient * (v.training_maximum - v.training_minimum)).abs();
        let largest = model.variables().iter().map(reach).fold(0.0, f64::max);
        if largest.is_nan() || largest <= 0.0 {
            let name = "largest change of the log odds over the training range of a variable";
            return Err(ModelError::parameter(name, largest, "above 0, so give the model a variable that varies"));
        }
        let log_odds_per_point = largest / 100.0;
        let axes: Vec<NomogramAxis> = model
            .variables()
            .iter()
            .map(|v| NomogramAxis {
                variable: v.variable.clone(),
                minimum: v.training_minimum,
                maximum: v.training_maximum,
                origin: if v.coefficient >= 0.0 { v.training_minimum } else { v.training_maximum },
                points_per_unit: v.coefficient / log_odds_per_point,
            })
            .collect();
        let at_origins = axes.iter().zip(model.variables()).map(|(a, v)| v.coefficient * a.origin);
        let intercept = model.intercept() + at_origins.sum::<f64>();
        let largest_total = axes.iter().map(|a| a.points(a.minimum).max(a.points(a.maximum))).sum();
        let total = |risk: f64| ((risk / (1.0 - risk)).ln() - intercept) / log_odds_per_point;
        let risks = risks
            .iter()
            .map(|&risk| RiskMark { risk, total: total(risk) })
            .filter(|m| m.total >= 0.0 && m.total <= largest_total)
            .collect();
        Ok(Self { axes, intercept, log_odds_per_point, largest_total, risks })
    }

    /// One axis per variable, in the order of the model's variables.
    #[must_use]
    pub fn axes(&self) -> &[NomogramAxis] {
        &self.axes
    }

    /// Log odds at 0 total points.
    #[must_use]
    pub fn intercept(&self) -> f64 {
        self.intercept
    }

    /// Log odds of one point.
    #[must_use]
    pub fn log_odds_per_point(&self) -> f64 {
        self.log_odds_per_point
    }

    /// Largest total of points within the ranges of the axes.
    #[must_use]
    pub fn largest_total(&self) -> f64 {
        self.largest_total
    }

    /// Marks of the risk axis that lie on it, in the order given.
    #[must_use]
    pub fn risks(&self) -> &[RiskMark] {
        &self.risks
    }

    /// Total points of the values, one per variable in the order of the axes.
    ///
    /// # Errors
    /// [`ModelError::Parameter`] for another number of values.
    pub fn total_points(&self, values: &[f64]) -> Result<f64> {
        if values.len() != self.axes.len() {
            return Err(ModelError::parameter(
                "number of values",
                values.len(),
                "the number of axes, one per variable",
            ));
        }
        Ok(self.axes.iter().zip(values).map(|(a, v)| a.points(*v)).sum())
    }

    /// Risk at a total of points, between 0 and 1.
    #[must_use]
    pub fn risk(&self, total_points: f64) -> f64 {
        expit(self.intercept + self.log_odds_per_point * total_points)
    }
}

impl Tabulate for Nomogram {
    const COLUMNS: &'static [&'static str] =
        &["variable", "unit", "minimum", "maximum", "points at minimum", "points at maximum"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        self.axes
            .iter()
            .map(|a| {
                cells![
                    &a.variable.name,
                    &a.variable.unit,
                    a.minimum,
                    a.maximum,
                    a.points(a.minimum),
                    a.points(a.maximum)
                ]
            })
            .collect()
    }
}
