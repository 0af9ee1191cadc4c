//! A nomogram as data: points a value, total points, risk.

use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use serde::{Deserialize, Serialize};

use crate::error::{ModelError, Result};
use crate::irls::expit;
use crate::saved_model::{RiskModel, Variable};

/// A nomogram. The variable that moves the log odds most over its range spans 100 points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Nomogram {
    /// One axis a variable.
    pub axes: Vec<NomogramAxis>,
    /// Log odds at 0 total points.
    pub intercept: f64,
    /// Log odds of one point.
    pub log_odds_per_point: f64,
    /// Largest total of points.
    pub largest_total: f64,
    /// Marks of the risk axis.
    pub risks: Vec<RiskMark>,
}

/// Axis of a variable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NomogramAxis {
    /// The variable with its unit.
    pub variable: Variable,
    /// Smallest value of the axis.
    pub minimum: f64,
    /// Largest value of the axis.
    pub maximum: f64,
    /// Value that scores no points.
    pub origin: f64,
    /// Points per unit; negative when the axis runs to the left.
    pub points_per_unit: f64,
}

/// A mark of the risk axis.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RiskMark {
    /// The risk.
    pub risk: f64,
    /// Total points that give it; marks beyond the axis are left out.
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
    /// [`ModelError::Parameter`] for a model without variables that vary, or a risk outside (0, 1).
    pub fn new(model: &RiskModel, risks: &[f64]) -> Result<Self> {
        if let Some(&value) = risks.iter().find(|r| !(**r > 0.0 && **r < 1.0)) {
            return Err(ModelError::Parameter { name: "risk mark", range: "(0, 1)", value });
        }
        let reach =
            |v: &crate::saved_model::ModelVariable| (v.coefficient * (v.training_maximum - v.training_minimum)).abs();
        let largest = model.variables.iter().map(reach).fold(0.0, f64::max);
        if largest.is_nan() || largest <= 0.0 {
            return Err(ModelError::Parameter { name: "reach of the variables", range: "above 0", value: largest });
        }
        let log_odds_per_point = largest / 100.0;
        let axes: Vec<NomogramAxis> = model
            .variables
            .iter()
            .map(|v| NomogramAxis {
                variable: v.variable.clone(),
                minimum: v.training_minimum,
                maximum: v.training_maximum,
                origin: if v.coefficient >= 0.0 { v.training_minimum } else { v.training_maximum },
                points_per_unit: v.coefficient / log_odds_per_point,
            })
            .collect();
        let intercept =
            model.intercept + axes.iter().zip(&model.variables).map(|(a, v)| v.coefficient * a.origin).sum::<f64>();
        let largest_total = axes.iter().map(|a| a.points(a.minimum).max(a.points(a.maximum))).sum();
        let total = |risk: f64| ((risk / (1.0 - risk)).ln() - intercept) / log_odds_per_point;
        let risks = risks
            .iter()
            .map(|&risk| RiskMark { risk, total: total(risk) })
            .filter(|m| m.total >= 0.0 && m.total <= largest_total)
            .collect();
        Ok(Self { axes, intercept, log_odds_per_point, largest_total, risks })
    }

    /// Total points of the values, one a variable in the order of the axes.
    ///
    /// # Errors
    /// [`ModelError::Parameter`] for another number of values.
    pub fn total_points(&self, values: &[f64]) -> Result<f64> {
        if values.len() != self.axes.len() {
            return Err(ModelError::Parameter {
                name: "number of values",
                range: "one a variable",
                value: values.len() as f64,
            });
        }
        Ok(self.axes.iter().zip(values).map(|(a, v)| a.points(*v)).sum())
    }

    /// Risk at a total of points.
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
