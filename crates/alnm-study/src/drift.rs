//! The distribution of a variable in training, and how far other patients are from it.

use alnm_stats::describe::{QuantileType, mean, quantile, standard_deviation};
use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

/// Steps of the quantiles that are kept: every twentieth part.
const STEPS: usize = 20;

/// A variable in the training patients: mean, standard deviation and the quantiles at 0, 0.05, …, 1. It holds no
/// patient's values in their order, so that variables cannot be linked to one another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ReferenceForm")]
pub struct ReferenceDistribution {
    name: String,
    unit: String,
    patients: usize,
    mean: f64,
    standard_deviation: f64,
    quantiles: Vec<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReferenceForm {
    name: String,
    unit: String,
    patients: usize,
    mean: f64,
    standard_deviation: f64,
    quantiles: Vec<f64>,
}

impl TryFrom<ReferenceForm> for ReferenceDistribution {
    type Error = String;

    fn try_from(form: ReferenceForm) -> Result<Self, String> {
        let ReferenceForm { name, unit, patients, mean, standard_deviation, quantiles } = form;
        let refuse = |what: String| Err(format!("{what} of the distribution of {name:?}"));
        if quantiles.len() != STEPS + 1 {
            return refuse(format!(
                "there are {} quantiles; there must be {}, for each step",
                quantiles.len(),
                STEPS + 1
            ));
        }
        if !quantiles.iter().all(|value| value.is_finite()) || !quantiles.is_sorted() {
            return refuse("the quantiles are not finite or do not ascend, which they must".to_owned());
        }
        let (low, high) = (quantiles[0], quantiles[STEPS]);
        // A mean of equal values may differ from them by rounding.
        let slack = 1e-9 * low.abs().max(high.abs());
        if !(low - slack <= mean && mean <= high + slack) {
            return refuse(format!("the mean is {mean}; it must lie between {low} and {high}, the extremes"));
        }
        if !(standard_deviation >= 0.0 && standard_deviation <= high - low + slack) {
            return refuse(format!("the standard deviation is {standard_deviation}; it must be from 0 to the range"));
        }
        if patients < 2 {
            return refuse(format!("the number of patients is {patients}; it must be at least 2"));
        }
        Ok(Self { name, unit, patients, mean, standard_deviation, quantiles })
    }
}

impl ReferenceDistribution {
    /// The distribution of the values of training patients.
    ///
    /// # Errors
    /// For fewer than two values, or one that is not finite.
    pub fn of(name: &str, unit: &str, values: &[f64]) -> Result<Self> {
        ensure!(values.len() >= 2, "{name:?} has {} training values; at least 2 are needed", values.len());
        ensure!(values.iter().all(|value| value.is_finite()), "{name:?} has a training value that is not finite");
        let at = |step: usize| quantile(values, step as f64 / STEPS as f64, QuantileType::Type7);
        Ok(Self {
            name: name.to_owned(),
            unit: unit.to_owned(),
            patients: values.len(),
            mean: mean(values),
            standard_deviation: standard_deviation(values),
            quantiles: (0..=STEPS).map(at).collect::<Result<_, _>>()?,
        })
    }

    /// Name of the variable.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its unit; empty where it has none.
    #[must_use]
    pub fn unit(&self) -> &str {
        &self.unit
    }

    /// Number of training patients.
    #[must_use]
    pub fn patients(&self) -> usize {
        self.patients
    }

    /// Mean.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Standard deviation.
    #[must_use]
    pub fn standard_deviation(&self) -> f64 {
        self.standard_deviation
    }

    /// Smallest and largest value.
    #[must_use]
    pub fn range(&self) -> [f64; 2] {
        [self.quantiles[0], self.quantiles[STEPS]]
    }

    /// The quantiles at 0, 0.05, …, 1.
    #[must_use]
    pub fn quantiles(&self) -> &[f64] {
        &self.quantiles
    }

    /// Whether a value lies in the range of training, the rounding of a computation allowed.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        let [low, high] = self.range();
        let slack = 1e-9 * low.abs().max(high.abs());
        (low - slack..=high + slack).contains(&value)
    }

    /// The share of training patients at or below a value, between the quantiles by straight lines.
    #[must_use]
    pub fn share_up_to(&self, value: f64) -> f64 {
        self.share(self.quantiles.partition_point(|quantile| *quantile <= value), value)
    }

    /// The share of training patients below a value.
    fn share_below(&self, value: f64) -> f64 {
        self.share(self.quantiles.partition_point(|quantile| *quantile < value), value)
    }

    /// The share at a value before which so many quantiles lie.
    fn share(&self, before: usize, value: f64) -> f64 {
        match before {
            0 => 0.0,
            all if all > STEPS => 1.0,
            next => {
                let (low, high) = (self.quantiles[next - 1], self.quantiles[next]);
                ((next - 1) as f64 + (value - low) / (high - low)) / STEPS as f64
            }
        }
    }

    /// How far the values of other patients are from training; `None` without a finite value.
    #[must_use]
    pub fn drift(&self, values: &[f64]) -> Option<Drift> {
        let mut values: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let patients = values.len();
        if patients == 0 {
            return None;
        }
        let outside = values.iter().filter(|value| !self.contains(**value)).count();
        let centre = mean(&values);
        let distance = values.iter().enumerate().fold(0.0_f64, |largest, (rank, &value)| {
            let up_to = values.partition_point(|other| *other <= value) as f64 / patients as f64;
            let below = values[..=rank].partition_point(|other| *other < value) as f64 / patients as f64;
            largest.max((up_to - self.share_up_to(value)).abs()).max((below - self.share_below(value)).abs())
        });
        Some(Drift {
            variable: self.name.clone(),
            unit: self.unit.clone(),
            patients,
            outside,
            training_mean: self.mean,
            mean: centre,
            standardised_difference: (centre - self.mean) / self.standard_deviation,
            stability_index: self.stability_index(&values),
            distance,
        })
    }

    /// Σ (a − e) ln(a/e) over the tenths of training, with a the share of the new patients and e that of training;
    /// tenths whose ends are equal are one. An empty tenth counts as half a patient.
    fn stability_index(&self, sorted: &[f64]) -> f64 {
        let mut ends: Vec<f64> = (1..10).map(|tenth| self.quantiles[2 * tenth]).collect();
        ends.dedup();
        // The last tenth has no end.
        ends.retain(|end| self.share_up_to(*end) < 1.0);
        let patients = sorted.len() as f64;
        let up_to = |value: f64| sorted.partition_point(|other| *other <= value) as f64 / patients;
        let cumulative = ends.iter().map(|&end| (up_to(end), self.share_up_to(end))).chain([(1.0, 1.0)]);
        let mut previous = (0.0, 0.0);
        cumulative
            .map(|(actual, expected)| {
                let (a, e) = ((actual - previous.0).max(0.5 / patients), expected - previous.1);
                previous = (actual, expected);
                (a - e) * (a / e).ln()
            })
            .sum()
    }
}

/// How far a variable of other patients is from training.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Drift {
    /// Name of the variable.
    pub variable: String,
    /// Its unit.
    pub unit: String,
    /// Patients with a value.
    pub patients: usize,
    /// Patients whose value lies outside the range of training.
    pub outside: usize,
    /// Mean of training.
    pub training_mean: f64,
    /// Mean of the patients.
    pub mean: f64,
    /// Difference of the means over the standard deviation of training.
    pub standardised_difference: f64,
    /// Population stability index over the tenths of training; by a common rule of thumb above 0.1 to be looked at, and
    /// above 0.25 another population. It grows where patients are few: about 9/n is expected without any drift.
    pub stability_index: f64,
    /// Largest distance of the two distribution functions (Kolmogorov-Smirnov), that of training drawn through its
    /// quantiles.
    pub distance: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn training() -> Vec<f64> {
        (0..=200).map(|value| f64::from(value) / 10.0).collect()
    }

    #[test]
    fn training_itself_has_no_drift() {
        let reference = ReferenceDistribution::of("age", "years", &training()).unwrap();
        let drift = reference.drift(&training()).unwrap();
        assert_eq!((drift.outside, drift.standardised_difference), (0, 0.0));
        assert!(drift.stability_index < 1e-3, "{}", drift.stability_index);
        assert!(drift.distance < 0.01, "{}", drift.distance);
    }

    #[test]
    fn shifted_patients_are_found_by_each_measure() {
        let reference = ReferenceDistribution::of("age", "years", &training()).unwrap();
        let shifted: Vec<f64> = training().iter().map(|value| value + 5.0).collect();
        let drift = reference.drift(&shifted).unwrap();
        assert_eq!(drift.outside, 50);
        assert!((drift.standardised_difference - 5.0 / reference.standard_deviation()).abs() < 1e-12);
        assert!((drift.distance - 0.25).abs() < 0.01, "{}", drift.distance);
        // Tenths of [0, 20] hold 0, 0, 5 %, seven times 10 % and 35 %: the shares that are empty count as half a patient.
        let half: f64 = 0.5 / 201.0;
        let expected = 2.0 * (half - 0.1) * (half / 0.1).ln() + (0.05 - 0.1) * 0.5_f64.ln() + 0.25 * 3.5_f64.ln();
        assert!((drift.stability_index - expected).abs() < 0.02, "{} {expected}", drift.stability_index);
        assert!(reference.drift(&[f64::NAN]).is_none());
    }

    #[test]
    fn equal_values_make_one_tenth() {
        let values: Vec<f64> = (0..40).map(|row| f64::from(row % 4 == 0)).collect();
        let reference = ReferenceDistribution::of("marker", "", &values).unwrap();
        assert!(reference.drift(&values).unwrap().stability_index.abs() < 0.02);
        assert_eq!([-1.0, 0.0, 1.0, 2.0].map(|value| reference.contains(value)), [false, true, true, false]);
        assert_eq!(reference.share_up_to(2.0), 1.0);
    }

    #[test]
    fn a_distribution_that_cannot_be_is_refused() {
        let good = serde_json::to_value(ReferenceDistribution::of("age", "years", &training()).unwrap()).unwrap();
        for (field, value) in [
            ("mean", serde_json::json!(30.0)),
            ("standard_deviation", serde_json::json!(-1.0)),
            ("patients", serde_json::json!(1)),
            ("quantiles", serde_json::json!([1.0, 2.0])),
            ("further", serde_json::json!(1.0)),
        ] {
            let mut edited = good.clone();
            edited[field] = value;
            assert!(serde_json::from_value::<ReferenceDistribution>(edited).is_err(), "{field}");
        }
        assert!(serde_json::from_value::<ReferenceDistribution>(good).is_ok());
    }
}
