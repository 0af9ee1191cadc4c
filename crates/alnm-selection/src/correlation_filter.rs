//! Correlation filters, which remove one feature of each pair of strongly correlated features.

use alnm_stats::Labels;
pub use alnm_stats::correlation::Correlation;
use alnm_stats::correlation::{PairRows, correlation_matrix};
use ndarray::ArrayView2;
use rayon::prelude::*;

use crate::FeatureTable;
use crate::error::{Result, SelectionError};
use crate::univariate::UnivariateParams;

/// The correlation that is filtered, and how; [`CorrelationFilterParams::check`] gives the [`CorrelationFilter`].
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `correlation` | Pearson | which correlation r | |
/// | `cutoff` | 0.9 | of two features with a larger \|r\| one goes | [0, 1] |
/// | `rule` | caret's exact rule | which of the two goes | |
///
/// ```
/// use alnm_selection::correlation_filter::CorrelationFilterParams;
/// use alnm_selection::{FeatureTable, Labels};
/// use ndarray::array;
/// // The second feature is nearly twice the first.
/// let values = array![[1.0, 2.1, 0.0], [2.0, 3.9, 1.0], [3.0, 6.1, 0.5], [4.0, 8.0, 0.2]];
/// let table = FeatureTable::new(vec!["a".into(), "b".into(), "c".into()], values)?;
/// let labels = Labels::new(vec![false, true, false, true]);
/// let redundant = CorrelationFilterParams::default().check()?.redundant(&table, &labels)?;
/// assert_eq!(redundant.len(), 1);
/// assert!(redundant[0].removed < 2 && redundant[0].because_of < 2);
/// # Ok::<(), alnm_selection::SelectionError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
#[must_use]
pub struct CorrelationFilterParams {
    /// Which correlation r.
    pub correlation: Correlation,
    /// Of two features with a larger |r| one goes.
    pub cutoff: f64,
    /// Which of the two goes.
    pub rule: CorrelationRule,
}

impl Default for CorrelationFilterParams {
    fn default() -> Self {
        Self { correlation: Correlation::Pearson, cutoff: 0.9, rule: CorrelationRule::CaretExact }
    }
}

impl CorrelationFilterParams {
    /// Sets which correlation is computed.
    pub fn with_correlation(mut self, correlation: Correlation) -> Self {
        self.correlation = correlation;
        self
    }

    /// Sets the cutoff of |r|.
    pub fn with_cutoff(mut self, cutoff: f64) -> Self {
        self.cutoff = cutoff;
        self
    }

    /// Sets which of two correlated features goes.
    pub fn with_rule(mut self, rule: CorrelationRule) -> Self {
        self.rule = rule;
        self
    }

    /// The filter with these parameters.
    ///
    /// # Errors
    /// [`SelectionError::Parameter`] for a cutoff outside [0, 1].
    pub fn check(self) -> Result<CorrelationFilter> {
        check_cutoff(self.cutoff)?;
        Ok(CorrelationFilter { params: self })
    }
}

/// A correlation filter with checked parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CorrelationFilter {
    params: CorrelationFilterParams,
}

impl CorrelationFilter {
    /// The parameters.
    pub fn params(&self) -> &CorrelationFilterParams {
        &self.params
    }

    /// The features that go, in the order in which they are removed. With [`CorrelationRule::Ranked`] features enter by
    /// rising p-value of the univariate screen with its default parameters; the other rules do not look at the labels.
    ///
    /// # Errors
    /// [`SelectionError::Statistics`] when the correlations cannot be computed, the errors of [`find_correlation`], and
    /// with [`CorrelationRule::Ranked`] those of the screen.
    pub fn redundant(&self, table: &FeatureTable, labels: &Labels) -> Result<Vec<Redundant>> {
        let CorrelationFilterParams { correlation, cutoff, rule } = self.params;
        let r = correlation_matrix(table.values(), correlation, PairRows::Everything)?;
        match rule {
            CorrelationRule::Ranked => {
                let screened = UnivariateParams::default().check()?.test(table, labels)?;
                let strength: Vec<f64> =
                    screened.iter().map(|f| if f.p_value.is_nan() { -1.0 } else { -f.p_value }).collect();
                ranked_filter(r.view(), cutoff, &strength)
            }
            caret => find_correlation(r.view(), cutoff, caret),
        }
    }
}

/// How the filter decides which feature of a correlated pair goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum CorrelationRule {
    /// caret's `findCorrelation(exact = TRUE)`: the one with the larger mean |r| to the features not yet removed,
    /// recomputed after each removal. A feature with missing correlations stays.
    #[default]
    CaretExact,
    /// caret's `findCorrelation(exact = FALSE)`: mean |r| to all features, computed once. Refuses missing correlations.
    CaretFast,
    /// By a score: features enter from the best to the worst, and one that correlates with an earlier one goes.
    Ranked,
}

/// A removed feature and the one that stays in its place.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Redundant {
    /// Position of the column that goes, counted from 0.
    pub removed: usize,
    /// Position of the column that it correlates with and that stays, counted from 0.
    pub because_of: usize,
    /// Correlation of the two features.
    pub correlation: f64,
}

/// Features to remove from a correlation matrix so that no |r| > `cutoff` remains, by caret's rules, in the order of
/// caret's answer.
///
/// # Errors
/// [`SelectionError::Shape`] when the matrix is not square, [`SelectionError::Parameter`] for a cutoff outside [0, 1],
/// for a missing correlation under [`CorrelationRule::CaretFast`], and for [`CorrelationRule::Ranked`], which needs a
/// score: see [`ranked_filter`].
pub fn find_correlation(r: ArrayView2<'_, f64>, cutoff: f64, rule: CorrelationRule) -> Result<Vec<Redundant>> {
    check(r, cutoff)?;
    match rule {
        CorrelationRule::CaretExact => Ok(caret_exact(r, cutoff)),
        CorrelationRule::CaretFast => caret_fast(r, cutoff),
        CorrelationRule::Ranked => {
            let requirement = "one of caret's two rules, since the ranked one needs a score and is `ranked_filter`";
            Err(SelectionError::parameter("correlation rule", "Ranked", requirement))
        }
    }
}

fn check(r: ArrayView2<'_, f64>, cutoff: f64) -> Result<()> {
    if r.nrows() != r.ncols() {
        return Err(SelectionError::Shape {
            what: "rows and columns of the correlation matrix",
            left: r.nrows(),
            right: r.ncols(),
        });
    }
    check_cutoff(cutoff)
}

fn check_cutoff(cutoff: f64) -> Result<()> {
    if (0.0..=1.0).contains(&cutoff) {
        Ok(())
    } else {
        Err(SelectionError::parameter("cutoff of the correlation filter", cutoff, "at least 0 and at most 1"))
    }
}

/// Sum and number of the values that are not NaN. What rounding takes from the sum is kept as well: equal columns
/// have equal means wherever they stand.
#[derive(Clone, Copy, Default)]
struct Tally {
    sum: f64,
    lost: f64,
    count: f64,
}

impl Tally {
    fn add(&mut self, v: f64, sign: f64) {
        if !v.is_nan() {
            let term = sign * v;
            let total = self.sum + term;
            self.lost +=
                if self.sum.abs() >= term.abs() { (self.sum - total) + term } else { (term - total) + self.sum };
            self.sum = total;
            self.count += sign;
        }
    }

    fn mean(self) -> f64 {
        (self.sum + self.lost) / self.count
    }
}

fn caret_exact(r: ArrayView2<'_, f64>, cutoff: f64) -> Vec<Redundant> {
    let p = r.ncols();
    let absolute = |i: usize, j: usize| r[[i, j]].abs();
    // Sums over the features not yet removed, without the diagonal; updated when one goes.
    let mut columns = vec![Tally::default(); p];
    let mut total = Tally::default();
    let mut pairs_above = 0usize;
    for i in 0..p {
        for j in 0..p {
            if i != j {
                columns[i].add(absolute(i, j), 1.0);
                total.add(absolute(i, j), 1.0);
                pairs_above += usize::from(j < i && absolute(i, j) > cutoff);
            }
        }
    }
    // By falling mean correlation; columns without one come last.
    let means: Vec<f64> = columns.iter().map(|t| t.mean()).collect();
    let mut order: Vec<usize> = (0..p).collect();
    order.sort_by(|&a, &b| means[a].is_nan().cmp(&means[b].is_nan()).then(means[b].total_cmp(&means[a])));
    let mut gone: Vec<Option<Redundant>> = vec![None; p];
    for a in 0..p.saturating_sub(1) {
        if pairs_above == 0 {
            break;
        }
        let i = order[a];
        for &j in &order[a + 1..] {
            if gone[i].is_some() {
                break;
            }
            if gone[j].is_some() || absolute(i, j).partial_cmp(&cutoff) != Some(std::cmp::Ordering::Greater) {
                continue;
            }
            let others = Tally {
                sum: total.sum - columns[j].sum,
                lost: total.lost - columns[j].lost,
                count: total.count - columns[j].count,
            };
            let (goes, stays) = if columns[i].mean() > others.mean() { (i, j) } else { (j, i) };
            for k in (0..p).filter(|&k| k != goes && gone[k].is_none()) {
                columns[k].add(absolute(k, goes), -1.0);
                total.add(absolute(k, goes), -2.0);
                pairs_above -= usize::from(absolute(k, goes) > cutoff);
            }
            gone[goes] = Some(Redundant { removed: goes, because_of: stays, correlation: r[[i, j]] });
        }
    }
    order.into_iter().filter_map(|i| gone[i]).collect()
}

fn caret_fast(r: ArrayView2<'_, f64>, cutoff: f64) -> Result<Vec<Redundant>> {
    let p = r.ncols();
    let (sums, above) = sums_and_pairs(r, cutoff);
    if let Some(&value) = sums.iter().find(|sum| sum.is_nan()) {
        return Err(SelectionError::parameter(
            "sum of the absolute correlations of a column",
            value,
            "a number: caret's fast rule needs features that vary and have no missing value",
        ));
    }
    let mean = |j: usize| sums[j] / p as f64;
    let (later, earlier): (Vec<_>, Vec<_>) =
        above.into_iter().partition(|&(i, j)| is_larger_in_fifteen_digits(mean(j), mean(i)));
    let pairs = later.into_iter().map(|(i, j)| (j, i)).chain(earlier);
    let mut seen = vec![false; p];
    let mut removed = Vec::new();
    for (goes, stays) in pairs {
        if !std::mem::replace(&mut seen[goes], true) {
            removed.push(Redundant { removed: goes, because_of: stays, correlation: r[[goes, stays]] });
        }
    }
    Ok(removed)
}

/// Two columns.
type Pair = (usize, usize);

/// Sums of |r| over each column, and the pairs i < j with |r| above the cutoff, by j, then by i. One pass over the rows
/// as they lie in memory; blocks of rows are fixed, so the sums do not depend on the threads.
fn sums_and_pairs(r: ArrayView2<'_, f64>, cutoff: f64) -> (Vec<f64>, Vec<Pair>) {
    const ROWS: usize = 64;
    let p = r.ncols();
    let layout = r.as_standard_layout();
    let values = layout.as_slice().unwrap_or_default();
    let of_block = |(block, rows): (usize, &[f64])| {
        let mut sums = vec![0.0; p];
        let mut found = Vec::new();
        for (row, i) in rows.chunks_exact(p).zip(block * ROWS..) {
            sums.iter_mut().zip(row).for_each(|(sum, v)| *sum += v.abs());
            push_above(&row[i + 1..], cutoff, |j| found.push((i, i + 1 + j)));
        }
        (sums, found)
    };
    let blocks: Vec<(Vec<f64>, Vec<Pair>)> = values.par_chunks((ROWS * p).max(1)).enumerate().map(of_block).collect();
    let mut sums = vec![0.0; p];
    let mut start = vec![0usize; p + 1];
    for (of_block, found) in &blocks {
        sums.iter_mut().zip(of_block).for_each(|(sum, v)| *sum += v);
        found.iter().for_each(|&(_, j)| start[j + 1] += 1);
    }
    for j in 0..p {
        start[j + 1] += start[j];
    }
    // Dealt to their columns by count.
    let mut pairs = vec![(0, 0); start[p]];
    for (i, j) in blocks.into_iter().flat_map(|(_, found)| found) {
        pairs[start[j]] = (i, j);
        start[j] += 1;
    }
    (sums, pairs)
}

/// Names the places where |v| lies above the cutoff. Most groups of a row hold none, which a comparison without
/// branches tells.
fn push_above(row: &[f64], cutoff: f64, mut found: impl FnMut(usize)) {
    const GROUP: usize = 8;
    for (group, first) in row.chunks(GROUP).zip((0..).step_by(GROUP)) {
        if group.iter().fold(false, |any, v| any | (v.abs() > cutoff)) {
            group.iter().zip(first..).filter(|(v, _)| v.abs() > cutoff).for_each(|(_, j)| found(j));
        }
    }
}

/// Whether a > b as R prints them by default, for two values that are not negative: caret compares mean correlations
/// through their text.
fn is_larger_in_fifteen_digits(a: f64, b: f64) -> bool {
    // Fifteen digits tell apart what differs by more than the last of them is worth.
    const LAST_DIGIT: f64 = 1e-14;
    if (a - b).abs() > 2.0 * LAST_DIGIT * a.max(b) { a > b } else { fifteen_digits(a) > fifteen_digits(b) }
}

/// The value as R prints it by default.
fn fifteen_digits(v: f64) -> f64 {
    format!("{v:.14e}").parse().unwrap_or(v)
}

/// Features to remove when they enter from the best to the worst `score` (larger is better): each that correlates above
/// the cutoff with an earlier one that stayed goes. Ties keep the order of the columns.
///
/// # Errors
/// As [`find_correlation`], and [`SelectionError::Shape`] when scores and columns differ in number.
pub fn ranked_filter(r: ArrayView2<'_, f64>, cutoff: f64, score: &[f64]) -> Result<Vec<Redundant>> {
    check(r, cutoff)?;
    if score.len() != r.ncols() {
        return Err(SelectionError::Shape { what: "scores and columns", left: score.len(), right: r.ncols() });
    }
    let mut order: Vec<usize> = (0..score.len()).collect();
    order.sort_by(|&a, &b| score[b].total_cmp(&score[a]));
    let mut kept: Vec<usize> = Vec::new();
    let mut removed = Vec::new();
    for candidate in order {
        match kept.iter().find(|&&k| r[[k, candidate]].abs() > cutoff) {
            Some(&because_of) => {
                removed.push(Redundant { removed: candidate, because_of, correlation: r[[because_of, candidate]] });
            }
            None => kept.push(candidate),
        }
    }
    Ok(removed)
}
