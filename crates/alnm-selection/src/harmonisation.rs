//! ComBat: scanner effects taken out of features (Johnson, Li and Rabinovic 2007).
//!
//! ```text
//! y = α + Xβ + γ_batch + δ_batch ε
//! ```
//!
//! with the covariates X whose effect β is kept. The location γ and scale δ of each batch are estimated on training
//! rows, shrunk over the features by empirical Bayes if wanted, and taken out of any rows of the same batches.
//!
//! A feature that does not vary carries no batch effect. It is set aside before the fit, takes no part in the priors of
//! the empirical Bayes estimates, and is put back as it was. A feature that is constant within every batch, but not
//! the same in all, is set aside from the priors too and shifted onto its grand mean, by which its batches become
//! equal. neuroCombat 0.2.12 takes such features along with a pooled variance of 1: their location, shrunk towards
//! that of the other features, is taken out, and the constant becomes a label of the batch; and the locations and
//! variances of all other features are shrunk towards it.
//!
//! A batch that comes later, for instance the scanner of another hospital, is brought onto the batches of the fit by
//! [`Combat::with_batch`], which changes nothing that was fitted: with one fitted batch ([`Combat::reference`]) this is
//! ComBat with a reference batch (Zhang et al. 2018; `ref.batch` of R's sva).

use alnm_stats::linear::solve_symmetric;

use crate::FeatureTable;
use crate::error::{Result, SelectionError};
#[cfg(feature = "serde")]
use crate::saved::SavedFormat;

/// How batch effects are estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum BatchEstimation {
    /// Shrunk over the features by parametric empirical Bayes.
    #[default]
    EmpiricalBayes,
    /// Each feature by itself.
    Unshrunk,
}

/// A fitted harmonisation. It is saved with [`Combat::to_json`].
///
/// ```
/// use alnm_selection::FeatureTable;
/// use alnm_selection::harmonisation::{BatchEstimation, Combat};
/// use ndarray::{Array2, array};
/// // Two scanners of which the second adds 10 to the feature.
/// let table = FeatureTable::new(vec!["mean".into()], array![[1.0], [2.0], [3.0], [11.0], [12.0], [13.0]])?;
/// let scanner: Vec<String> = ["a", "a", "a", "b", "b", "b"].map(String::from).to_vec();
/// let nothing_kept = FeatureTable::new(Vec::new(), Array2::zeros((6, 0)))?;
/// let combat = Combat::fit(&table, &scanner, &nothing_kept, BatchEstimation::Unshrunk)?;
/// let adjusted = combat.apply(&table, &scanner, &nothing_kept)?;
/// assert!((adjusted.values()[[0, 0]] - adjusted.values()[[3, 0]]).abs() < 1e-12);
/// # Ok::<(), alnm_selection::SelectionError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Estimates"))]
pub struct Combat(Estimates);

#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
struct Estimates {
    features: Vec<String>,
    batches: Vec<String>,
    covariates: Vec<String>,
    intercept: Vec<f64>,
    effects: Vec<Vec<f64>>,
    scale: Vec<f64>,
    location: Vec<Vec<f64>>,
    variance: Vec<Vec<f64>>,
    /// Names of the features without variation in the rows of the fit, in the order of the features.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Vec::is_empty"))]
    constant: Vec<String>,
}

impl Combat {
    /// Names of the features.
    #[must_use]
    pub fn features(&self) -> &[String] {
        &self.0.features
    }

    /// Names of the features that did not vary in the rows of the fit. They are left as they are, also in rows of
    /// batches that are added.
    #[must_use]
    pub fn constant_features(&self) -> &[String] {
        &self.0.constant
    }

    /// Names of the batches: those of the fit in alphabetical order, then those added.
    #[must_use]
    pub fn batches(&self) -> &[String] {
        &self.0.batches
    }

    /// Names of the covariates whose effect is kept.
    #[must_use]
    pub fn covariates(&self) -> &[String] {
        &self.0.covariates
    }

    /// Grand mean of each feature.
    #[must_use]
    pub fn intercept(&self) -> &[f64] {
        &self.0.intercept
    }

    /// Effects of the covariates, one list per feature.
    #[must_use]
    pub fn effects(&self) -> &[Vec<f64>] {
        &self.0.effects
    }

    /// Pooled standard deviation of each feature.
    #[must_use]
    pub fn scale(&self) -> &[f64] {
        &self.0.scale
    }

    /// Location of each feature in pooled standard deviations, one list per batch.
    #[must_use]
    pub fn location(&self) -> &[Vec<f64>] {
        &self.0.location
    }

    /// Variance of each feature relative to the pooled one, one list per batch.
    #[must_use]
    pub fn variance(&self) -> &[Vec<f64>] {
        &self.0.variance
    }

    /// Fits to the rows of `table`, whose batches are named by `batch`, one name per row. `covariates`, whose effects
    /// on the features are kept, has the same rows, or no columns.
    ///
    /// # Errors
    /// [`SelectionError::Shape`] when the rows differ in number, [`SelectionError::NonFinite`] for a missing value,
    /// [`SelectionError::Parameter`] for fewer than two batches or a batch of fewer than two rows, and
    /// [`SelectionError::DependentCovariates`] for covariates that the batches determine.
    pub fn fit(
        table: &FeatureTable,
        batch: &[String],
        covariates: &FeatureTable,
        estimation: BatchEstimation,
    ) -> Result<Self> {
        table.require_as_many_rows("batches and rows", batch.len())?;
        table.require_finite()?;
        covariates.require_finite()?;
        if covariates.columns() > 0 {
            covariates.require_as_many_rows("batches and rows of covariates", batch.len())?;
        }
        let mut batches: Vec<String> = batch.to_vec();
        batches.sort_unstable();
        batches.dedup();
        let members: Vec<Vec<usize>> =
            batches.iter().map(|b| (0..batch.len()).filter(|&r| batch[r] == *b).collect()).collect();
        if batches.len() < 2 {
            return Err(SelectionError::parameter("number of batches", batches.len(), "at least 2"));
        }
        if let Some(small) = members.iter().find(|m| m.len() < 2) {
            return Err(SelectionError::parameter("number of rows of a batch", small.len(), "at least 2"));
        }
        let design = Design::new(&members, covariates, batch.len());
        let n = batch.len() as f64;
        let mut combat = Estimates {
            features: table.names().to_vec(),
            covariates: covariates.names().to_vec(),
            intercept: Vec::new(),
            effects: Vec::new(),
            scale: Vec::new(),
            location: vec![Vec::new(); batches.len()],
            variance: vec![Vec::new(); batches.len()],
            constant: Vec::new(),
            batches,
        };
        // Features that vary within a batch; the priors are those of these.
        let mut varying = Vec::new();
        for (feature, values) in table.contiguous_columns().into_iter().enumerate() {
            if members.iter().all(|rows| rows.iter().all(|&r| values[r] == values[rows[0]])) {
                combat.push_without_variation(table.names()[feature].as_str(), &values, &members);
                continue;
            }
            varying.push(feature);
            let coefficients = design.regress(&values)?;
            let (batch_means, effects) = coefficients.split_at(members.len());
            let intercept = members.iter().zip(batch_means).map(|(m, b)| m.len() as f64 / n * b).sum::<f64>();
            let residual = |r: usize| values[r] - design.fitted(&coefficients, r);
            let pooled = ((0..values.len()).map(|r| residual(r).powi(2)).sum::<f64>() / n).sqrt();
            // Covariates may explain a feature wholly; it is then only shifted.
            let scale = if pooled > 0.0 { pooled } else { 1.0 };
            for (b, rows) in members.iter().enumerate() {
                let standardised: Vec<f64> =
                    rows.iter().map(|&r| (values[r] - intercept - design.covariate_part(effects, r)) / scale).collect();
                combat.location[b].push(alnm_stats::describe::mean(&standardised));
                let variance = alnm_stats::describe::variance(&standardised);
                combat.variance[b].push(positive_or_one(variance));
            }
            combat.intercept.push(intercept);
            combat.effects.push(effects.to_vec());
            combat.scale.push(scale);
        }
        if estimation == BatchEstimation::EmpiricalBayes {
            for (b, rows) in members.iter().enumerate() {
                let standardised = |feature: usize| -> Vec<f64> {
                    let column = table.values();
                    let value = |r: usize| {
                        column[[r, feature]]
                            - combat.intercept[feature]
                            - design.covariate_part(&combat.effects[feature], r)
                    };
                    rows.iter().map(|&r| value(r) / combat.scale[feature]).collect()
                };
                let shrunk = shrink(&varying, &combat.location[b], &combat.variance[b], standardised);
                (combat.location[b], combat.variance[b]) = shrunk.into_iter().unzip();
            }
        }
        Ok(Self(combat))
    }

    /// A single batch that others are brought onto later and that stays as it is: sva's `ref.batch`, neuroCombat's
    /// `ref_batch`.
    ///
    /// # Errors
    /// [`SelectionError::NonFinite`], and [`SelectionError::Parameter`] for fewer than two rows.
    pub fn reference(table: &FeatureTable, batch: &str) -> Result<Self> {
        table.require_finite()?;
        require_two_rows(table.rows())?;
        let n = table.rows() as f64;
        let columns = table.contiguous_columns();
        let scale = |values: &Vec<f64>| {
            let population = (alnm_stats::describe::variance(values) * (n - 1.0) / n).sqrt();
            if is_constant(values) { 1.0 } else { population }
        };
        Ok(Self(Estimates {
            features: table.names().to_vec(),
            batches: vec![batch.to_owned()],
            covariates: Vec::new(),
            intercept: columns.iter().map(|values| alnm_stats::describe::mean(values)).collect(),
            effects: vec![Vec::new(); columns.len()],
            scale: columns.iter().map(scale).collect(),
            location: vec![vec![0.0; columns.len()]],
            variance: vec![vec![1.0; columns.len()]],
            constant: table
                .names()
                .iter()
                .zip(&columns)
                .filter(|(_, c)| is_constant(c))
                .map(|(n, _)| n.clone())
                .collect(),
        }))
    }

    /// The harmonisation with one more batch, whose location and scale are estimated from its rows of `table` against
    /// the fitted means and standard deviations. What was fitted before stays, bit for bit.
    ///
    /// No outcome is used, and a fit with covariates, which may be outcomes, is refused. Several rows of the new batch
    /// are needed at once, and a true difference between its patients and those of the fit is taken out together with
    /// the scanner's.
    ///
    /// # Errors
    /// [`SelectionError::MissingColumn`] for a feature that the table lacks, [`SelectionError::NonFinite`] for a
    /// missing value, and [`SelectionError::Parameter`] for a fit with covariates, for a batch that is known already,
    /// and for fewer than two rows.
    pub fn with_batch(mut self, table: &FeatureTable, batch: &str, estimation: BatchEstimation) -> Result<Self> {
        if !self.0.covariates.is_empty() {
            return Err(SelectionError::parameter(
                "number of covariates of the fit that a batch is added to",
                self.0.covariates.len(),
                "0, since the covariates of the new batch would have to be known",
            ));
        }
        if self.0.batches.iter().any(|known| known == batch) {
            let requirement = "a name that no fitted or added batch has";
            return Err(SelectionError::parameter("name of the added batch", batch, requirement));
        }
        let table = table.select(&self.0.features)?;
        table.require_finite()?;
        require_two_rows(table.rows())?;
        let columns = table.contiguous_columns();
        let standardise = |f: usize| -> Vec<f64> {
            columns[f].iter().map(|value| (value - self.0.intercept[f]) / self.0.scale[f]).collect()
        };
        let set_aside: Vec<bool> = self.0.features.iter().map(|name| self.0.constant.contains(name)).collect();
        let (location, variance): (Vec<f64>, Vec<f64>) = (0..columns.len())
            .map(|f| match (set_aside[f], is_constant(&columns[f])) {
                (true, _) => (0.0, 1.0),
                (false, true) => (standardise(f)[0], 1.0),
                (false, false) => {
                    let values = standardise(f);
                    (alnm_stats::describe::mean(&values), positive_or_one(alnm_stats::describe::variance(&values)))
                }
            })
            .unzip();
        let (location, variance) = match estimation {
            BatchEstimation::EmpiricalBayes => {
                let varying: Vec<usize> = (0..columns.len()).filter(|&f| !set_aside[f]).collect();
                shrink(&varying, &location, &variance, standardise).into_iter().unzip()
            }
            BatchEstimation::Unshrunk => (location, variance),
        };
        self.0.batches.push(batch.to_owned());
        self.0.location.push(location);
        self.0.variance.push(variance);
        Ok(self)
    }

    /// The features without batch effects, for rows of batches that were fitted or added.
    ///
    /// # Errors
    /// [`SelectionError::MissingColumn`] for a feature or covariate that the tables lack,
    /// [`SelectionError::UnknownBatch`] for a batch that was neither fitted nor added, [`SelectionError::Shape`] when
    /// rows, batches and covariates differ in number.
    pub fn apply(&self, table: &FeatureTable, batch: &[String], covariates: &FeatureTable) -> Result<FeatureTable> {
        let selected = table.select(&self.0.features)?;
        selected.require_as_many_rows("batches and rows", batch.len())?;
        let covariates = covariates.select(&self.0.covariates)?;
        if covariates.columns() > 0 {
            covariates.require_as_many_rows("batches and rows of covariates", batch.len())?;
        }
        let number = batch
            .iter()
            .map(|b| {
                self.0
                    .batches
                    .iter()
                    .position(|k| k == b)
                    .ok_or_else(|| SelectionError::UnknownBatch { name: b.clone(), known: self.0.batches.clone() })
            })
            .collect::<Result<Vec<_>>>()?;
        let columns = selected
            .contiguous_columns()
            .into_iter()
            .enumerate()
            .map(|(f, values)| {
                if self.0.constant.contains(&self.0.features[f]) {
                    return (self.0.features[f].clone(), values);
                }
                let adjusted = values
                    .iter()
                    .enumerate()
                    .map(|(r, v)| {
                        let kept = self.0.intercept[f]
                            + self.0.effects[f]
                                .iter()
                                .enumerate()
                                .map(|(c, e)| e * covariates.values()[[r, c]])
                                .sum::<f64>();
                        let b = number[r];
                        ((v - kept) / self.0.scale[f] - self.0.location[b][f]) / self.0.variance[b][f].sqrt()
                            * self.0.scale[f]
                            + kept
                    })
                    .collect();
                (self.0.features[f].clone(), adjusted)
            })
            .collect();
        FeatureTable::from_columns(columns)
    }
}

#[cfg(feature = "serde")]
impl Combat {
    /// The file that a harmonisation is saved in.
    const SAVED: SavedFormat = SavedFormat::new("alnm-combat", 1, "harmonisation");

    /// The harmonisation as JSON with a hash over its content; see [`crate::saved`].
    ///
    /// # Errors
    /// [`SelectionError::Saved`] when a number has no JSON form.
    pub fn to_json(&self) -> Result<String> {
        Ok(Self::SAVED.to_json(self)?)
    }

    /// Reads what [`Combat::to_json`] wrote.
    ///
    /// # Errors
    /// [`SelectionError::Saved`] for a text that is no saved harmonisation, is one of another version, or was damaged
    /// or edited.
    pub fn from_json(text: &str) -> Result<Self> {
        Ok(Self::SAVED.from_json(text)?)
    }
}

#[cfg(feature = "serde")]
impl TryFrom<Estimates> for Combat {
    type Error = SelectionError;

    /// A harmonisation as a file states it satisfies what a fitted one does.
    fn try_from(read: Estimates) -> Result<Self> {
        let refuse = |reason| Err(SelectionError::Inconsistent { what: "harmonisation", reason });
        let (features, batches) = (read.features.len(), read.batches.len());
        for names in [&read.features, &read.batches, &read.covariates, &read.constant] {
            let mut sorted = names.clone();
            sorted.sort_unstable();
            if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
                return refuse(format!("the name {:?} occurs twice", pair[0]));
            }
        }
        let lengths = [
            ("grand means", read.intercept.len(), features),
            ("lists of covariate effects", read.effects.len(), features),
            ("pooled standard deviations", read.scale.len(), features),
            ("lists of locations", read.location.len(), batches),
            ("lists of variances", read.variance.len(), batches),
        ];
        if let Some((list, length, expected)) = lengths.into_iter().find(|(_, length, expected)| length != expected) {
            return refuse(format!("it has {length} {list} where {expected} belong"));
        }
        let inner = [
            ("covariate effects of a feature", &read.effects, read.covariates.len()),
            ("locations of a batch", &read.location, features),
            ("variances of a batch", &read.variance, features),
        ];
        for (list, values, expected) in inner {
            if let Some(one) = values.iter().find(|one| one.len() != expected) {
                return refuse(format!("it has {} {list} where {expected} belong", one.len()));
            }
        }
        if let Some(name) = read.constant.iter().find(|name| !read.features.contains(name)) {
            return refuse(format!("its constant feature {name:?} is none of its features"));
        }
        let numbers = read.effects.iter().chain(&read.location).flatten().chain(&read.intercept);
        if let Some(value) = numbers.into_iter().find(|value| !value.is_finite()) {
            return refuse(format!("one of its numbers is {value}"));
        }
        let spreads = read.variance.iter().flatten().chain(&read.scale);
        if let Some(value) = spreads.into_iter().find(|value| !(value.is_finite() && **value > 0.0)) {
            return refuse(format!("a standard deviation or variance is {value}"));
        }
        Ok(Self(read))
    }
}

impl Estimates {
    /// Takes up a feature that is constant within every batch: as it is where it is the same in all, else to be shifted
    /// onto its grand mean.
    fn push_without_variation(&mut self, name: &str, values: &[f64], members: &[Vec<usize>]) {
        let n = values.len() as f64;
        let same = is_constant(values);
        if same {
            self.constant.push(name.to_owned());
        }
        let grand = members.iter().map(|rows| rows.len() as f64 / n * values[rows[0]]).sum::<f64>();
        let intercept = if same { values[0] } else { grand };
        for (b, rows) in members.iter().enumerate() {
            self.location[b].push(values[rows[0]] - intercept);
            self.variance[b].push(1.0);
        }
        self.intercept.push(intercept);
        self.effects.push(vec![0.0; self.covariates.len()]);
        self.scale.push(1.0);
    }
}

/// Whether all values are equal.
fn is_constant(values: &[f64]) -> bool {
    values.iter().all(|v| *v == values[0])
}

fn require_two_rows(rows: usize) -> Result<()> {
    if rows < 2 {
        return Err(SelectionError::parameter("number of rows of a batch", rows, "at least 2"));
    }
    Ok(())
}

/// A feature that does not vary in a batch keeps its scale.
fn positive_or_one(variance: f64) -> f64 {
    if variance > 0.0 { variance } else { 1.0 }
}

/// Batch indicators and covariates.
struct Design {
    batch_of: Vec<usize>,
    batches: usize,
    covariates: Vec<Vec<f64>>,
    information: Vec<f64>,
}

impl Design {
    fn new(members: &[Vec<usize>], covariates: &FeatureTable, rows: usize) -> Self {
        let mut batch_of = vec![0; rows];
        for (b, m) in members.iter().enumerate() {
            m.iter().for_each(|&r| batch_of[r] = b);
        }
        let mut design = Self {
            batch_of,
            batches: members.len(),
            covariates: covariates.contiguous_columns(),
            information: Vec::new(),
        };
        let k = design.width();
        design.information = vec![0.0; k * k];
        for r in 0..rows {
            for a in 0..k {
                for b in 0..k {
                    design.information[a * k + b] += design.cell(r, a) * design.cell(r, b);
                }
            }
        }
        design
    }

    fn width(&self) -> usize {
        self.batches + self.covariates.len()
    }

    fn cell(&self, row: usize, column: usize) -> f64 {
        if column < self.batches {
            f64::from(u8::from(self.batch_of[row] == column))
        } else {
            self.covariates[column - self.batches][row]
        }
    }

    fn regress(&self, y: &[f64]) -> Result<Vec<f64>> {
        let k = self.width();
        let moment: Vec<f64> = (0..k).map(|c| y.iter().enumerate().map(|(r, v)| self.cell(r, c) * v).sum()).collect();
        solve_symmetric(&self.information, &moment).ok_or(SelectionError::DependentCovariates)
    }

    fn fitted(&self, coefficients: &[f64], row: usize) -> f64 {
        coefficients.iter().enumerate().map(|(c, b)| b * self.cell(row, c)).sum()
    }

    fn covariate_part(&self, effects: &[f64], row: usize) -> f64 {
        effects.iter().zip(&self.covariates).map(|(e, c)| e * c[row]).sum()
    }
}

/// Posterior location and variance of the features in one batch, with a normal and an inverse gamma prior by the
/// moments of those in `varying`. The others keep their estimates, and so do all where the priors have no spread.
fn shrink(
    varying: &[usize],
    location: &[f64],
    variance: &[f64],
    standardised: impl Fn(usize) -> Vec<f64>,
) -> Vec<(f64, f64)> {
    let mut shrunk: Vec<(f64, f64)> = location.iter().copied().zip(variance.iter().copied()).collect();
    if varying.len() < 2 {
        return shrunk;
    }
    let of = |values: &[f64]| -> Vec<f64> { varying.iter().map(|&f| values[f]).collect() };
    let (locations, variances) = (of(location), of(variance));
    let (mean, spread) = (alnm_stats::describe::mean, alnm_stats::describe::variance);
    let (prior_mean, prior_variance) = (mean(&locations), spread(&locations));
    let (m, s2) = (mean(&variances), spread(&variances));
    let shape = (2.0 * s2 + m * m) / s2;
    let rate = (m * s2 + m.powi(3)) / s2;
    for &f in varying {
        let z = standardised(f);
        let n = z.len() as f64;
        let (mut g, mut d) = (location[f], variance[f]);
        // The two posterior means depend on each other; the iteration of Johnson et al. ends at a change of 10⁻⁴, here
        // of rounding.
        for _ in 0..1000 {
            let next_g = (n * prior_variance * location[f] + d * prior_mean) / (n * prior_variance + d);
            let squares: f64 = z.iter().map(|v| (v - next_g).powi(2)).sum();
            let next_d = (0.5 * squares + rate) / (n / 2.0 + shape - 1.0);
            let change = ((next_g - g) / g.abs().max(1e-12)).abs().max(((next_d - d) / d).abs());
            (g, d) = (next_g, next_d);
            if change.is_nan() || change < 1e-12 {
                break;
            }
        }
        if g.is_finite() && d.is_finite() && d > 0.0 {
            shrunk[f] = (g, d);
        }
    }
    shrunk
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    fn cohort() -> (FeatureTable, Vec<String>, FeatureTable) {
        let batch: Vec<String> = (0..60).map(|i| if i < 35 { "a" } else { "b" }.to_owned()).collect();
        let noise = |i: usize, j: usize| ((i * 37 + j * 101 + i * i * (j + 3)) % 97) as f64 / 97.0;
        let values = Array2::from_shape_fn((60, 6), |(i, j)| {
            let outcome = f64::from(u8::from(i % 2 == 0));
            if i < 35 { noise(i, j) + outcome } else { 3.0 + j as f64 + 2.0 * noise(i, j) + outcome }
        });
        let names = (0..6).map(|j| format!("f{j}")).collect();
        let outcome = FeatureTable::new(
            vec!["y".into()],
            Array2::from_shape_fn((60, 1), |(i, _)| f64::from(u8::from(i % 2 == 0))),
        )
        .expect("valid");
        (FeatureTable::new(names, values).expect("valid"), batch, outcome)
    }

    /// 14 rows of one batch and 10 of another that lies elsewhere and varies more.
    fn rows_of_two_batches() -> FeatureTable {
        let values = Array2::from_shape_fn((24, 4), |(i, j)| {
            let (b, y) = (f64::from(u8::from(i >= 14)), (i % 2) as f64);
            ((i * (7 * j + 3) + j * j) % 23) as f64 / 23.0 * (1.0 + 0.8 * b) + 0.5 * (j + 1) as f64 * b + 0.3 * y
        });
        FeatureTable::new((0..4).map(|j| format!("x{j}")).collect(), values).expect("unique names")
    }

    #[test]
    fn batches_agree_afterwards_and_the_outcome_effect_stays() {
        let (table, batch, outcome) = cohort();
        for estimation in [BatchEstimation::EmpiricalBayes, BatchEstimation::Unshrunk] {
            let combat = Combat::fit(&table, &batch, &outcome, estimation).expect("two batches");
            let adjusted = combat.apply(&table, &batch, &outcome).expect("the same batches");
            for j in 0..6 {
                let column = adjusted.column(&format!("f{j}")).expect("a feature").to_vec();
                let mean = |keep: &dyn Fn(usize) -> bool| {
                    alnm_stats::describe::mean(&(0..60).filter(|&i| keep(i)).map(|i| column[i]).collect::<Vec<_>>())
                };
                assert!((mean(&|i| i < 35) - mean(&|i| i >= 35)).abs() < 0.3, "feature {j}");
                assert!(mean(&|i| i % 2 == 0) - mean(&|i| i % 2 == 1) > 0.6, "feature {j}");
            }
        }
    }

    // neuroCombat 0.2.12 (Python), batch_col="batch", continuous_cols=["y"], eb=True and False; the iteration of the
    // empirical Bayes estimates run to it_sol's conv=1e-13 instead of 1e-4.
    #[test]
    fn adjusted_values_equal_neurocombat() {
        let batch: Vec<String> = (0..24).map(|i| if i < 14 { "a" } else { "b" }.to_owned()).collect();
        let table = rows_of_two_batches();
        let outcome = FeatureTable::new(vec!["y".into()], Array2::from_shape_fn((24, 1), |(i, _)| (i % 2) as f64))
            .expect("one name");
        let golden = [
            (
                BatchEstimation::EmpiricalBayes,
                [
                    [0.2762790507330215, 0.38412924025650763, 0.8522856102962821, 1.0221105178491303],
                    [1.4711132283809474, 0.948890517702397, 2.0442902305211246, 1.5742019054019734],
                    [0.9354451408124584, 1.4773867195495596, 1.9061133177610308, 1.475501581122128],
                ],
                121.28910025191037,
            ),
            (
                BatchEstimation::Unshrunk,
                [
                    [0.20170193326431862, 0.38526244118559316, 0.8391473925049199, 1.0700222294229953],
                    [1.488175351149952, 0.9434682598613893, 2.062934840669026, 1.6003353787960362],
                    [0.954285752444362, 1.494323968910778, 1.8786358156209433, 1.466579186613082],
                ],
                121.35652173913041,
            ),
        ];
        for (estimation, rows, sum) in golden {
            let combat = Combat::fit(&table, &batch, &outcome, estimation).expect("two batches");
            let adjusted = combat.apply(&table, &batch, &outcome).expect("the same batches");
            for (row, expected) in [0, 5, 20].into_iter().zip(rows) {
                for (j, e) in expected.into_iter().enumerate() {
                    let got = adjusted.values()[[row, j]];
                    assert!((got - e).abs() < 1e-9, "{estimation:?}, row {row}, feature {j}: {got} {e}");
                }
            }
            assert!((adjusted.values().mapv(f64::abs).sum() - sum).abs() < 1e-8, "{estimation:?}");
        }
    }

    // neuroCombat 0.2.12, batch_col="batch", ref_batch="a", no covariates, eb=True and False; conv=1e-13 as above.
    #[test]
    fn a_batch_is_brought_onto_a_reference_as_by_neurocombat() {
        let table = rows_of_two_batches();
        let rows: Vec<usize> = (0..24).collect();
        let (reference, new) = (table.select_rows(&rows[..14]), table.select_rows(&rows[14..]));
        let batch: Vec<String> = rows.iter().map(|&i| if i < 14 { "a" } else { "b" }.to_owned()).collect();
        let golden = [
            (
                BatchEstimation::EmpiricalBayes,
                [
                    [0.3018228825103381, 0.8040652009809314, 1.0972068582019647, 0.872892287816557],
                    [0.5566874502186311, 0.9675597981221049, 1.1604270217780512, 0.8269893339211947],
                ],
                64.42035138310797,
            ),
            (
                BatchEstimation::Unshrunk,
                [
                    [0.35776181231048554, 0.8106122150905363, 1.1269483169735226, 0.8498829564158231],
                    [0.5815255743689445, 0.9661706262507403, 1.1944688611100438, 0.7979431305406984],
                ],
                64.56997373117716,
            ),
        ];
        for (estimation, expected, sum) in golden {
            let combat = Combat::reference(&reference, "a")
                .expect("fourteen rows")
                .with_batch(&new, "b", estimation)
                .expect("ten rows");
            let adjusted = combat.apply(&table, &batch, &no_covariates(24)).expect("both batches");
            for (row, expected) in [17, 20].into_iter().zip(expected) {
                for (j, e) in expected.into_iter().enumerate() {
                    assert!((adjusted.values()[[row, j]] - e).abs() < 1e-9, "{estimation:?}, row {row}, feature {j}");
                }
            }
            assert!((adjusted.values().mapv(f64::abs).sum() - sum).abs() < 1e-8, "{estimation:?}");
            let moved = (&adjusted.select_rows(&rows[..14]).values() - &reference.values()).mapv(f64::abs).sum();
            assert!(moved < 1e-12, "the reference stays as it is");
        }
    }

    #[test]
    fn an_added_batch_changes_nothing_that_was_fitted_and_outcomes_are_refused() {
        let (table, batch, outcome) = cohort();
        let late = Array2::from_shape_fn((9, 6), |(i, j)| 40.0 + 7.0 * (((i * 13 + j * 5) % 11) as f64));
        let late = FeatureTable::new(table.names().to_vec(), late).expect("unique names");
        let fitted =
            Combat::fit(&table, &batch, &no_covariates(60), BatchEstimation::EmpiricalBayes).expect("two batches");
        let added = fitted.clone().with_batch(&late, "late", BatchEstimation::Unshrunk).expect("nine rows");
        let of = |combat: &Combat| combat.apply(&table, &batch, &no_covariates(60)).expect("known batches");
        assert_eq!(of(&fitted), of(&added));
        let adjusted = added.apply(&late, &vec!["late".to_owned(); 9], &no_covariates(9)).expect("the added batch");
        for (j, intercept) in fitted.intercept().iter().enumerate() {
            assert!((alnm_stats::describe::mean(&adjusted.values().column(j).to_vec()) - intercept).abs() < 1e-9);
        }
        let with_outcome = Combat::fit(&table, &batch, &outcome, BatchEstimation::EmpiricalBayes).expect("two batches");
        assert!(with_outcome.with_batch(&late, "late", BatchEstimation::Unshrunk).is_err());
        assert!(fitted.with_batch(&late.select_rows(&[0]), "late", BatchEstimation::Unshrunk).is_err());
    }

    #[test]
    fn known_batches_and_covariates_of_other_rows_are_refused() {
        let (table, batch, outcome) = cohort();
        let plain = Combat::fit(&table, &batch, &no_covariates(60), BatchEstimation::Unshrunk).expect("two batches");
        let again = plain.with_batch(&table, "b", BatchEstimation::Unshrunk).expect_err("a known batch");
        assert_eq!(
            again.to_string(),
            "name of the added batch is b; it must be a name that no fitted or added batch has"
        );
        let combat = Combat::fit(&table, &batch, &outcome, BatchEstimation::Unshrunk).expect("two batches");
        let short = combat.apply(&table, &batch, &outcome.select_rows(&[0, 1])).expect_err("two rows of covariates");
        assert_eq!(short.to_string(), "the numbers of batches and rows of covariates are 60 and 2; they must be equal");
        let dependent = FeatureTable::new(
            vec!["scanner".into()],
            Array2::from_shape_fn((60, 1), |(row, _)| f64::from(u8::from(row < 35))),
        )
        .expect("one name");
        let refused = Combat::fit(&table, &batch, &dependent, BatchEstimation::Unshrunk).expect_err("the batch itself");
        assert_eq!(refused, SelectionError::DependentCovariates);
    }

    /// The cohort with a constant and with a feature that is constant within each batch.
    fn cohort_with_constants() -> (FeatureTable, Vec<String>, FeatureTable) {
        let (table, batch, outcome) = cohort();
        let constants = Array2::from_shape_fn((60, 2), |(i, j)| if j == 0 || i < 35 { 0.1 } else { 0.7 });
        let constants = FeatureTable::new(vec!["same".into(), "by scanner".into()], constants).expect("two names");
        (constants.beside(&table).expect("the same rows"), batch, outcome)
    }

    #[test]
    fn constants_are_set_aside_and_put_back() {
        let (all, batch, outcome) = cohort_with_constants();
        let (plain, _, _) = cohort();
        for estimation in [BatchEstimation::EmpiricalBayes, BatchEstimation::Unshrunk] {
            for covariates in [&outcome, &no_covariates(60)] {
                let combat = Combat::fit(&all, &batch, covariates, estimation).expect("two batches");
                assert_eq!(combat.constant_features(), ["same"]);
                let adjusted = combat.apply(&all, &batch, covariates).expect("the same batches");
                let column = |name: &str| adjusted.column(name).expect("a feature").to_vec();
                assert_eq!(column("same"), vec![0.1; 60], "the constant is no label of the scanner");
                let shifted = column("by scanner");
                assert!(shifted.iter().all(|v| (v - (35.0 * 0.1 + 25.0 * 0.7) / 60.0).abs() < 1e-12), "{shifted:?}");
                // The other features come out as without the two.
                let without = Combat::fit(&plain, &batch, covariates, estimation).expect("two batches");
                let without = without.apply(&plain, &batch, covariates).expect("the same batches");
                assert_eq!(adjusted.select(plain.names()).expect("the others"), without);
            }
        }
    }

    #[test]
    fn constants_stay_as_they_are_in_added_batches() {
        let (all, batch, _) = cohort_with_constants();
        let fitted =
            Combat::fit(&all, &batch, &no_covariates(60), BatchEstimation::EmpiricalBayes).expect("two batches");
        let late = all.select_rows(&(0..20).map(|i| 3 * i).collect::<Vec<_>>());
        let mut values = late.values().to_owned();
        values.column_mut(0).assign(&ndarray::Array1::from_iter((0..20).map(f64::from)));
        let late = FeatureTable::new(all.names().to_vec(), values).expect("the same names");
        let added = fitted.with_batch(&late, "late", BatchEstimation::EmpiricalBayes).expect("twenty rows");
        let adjusted = added.apply(&late, &vec!["late".to_owned(); 20], &no_covariates(20)).expect("the added batch");
        assert_eq!(adjusted.column("same").expect("a feature"), late.column("same").expect("a feature"));
        assert!(adjusted.values().iter().all(|v| v.is_finite()));
        let reference = Combat::reference(&all.select_rows(&[0, 1, 2, 3]), "a").expect("four rows");
        assert_eq!(reference.constant_features(), ["same", "by scanner"]);
    }

    fn no_covariates(rows: usize) -> FeatureTable {
        FeatureTable::new(Vec::new(), Array2::zeros((rows, 0))).expect("no names")
    }

    #[test]
    fn an_unknown_batch_is_an_error() {
        let (table, mut batch, outcome) = cohort();
        let combat = Combat::fit(&table, &batch, &outcome, BatchEstimation::Unshrunk).expect("two batches");
        batch[3] = "c".to_owned();
        assert!(combat.apply(&table, &batch, &outcome).is_err());
    }
}
