//! Boruta (Kursa and Rudnicki 2010): selection of all features that are more important than randomly permuted features.
//!
//! In each round every feature that has not been rejected gets a shadow: its own values in random order. A feature that
//! is more important than the best shadow scores a hit. By chance half of the rounds are hits; two binomial tests,
//! corrected by Bonferroni for the number of features, confirm or reject a feature. R's `Boruta` takes the importance
//! of a random forest; here the caller gives it, for instance the gain of gradient boosting.

use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::{Labels, distribution};
use ndarray::Array2;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;

use crate::FeatureTable;
use crate::error::{Result, SelectionError};

/// Rounds, level and seed of a Boruta selection; [`BorutaParams::check`] gives the [`Boruta`] that can be run.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `rounds` | 100 | largest number of rounds | 1 or more |
/// | `level` | 0.01 | level of the tests, before the correction for the number of features | (0, 1) |
/// | `seed` | 0 | seed of the random orders of the shadows | |
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
#[must_use]
pub struct BorutaParams {
    /// Largest number of rounds.
    pub rounds: usize,
    /// Level of the tests.
    pub level: f64,
    /// Seed of the random orders of the shadows.
    pub seed: u64,
}

impl Default for BorutaParams {
    fn default() -> Self {
        Self { rounds: 100, level: 0.01, seed: 0 }
    }
}

impl BorutaParams {
    /// Sets the largest number of rounds.
    pub fn with_rounds(mut self, rounds: usize) -> Self {
        self.rounds = rounds;
        self
    }

    /// Sets the level of the tests.
    pub fn with_level(mut self, level: f64) -> Self {
        self.level = level;
        self
    }

    /// Sets the seed of the random orders of the shadows.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The selection with these parameters.
    ///
    /// # Errors
    /// [`SelectionError::Parameter`] for no round or a level outside (0, 1).
    pub fn check(self) -> Result<Boruta> {
        if !(self.level > 0.0 && self.level < 1.0) {
            return Err(SelectionError::parameter("level of the Boruta tests", self.level, "above 0 and below 1"));
        }
        if self.rounds == 0 {
            return Err(SelectionError::parameter("number of Boruta rounds", 0_usize, "at least 1"));
        }
        Ok(Boruta { params: self })
    }
}

/// A Boruta selection with checked parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Boruta {
    params: BorutaParams,
}

/// What is decided about a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum BorutaDecision {
    /// It beat the best shadow in more rounds than chance explains.
    Confirmed,
    /// Neither had become clear when the rounds ran out.
    Tentative,
    /// It beat the best shadow in fewer rounds than chance alone would give.
    Rejected,
}

/// Decision about one feature.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BorutaFeature {
    /// Name of the feature.
    pub feature: String,
    /// The decision about it.
    pub decision: BorutaDecision,
    /// Number of rounds in which it was more important than the best shadow.
    pub hits: usize,
    /// Mean importance over the rounds until it was rejected.
    pub mean_importance: f64,
}

/// Result of a Boruta selection.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BorutaResult {
    /// The features, in the order of the columns.
    pub features: Vec<BorutaFeature>,
    /// Number of rounds that were run.
    pub rounds: usize,
}

impl BorutaResult {
    /// Names of the confirmed features, in the order of the columns.
    #[must_use]
    pub fn confirmed(&self) -> Vec<String> {
        self.features.iter().filter(|f| f.decision == BorutaDecision::Confirmed).map(|f| f.feature.clone()).collect()
    }
}

/// Smallest number of shadows in a round: the best of fewer would be too easy to beat when few features are left.
const FEWEST_SHADOWS: usize = 5;

/// Runs a Boruta selection: [`BorutaParams::check`] and [`Boruta::select`].
///
/// # Errors
/// As both.
///
/// ```
/// use alnm_selection::boruta::{BorutaParams, boruta};
/// use alnm_selection::{FeatureTable, Labels, SelectionError};
/// use ndarray::Array2;
/// let labels = Labels::new((0..60).map(|row| row % 2 == 0).collect());
/// let values = Array2::from_shape_fn((60, 3), |(row, column)| {
///     let noise = ((row * (3 * column + 5)) % 13) as f64;
///     if column == 0 && row % 2 == 0 { noise + 9.0 } else { noise }
/// });
/// let table = FeatureTable::new(vec!["a".into(), "b".into(), "c".into()], values)?;
/// // The importance of a column: by how much its means differ between the classes.
/// let importance = |columns: &FeatureTable, labels: &Labels, _round: u64| {
///     let difference = |column: &String| -> Result<f64, SelectionError> {
///         let values = columns.column(column)?;
///         let sign = |row: usize| if labels.as_slice()[row] { 1.0 } else { -1.0 };
///         Ok(values.iter().enumerate().map(|(row, value)| sign(row) * value).sum::<f64>().abs())
///     };
///     columns.names().iter().map(difference).collect()
/// };
/// let found = boruta(&table, &labels, BorutaParams::default().with_seed(1), importance)?;
/// assert_eq!(found.confirmed(), ["a"]);
/// # Ok::<(), SelectionError>(())
/// ```
pub fn boruta<E: From<SelectionError>>(
    table: &FeatureTable,
    labels: &Labels,
    params: BorutaParams,
    importance: impl Fn(&FeatureTable, &Labels, u64) -> std::result::Result<Vec<f64>, E>,
) -> std::result::Result<BorutaResult, E> {
    params.check()?.select(table, labels, importance)
}

impl Boruta {
    /// The parameters.
    pub fn params(&self) -> &BorutaParams {
        &self.params
    }

    /// Runs the selection. `importance` gets a table of features and shadows, the labels, and the number of the round
    /// as a seed for importances that need one; it returns one importance per column.
    ///
    /// # Errors
    /// [`SelectionError::Shape`] when labels and rows differ in number or another number of importances comes back;
    /// [`SelectionError::Parameter`] for a table without columns; [`SelectionError::Statistics`] for labels of one
    /// class; and the errors of `importance`.
    pub fn select<E: From<SelectionError>>(
        &self,
        table: &FeatureTable,
        labels: &Labels,
        importance: impl Fn(&FeatureTable, &Labels, u64) -> std::result::Result<Vec<f64>, E>,
    ) -> std::result::Result<BorutaResult, E> {
        require_data(table, labels)?;
        run(table, labels, self.params, importance)
    }
}

fn require_data(table: &FeatureTable, labels: &Labels) -> Result<()> {
    table.require_rows(labels.len())?;
    labels.require_both("Boruta")?;
    if table.columns() == 0 {
        return Err(SelectionError::parameter("number of features", 0_usize, "at least 1"));
    }
    Ok(())
}

fn run<E: From<SelectionError>>(
    table: &FeatureTable,
    labels: &Labels,
    params: BorutaParams,
    importance: impl Fn(&FeatureTable, &Labels, u64) -> std::result::Result<Vec<f64>, E>,
) -> std::result::Result<BorutaResult, E> {
    let p = table.columns();
    let mut features: Vec<BorutaFeature> = table
        .names()
        .iter()
        .map(|n| BorutaFeature {
            feature: n.clone(),
            decision: BorutaDecision::Tentative,
            hits: 0,
            mean_importance: 0.0,
        })
        .collect();
    let mut rounds_in = vec![0usize; p];
    let mut rounds = 0;
    while rounds < params.rounds && features.iter().any(|f| f.decision == BorutaDecision::Tentative) {
        rounds += 1;
        let within: Vec<usize> = (0..p).filter(|&j| features[j].decision != BorutaDecision::Rejected).collect();
        let importances = importance(&with_shadows(table, &within, params.seed, rounds)?, labels, rounds as u64)?;
        let expected = within.len() + within.len().max(FEWEST_SHADOWS);
        if importances.len() != expected {
            let what = "importances and columns";
            return Err(SelectionError::Shape { what, left: importances.len(), right: expected }.into());
        }
        let (own, shadows) = importances.split_at(within.len());
        let best_shadow = shadows.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for (&j, &value) in within.iter().zip(own) {
            features[j].hits += usize::from(value > best_shadow);
            features[j].mean_importance += value;
            rounds_in[j] += 1;
        }
        for feature in features.iter_mut().filter(|f| f.decision == BorutaDecision::Tentative) {
            if p as f64 * at_least(feature.hits, rounds) < params.level {
                feature.decision = BorutaDecision::Confirmed;
            } else if p as f64 * at_least(rounds - feature.hits, rounds) < params.level {
                feature.decision = BorutaDecision::Rejected;
            }
        }
    }
    for (feature, rounds_in) in features.iter_mut().zip(rounds_in) {
        feature.mean_importance /= rounds_in as f64;
    }
    Ok(BorutaResult { features, rounds })
}

/// P(X ≥ hits) of a binomial X with probability ½.
fn at_least(hits: usize, rounds: usize) -> f64 {
    if hits == 0 { 1.0 } else { distribution::beta_cdf(0.5, hits as f64, (rounds - hits) as f64 + 1.0) }
}

/// The features at the positions `within`, and to their right shadows of them.
fn with_shadows(table: &FeatureTable, within: &[usize], seed: u64, round: usize) -> Result<FeatureTable> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(round as u64);
    let mut order: Vec<usize> = (0..table.rows()).collect();
    let shadows: Vec<Vec<f64>> = (0..within.len().max(FEWEST_SHADOWS))
        .map(|k| {
            order.shuffle(&mut generator);
            let column = table.values().column(within[k % within.len()]).to_vec();
            order.iter().map(|&r| column[r]).collect()
        })
        .collect();
    let values = Array2::from_shape_fn((table.rows(), shadows.len()), |(i, k)| shadows[k][i]);
    let taken = |name: &String| table.names().contains(name);
    let mut prefix = "shadow".to_owned();
    while (0..shadows.len()).any(|k| taken(&format!("{prefix} {k}"))) {
        prefix.push('_');
    }
    let names = (0..shadows.len()).map(|k| format!("{prefix} {k}")).collect();
    table.select_columns(within).beside(&FeatureTable::new(names, values)?)
}

impl Tabulate for BorutaResult {
    const COLUMNS: &'static [&'static str] = &["feature", "decision", "hits", "mean importance"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        let word = |decision: BorutaDecision| match decision {
            BorutaDecision::Confirmed => "confirmed",
            BorutaDecision::Tentative => "tentative",
            BorutaDecision::Rejected => "rejected",
        };
        self.features.iter().map(|f| cells![&f.feature, word(f.decision), f.hits, f.mean_importance]).collect()
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    /// Importance by |difference of class means| in standard deviations.
    fn separation(table: &FeatureTable, labels: &Labels) -> Vec<f64> {
        let value = |j: usize| {
            let groups = labels.split(&table.values().column(j).to_vec()).expect("equal lengths");
            alnm_stats::effect_size::MeanDifference::of(&groups.negative, &groups.positive)
                .map_or(0.0, |d| d.cohen_d.abs())
        };
        (0..table.columns()).map(value).collect()
    }

    fn cohort() -> (FeatureTable, Labels) {
        let labels = Labels::new((0..100).map(|i| i % 2 == 0).collect());
        let mut generator = ChaCha8Rng::seed_from_u64(5);
        let values = Array2::from_shape_fn((100, 8), |(i, j)| {
            let noise = f64::from(generator.next_u32()) / f64::from(u32::MAX);
            if j < 2 && i % 2 == 0 { noise + 0.5 } else { noise }
        });
        (FeatureTable::new((0..8).map(|j| format!("x{j}")).collect(), values).expect("unique names"), labels)
    }

    #[test]
    fn informative_features_are_confirmed_and_noise_is_not() {
        let (table, labels) = cohort();
        let found =
            boruta(&table, &labels, BorutaParams::default(), |t, y, _| Ok::<_, SelectionError>(separation(t, y)))
                .expect("both classes");
        assert_eq!(found.confirmed(), ["x0", "x1"]);
        assert!(
            found.features[2..].iter().filter(|f| f.decision == BorutaDecision::Rejected).count() >= 5,
            "{found:?}"
        );
        let again =
            boruta(&table, &labels, BorutaParams::default(), |t, y, _| Ok::<_, SelectionError>(separation(t, y)))
                .expect("both classes");
        assert_eq!(found, again);
    }

    // R 4.2.2: p.adjust(pbinom(hits - 1, rounds, 0.5, lower.tail = FALSE), "bonferroni", n = 8) < 0.01, as Boruta
    // tests: with 8 features 10 hits of 10 confirm (8 / 2^10 = 0.0078), 9 of 9 do not (8 / 2^9 = 0.0156).
    #[test]
    fn a_feature_that_always_hits_is_confirmed_in_the_tenth_round() {
        let (table, labels) = cohort();
        let first_only = |t: &FeatureTable, _: &Labels, _: u64| {
            Ok::<_, SelectionError>((0..t.columns()).map(|j| if j == 0 { 2.0 } else { 1.0 }).collect())
        };
        let run = |rounds| {
            boruta(&table, &labels, BorutaParams::default().with_rounds(rounds), first_only).expect("both classes")
        };
        assert!(run(9).features.iter().all(|f| f.decision == BorutaDecision::Tentative));
        let ten = run(10);
        assert_eq!(ten.features[0].decision, BorutaDecision::Confirmed);
        assert!(ten.features[1..].iter().all(|f| f.decision == BorutaDecision::Rejected && f.hits == 0));
    }

    #[test]
    fn parameters_out_of_range_are_refused() {
        let (table, labels) = cohort();
        let run = |labels: &Labels, params| {
            boruta(&table, labels, params, |t, y, _| Ok::<_, SelectionError>(separation(t, y)))
        };
        assert!(run(&labels, BorutaParams::default().with_rounds(0)).is_err());
        assert!(run(&labels, BorutaParams::default().with_level(1.0)).is_err());
        assert!(run(&Labels::new(vec![true; 100]), BorutaParams::default()).is_err());
        assert!(
            boruta(&table, &labels, BorutaParams::default(), |_, _, _| Ok::<_, SelectionError>(vec![1.0])).is_err()
        );
    }
}
