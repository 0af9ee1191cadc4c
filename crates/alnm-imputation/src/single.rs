//! Single imputation: one completed table, as a simpler alternative to multiple imputation.
//!
//! A completed table looks as if nothing had been missing. Standard errors, intervals and p-values from it are too
//! small, and relations between variables are weakened by medians and strengthened by neighbours. For a prediction,
//! where only the value itself counts, the median with an indicator is a common choice; for inference use
//! [`ChainedEquations`](crate::ChainedEquations).

use alnm_models::FeatureTable;
use alnm_stats::describe::{mean, median};
use ndarray::Array2;

use crate::error::{ImputationError, Result};

/// The name of the indicator column of a variable.
fn indicator_name(variable: &str) -> String {
    format!("{variable} missing")
}

/// Values of a column that are there. An infinite one is refused, and so is a column without any.
fn observed(table: &FeatureTable, name: &str) -> Result<Vec<f64>> {
    let column = table.column(name)?;
    if let Some(value) = column.iter().find(|value| value.is_infinite()) {
        return Err(ImputationError::column(name, format!("a value is {value}; it must be finite or missing")));
    }
    let values: Vec<f64> = column.iter().copied().filter(|value| !value.is_nan()).collect();
    if values.is_empty() {
        let reason = "it has no observed value; leave it out, since nothing can be learned about it";
        return Err(ImputationError::column(name, reason));
    }
    Ok(values)
}

/// Medians of training rows, which stand for missing values, with an indicator of 1 beside each variable that lacked
/// values in training. Of a variable of 0 and 1 the median is the more frequent value, or ½.
///
/// ```
/// use alnm_imputation::single::MedianImputation;
/// use alnm_selection::FeatureTable;
/// use ndarray::array;
/// let table = FeatureTable::new(vec!["age".into(), "size".into()], array![[1.0, f64::NAN], [2.0, 5.0], [9.0, 7.0]])?;
/// let medians = MedianImputation::fit(&table)?;
/// let completed = medians.complete(&table)?;
/// assert_eq!(completed.names(), ["age", "size", "size missing"]);
/// assert_eq!(completed.values().row(0).to_vec(), [1.0, 6.0, 1.0]);
/// # Ok::<(), alnm_imputation::ImputationError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "MedianForm"))]
pub struct MedianImputation {
    names: Vec<String>,
    medians: Vec<f64>,
    /// Whether the variable has an indicator.
    indicators: Vec<bool>,
}

/// Medians as a file states them.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct MedianForm {
    names: Vec<String>,
    medians: Vec<f64>,
    indicators: Vec<bool>,
}

#[cfg(feature = "serde")]
impl TryFrom<MedianForm> for MedianImputation {
    type Error = String;

    fn try_from(form: MedianForm) -> std::result::Result<Self, String> {
        let MedianForm { names, medians, indicators } = form;
        if names.len() != medians.len() || names.len() != indicators.len() {
            return Err(format!(
                "it has {} names, {} medians and {} indicators; the numbers must be equal",
                names.len(),
                medians.len(),
                indicators.len()
            ));
        }
        if let Some(value) = medians.iter().find(|value| !value.is_finite()) {
            return Err(format!("a median is {value}; it must be finite"));
        }
        // A table refuses names that stand twice.
        let columns = Array2::zeros((0, names.len()));
        FeatureTable::new(names.clone(), columns).map_err(|error| error.to_string())?;
        Ok(Self { names, medians, indicators })
    }
}

impl MedianImputation {
    /// Learns the medians of the training rows.
    ///
    /// # Errors
    /// [`ImputationError::Column`] for a column without an observed value or with an infinite one.
    pub fn fit(training: &FeatureTable) -> Result<Self> {
        let columns: Vec<Vec<f64>> =
            training.names().iter().map(|name| observed(training, name)).collect::<Result<_>>()?;
        Ok(Self {
            names: training.names().to_vec(),
            medians: columns.iter().map(|values| median(values)).collect(),
            indicators: columns.iter().map(|values| values.len() < training.rows()).collect(),
        })
    }

    /// Completes a table: the columns of training, then the indicators. A value that is missing in a variable without
    /// an indicator becomes the median as well.
    ///
    /// # Errors
    /// [`ImputationError::Selection`] for a column that the table lacks, or that has the name of an indicator.
    pub fn complete(&self, table: &FeatureTable) -> Result<FeatureTable> {
        let mut columns = Vec::with_capacity(self.names.len());
        let mut indicators = Vec::new();
        for ((name, &median), &has_indicator) in self.names.iter().zip(&self.medians).zip(&self.indicators) {
            let column = table.column(name)?;
            columns.push((name.clone(), column.iter().map(|v| if v.is_nan() { median } else { *v }).collect()));
            if has_indicator {
                let is_missing = column.iter().map(|v| f64::from(u8::from(v.is_nan()))).collect();
                indicators.push((indicator_name(name), is_missing));
            }
        }
        columns.extend(indicators);
        Ok(FeatureTable::from_columns(columns)?)
    }
}

/// Parameters of the imputation by nearest neighbours, unchecked.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `neighbours` | 5 | number of training rows whose mean stands for a missing value | 1 or more |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
#[must_use]
pub struct NeighbourParams {
    /// Number of training rows whose mean stands for a missing value.
    pub neighbours: usize,
}

impl Default for NeighbourParams {
    fn default() -> Self {
        Self { neighbours: 5 }
    }
}

impl NeighbourParams {
    /// Sets the number of training rows whose mean stands for a missing value.
    pub fn with_neighbours(self, neighbours: usize) -> Self {
        Self { neighbours }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`ImputationError::Parameter`] for no neighbour.
    pub fn check(self) -> Result<NeighbourImputer> {
        if self.neighbours == 0 {
            return Err(ImputationError::parameter("number of neighbours", self.neighbours, "at least 1"));
        }
        Ok(NeighbourImputer { params: self })
    }
}

/// The imputation by nearest neighbours with checked parameters; made by [`NeighbourParams::check`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeighbourImputer {
    params: NeighbourParams,
}

/// Training rows whose means stand for missing values of rows that are like them.
///
/// Columns are scaled to mean 0 and standard deviation 1 of the observed training values. Two rows lie apart by √(p/q ·
/// Σ (xⱼ − yⱼ)²) over the q of p columns that both have, as scikit-learn's `nan_euclidean_distances` says. A missing
/// value becomes the mean of the nearest training rows that have it, of equally near ones those first that stand first;
/// without a row that shares a column, the mean of training. A row of training is not its own neighbour in the column
/// that it lacks.
///
/// ```
/// use alnm_imputation::single::NeighbourParams;
/// use alnm_selection::FeatureTable;
/// use ndarray::array;
/// let rows = array![[1.0, 10.0], [2.0, 20.0], [8.0, 80.0], [9.0, f64::NAN]];
/// let table = FeatureTable::new(vec!["age".into(), "size".into()], rows)?;
/// let neighbours = NeighbourParams::default().with_neighbours(1).check()?.fit(&table)?;
/// assert_eq!(neighbours.complete(&table)?.column("size")?[3], 80.0);
/// # Ok::<(), alnm_imputation::ImputationError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct NearestNeighbourImputation {
    params: NeighbourParams,
    training: FeatureTable,
    /// The scaled training rows.
    scaled: Array2<f64>,
    means: Vec<f64>,
    deviations: Vec<f64>,
}

impl NeighbourImputer {
    /// The parameters.
    pub fn params(&self) -> &NeighbourParams {
        &self.params
    }

    /// Keeps the training rows.
    ///
    /// # Errors
    /// [`ImputationError::Column`] for a column without an observed value or with an infinite one.
    pub fn fit(&self, training: &FeatureTable) -> Result<NearestNeighbourImputation> {
        let (mut means, mut deviations) = (Vec::new(), Vec::new());
        for name in training.names() {
            let values = observed(training, name)?;
            let centre = mean(&values);
            let squares = values.iter().map(|value| (value - centre).powi(2)).sum::<f64>() / values.len() as f64;
            means.push(centre);
            // A constant column is at no distance.
            deviations.push(if squares > 0.0 { squares.sqrt() } else { 1.0 });
        }
        let mut fitted = NearestNeighbourImputation {
            params: self.params,
            training: training.clone(),
            scaled: Array2::zeros((0, 0)),
            means,
            deviations,
        };
        fitted.scaled = fitted.scale(training);
        Ok(fitted)
    }
}

impl NearestNeighbourImputation {
    fn scale(&self, table: &FeatureTable) -> Array2<f64> {
        let values = table.values();
        Array2::from_shape_fn(values.dim(), |(row, j)| (values[[row, j]] - self.means[j]) / self.deviations[j])
    }

    /// Completes a table: the columns of training.
    ///
    /// # Errors
    /// [`ImputationError::Selection`] for a column that the table lacks, and [`ImputationError::Column`] for an
    /// infinite value.
    pub fn complete(&self, table: &FeatureTable) -> Result<FeatureTable> {
        let table = table.select(self.training.names())?;
        if let Some(((_, j), value)) = table.values().indexed_iter().find(|(_, value)| value.is_infinite()) {
            let reason = format!("a value is {value}; it must be finite or missing");
            return Err(ImputationError::column(&table.names()[j], reason));
        }
        let scaled = self.scale(&table);
        let mut completed = table.values().to_owned();
        for row in 0..table.rows() {
            let missing: Vec<usize> = (0..table.columns()).filter(|&j| completed[[row, j]].is_nan()).collect();
            if missing.is_empty() {
                continue;
            }
            let mut near: Vec<(f64, usize)> = (0..self.training.rows())
                .filter_map(|other| Some((self.distance(&scaled, row, other)?, other)))
                .collect();
            near.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            for j in missing {
                let donors: Vec<f64> = near
                    .iter()
                    .map(|&(_, other)| self.training.values()[[other, j]])
                    .filter(|value| !value.is_nan())
                    .take(self.params.neighbours)
                    .collect();
                completed[[row, j]] = if donors.is_empty() { self.means[j] } else { mean(&donors) };
            }
        }
        Ok(FeatureTable::new(table.names().to_vec(), completed)?)
    }

    /// Distance of a row from a training row; `None` where they share no column.
    fn distance(&self, scaled: &Array2<f64>, row: usize, other: usize) -> Option<f64> {
        let pairs = scaled.row(row).into_iter().zip(self.scaled.row(other));
        let (sum, shared) = pairs
            .map(|(a, b)| (a - b).powi(2))
            .filter(|square| !square.is_nan())
            .fold((0.0, 0_usize), |(sum, shared), square| (sum + square, shared + 1));
        (shared > 0).then(|| (scaled.ncols() as f64 / shared as f64 * sum).sqrt())
    }
}
