//! The saved form of a model that was fitted here.

use ndarray::Array2;

use crate::FeatureTable;
use crate::covariance::CovarianceMatrix;
use crate::error::{ModelError, Result};
use crate::link::INTERCEPT;
use crate::logistic::{Estimation, LogisticModel, Term};
use crate::saved_model::{ModelVariable, RiskModel, find};
use crate::variable::Variable;

impl RiskModel {
    /// The saved form of a fitted model. `variables` gives the unit of each predictor, `training` the data that it was
    /// fitted to, and `trained_on` what these are, in words.
    ///
    /// # Errors
    /// [`ModelError::Unknown`] when a predictor has no variable; [`ModelError::Separated`] for maximum likelihood on
    /// separated data; [`ModelError::Selection`] when the training table lacks a predictor, and
    /// [`ModelError::Training`] when its values cannot be those that the model was fitted to.
    pub fn new(
        name: &str,
        model: &LogisticModel,
        variables: &[Variable],
        training: &FeatureTable,
        trained_on: &str,
    ) -> Result<Self> {
        let separated = ModelError::Separated { operation: "saving a model" };
        let of_model = match model.covariance() {
            Some(covariance) if !(model.separated() && model.estimation() == Estimation::MaximumLikelihood) => {
                covariance.view()
            }
            _ => return Err(separated),
        };
        let of_term = |term: &Term| -> Result<ModelVariable> {
            let variable = find(variables, &term.name)?.clone();
            let column = training.column(&term.name)?;
            let present: Vec<f64> = column.iter().copied().filter(|v| !v.is_nan()).collect();
            Ok(ModelVariable {
                variable,
                coefficient: term.estimate,
                training_minimum: present.iter().copied().fold(f64::NAN, f64::min),
                training_maximum: present.iter().copied().fold(f64::NAN, f64::max),
                training_mean: present.iter().sum::<f64>() / present.len() as f64,
            })
        };
        let terms = model.terms();
        // Without an intercept its row and column are zero.
        let (intercept, predictors): (Vec<usize>, Vec<usize>) =
            (0..terms.len()).partition(|&t| terms[t].name == INTERCEPT);
        let places: Vec<Option<usize>> =
            std::iter::once(intercept.first().copied()).chain(predictors.into_iter().map(Some)).collect();
        let covariance = Array2::from_shape_fn((places.len(), places.len()), |(i, j)| {
            places[i].zip(places[j]).map_or(0.0, |(a, b)| of_model[[a, b]])
        });
        let saved = Self {
            name: name.to_owned(),
            intercept: terms.iter().find(|t| t.name == INTERCEPT).map_or(0.0, |t| t.estimate),
            variables: terms.iter().filter(|t| t.name != INTERCEPT).map(of_term).collect::<Result<_>>()?,
            covariance: CovarianceMatrix::new(covariance).map_err(|_| separated)?,
            training_rows: model.rows(),
            training_events: model.events(),
            trained_on: trained_on.to_owned(),
            cutoffs: Vec::new(),
        };
        saved.check().map_err(|reason| ModelError::Training { reason })?;
        Ok(saved)
    }
}
