//! Midranks and ties.

/// Ranks from 1, tied values sharing the mean of their ranks (R's `rank`).
///
/// ```
/// assert_eq!(alnm_stats::rank::midranks(&[3.0, 1.0, 3.0, 2.0]), [3.5, 1.0, 3.5, 2.0]);
/// ```
#[must_use]
pub fn midranks(values: &[f64]) -> Vec<f64> {
    let order = ascending_order(values);
    let mut ranks = vec![0.0; values.len()];
    for tie in ties(values, &order) {
        let rank = (tie.start + tie.end + 1) as f64 / 2.0;
        for &i in &order[tie] {
            ranks[i] = rank;
        }
    }
    ranks
}

/// Positions of the values in ascending order; equal values keep their order.
///
/// ```
/// assert_eq!(alnm_stats::rank::ascending_order(&[3.0, 1.0, 2.0]), [1, 2, 0]);
/// ```
#[must_use]
pub fn ascending_order(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    // -0 and 0 are one value; NaN, where it is let through, sorts by its bits.
    order.sort_by(|&a, &b| values[a].partial_cmp(&values[b]).unwrap_or_else(|| values[a].total_cmp(&values[b])));
    order
}

/// Runs of equal values along an ascending order, as ranges of that order.
pub(crate) fn ties<'a>(values: &'a [f64], order: &'a [usize]) -> impl Iterator<Item = std::ops::Range<usize>> + 'a {
    let mut start = 0;
    std::iter::from_fn(move || {
        if start == order.len() {
            return None;
        }
        let mut end = start + 1;
        while end < order.len() && values[order[end]] == values[order[start]] {
            end += 1;
        }
        let run = start..end;
        start = end;
        Some(run)
    })
}

/// Σ (t³ − t) over the groups of `t` tied values, the tie term of rank tests.
///
/// ```
/// assert_eq!(alnm_stats::rank::tie_term(&[1.0, 1.0, 2.0]), 6.0);
/// ```
#[must_use]
pub fn tie_term(values: &[f64]) -> f64 {
    let order = ascending_order(values);
    ties(values, &order)
        .map(|run| {
            let t = run.len() as f64;
            t * t * t - t
        })
        .sum()
}
