//! Boruta (Kursa and Rudnicki 2010): all features that are more important than their own noise.
//!
//! In each round every feature that is still in gets a shadow, its values in random order. A feature that is more
//! important than the best shadow scores a hit. By chance half of the rounds are hits; two binomial tests, corrected by
//! Bonferroni for the number of features, confirm or reject a feature. Any importance can be used: R's `Boruta` takes
//! that of a random forest, here it is what the caller gives, for instance the gain of gradient boosting.

use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::{Labels, distribution};
use ndarray::Array2;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::FeatureTable;
use crate::error::{Result, SelectionError};

/// Parameters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BorutaParams {
    /// Rounds at most, 1 or more; default 100.
    pub rounds: usize,
    /// Level of the tests, in (0, 1); default 0.01.
    pub level: f64,
    /// Seed of the shadows.
    pub seed: u64,
}

impl Default for BorutaParams {
    fn default() -> Self {
        Self { rounds: 100, level: 0.01, seed: 0 }
    }
}

/// What is decided about a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Relevance {
    /// More often important than chance allows.
    Confirmed,
    /// Still open when the rounds ran out.
    Tentative,
    /// Less often important than chance alone would have it.
    Rejected,
}

/// Decision about one feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BorutaFeature {
    /// Name of the feature.
    pub feature: String,
    /// The decision.
    pub relevance: Relevance,
    /// Rounds in which it was more important than the best shadow.
    pub hits: usize,
    /// Mean importance over the rounds in which it was in.
    pub mean_importance: f64,
}

/// Result of the selection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Boruta {
    /// The features, in the order of the columns.
    pub features: Vec<BorutaFeature>,
    /// Rounds that were run.
    pub rounds: usize,
}

impl Boruta {
    /// Names of the confirmed features.
    #[must_use]
    pub fn confirmed(&self) -> Vec<String> {
        self.features.iter().filter(|f| f.relevance == Relevance::Confirmed).map(|f| f.feature.clone()).collect()
    }
}

/// Fewest shadows of a round, so that the best of them means something when few features are left.
const FEWEST_SHADOWS: usize = 5;

/// Runs the selection. `importance` gets a table of features and shadows and returns one importance a column; a number
/// of the round comes with it, as a seed for importances that need one.
///
/// # Errors
/// [`SelectionError::Parameter`], [`SelectionError::Shape`] when another number of importances comes back,
/// [`SelectionError::Statistics`] for labels of one class, and the errors of `importance`.
pub fn boruta(
    table: &FeatureTable,
    labels: &Labels,
    params: BorutaParams,
    importance: impl Fn(&FeatureTable, &Labels, u64) -> Result<Vec<f64>>,
) -> Result<Boruta> {
    table.require_rows(labels.len())?;
    labels.require_both("Boruta")?;
    if !(params.level > 0.0 && params.level < 1.0) {
        return Err(SelectionError::Parameter { name: "level", range: "(0, 1)", value: params.level });
    }
    if params.rounds == 0 || table.columns() == 0 {
        return Err(SelectionError::Parameter { name: "rounds and columns", range: "1 or more", value: 0.0 });
    }
    let p = table.columns();
    let mut features: Vec<BorutaFeature> = table
        .names()
        .iter()
        .map(|n| BorutaFeature { feature: n.clone(), relevance: Relevance::Tentative, hits: 0, mean_importance: 0.0 })
        .collect();
    let mut rounds_in = vec![0usize; p];
    let mut rounds = 0;
    while rounds < params.rounds && features.iter().any(|f| f.relevance == Relevance::Tentative) {
        rounds += 1;
        let within: Vec<usize> = (0..p).filter(|&j| features[j].relevance != Relevance::Rejected).collect();
        let importances = importance(&with_shadows(table, &within, params.seed, rounds)?, labels, rounds as u64)?;
        let expected = within.len() + within.len().max(FEWEST_SHADOWS);
        if importances.len() != expected {
            return Err(SelectionError::Shape {
                what: "importances and columns",
                left: importances.len(),
                right: expected,
            });
        }
        let (own, shadows) = importances.split_at(within.len());
        let best_shadow = shadows.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for (&j, &value) in within.iter().zip(own) {
            features[j].hits += usize::from(value > best_shadow);
            features[j].mean_importance += value;
            rounds_in[j] += 1;
        }
        for feature in features.iter_mut().filter(|f| f.relevance == Relevance::Tentative) {
            if p as f64 * at_least(feature.hits, rounds) < params.level {
                feature.relevance = Relevance::Confirmed;
            } else if p as f64 * at_least(rounds - feature.hits, rounds) < params.level {
                feature.relevance = Relevance::Rejected;
            }
        }
    }
    for (feature, rounds_in) in features.iter_mut().zip(rounds_in) {
        feature.mean_importance /= rounds_in as f64;
    }
    Ok(Boruta { features, rounds })
}

/// P(X ≥ hits) of a binomial X with probability ½.
fn at_least(hits: usize, rounds: usize) -> f64 {
    if hits == 0 { 1.0 } else { distribution::beta_cdf(0.5, hits as f64, (rounds - hits) as f64 + 1.0) }
}

/// The features that are still in, and to their right shadows of them.
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

impl Tabulate for Boruta {
    const COLUMNS: &'static [&'static str] = &["feature", "relevance", "hits", "mean importance"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        let word = |r: Relevance| match r {
            Relevance::Confirmed => "confirmed",
            Relevance::Tentative => "tentative",
            Relevance::Rejected => "rejected",
        };
        self.features.iter().map(|f| cells![&f.feature, word(f.relevance), f.hits, f.mean_importance]).collect()
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
            boruta(&table, &labels, BorutaParams::default(), |t, y, _| Ok(separation(t, y))).expect("both classes");
        assert_eq!(found.confirmed(), ["x0", "x1"]);
        assert!(found.features[2..].iter().filter(|f| f.relevance == Relevance::Rejected).count() >= 5, "{found:?}");
        let again =
            boruta(&table, &labels, BorutaParams::default(), |t, y, _| Ok(separation(t, y))).expect("both classes");
        assert_eq!(found, again);
    }

    // R 4.2.2: p.adjust(pbinom(hits - 1, rounds, 0.5, lower.tail = FALSE), "bonferroni", n = 8) < 0.01, as Boruta
    // tests: with 8 features 10 hits of 10 confirm (8 / 2^10 = 0.0078), 9 of 9 do not (8 / 2^9 = 0.0156).
    #[test]
    fn a_feature_that_always_hits_is_confirmed_in_the_tenth_round() {
        let (table, labels) = cohort();
        let first_only = |t: &FeatureTable, _: &Labels, _: u64| {
            Ok((0..t.columns()).map(|j| if j == 0 { 2.0 } else { 1.0 }).collect())
        };
        let run = |rounds| {
            boruta(&table, &labels, BorutaParams { rounds, ..BorutaParams::default() }, first_only)
                .expect("both classes")
        };
        assert!(run(9).features.iter().all(|f| f.relevance == Relevance::Tentative));
        let ten = run(10);
        assert_eq!(ten.features[0].relevance, Relevance::Confirmed);
        assert!(ten.features[1..].iter().all(|f| f.relevance == Relevance::Rejected && f.hits == 0));
    }

    #[test]
    fn parameters_out_of_range_are_refused() {
        let (table, labels) = cohort();
        let run = |labels: &Labels, params| boruta(&table, labels, params, |t, y, _| Ok(separation(t, y)));
        assert!(run(&labels, BorutaParams { rounds: 0, ..BorutaParams::default() }).is_err());
        assert!(run(&labels, BorutaParams { level: 1.0, ..BorutaParams::default() }).is_err());
        assert!(run(&Labels::new(vec![true; 100]), BorutaParams::default()).is_err());
        assert!(boruta(&table, &labels, BorutaParams::default(), |_, _, _| Ok(vec![1.0])).is_err());
    }
}
